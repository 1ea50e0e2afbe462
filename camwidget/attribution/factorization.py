"""``factorize``: the parts that a layer sees in pictures, by factorizing its activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as nnF

from .._validation import is_integer
from ..errors import MethodError
from ..execution.device_errors import translated_device_errors
from ..execution.isolated_pass import autocast_off
from ..images.containers import as_batch
from ..images.conversion import shades
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from .matrix_factorization import nonnegative_factors
from .targets import PerPictureTarget, TargetLike, predicted_target, resolve_target
from .trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST_PARTS", "Factorization", "activation_parts", "factorize", "part_evidence"]

#: Largest number of parts: as many as can be told apart by color.
MOST_PARTS = 8
#: A pixel belongs to no part where all are weaker than this share of their maxima.
_FAINT = 0.25


@dataclass(frozen=True, eq=False)
class Factorization:
    """Parts that a layer sees in pictures: where each is, what it consists of, and its evidence for targets.

    The activations ``A ≈ H W``: a place of the layer is the sum of a few concepts (the rows of W), each as strong as H
    says there. Pictures that are factorized together share their concepts, so that a part is the same thing in all.

    Attributes:
        maps: where each part is, float32 (pictures, parts, H, W) in [0, 1] at the model's input size: ``raw``,
            upsampled bilinearly and divided by the part's maximum over the pictures.
        raw: H, float32 (pictures, parts, h, w) at the layer's resolution, ≥ 0, strongest part first.
        concepts: W, float32 (parts, channels), ≥ 0, of unit length.
        evidence: what each part adds to each target's score, float32 (pictures, targets, parts): the gradient of the
            score at the activations times the part's share of them, added up over places and channels. If only linear
            operations follow the layer (pooling included), evidence, ``rest`` and the bias add up to the score.
        rest: the same of the activations that no part explains, float32 (pictures, targets).
        targets: for each picture the names of its targets.
        explained: the share of the activations that the parts explain, ``1 − ‖A − HW‖² / ‖A‖²``.
        layer: module name of the layer.
        pixels: the pictures as the model gets them, uint8 (pictures, H, W, 3).
        model: name of the model.

    Example:
        >>> import camwidget as cw
        >>> found = cw.factorize(cw.load(), cw.zoo.samples("zoo/textures")[0].image, parts=3)
        >>> found.maps.shape, found.raw.shape, found.evidence.shape
        ((1, 3, 192, 192), (1, 3, 12, 12), (1, 1, 3))
    """

    maps: np.ndarray = field(repr=False)
    raw: np.ndarray = field(repr=False)
    concepts: np.ndarray = field(repr=False)
    evidence: np.ndarray
    rest: np.ndarray
    targets: tuple[tuple[str, ...], ...]
    explained: float
    layer: str
    pixels: np.ndarray = field(repr=False)
    model: str

    @property
    def areas(self) -> np.ndarray:
        """Number of the strongest part at each pixel, int64 (pictures, H, W); −1 where all parts are faint."""
        strongest = self.maps.argmax(1)
        return np.where(self.maps.max(1) < _FAINT, -1, strongest)

    def plot(self) -> Figure:
        """Plot each picture with its parts in colors, and the evidence of each part for the first target.

        Returns:
            The Matplotlib figure, one row for each picture.

        Example:
            >>> import camwidget as cw
            >>> found = cw.factorize(cw.load(), cw.zoo.samples("zoo/textures")[0].image, parts=3)
            >>> len(found.plot().axes)  # the picture, its parts, and the bars
            3
        """
        from matplotlib.colors import to_rgb

        from ..plotting import SERIES, new_figure, plain_text

        colors = SERIES[: len(self.concepts)]
        table = np.array([to_rgb(c) for c in colors])
        names = [f"part {k + 1}" for k in range(len(colors))]
        figure = new_figure(8.4, 2.7 * len(self.pixels))
        grid = figure.subplots(len(self.pixels), 3, squeeze=False)
        for (picture, parts, bars), pixels, maps, area, evidence, targets in zip(
            grid, self.pixels, self.maps, self.areas, self.evidence, self.targets, strict=True
        ):
            # Colors over a gray picture are those of the parts alone.
            gray = pixels.mean(-1, keepdims=True) / 255
            opacity = np.where(area < 0, 0, 0.8 * maps.max(0))[..., None]
            for axes, shown in ((picture, pixels), (parts, _mixed(gray, table[area], opacity))):
                axes.imshow(shown)
                axes.set_axis_off()
            bars.barh(names, evidence[0], color=colors)
            bars.invert_yaxis()
            bars.axvline(0, color="0.5", linewidth=0.8)
            bars.set_title(plain_text(f"evidence for {targets[0]}"), fontsize=9)
        grid[0, 1].set_title(plain_text(f"{len(colors)} parts · {self.layer}"), fontsize=9)
        return figure


def factorize(
    model: VisionModel,
    image: Any,
    parts: int = 4,
    target: TargetLike | Sequence[TargetLike | None] | None = None,
    layer: str | None = None,
) -> Factorization:
    """Factorize a layer's activations into the parts that the layer sees in pictures.

    Deep feature factorization (Collins et al. 2018, arXiv:1806.10206): the activations of all places of all pictures
    are the rows of a matrix A, and ``A ≈ H W`` by non-negative matrix factorization. Negative activations, which the
    paper's layers do not have (they are behind a ReLU), are set to zero. The result is the same each time.

    Args:
        model: model from ``load`` or ``wrap``.
        image: a picture, or several, as for ``explain``; several are factorized together.
        parts: number of parts, from 1 to 8.
        target: what the evidence is for, as for ``explain``: the predicted class if None; a list for several.
        layer: module name of the layer; the model's default layer if None.

    Returns:
        The parts, with maps, concepts and evidence.

    Raises:
        ModelError: if the model is not from ``load`` or ``wrap``, or fails.
        PictureError: if a picture cannot be read, or the pictures have different sizes.
        TargetError: if there is no such class, or the target cannot be computed.
        MethodError: if ``parts`` is out of range, or the layer has no positive activation.
        LayerError: if there is no such layer, it has no map, or the score no gradient there.

    Example:
        >>> import camwidget as cw
        >>> images = [sample.image for sample in cw.zoo.samples("zoo/textures")[:2]]
        >>> found = cw.factorize(cw.load(), images, parts=3, target=["lined", "waffled"])
        >>> found.targets[0], found.evidence.shape, len(found.concepts)
        (('lined', 'waffled'), (2, 2, 3), 3)
    """
    require_model(model, "factorize", image)
    if not is_integer(parts, 1, MOST_PARTS):
        raise MethodError(f"parts is an integer from 1 to {MOST_PARTS}, not {parts!r}.")
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    given: list[Any] = list(target) if isinstance(target, (list, tuple)) else [target]
    if not given:
        raise MethodError("Nothing to explain: the list of targets is empty.")
    pixels = model.pixels(as_batch(image))
    name = model.layer(layer).name
    model = model.with_text_for(pixels)
    with (
        translated_device_errors(model.name, model.device),
        torch.no_grad(),
        autocast_off(pixels.device),
    ):
        resolved = [None if t is None else resolve_target(model, t) for t in given]
        trace = Trace(model, pixels, [name])
        targets = [predicted_target(model, trace.logits) if t is None else t for t in resolved]
        trace.store_gradients(targets)
        activation = trace.activation(name)
        raw, concepts = activation_parts(activation, parts)
        gradients = [trace.gradient(t, name) for t in targets]
        evidence = torch.stack([part_evidence(g, raw, concepts) for g in gradients], 1)
        left = activation.double() - torch.einsum("nphw,pk->nkhw", raw, concepts)
        rest = torch.stack([(g * left).sum((1, 2, 3)) for g in gradients], 1)
    explained = 1 - float(left.square().sum() / activation.double().square().sum())
    maps = nnF.interpolate(raw, size=tuple(pixels.shape[-2:]), mode="bilinear", align_corners=False)
    peaks = maps.amax((0, 2, 3), keepdim=True)
    maps = maps / torch.where(peaks > 0, peaks, torch.ones_like(peaks))
    return Factorization(
        maps=_array(maps.clamp(max=1)),
        raw=_array(raw),
        concepts=_array(concepts),
        evidence=_array(evidence),
        rest=_array(rest),
        targets=tuple(
            tuple((t.targets[n] if isinstance(t, PerPictureTarget) else t).label for t in targets)
            for n in range(len(pixels))
        ),
        explained=explained,
        layer=name,
        pixels=np.stack([shades(p) for p in pixels]),
        model=model.name,
    )


def activation_parts(activation: torch.Tensor, parts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Factorize activations (N, K, h, w) of pictures together.

    Args:
        activation: activations; negative ones count as 0.
        parts: number of parts; fewer are found if the layer has fewer places or channels.

    Returns:
        H (N, parts, h, w) and W (parts, K), float64, strongest part first; parts that are not needed are 0.

    Raises:
        MethodError: if no activation is positive.
    """
    count, channels, height, width = activation.shape
    places = activation.double().relu().permute(0, 2, 3, 1).reshape(-1, channels)
    if not bool(places.any()):
        raise MethodError(
            "The layer has no positive activation, so that it has no parts. Choose another layer."
        )
    rank = min(parts, *places.shape)
    left, right = nonnegative_factors(places, rank)
    left = nnF.pad(left, (0, parts - rank))
    right = nnF.pad(right, (0, 0, 0, parts - rank))
    return left.reshape(count, height, width, parts).permute(0, 3, 1, 2).contiguous(), right


def part_evidence(
    gradient: torch.Tensor, raw: torch.Tensor, concepts: torch.Tensor
) -> torch.Tensor:
    """Return what parts add to a score, (N, parts): the gradient times each part's share of the activations.

    Args:
        gradient: gradient of the score at the activations (N, K, h, w).
        raw: H (N, parts, h, w).
        concepts: W (N, parts, K), or (parts, K) if the pictures share them.
    """
    shared = concepts.expand(len(raw), *concepts.shape[-2:])
    return torch.einsum("nkhw,nphw,npk->np", gradient.double(), raw, shared)


def _mixed(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = (1 - opacity) * under + opacity * over
    return mixed


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
