"""Sentences on what a model finds in a picture, and the curve that one of them is of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...models.findings import LOST_BELOW, Findings, FollowedBox
from ...models.scores import number_text

__all__ = ["FollowedCurve", "change_note", "lost_note"]


@dataclass(frozen=True)
class FollowedCurve(MaskCurve):
    """A curve of a detection that is asked about its class or an edge, with how well its best box matches it.

    Attributes:
        matches: float64 (steps,), score × intersection over union in [0, 1].
    """

    matches: np.ndarray = field(kw_only=True, repr=False)


def change_note(target: int, before: Findings, after: Findings) -> str:
    """Describe where a class is in the masked picture, compared with the unmasked one; "" if there is nothing to say.

    Args:
        target: index of the class explained.
        before: what the model finds in the unmasked picture.
        after: what it finds in the masked one.
    """
    if after.boxes:
        return _box_note(after.boxes[target])
    if after.areas is None:
        return ""
    where = "the picture" if after.region is None else "the region"
    shares = [f"{100 * f.shares[target]:.0f} %" for f in (before, after)]
    means = [number_text(f.means[target], "softmax") for f in (before, after)]
    return (
        f"Its area in {where}: {shares[0]} → {shares[1]}; its mean probability there: "
        f"{means[0]} → {means[1]}."
    )


def _box_note(now: FollowedBox | None) -> str:
    if now is None or now.is_lost:
        return "It is lost."
    return (
        f"Its box now: score {now.score:.2f}, overlap with its old place {now.overlap:.2f}; "
        f"score × overlap {now.score * now.overlap:.2f}."
    )


def lost_note(curve: MaskCurve, before: FollowedBox | None) -> str:
    """State at which point of its curve a followed detection is first lost, or found where the mask keeps pixels.

    The point before is named too: between the two nothing is known.

    Args:
        curve: score × overlap of the detection; or a ``FollowedCurve``, which has that beside another number.
        before: its box in the unmasked picture.
    """
    matches = curve.matches if isinstance(curve, FollowedCurve) else curve.probability
    is_lost = matches < (LOST_BELOW if before is None else before.least)
    percents = 100 * curve.fraction
    if curve.mode == "keep":
        found = np.flatnonzero(~is_lost)
        if not len(found) or is_lost[-1]:
            return ""
        return _change_on_curve(percents, int(found[0]), "lost", "found")
    lost = np.flatnonzero(is_lost)
    if not len(lost):
        return "Never lost." if len(curve.fraction) > 2 else ""
    return _change_on_curve(percents, int(lost[0]), "found", "lost")


def _change_on_curve(percents: np.ndarray, at: int, before: str, then: str) -> str:
    earlier = f"{before} at {_share(percents[at - 1])}, " if at else ""
    return f"On the curve: {earlier}first {then} at {_share(percents[at])}."


def _share(percents: float) -> str:
    return f"{percents:.0f} %" if percents >= 1 else f"{percents:.1g} %"
