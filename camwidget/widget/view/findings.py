"""What a model finds in a picture, encoded for the browser, and sentences on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...models.findings import LOST_BELOW, Findings, FollowedBox
from ...models.scores import number_text

__all__ = ["change_note", "drawn_findings", "lost_note"]

#: Areas below this share of the picture have no name in it.
_NAMED = 0.01
_COLUMNS, _ROWS = ("left", "middle", "right"), ("upper", "middle", "lower")


def drawn_findings(found: Findings, names: Sequence[str], size: tuple[int, int]) -> dict[str, Any]:
    """Encode boxes and areas for the browser.

    Args:
        found: what the model finds.
        names: the names of the classes.
        size: rows and columns of the picture.
    """
    boxes = [
        {
            "index": index,
            "name": names[index],
            "score": one.score,
            "box": list(one.box),
            "where": place_text(one.box, size),
            "lost": one.is_lost,
        }
        for index, one in enumerate(found.boxes)
        if one is not None
    ]
    if found.areas is None:
        return {"boxes": boxes, "areas": {}}
    return {"boxes": boxes, "areas": _areas(found.areas, names)}


def _areas(areas: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    labels = []
    for index in np.unique(areas).tolist():
        rows, columns = np.nonzero(areas == index)
        if len(rows) >= _NAMED * areas.size:
            # The pixel of the area next to its middle: the middle itself may be outside.
            distances = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
            at = int(distances.argmin())
            x, y = int(columns[at]), int(rows[at])
            labels.append({"index": index, "name": names[index], "x": x, "y": y})
    height, width = areas.shape
    return {
        "width": width,
        "height": height,
        "classes": areas.astype("<u2").tobytes(),
        "labels": labels,
    }


def place_text(box: Sequence[float], size: tuple[int, int]) -> str:
    """Describe in words where a box is in a picture of a size (rows, columns), such as "upper left"."""
    left, top, right, bottom = box
    column = _third((left + right) / 2 / size[1])
    row = _third((top + bottom) / 2 / size[0])
    if (row, column) == (1, 1):
        return "middle"
    if row == 1:
        return _COLUMNS[column]
    return f"{_ROWS[row]} {_COLUMNS[column]}"


def _third(part: float) -> int:
    return min(2, max(0, int(3 * part)))


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
    if now is None or now.score * now.overlap < 0.005:
        return "No box of its class is there any more."
    lost = " It is lost here." if now.is_lost else ""
    return f"Its box now: score {now.score:.2f}, overlap {now.overlap:.2f}.{lost}"


def lost_note(curve: MaskCurve) -> str:
    """State the fraction at which a followed detection is first lost, or found where the mask keeps pixels.

    Args:
        curve: score × overlap of the detection against the fraction.
    """
    is_lost = curve.probability < LOST_BELOW
    percents = 100 * curve.fraction
    if curve.mode == "keep":
        found = np.flatnonzero(~is_lost)
        if not len(found) or is_lost[-1]:
            return ""
        return f"It is first found when {_share(percents[found[0]])} is kept."
    lost = np.flatnonzero(is_lost)
    if not len(lost):
        return "It is never lost." if len(curve.fraction) > 2 else ""
    return f"It is first lost when {_share(percents[lost[0]])} is removed."


def _share(percents: float) -> str:
    return f"{percents:.0f} %" if percents >= 1 else f"{percents:.1g} %"
