"""Robustness of a map against noise in the picture."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..analysis.correlation import as_float64
from .cases import Case, Recomputation
from .registry import Score, metric
from .settings import check_integer, check_number

__all__: list[str] = []

MapSteps = Generator[Recomputation, torch.Tensor, Score]


@metric(
    "max-sensitivity",
    label="Max-sensitivity",
    citation="Yeh et al. 2019, NeurIPS, arXiv:1901.09392 (max-sensitivity)",
    summary="The greatest relative change of the map when imperceptible noise is added to the picture.",
    group="robustness",
    range=(0, math.inf),
    better="lower",
    needs=("method",),
)
def max_sensitivity(case: Case, *, samples: int = 10, radius: float = 0.02) -> MapSteps:
    """The greatest relative change of the map under small noise.

    ``max_δ ‖Φ(x + δ) − Φ(x)‖ / ‖Φ(x)‖`` with Φ the saliency; 0 for a map that does not change. As in the paper, the
    maximum over the ball ``|δ| ≤ r`` is estimated from random points. The paper's max-sensitivity is not divided by the
    norm of the map; the quotient does not depend on the map's scale. All maps of a picture are tested with the same
    noise. The metric does not rate correctness: a constant map scores 0.

    Args:
        case: a map that can be recomputed.
        samples: number of noisy copies, at least 1.
        radius: r, in units of pixels in [0, 1]; noisy copies are clamped to that range. 0.02 is five levels of 255.
    """
    copies = _NoisyCopies(case, samples, radius)
    changes = copies.changes((yield copies.request))
    if changes is None:
        return Score(math.nan, _NOT_FINITE)
    return Score(float(changes.norm(dim=1).max() / as_float64(case.saliency).norm()))


@metric(
    "continuity",
    label="Continuity",
    citation="Montavon, Samek and Müller 2018, Digital Signal Processing 73, arXiv:1706.07979 (explanation continuity)",
    summary="How much the map changes in proportion to the noise that is added to the picture, at most.",
    group="robustness",
    range=(0, math.inf),
    better="lower",
    needs=("method",),
)
def continuity(case: Case, *, samples: int = 10, radius: float = 0.02) -> MapSteps:
    """The greatest change of the map in proportion to the change of the picture.

    ``max_x′ ‖R(x) − R(x′)‖₁ / ‖x − x′‖₂`` with R the saliency and x the pixels; 0 for a map that does not change. The
    paper takes the maximum over all pairs of pictures, here x is the picture and x′ are noisy copies of it, the same as
    those of ``max-sensitivity``, which relates the change to the map instead. The sum over more pixels is larger:
    values of pictures of different sizes cannot be compared.

    Args:
        case: a map that can be recomputed.
        samples: number of noisy copies, at least 1.
        radius: the greatest noise, in units of pixels in [0, 1]; noisy copies are clamped to that range. 0.02 is five
            levels of 255.
    """
    copies = _NoisyCopies(case, samples, radius)
    changes = copies.changes((yield copies.request))
    if changes is None:
        return Score(math.nan, _NOT_FINITE)
    distances = as_float64(copies.pixels() - case.subject.pixels).flatten(1).norm(dim=1)
    if not bool(distances.all()):
        return Score(math.nan, "a noisy copy equals the picture")
    return Score(float((changes.abs().sum(dim=1) / distances).max()))


_NOT_FINITE = "NaN in the map of a noisy copy"


class _NoisyCopies:
    """Noisy copies of a case's picture: the same for all of its maps, and for all metrics with the same settings."""

    def __init__(self, case: Case, samples: int, radius: float) -> None:
        self._case = case
        self._samples = check_integer("samples", samples)
        self._radius = check_number("radius", radius, 0, 1)
        self.request = Recomputation(("noisy", self._samples, self._radius), self.pixels)

    def pixels(self) -> torch.Tensor:
        """The copies, float32 (n, C, H, W) in [0, 1]."""
        subject = self._case.subject
        shape = (self._samples, *subject.pixels.shape)
        noise = 2 * torch.rand(shape, generator=subject.generator("noisy copies")) - 1
        return (subject.pixels + self._radius * noise.to(subject.pixels)).clamp(0, 1)

    def changes(self, maps: torch.Tensor) -> torch.Tensor | None:
        """The copies' maps (n, H, W) minus the case's, float64 (n, H·W); None if a map is not finite."""
        maps = as_float64(maps).flatten(1)
        if not bool(torch.isfinite(maps).all()):
            return None
        return maps - as_float64(self._case.saliency).flatten()
