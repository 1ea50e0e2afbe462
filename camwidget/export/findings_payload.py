"""What a model finds in a picture, boxes or areas, encoded for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models.findings import Findings

__all__ = ["drawn_findings", "place_text"]

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
