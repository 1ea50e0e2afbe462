"""``PartValues``: what each part of a picture is worth to a score, as methods with parts find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..masking.parts import Parts

__all__ = ["PartValues"]


@dataclass(frozen=True, eq=False)
class PartValues:
    """What each part of a picture is worth to a target's score.

    Attributes:
        parts: the division of the picture.
        values: float64 (parts,), in units of the score: the Shapley values, or the drops when a part is hidden.
        errors: standard errors of the values, float64 (parts,): 0 where they are exact, infinite where there were too
            few samples to tell.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("kernelshap", parts=6)
        >>> found = cw.explain(cw.load(), image, method=method).parts
        >>> found.values.shape == (found.parts.count,), bool((found.errors == 0).all())
        (True, True)
    """

    parts: Parts
    values: np.ndarray
    errors: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """Numbers of the parts by decreasing value."""
        return np.argsort(-self.values, kind="stable")
