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


@metric(
    "continuity",
    label="Continuity",
    citation="Yeh et al. 2019, NeurIPS, arXiv:1901.09392 (max-sensitivity)",
    summary="The greatest relative change of the map when imperceptible noise is added to the picture.",
    group="robustness",
    range=(0, math.inf),
    better="lower",
    needs=("method",),
)
def continuity(
    case: Case, *, samples: int = 10, radius: float = 0.02
) -> Generator[Recomputation, torch.Tensor, Score]:
    """The greatest relative change of the map under small noise (max-sensitivity).

    ``max_δ ‖Φ(x + δ) − Φ(x)‖ / ‖Φ(x)‖`` with Φ the saliency; 0 for a map that does not change. As in the paper, the
    maximum over the ball ``|δ| ≤ r`` is estimated from random points. The paper's max-sensitivity is not divided by the
    norm of the map; the quotient does not depend on the map's scale. All maps of a picture are tested with the same
    noise. The metric does not rate correctness: a constant map scores 0.

    Args:
        case: a map that can be recomputed.
        samples: number of noisy copies, at least 1.
        radius: r, in units of pixels in [0, 1]; noisy copies are clamped to that range. 0.02 is five levels of 255.
    """
    samples, radius = check_integer("samples", samples), check_number("radius", radius, 0, 1)
    subject = case.subject

    def noisy() -> torch.Tensor:
        pixels = subject.pixels
        noise = torch.rand((samples, *pixels.shape), generator=subject.generator("continuity"))
        return (pixels + radius * (2 * noise - 1).to(pixels)).clamp(0, 1)

    maps = as_float64((yield Recomputation(("noisy", samples, radius), noisy))).flatten(1)
    before = as_float64(case.saliency).flatten()
    if not bool(torch.isfinite(maps).all()):
        return Score(math.nan, "NaN in the map of a noisy copy")
    return Score(float((maps - before).norm(dim=1).max() / before.norm()))
