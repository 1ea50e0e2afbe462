"""Small models that say where in the picture their classes are: a detector and a segmenter whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

SIDE, CELL = 48, 8
NAMES = ("nothing", "red", "green")
AREAS = ("background", "red", "green")


class Lamps(nn.Module):
    """Finds boxes of 8 × 8 cells: the two brightest red ones, and the brightest green one, if brighter than a half."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Sequential(nn.AvgPool2d(CELL), nn.Conv2d(3, 3, 1, bias=False), nn.ReLU())
        with torch.no_grad():
            self.cells[1].weight[:] = torch.eye(3)[..., None, None]

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        found = []
        for colors in self.cells(x):
            boxes, labels, scores = [], [], []
            for label, count in ((1, 2), (2, 1)):
                values, order = colors[label - 1].flatten().topk(count)
                for value, at in zip(values, order.tolist(), strict=True):
                    row, column = divmod(at, colors.shape[2])
                    boxes.append([column * CELL, row * CELL, (column + 1) * CELL, (row + 1) * CELL])
                    labels.append(label)
                    scores.append(value)
            kept = torch.stack(scores) > 0.5
            found.append(
                {
                    "boxes": torch.tensor(boxes, dtype=x.dtype)[kept],
                    "labels": torch.tensor(labels)[kept],
                    "scores": torch.stack(scores)[kept],
                }
            )
        return found


class Colors(nn.Module):
    """Scores of every pixel: background, red and green, by the color of its 8 × 8 cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Sequential(nn.AvgPool2d(CELL), nn.Conv2d(3, 2, 1), nn.ReLU())
        with torch.no_grad():
            self.cells[1].weight[:] = 8 * torch.eye(3)[:2, :, None, None]
            self.cells[1].bias[:] = -1
        self.head = nn.Conv2d(2, 3, 1)
        with torch.no_grad():
            self.head.weight[:] = torch.tensor([[0.0, 0], [1, 0], [0, 1]])[..., None, None]
            self.head.bias[:] = torch.tensor([2.0, 0, 0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.head(self.cells(x))
        return nn.functional.interpolate(scores, x.shape[-2:], mode="nearest")


def lamps(
    red: Sequence[tuple[int, int, float]] = (), green: Sequence[tuple[int, int, float]] = ()
) -> torch.Tensor:
    """Draw lamps, each of a row and a column of cells, and a brightness, on a dark picture (3, 48, 48)."""
    pixels = torch.full((3, SIDE, SIDE), 0.05)
    for channel, places in enumerate((red, green)):
        for row, column, value in places:
            pixels[channel, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = (
                value
            )
    return pixels
