"""Reader of a saved page, as the page's script reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np


class SavedPage:
    """The parts of a page."""

    def __init__(self, path: Path) -> None:
        self.html = path.read_text("utf-8")
        found = re.search(
            r'<script type="application/json" id="camwidget-data">(.*?)</script>', self.html, re.S
        )
        self.data: dict[str, Any] = json.loads(found.group(1)) if found else {}
        if self.data:
            self._bytes = zlib.decompress(base64.b64decode(self.data["archive"]))

    @property
    def policy(self) -> str:
        found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', self.html)
        assert found is not None
        return found.group(1)

    def hashes(self, tag: str) -> list[str]:
        """Of the contents of every script or style that a browser would run."""
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", self.html, re.S)
        return [
            "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for text in inside
        ]

    def numbers(self, place: list[int], kind: str) -> np.ndarray:
        start, length = place
        size = np.dtype(kind).itemsize
        planes = np.frombuffer(self._bytes[start : start + length], np.uint8).reshape(size, -1)
        return np.ascontiguousarray(planes.T).view(kind)[:, 0]

    def grid(self, target: int, method: str, layer: str) -> dict[str, Any]:
        row = [c["index"] for c in self.data["classes"]].index(target)
        kind = [m["name"] for m in self.data["methods"]].index(method)
        place = [x["name"] for x in self.data["layers"]].index(layer)
        for r, m, at, number in self.data["maps"]:
            if (r, m) == (row, kind) and at in (place, -1):
                return self.data["grids"][number]
        raise KeyError((target, method, layer))

    def cells(self, grid: dict[str, Any]) -> np.ndarray:
        kind = "<u2" if grid["rounded"] else "<f4"
        return self.numbers(grid["cells"], kind).reshape(grid["rows"], grid["columns"])

    def curve(self, grid: dict[str, Any], key: str) -> np.ndarray:
        """Probabilities (steps, classes)."""
        return (
            self.numbers(grid["curves"][key], "<u2").reshape(-1, len(self.data["classes"])) / 10_000
        )
