"""A small network of clips, whose layer has two frames of cells for four frames of the clip."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import camwidget as cw

FRAMES, SIDE = 4, 16


class ClipNet(nn.Module):
    """``conv`` has maps (N, 6, 2, 8, 8): each of two frames of the clip."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(3, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.fc(self.conv(x).relu().mean((2, 3, 4)))
        return found


def clip_model() -> cw.VisionModel:
    """The network with random weights, always the same."""
    return cw.wrap(ClipNet(), cw.Preprocess(SIDE, frames=FRAMES), ["a", "b", "c"])


def clips(number: int) -> np.ndarray:
    """Noise, uint8 (number, frames, rows, columns, 3), always the same."""
    shape = (number, FRAMES, SIDE, SIDE, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
