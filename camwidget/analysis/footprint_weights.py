"""``weigh_footprints``: the worked example of Grad-CAM++, weights and maps for feature maps that are 0 or 1.

In the example (Chattopadhyay et al. 2018, Fig. 3) a feature map is 1 where it has found its pattern, its *footprint*,
and 0 elsewhere, so that CAM, Grad-CAM and Grad-CAM++ can be computed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CamwidgetError

__all__ = ["SCORES", "FootprintMap", "Ratio", "example_footprints", "weigh_footprints"]

SCORES: dict[str, str] = {
    "squares": "y = ½ Σ A², gradient 1 in the footprint",
    "average": "y = Σ mean(A), average pooling",
}
"""The rules that make a score y of the feature maps A, each with its formula.

With ``squares`` the gradient ∂y/∂A is A itself: 1 in the footprint and 0 elsewhere, as the example supposes. With
``average`` it is 1/Z at all Z cells, as in a network that CAM applies to.
"""


class Ratio(NamedTuple):
    """A ratio that is not reduced, so that 4/80 still shows the four cells of eighty."""

    numerator: int
    denominator: int

    @property
    def value(self) -> float:
        """The number."""
        return self.numerator / self.denominator

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, eq=False)
class FootprintMap:
    """What one method makes of the footprints.

    Attributes:
        label: the method, as it is shown.
        weights: of the K feature maps; empty where the method does not apply.
        raw: ``ReLU(Σ_k w_k A^k)``, float64 (h, w); all 0 where the method does not apply.
        reason: why the method does not apply; empty if it does.
    """

    label: str
    weights: tuple[Ratio, ...]
    raw: NDArray[np.float64]
    reason: str = ""


def example_footprints() -> NDArray[np.bool_]:
    """Return footprints of 15, 4 and 2 of 80 cells, bool (3, 8, 10): the sizes of the paper's Fig. 3."""
    maps = np.zeros((3, 8, 10), bool)
    maps[0, 1:4, 0:5] = True
    maps[1, 5:7, 2:4] = True
    maps[2, 2, 7:9] = True
    return maps


def weigh_footprints(footprints: ArrayLike, score: str = "squares") -> dict[str, FootprintMap]:
    """Compute weights and maps of the class activation methods for binary feature maps.

    With n filled cells of Z: Grad-CAM averages the gradient (eq. 1 of Selvaraju et al. 2017), which gives n/Z for
    ``squares`` and 1/Z for ``average``. Grad-CAM++ sums ``α · ReLU(∂y/∂A)`` with α of eq. 19 of Chattopadhyay et al.
    2018, ``g² / (2g² + Σ A · g³)``, which gives n/(n + 2) and Z/(2Z + n). The same paper introduces its idea with
    ``α = 1 / Σ ∂y/∂A``, by which all footprints weigh the same.

    Args:
        footprints: the feature maps, (K, h, w), 1 or True in the footprint and 0 or False elsewhere.
        score: ``"squares"`` or ``"average"``; see ``SCORES``.

    Returns:
        ``cam``, ``gradcam``, ``equal`` (α = 1 / Σ ∂y/∂A) and ``gradcam++``, in this order.

    Raises:
        CamwidgetError: if the maps are not binary or not three-dimensional, or if there is no such score.

    Example:
        >>> from camwidget.analysis.footprint_weights import example_footprints, weigh_footprints
        >>> found = weigh_footprints(example_footprints())
        >>> [str(w) for w in found["gradcam"].weights], [str(w) for w in found["gradcam++"].weights]
        (['15/80', '4/80', '2/80'], ['15/17', '4/6', '2/4'])
    """
    maps = _binary(footprints)
    if score not in SCORES:
        raise CamwidgetError(f"There is no score {score!r}: use {' or '.join(map(repr, SCORES))}.")
    cells = maps[0].size
    squares = score == "squares"

    def apply(label: str, weight: Callable[[int], Ratio], reason: str = "") -> FootprintMap:
        if reason:
            return FootprintMap(label, (), np.zeros(maps.shape[1:]), reason)
        weights = tuple(weight(int(one.sum())) for one in maps)
        raw = np.einsum("k,khw->hw", [w.value for w in weights], maps.astype(np.float64))
        return FootprintMap(label, weights, np.maximum(raw, 0))

    return {
        "cam": apply(
            "CAM",
            lambda n: Ratio(1, 1),
            "does not apply: no average pooling and linear layer" if squares else "",
        ),
        "gradcam": apply("Grad-CAM", lambda n: Ratio(n if squares else 1, cells)),
        "equal": apply(
            "Grad-CAM++, α = 1/Σ ∂y/∂A",
            lambda n: Ratio(n, n or 1),
            "" if squares else "not defined: its gradients are 0 or 1",
        ),
        "gradcam++": apply(
            "Grad-CAM++",
            lambda n: Ratio(n, n + 2) if squares else Ratio(cells, 2 * cells + n),
        ),
    }


def _binary(footprints: ArrayLike) -> NDArray[np.bool_]:
    maps = np.asarray(footprints)
    if maps.ndim != 3 or not maps.size:
        raise CamwidgetError(
            f"footprints is an array (maps, height, width), not of shape {maps.shape}: "
            "put a single map in brackets."
        )
    if maps.dtype != bool:
        if not np.isin(maps, (0, 1)).all():
            raise CamwidgetError("A footprint is 1 or 0 at each cell: pass maps > 0.")
        maps = maps == 1
    return maps
