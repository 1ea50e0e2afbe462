"""Parameterization of a synthesized picture: Fourier coefficients and decorrelated colors, with regularizers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch.nn import functional as F

from ..._validation import is_number
from ...errors import MethodError

__all__ = ["FourierImage", "Regularizers", "total_variation", "wobble"]

#: Brightness, blue against red, green against both: nearly the principal axes of natural colours (Ohta et al. 1980),
#: and how far natural pictures spread along each (standard deviations relative to brightness, read off the colour
#: correlation that Olah et al. 2017 measured on ImageNet). Rows are axes.
_AXES = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0))
_SPREADS = (1.0, 0.28, 0.13)


@dataclass(frozen=True)
class Regularizers:
    """What keeps a picture natural while a score is maximised. 0 switches each of them off.

    The defaults were chosen by looking at many pictures of two nets, beginning with the values of the papers.

    Attributes:
        spectrum: amplitudes are expected to fall as 1/f to this power, as those of natural pictures do with 1; 0 treats
            all frequencies alike, as optimising pixels does (Olah et al. 2017, "Preconditioning").
        decay: the part of its contrast that the picture loses each step, L2 decay (Yosinski et al. 2015, θ_decay;
            Simonyan et al. 2014, eq. 1).
        blur: standard deviation in pixels of the Gaussian that the picture is blurred with now and then
            (Yosinski et al. 2015, θ_b_width; theirs are 0.5 and 1).
        blur_every: blur each so many steps (θ_b_every; theirs is 4).
        clip_norm: percent of pixels, those nearest to grey, that are made grey each step (θ_n_pct; theirs 20 to 50).
        clip_contribution: percent of pixels, those that contribute least to the score, that are made grey each step
            (θ_c_pct; theirs is 90).
        tv: weight of the total variation (Mahendran & Vedaldi 2015, eq. 4, β = 1) against a gradient of the score that
            is scaled to a root mean square of 1 over the pixels.
        jitter: before each step the picture is moved by up to so many pixels,
        scale: grown or shrunk by up to this part,
        rotate: and turned by up to so many degrees (Olah et al. 2017, "Transformation robustness").
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
        """Refuse what makes no sense, by name.

        Raises:
            MethodError: for a value out of its range.
        """
        most = {"decay": 1.0, "scale": 0.9, "clip_norm": 100.0, "clip_contribution": 100.0}
        for field in fields(self):
            value, high = getattr(self, field.name), most.get(field.name, math.inf)
            if not is_number(value, 0, high):
                upto = "" if math.isinf(high) else f" and at most {high:g}"
                raise MethodError(f"{field.name} must be at least 0{upto}, not {value!r}.")


class FourierImage:
    """A picture to be optimised, in the parameterisation of Olah et al. 2017 (section "Preconditioning").

    What is optimised is not the pixels but the coefficients z of their Fourier transform, per decorrelated colour:

        x = colours · irfft2(z / max(f, 1/side)^spectrum),    picture = sigmoid(x) in [0, 1],

    with f in cycles a pixel. Amplitudes of natural pictures fall as 1/f, so that with ``spectrum=1`` a step of
    one size in z is natural for every frequency; ``spectrum=0`` treats all alike, as optimising pixels does.
    x = 0 is mid grey: "zero" in the regularisers of Yosinski et al. 2015, who subtract the mean.

    Args:
        size: height and width.
        channels: 3 for RGB, 1 for grey.
        spectrum: the exponent above.
        contrast: standard deviation of x in the noise that it starts from.
        generator: of that noise, on the CPU, so that every device starts from the same.
        device: where to paint.

    Attributes:
        coefficients: z, float32 (channels, H, W // 2 + 1, 2): the leaf to optimise.
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
        # Of unit power, so that one step size and one contrast suit every size and exponent.
        self._scale = (scale / scale.square().mean().sqrt()).to(device)
        self._frequency = frequency.to(device)
        axes = torch.eye(1)
        if channels == 3:
            axes = F.normalize(torch.tensor(_AXES), dim=1) * torch.tensor(_SPREADS)[:, None]
            axes = axes * math.sqrt(3)  # of unit brightness, as a grey picture
        self._colours = axes.T.contiguous().to(device)
        shape = (channels, height, width // 2 + 1, 2)
        self.coefficients = torch.zeros(shape, device=device, requires_grad=True)
        self.stir(contrast, generator)

    def field(self) -> torch.Tensor:
        """x, before the sigmoid: (C, H, W), 0 is mid grey; differentiable in the coefficients."""
        spectrum = torch.view_as_complex(self.coefficients) * self._scale
        planes = torch.fft.irfft2(spectrum, s=self.size, norm="ortho")
        return torch.einsum("ca,ahw->chw", self._colours, planes)

    def picture(self) -> torch.Tensor:
        """Pixels (C, H, W) in [0, 1], differentiable in the coefficients."""
        return self.field().sigmoid()

    @torch.no_grad()
    def stir(self, contrast: float, generator: torch.Generator) -> None:
        """Add noise to x, of this standard deviation."""
        noise = torch.randn(self.coefficients.shape, generator=generator)
        # Half the plane is stored, real and imaginary: each has half of a pixel's variance.
        self.coefficients.add_((noise * contrast * math.sqrt(0.5)).to(self.coefficients.device))

    @torch.no_grad()
    def decay(self, rate: float) -> None:
        """L2 decay of Yosinski et al. 2015, x ← (1 − rate) · x, against extreme pixels."""
        self.coefficients.mul_(1 - rate)

    @torch.no_grad()
    def blur(self, sigma: float) -> None:
        """A Gaussian of ``sigma`` pixels on x (Yosinski et al. 2015), by its transfer function exp(−2π²σ²f²)."""
        transfer = (-2 * (math.pi * sigma * self._frequency).square()).exp()
        self.coefficients.mul_(transfer[..., None])

    @torch.no_grad()
    def erase(self, importance: torch.Tensor, percent: float) -> None:
        """Set to grey the ``percent`` of pixels that are least important.

        Args:
            importance: (H, W). The norm over colours of x, or |Σ x · ∂score/∂x| over colours, what the pixel
                contributes to the score in first order: the two clippings of Yosinski et al. 2015.
            percent: from 0 to 100.
        """
        count = round(importance.numel() * percent / 100)
        if count < 1:
            return
        x = self.field()
        least = importance.flatten().topk(count, largest=False).indices
        x.flatten(1)[:, least] = 0
        planes = torch.einsum("ac,chw->ahw", torch.linalg.inv(self._colours), x)
        spectrum = torch.fft.rfft2(planes, norm="ortho") / self._scale
        self.coefficients.copy_(torch.view_as_real(spectrum))


def total_variation(picture: torch.Tensor) -> torch.Tensor:
    """Σ √(dx² + dy²) of a picture (C, H, W): Mahendran & Vedaldi 2015, eq. 4 with β = 1."""
    across = F.pad(picture.diff(dim=2), (0, 1))
    down = F.pad(picture.diff(dim=1), (0, 0, 0, 1))
    # The root has no slope at 0, where a flat picture is.
    return (across.square() + down.square() + 1e-6).sqrt().sum()


def wobble(
    picture: torch.Tensor,
    generator: torch.Generator,
    *,
    jitter: float,
    scale: float,
    rotate: float,
) -> torch.Tensor:
    """Move, scale and turn a picture (C, H, W) at random, mirrored beyond its border.

    What only one exact position of the pixels excites does not survive this (Olah et al. 2017, "Transformation
    robustness").

    Args:
        picture: to be moved, differentiably.
        generator: on the CPU.
        jitter: up to how many pixels it moves, each way.
        scale: up to which part it grows or shrinks.
        rotate: up to how many degrees it turns.
    """
    height, width = picture.shape[-2:]
    down, across, growth, turn = (
        2 * torch.rand(4, generator=generator, dtype=torch.float64) - 1
    ).tolist()
    if not (jitter or scale or rotate):
        return picture
    zoom, angle = 1 + scale * growth, math.radians(rotate * turn)
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    # grid_sample counts from -1 to 1 along each side, whatever their lengths.
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
