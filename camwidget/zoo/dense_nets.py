"""Networks of the zoo with an output for each place: a detector of boxes, and a segmenter."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from .nets import trunk

STRIDES = (8, 16)
"""Pixels between neighboring cells of the detector's fine and its coarse level."""


def _unit(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution with normalization and rectifier."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            norm=nn.BatchNorm2d(outputs),
            relu=nn.ReLU(),
        )
    )


def _halves() -> tuple[nn.Sequential, nn.Sequential]:
    """The stages of the scene networks at 1/4 and at 1/8 of the picture's side."""
    stages = list(trunk().items())
    return nn.Sequential(OrderedDict(stages[:2])), nn.Sequential(OrderedDict(stages[2:]))


class CellHead(nn.Module):
    """Class logits and box of each cell of a level.

    Args:
        width: channels of the level.
        classes: number of classes.
        stride: pixels between neighboring cells.
    """

    def __init__(self, width: int, classes: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        scores = nn.Conv2d(width, classes, 1)
        # A score of 0.01 at first: few cells have a thing (Lin et al. 2017, arXiv:1708.02002, section 3.3).
        nn.init.constant_(scores.bias, -math.log(99.0))  # type: ignore[arg-type]
        self.classes = nn.Sequential(OrderedDict(unit=_unit(width, width), out=scores))
        self.sides = nn.Sequential(
            OrderedDict(unit=_unit(width, width // 2), out=nn.Conv2d(width // 2, 4, 1))
        )

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, classes, h, w), and boxes (N, 4, h, w): left, top, right, bottom in pixels.

        The four sides lie at positive distances from the cell's center (Tian et al. 2019, FCOS, arXiv:1904.01355, eqs.
        1 and 2).
        """
        rows, columns = level.shape[-2:]
        distances = 2 * self.stride * self.sides(level).clamp(max=3).exp()
        x = (torch.arange(columns, device=level.device) + 0.5) * self.stride
        y = (torch.arange(rows, device=level.device) + 0.5) * self.stride
        centers = torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)])
        boxes = torch.cat([centers - distances[:, :2], centers + distances[:, 2:]], 1)
        return self.classes(level), boxes


class BoxNet(nn.Module):
    """A small anchor-free detector with two levels of cells.

    The features are the stages of the net of scenes. ``pyramid`` returns both levels as one map, so that a map of it
    explains a detection of either level.

    Args:
        classes: number of classes.
        width: channels of each level.
    """

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.early, self.late = _halves()
        self.coarse = _unit(96, width, 2)
        self.across = nn.Conv2d(96, width, 1)
        self.fine = _unit(width, width)
        #: Both levels as one map (N, 2 · width, H / 8, W / 8), the fine one first.
        self.pyramid = nn.Identity()
        self.heads = nn.ModuleList([CellHead(width, classes, stride) for stride in STRIDES])

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Boxes of pictures (N, 3, H, W), one for each of K cells, of which few have a score.

        Returns:
            "logits" (N, K, classes), independent of each other; a logit is −20 at all but the best of neighboring
            cells, so that a thing has one box. "pred_boxes" (N, K, 4): center, width and height, as shares of the
            picture.
        """
        (fine, fine_boxes), (coarse, coarse_boxes) = self.levels(self.early(pictures))
        logits = [cells.flatten(2) for cells in _best_of_neighbors(fine, coarse)]
        corners = torch.cat([fine_boxes.flatten(2), coarse_boxes.flatten(2)], 2).transpose(1, 2)
        first, last = corners[..., :2], corners[..., 2:]
        size = torch.tensor(pictures.shape[:-3:-1], device=corners.device)
        boxes = torch.cat([0.5 * (first + last) / size, (last - first) / size], 2)
        return {"logits": torch.cat(logits, 2).transpose(1, 2), "pred_boxes": boxes}

    def levels(self, early: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Logits (N, classes, h, w) and boxes (N, 4, h, w) of each level, given the map of ``early``."""
        late = self.late(early)
        coarse = self.coarse(late)
        size = late.shape[-2:]
        above = functional.interpolate(coarse, size, mode="bilinear")
        fine = self.fine(self.across(late) + above)
        width = fine.shape[1]
        repeated = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]
        both = self.pyramid(torch.cat([fine, repeated], 1))
        # The mean over the cells that repeat a value is the value.
        again = functional.avg_pool2d(both[:, width:], 2, ceil_mode=True)
        return [
            head(level) for head, level in zip(self.heads, (both[:, :width], again), strict=True)
        ]


def _best_of_neighbors(fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of both levels (N, classes, h, w), those of cells with a better neighbor of the same class being −20.

    Neighbors are those within two cells of the fine level or one of the coarse level (the peaks of Zhou et al. 2019,
    arXiv:1904.07850, section 4), and the cells of the other level at the same place.
    """
    above = functional.interpolate(coarse, scale_factor=2.0)[..., : fine.shape[2], : fine.shape[3]]
    below = functional.max_pool2d(fine, 2, ceil_mode=True)
    best_fine = torch.maximum(functional.max_pool2d(fine, 5, 1, 2), above)
    best_coarse = torch.maximum(functional.max_pool2d(coarse, 3, 1, 1), below)
    return (
        fine.masked_fill(fine < best_fine, -20.0),
        coarse.masked_fill(coarse < best_coarse, -20.0),
    )


class SegmentNet(nn.Module):
    """A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) on the stages of the net of scenes.

    Args:
        classes: number of classes, the ground included.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.detail = _unit(3, 12, 2)
        self.early, self.late = _halves()
        self.narrow = nn.Conv2d(96, 48, 1)
        self.middle = _unit(48 + 32, 48)
        self.thin = nn.Conv2d(48, 24, 1)
        self.fine = _unit(24 + 12, 32)
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of every pixel of pictures (N, 3, H, W)."""
        logits = self.cells(self.detail(pictures), self.early(pictures))
        return functional.interpolate(logits, pictures.shape[-2:], mode="bilinear")

    def cells(self, detail: Tensor, early: Tensor) -> Tensor:
        """Logits (N, classes, H / 2, W / 2), given the maps of ``detail`` and ``early``."""
        wide = functional.interpolate(
            self.narrow(self.late(early)), early.shape[-2:], mode="bilinear"
        )
        middle = self.middle(torch.cat([wide, early], 1))
        wide = functional.interpolate(self.thin(middle), detail.shape[-2:], mode="bilinear")
        out: Tensor = self.head(self.fine(torch.cat([wide, detail], 1)))
        return out
