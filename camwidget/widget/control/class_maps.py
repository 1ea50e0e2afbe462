"""``ClassMaps``: the maps of all listed classes, sent ahead for the readout of values under the pointer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..view.display import Display
from .map_request import Detections, Given, MapRequest, Region
from .method_settings import configured
from .prompt_control import PromptController
from .worker import Worker

__all__ = ["ClassMaps", "on_one_scale"]


def on_one_scale(
    found: Sequence[tuple[int, np.ndarray]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Encode the maps of several classes for the browser, divided by their common maximum.

    Args:
        found: (class, its map (h, w), rectified).
        names: the names of all classes of the model.

    Returns:
        For each class: index, name, rows, columns, and cells as bytes of little-endian float32 in [0, 1]. Empty if all
        maps are equal, and so do not depend on the class.
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
    """Sends the maps of all listed classes after a map is shown, as a job of low urgency.

    Args:
        prompts: the model's caches, for the text of each picture.
        worker: runs the job.
        display: has the list of classes, and receives the maps.
    """

    def __init__(self, prompts: PromptController, worker: Worker, display: Display) -> None:
        self._prompts = prompts
        self._worker = worker
        self._display = display

    def follow(self, shown: MapRequest) -> None:
        """Send the class maps that belong to a map shown, and clear those of another picture, method, layer or text."""
        subject: dict[str, Any] = {
            "scene": shown.picture.id,
            "method": shown.method,
            "layer": shown.layer,
            "text": _subject_text(shown.text),
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
        # If another map is requested meanwhile, the browser ignores these: they name the map that they belong to.
        made = on_one_scale(found, cache.model.classes)
        self._display.publish(class_maps={**subject, "classes": made} if made else {})


def _subject_text(given: Given | None) -> Any:
    """Return what the model is given, as JSON, by which maps are told apart."""
    if isinstance(given, (Detections, Region)):
        return [str(hash(given))]
    return list(given) if isinstance(given, tuple) else given or ""
