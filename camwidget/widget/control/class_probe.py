"""Maps of the listed classes on one scale, for reading values under the pointer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..view.display import Display
from .prompt_control import PromptController
from .worker import Worker

if TYPE_CHECKING:
    from .map_controller import Request

__all__ = ["ClassProbe", "on_one_scale"]


def on_one_scale(
    found: Sequence[tuple[int, np.ndarray]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Classes with their cells as the browser wants them, divided by the largest value of all of them.

    Args:
        found: classes and their maps (h, w), rectified.
        names: of all classes of the model.

    Returns:
        For each: index, name, rows, columns, and cells as bytes of little-endian float32 in [0, 1]. Nothing if all
        maps are the same: these are no class's.
    """
    peak = max((cells.max() for _, cells in found), default=0)
    if peak > 0 and len(found) > 1 and all((c == found[0][1]).all() for _, c in found):
        return []
    return [
        {
            "index": index,
            "name": names[index],
            "rows": cells.shape[0],
            "columns": cells.shape[1],
            "cells": (cells / (peak or 1)).astype("<f4").tobytes(),
        }
        for index, cells in found
    ]


class ClassProbe:
    """Sends the classes' evidence after a map, when nothing more urgent is to be done.

    Args:
        texts: makes the maps, under the text of each picture.
        session: the worker.
        screen: says which classes are listed, and shows it.
    """

    def __init__(self, texts: PromptController, session: Worker, screen: Display) -> None:
        self._texts = texts
        self._session = session
        self._screen = screen

    def follow(self, shown: Request) -> None:
        """A map is shown: what belongs to another picture, method, layer or text goes, and what belongs to it comes."""
        subject = {
            "scene": shown.picture.id,
            "method": shown.method,
            "layer": shown.layer,
            "text": shown.text or "",
        }
        classes = list(self._screen.row_classes)
        known = self._screen.view.evidence
        if {name: known.get(name) for name in subject} != subject:
            self._screen.tell(evidence={})
        elif [c["index"] for c in known["classes"]] == classes:
            return
        self._session.submit("evidence", lambda: self._send(shown, subject, classes))

    def _send(self, shown: Request, subject: dict[str, str], classes: list[int]) -> Iterator[None]:
        bench = self._texts.bench(shown.picture, shown.text)
        found = []
        for entry in bench.cells(shown.picture, classes, shown.method, shown.layer):
            found.append(entry)
            yield  # whatever is asked meanwhile goes first
            if self._session.dropped():
                return
        # Should something else be asked for just now: the browser shows only what belongs to its map.
        made = on_one_scale(found, bench.model.classes)
        self._screen.tell(evidence={**subject, "classes": made} if made else {})
