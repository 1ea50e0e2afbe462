"""A transformer's tokens as maps: which of them are places of the picture, and where."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["TokenGrid"]

#: Class, distillation and register tokens before the patches: no known model has more.
_MOST_EXTRA = 16
#: Patch sides in use, where no convolution in the net tells.
_USUAL = (16, 14, 32, 8, 4, 28, 7)


class TokenGrid:
    """Finds the grid of patches in tokens (N, T, C).

    A patch embedding by convolution tells its stride; T minus the number of patches is the number of extra
    tokens (class, distillation, registers), which come first in every known model.
    """

    def __init__(self) -> None:
        self._strides: list[tuple[int, int]] = []

    def note(self, maps: torch.Tensor, size: Sequence[int]) -> None:
        """A layer gave maps (N, C, h, w) for a picture of this size."""
        height, width = maps.shape[-2:]
        stride = (round(size[0] / height), round(size[1] / width))
        if min(stride) > 1 and stride not in self._strides:
            self._strides.append(stride)

    def maps(self, tokens: torch.Tensor, size: Sequence[int]) -> torch.Tensor | None:
        """Tokens (N, T, C) as maps (N, C, h, w) for a picture of this size, or None if they are none."""
        count = tokens.shape[1]
        for height, width in self._grids(size):
            extra = count - height * width
            if height * width >= 4 and 0 <= extra <= _MOST_EXTRA:
                places = tokens[:, extra:].transpose(1, 2)
                return places.reshape(len(tokens), tokens.shape[2], height, width)
        return None

    def _grids(self, size: Sequence[int]) -> list[tuple[int, int]]:
        strides = self._strides or [(p, p) for p in _USUAL if size[0] % p == 0 and size[1] % p == 0]
        return [(size[0] // down, size[1] // across) for down, across in strides]
