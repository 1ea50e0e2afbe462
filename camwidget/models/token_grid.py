"""Token grid: which tokens of a transformer are patches of the picture, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .spatial_layout import layout_correlation, sketch_maps

__all__ = ["TokenGrid"]

#: Largest number of class, distillation and register tokens before the patches in known models.
_MAX_EXTRA_TOKENS = 16
#: The same where the grid is only guessed to be a merged one: a class and a distillation token. The tokens of a
#: detector's head are few, and would fit some merged grid with others left over.
_MAX_EXTRA_TOKENS_MERGED = 2
#: Common patch sides, for networks without a convolution that defines the grid.
_USUAL_PATCH_SIDES = (16, 14, 32, 8, 4, 28, 7)
#: Least correlation of tokens' changes with those of the picture where their order is unusual. Tokens that nothing has
#: mixed yet have more.
_SURE_CORRELATION = 0.8
#: Smallest gain in correlation for which tokens are taken to lie elsewhere than behind all extra ones.
_CLEAR_GAIN = 0.02


class TokenGrid:
    """Grid of patches in tokens (N, T, C).

    A layer that gives maps, mostly the patch embedding, defines the grid of a picture's size. T minus the number of
    patches is the number of extra tokens. Those of classifiers (class, distillation, registers) come first; the
    detection tokens of YOLOS (Fang et al. 2021, arXiv:2106.00666) come last, and the tokens that change with a corner
    of the picture show it. What the first pass finds is final: a picture of another size has a grid only if the patches
    divide it evenly, and other numbers of extra tokens are refused.
    """

    def __init__(self) -> None:
        #: Height and width of the first picture, and the grids found for it, finest first.
        self._size: tuple[int, int] | None = None
        self._grids: list[tuple[int, int]] = []
        #: Whether no grid is that of a map, so that patches of common sides are as likely.
        self._is_ambiguous = False
        self._extras: set[int] = set()
        #: Number of extra tokens before the patches, by the number of all, where some come after them.
        self._leading: dict[int, int] = {}

    def add_grid(self, grid: tuple[int, int], size: Sequence[int]) -> None:
        """Add the height and width of a layer's maps for a picture of a size, during the first pass."""
        self._size = (size[0], size[1])
        if grid not in self._grids and grid != self._size:
            self._grids.append(grid)

    def keep_grids(self, grids: Sequence[tuple[int, int]]) -> None:
        """Keep only these grids, those of layers that are maps, after the first pass; keep all if none is known."""
        known_grids = [grid for grid in self._grids if grid in grids]
        self._is_ambiguous = not known_grids
        self._grids = known_grids or self._grids

    def record_extra_tokens(self, tokens: torch.Tensor, maps: torch.Tensor) -> None:
        """Record the number of extra tokens when tokens were converted to maps, during the first pass."""
        self._extras.add(tokens.shape[1] - maps.shape[-2] * maps.shape[-1])

    def find_places(
        self, sketches: Sequence[torch.Tensor], size: Sequence[int], *, are_queries: bool
    ) -> bool:
        """Find where the patches lie among tokens, during the first pass, from the first of their layers that changes.

        Where no map defines the grid, outputs that are no maps (such as the queries of heads) may have proportions of a
        grid that the number of tokens fits by chance: a grid on which the tokens change with the picture defines it.

        Args:
            sketches: sketches (1, T, sums) of its output for a picture and its two ``corner_variants``.
            size: height and width of the picture.
            are_queries: whether an earlier layer has as many tokens that do not depend on the picture. Queries, which
                ask about the picture, and position embeddings, which are added to patches, begin so.

        Returns:
            Whether the tokens may be patches; False for queries.
        """
        count = sketches[0].shape[1]
        usual, best, place = 0.0, 0.0, (0, 0)
        usual_grid = None
        for height, width in self._grids_of((size[0], size[1])):
            extra = count - height * width
            if extra < 0 or height * width < 4:
                continue
            for leading in range(min(extra, _MAX_EXTRA_TOKENS) + 1):
                span = [s[:, leading : leading + height * width].transpose(1, 2) for s in sketches]
                maps = [sketch_maps(s.unflatten(2, (height, width))) for s in span]
                correlation = layout_correlation(*maps)
                if leading == extra and correlation > usual:
                    usual, usual_grid = correlation, (height, width)
                elif leading != extra and correlation > best:
                    best, place = correlation, (extra, leading)
        if best >= max(_SURE_CORRELATION, usual + _CLEAR_GAIN):
            self._leading[place[0]] = place[1]
        elif self._is_ambiguous and usual_grid is not None and usual >= _SURE_CORRELATION:
            self._size = (size[0], size[1])
            self._grids, self._is_ambiguous = [usual_grid], False
        return not are_queries or max(best, usual) >= _SURE_CORRELATION

    def maps(self, tokens: torch.Tensor, size: Sequence[int]) -> torch.Tensor | None:
        """Convert tokens (N, T, C) to maps (N, C, h, w) for a picture of a size; None if the numbers do not fit."""
        count = tokens.shape[1]
        fitting: list[tuple[int, tuple[int, int]]] = []
        for height, width in self._grids_of((size[0], size[1])):
            is_merged = False
            while height * width >= 4:
                extra = count - height * width
                known = not self._extras or extra in self._extras or self._is_first(size)
                most = _MAX_EXTRA_TOKENS_MERGED if is_merged else _MAX_EXTRA_TOKENS
                if known and (0 <= extra <= most or extra in self._leading):
                    fitting.append((extra, (height, width)))
                is_merged = True
                if min(height, width) < 3:
                    break
                # If patches are merged without a convolution, only their number shows the grid. The last of an odd
                # number of rows is not merged.
                height, width = (height + 1) // 2, (width + 1) // 2
        if not fitting:
            return None
        # 16 tokens are a grid of 4 × 4 rather than one of 2 × 2 and twelve others.
        extra, (height, width) = min(fitting, key=lambda fit: fit[0])
        first = self._leading.get(extra, extra)
        places = tokens[:, first : first + height * width].transpose(1, 2)
        return places.reshape(len(tokens), tokens.shape[2], height, width)

    def _is_first(self, size: Sequence[int]) -> bool:
        return self._size == (size[0], size[1])

    def _grids_of(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        usual = [
            (size[0] // p, size[1] // p)
            for p in _USUAL_PATCH_SIDES
            if not (size[0] % p or size[1] % p)
        ]
        if not self._grids:
            return usual
        grids = self._grids if size == self._size else self._own_grids_of(size)
        return [*grids, *(usual if self._is_ambiguous else ())]

    def _own_grids_of(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the grids of a picture of another size, with patches of the same size."""
        assert self._size is not None
        grids = []
        for height, width in self._grids:
            even = not (self._size[0] % height or self._size[1] % width)
            down, across = self._size[0] // height, self._size[1] // width
            if even and not (size[0] % down or size[1] % across):
                grids.append((size[0] // down, size[1] // across))
        return grids
