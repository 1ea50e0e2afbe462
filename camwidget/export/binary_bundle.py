"""Arrays packed into one compressed text, which ``js/src/page/binaryBundle.ts`` reads."""

from __future__ import annotations

import base64
import zlib

import numpy as np

__all__ = ["BinaryBundle"]


class BinaryBundle:
    """A sequence of byte strings that are compressed together; each is addressed by [offset, length] in bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[bytes, list[int]] = {}

    def add(self, data: bytes) -> list[int]:
        """Append bytes, or find equal ones, and return their address."""
        if data not in self._known:
            self._known[data] = [self._size, len(data)]
            self._parts.append(data)
            self._size += len(data)
        return self._known[data]

    def numbers(self, values: np.ndarray) -> list[int]:
        """Append numbers in little endian, grouped by byte position: similar bytes side by side compress better."""
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        return self.add(little.reshape(-1, 1).view(np.uint8).T.tobytes())

    def picture(self, pixels: np.ndarray) -> list[int]:
        """Append the residuals of PNG's Paeth filter of uint8 (H, W, 3).

        Not a PNG: browsers may alter the pixels of a decoded image as a protection against fingerprinting.
        """
        return self.add(_residuals(pixels).tobytes())

    def text(self) -> str:
        """All bytes, compressed by zlib, in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode("ascii")


def _residuals(pixels: np.ndarray) -> np.ndarray:
    """Each byte minus the neighbor (left, above, or above left) that is nearest to left + above − above left."""
    framed = np.pad(pixels.astype(np.int16), ((1, 0), (1, 0), (0, 0)))
    left, above, corner = framed[1:, :-1], framed[:-1, 1:], framed[:-1, :-1]
    guess = left + above - corner
    away = [np.abs(guess - neighbor) for neighbor in (left, above, corner)]
    nearest = np.where(
        (away[0] <= away[1]) & (away[0] <= away[2]),
        left,
        np.where(away[1] <= away[2], above, corner),
    )
    return ((framed[1:, 1:] - nearest) & 255).astype(np.uint8)
