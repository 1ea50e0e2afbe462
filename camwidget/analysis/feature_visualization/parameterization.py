"""Parameterization of a synthesized picture by Fourier coefficients and decorrelated colors, and regularizers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch.nn import functional as F

from ..._validation import is_number
from ...errors import MethodError

__all__ = ["FourierImage", "Regularizers", "random_transform", "total_variation"]

#: Color axes as rows: brightness, red minus blue, and green against both, approximately the principal axes of natural
#: colors (Ohta et al. 1980), with the standard deviation of natural pictures along each, relative to brightness (from
#: the color correlation that Olah et al. 2017 measured on ImageNet).
_AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
_SPREADS = (1.0, 0.28, 0.13)


@dataclass(frozen=True)
class Regularizers:
    """Regularizers that keep a synthesized picture natural; a value of 0 switches one off.

    The defaults were tuned visually on pictures of two nets, starting from the values of the papers.

    Attributes:
        spectrum: exponent of the 1/f amplitude spectrum; 1 as for natural pictures, 0 as for optimizing pixels (Olah et
            al. 2017, "Preconditioning").
        decay: share of the contrast that is lost in each step, L2 decay (Yosinski et al. 2015, θ_decay; Simonyan et al.
            2014, eq. 1).
        blur: standard deviation in pixels of a Gaussian blur every ``blur_every`` steps (Yosinski et al. 2015,
            θ_b_width: 0.5 and 1).
        blur_every: period of the blur in steps (Yosinski et al. 2015, θ_b_every: 4).
        clip_norm: percentage of pixels, those nearest to gray, that are set to gray in each step (Yosinski et al. 2015,
            θ_n_pct: 20 to 50).
        clip_contribution: percentage of pixels, those that contribute least to the score, that are set to gray in each
            step (Yosinski et al. 2015, θ_c_pct: 90).
        tv: weight of the total variation (Mahendran and Vedaldi 2015, eq. 4, β = 1), relative to a gradient of the
            score that is scaled to a root mean square of 1 over the pixels.
        jitter: greatest random shift before each step, in pixels (Olah et al. 2017, "Transformation robustness").
        scale: greatest relative random change of size, in [0, 0.9] (same source).
        rotate: greatest random rotation, in degrees (same source).

    Raises:
        MethodError: if a value is out of its range.
    """

    spectrum: float = 1.0
    decay: float = 0.01
    blur: float = 0.5
    blur_every: int = 4
    clip_norm: float = 0.0
    clip_contribution: float = 0.0
    tv: float = 0.05
    jitter: float = 8.0
    scale: float = 0.05
    rotate: float = 5.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            MethodError: if a value is out of its range.
        """
        most = {"decay": 1.0, "scale": 0.9, "clip_norm": 100.0, "clip_contribution": 100.0}
        for field in fields(self):
            value, high = getattr(self, field.name), most.get(field.name, math.inf)
            if not is_number(value, 0, high):
                bound = "" if math.isinf(high) else f" and at most {high:g}"
                raise MethodError(f"{field.name} must be at least 0{bound}, not {value!r}.")


class FourierImage:
    """A picture parameterized for optimization as in Olah et al. 2017 (section "Preconditioning").

    The optimized variables are the Fourier coefficients z of each decorrelated color channel:

        x = colors · irfft2(z / max(f, 1/side)^spectrum),    picture = sigmoid(x) in [0, 1],

    with f in cycles per pixel. Amplitudes of natural pictures fall as 1/f, so that with ``spectrum=1`` one step size in
    z suits all frequencies; ``spectrum=0`` treats them alike, as optimizing pixels does. x = 0 is mid gray, the zero of
    the regularizers of Yosinski et al. 2015, who subtract the mean.

    Args:
        size: height and width in pixels.
        channels: 3 for RGB, 1 for gray.
        spectrum: the exponent above.
        contrast: standard deviation of the initial noise in x.
        generator: random generator on the CPU, so that all devices start from the same noise.
        device: device of the coefficients.

    Attributes:
        coefficients: z, float32 (channels, H, W // 2 + 1, 2), the leaf tensor to optimize.
    """

    def __init__(
        self,
        size: tuple[int, int],
        channels: int,
        *,
        spectrum: float,
        contrast: float,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.size = size
        height, width = size
        vertical = torch.fft.fftfreq(height)[:, None]
        horizontal = torch.fft.rfftfreq(width)[None]
        frequency = (vertical.square() + horizontal.square()).sqrt()
        scale = frequency.clamp(min=1 / max(size)) ** -spectrum
        # Normalized to unit power, so that one step size and one contrast suit every size and exponent.
        self._scale = (scale / scale.square().mean().sqrt()).to(device)
        self._frequency = frequency.to(device)
        axes = torch.eye(1)
        if channels == 3:
            axes = F.normalize(torch.tensor(_AXES), dim=1) * torch.tensor(_SPREADS)[:, None]
            axes = axes * math.sqrt(3)  # unit brightness, as for a gray picture
        self._color_matrix = axes.T.contiguous().to(device)
        shape = (channels, height, width // 2 + 1, 2)
        self.coefficients = torch.zeros(shape, device=device, requires_grad=True)
        self.add_noise(contrast, generator)

    def field(self) -> torch.Tensor:
        """x, before the sigmoid: (C, H, W), 0 is mid gray; differentiable in the coefficients."""
        spectrum = torch.view_as_complex(self.coefficients) * self._scale
        planes = torch.fft.irfft2(spectrum, s=self.size, norm="ortho")
        return torch.einsum("ca,ahw->chw", self._color_matrix, planes)

    def picture(self) -> torch.Tensor:
        """Pixels (C, H, W) in [0, 1], differentiable in the coefficients."""
        return self.field().sigmoid()

    @torch.no_grad()
    def add_noise(self, contrast: float, generator: torch.Generator) -> None:
        """Add noise of standard deviation ``contrast`` to x."""
        noise = torch.randn(self.coefficients.shape, generator=generator)
        # Half of the plane is stored, real and imaginary: each part has half of a pixel's variance.
        self.coefficients.add_((noise * contrast * math.sqrt(0.5)).to(self.coefficients.device))

    @torch.no_grad()
    def decay(self, rate: float) -> None:
        """Apply the L2 decay of Yosinski et al. 2015, x ← (1 − rate) · x."""
        self.coefficients.mul_(1 - rate)

    @torch.no_grad()
    def blur(self, sigma: float) -> None:
        """Blur x by a Gaussian of ``sigma`` pixels (Yosinski et al. 2015), by its transfer function exp(−2π²σ²f²)."""
        transfer = (-2 * (math.pi * sigma * self._frequency).square()).exp()
        self.coefficients.mul_(transfer[..., None])

    @torch.no_grad()
    def erase(self, importance: torch.Tensor, percent: float) -> None:
        """Set the least important pixels to gray.

        Args:
            importance: (H, W). For the two clippings of Yosinski et al. 2015, the norm of x over colors, or
                |Σ x · ∂score/∂x| over colors, the first-order contribution of a pixel to the score.
            percent: percentage of pixels, in [0, 100].
        """
        count = round(importance.numel() * percent / 100)
        if count < 1:
            return
        x = self.field()
        least = importance.flatten().topk(count, largest=False).indices
        x.flatten(1)[:, least] = 0
        planes = torch.einsum("ac,chw->ahw", torch.linalg.inv(self._color_matrix), x)
        spectrum = torch.fft.rfft2(planes, norm="ortho") / self._scale
        self.coefficients.copy_(torch.view_as_real(spectrum))


def total_variation(picture: torch.Tensor) -> torch.Tensor:
    """The total variation Σ √(dx² + dy²) of a picture (C, H, W): Mahendran and Vedaldi 2015, eq. 4 with β = 1."""
    across = F.pad(picture.diff(dim=2), (0, 1))
    down = F.pad(picture.diff(dim=1), (0, 0, 0, 1))
    # The square root is not differentiable at 0, the value of a constant picture.
    return (across.square() + down.square() + 1e-6).sqrt().sum()


def random_transform(
    picture: torch.Tensor,
    generator: torch.Generator,
    *,
    jitter: float,
    scale: float,
    rotate: float,
) -> torch.Tensor:
    """Shift, scale and rotate a picture at random, with reflection beyond its border.

    Patterns that excite the model at one exact pixel position only do not survive this (Olah et al. 2017,
    "Transformation robustness").

    Args:
        picture: (C, H, W); the result is differentiable in it.
        generator: random generator on the CPU.
        jitter: greatest shift along each axis, in pixels.
        scale: greatest relative change of size.
        rotate: greatest rotation, in degrees.

    Returns:
        The transformed picture, (C, H, W).
    """
    height, width = picture.shape[-2:]
    down, across, growth, rotation = (
        2 * torch.rand(4, generator=generator, dtype=torch.float64) - 1
    ).tolist()
    if not (jitter or scale or rotate):
        return picture
    zoom, angle = 1 + scale * growth, math.radians(rotate * rotation)
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    # grid_sample's coordinates run from -1 to 1 along each side, whatever its length.
    matrix = torch.tensor(
        [
            [cos, -sin * height / width, 2 * jitter * across / width],
            [sin * width / height, cos, 2 * jitter * down / height],
        ],
        device=picture.device,
        dtype=picture.dtype,
    )
    grid = F.affine_grid(matrix[None], [1, *picture.shape], align_corners=False)
    return F.grid_sample(picture[None], grid, padding_mode="reflection", align_corners=False)[0]
