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
            "logits" (N, K, classes), independent of each other; those of a cell are −20 where another cell has a
            better box for the same thing. "pred_boxes" (N, K, 4): center, width and height, as shares of the picture.
        """
        levels = self.levels(self.early(pictures))
        logits, corners = (
            torch.cat([level[i].flatten(2) for level in levels], 2).transpose(1, 2)
            for i in range(2)
        )
        first, last = corners[..., :2], corners[..., 2:]
        size = torch.tensor(pictures.shape[:-3:-1], device=corners.device)
        boxes = torch.cat([0.5 * (first + last) / size, (last - first) / size], 2)
        others = _has_better(logits.detach().amax(2), corners.detach())
        return {"logits": logits.masked_fill(others[..., None], -20.0), "pred_boxes": boxes}

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


def _has_better(scores: Tensor, boxes: Tensor) -> Tensor:
    """Whether a box overlaps another one with a higher score by more than half of their union, bool (N, K).

    Boxes that are left out for a better one count too, so that all are decided at once. Things do not overlap, so that
    this differs little from deciding by decreasing score.

    Args:
        scores: scores (N, K).
        boxes: left, top, right, bottom (N, K, 4).
    """
    left, top, right, bottom = boxes.unbind(2)
    width, height = (
        (
            torch.minimum(last[:, :, None], last[:, None])
            - torch.maximum(first[:, :, None], first[:, None])
        ).clamp(min=0)
        for first, last in ((left, right), (top, bottom))
    )
    areas = (right - left) * (bottom - top)
    both = width * height
    alike = both > 0.5 * (areas[:, :, None] + areas[:, None] - both)
    return (alike & (scores[:, None] > scores[:, :, None])).any(2)


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
