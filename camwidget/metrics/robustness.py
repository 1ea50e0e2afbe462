"""Robustness: how much a map changes under small changes of the picture."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..analysis.correlation import wide
from .cases import Case, Recomputation
from .registry import Score, metric
from .settings import real, whole

__all__: list[str] = []


@metric(
    "continuity",
    label="Continuity",
    citation="Yeh et al. 2019, NeurIPS, arXiv:1901.09392 (max-sensitivity)",
    summary="How much the map changes, at most, when noise that nobody sees is laid on the picture.",
    group="robustness",
    range=(0, math.inf),
    better="lower",
    needs=("method",),
)
def continuity(
    case: Case, *, samples: int = 10, radius: float = 0.02
) -> Generator[Recomputation, torch.Tensor, Score]:
    """``max_δ ‖Φ(x + δ) − Φ(x)‖ / ‖Φ(x)‖``, Φ being the saliency: 0 for a map that stays as it is.

    The maximum over the ball ``|δ| ≤ r`` in every value is sought among random points of it, as its authors do. Their
    max-sensitivity is not divided by the norm of the map; with that it does not depend on how strong maps are. All
    maps of a picture are tried with the same noise. It says nothing of whether a map is right: a fixed one has 0.

    Args:
        case: a map that can be made anew.
        samples: how many noisy copies.
        radius: r, of pixels in [0, 1]; a noisy copy stays within them. 0.02 is five shades of 255.
    """
    samples, radius = whole("samples", samples), real("radius", radius, 0, 1)
    subject = case.subject

    def noisy() -> torch.Tensor:
        pixels = subject.pixels
        noise = torch.rand((samples, *pixels.shape), generator=subject.generator("continuity"))
        return (pixels + radius * (2 * noise - 1).to(pixels)).clamp(0, 1)

    maps = wide((yield Recomputation(("noisy", samples, radius), noisy))).flatten(1)
    before = wide(case.saliency).flatten()
    if not bool(torch.isfinite(maps).all()):
        return Score(math.nan, "NaN in the map of a noisy copy")
    return Score(float((maps - before).norm(dim=1).max() / before.norm()))
