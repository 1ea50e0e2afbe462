"""Arrays packed into one text. ``js/src/page/binaryBundle.ts`` reads it."""

from __future__ import annotations

import base64
import zlib

import numpy as np

__all__ = ["BinaryBundle"]


class BinaryBundle:
    """Numbers one behind the other, to be deflated together. Each is known by [offset, length] in bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[bytes, list[int]] = {}

    def add(self, data: bytes) -> list[int]:
        """Append bytes, unless they are there already."""
        if data not in self._known:
            self._known[data] = [self._size, len(data)]
            self._parts.append(data)
            self._size += len(data)
        return self._known[data]

    def numbers(self, values: np.ndarray) -> list[int]:
        """Append numbers, little endian, all first bytes first: alike ones side by side deflate better."""
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        return self.add(little.reshape(-1, 1).view(np.uint8).T.tobytes())

    def picture(self, pixels: np.ndarray) -> list[int]:
        """Append uint8 (H, W, 3) as what PNG's Paeth filter leaves of it.

        No PNG: what a browser gives back of a decoded image may be altered, against fingerprints.
        """
        return self.add(_residuals(pixels).tobytes())

    def text(self) -> str:
        """Everything, deflated (zlib), in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode("ascii")


def _residuals(pixels: np.ndarray) -> np.ndarray:
    """Each byte less the neighbour (left, above, or above left) that is nearest to left + above − above left."""
    framed = np.pad(pixels.astype(np.int16), ((1, 0), (1, 0), (0, 0)))
    left, above, corner = framed[1:, :-1], framed[:-1, 1:], framed[:-1, :-1]
    guess = left + above - corner
    away = [np.abs(guess - neighbour) for neighbour in (left, above, corner)]
    nearest = np.where(
        (away[0] <= away[1]) & (away[0] <= away[2]),
        left,
        np.where(away[1] <= away[2], above, corner),
    )
    return ((framed[1:, 1:] - nearest) & 255).astype(np.uint8)
