"""Maps of the listed classes on one scale, for reading values under the pointer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..view.display import Display
from .map_request import MapRequest
from .method_settings import configured
from .prompt_control import PromptController
from .worker import Worker

__all__ = ["ClassMaps", "on_one_scale"]


def on_one_scale(
    found: Sequence[tuple[int, np.ndarray]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Encode classes with their cells for the browser, divided by the largest value of all of them.

    Args:
        found: classes and their maps (h, w), rectified.
        names: of all classes of the model.

    Returns:
        For each: index, name, rows, columns, and cells as bytes of little-endian float32 in [0, 1]. Nothing if all
        maps are the same: they do not depend on the class.
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


class ClassMaps:
    """Sends the evidence for each listed class after a map, when nothing more urgent is to be done.

    Args:
        prompts: the model's caches, under the text of each picture.
        worker: computes.
        display: knows which classes are listed, and shows the evidence.
    """

    def __init__(self, prompts: PromptController, worker: Worker, display: Display) -> None:
        self._prompts = prompts
        self._worker = worker
        self._display = display

    def follow(self, shown: MapRequest) -> None:
        """Follow a map that is shown: drop what belongs to another picture, method, layer or text, and send its own."""
        subject: dict[str, Any] = {
            "scene": shown.picture.id,
            "method": shown.method,
            "layer": shown.layer,
            "text": shown.text or "",
            "settings": dict(shown.options),
        }
        classes = list(self._display.row_classes)
        known = self._display.view.class_maps
        if {name: known.get(name) for name in subject} != subject:
            self._display.publish(class_maps={})
        elif [c["index"] for c in known["classes"]] == classes:
            return
        self._worker.submit("class maps", lambda: self._send(shown, subject, classes))

    def _send(
        self, shown: MapRequest, subject: dict[str, Any], classes: list[int]
    ) -> Iterator[None]:
        cache = self._prompts.cache(shown.picture, shown.text)
        method = configured(shown.method, shown.options)
        found = []
        for entry in cache.cells(shown.picture, classes, method, shown.layer):
            found.append(entry)
            yield  # a more urgent request goes first
            if self._worker.dropped():
                return
        # Should something else be requested just now: the browser shows only what belongs to its map.
        made = on_one_scale(found, cache.model.classes)
        self._display.publish(class_maps={**subject, "classes": made} if made else {})
