"""How a net with an average before its head learns fast what is small in the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALONE = 0.35
"""The first part of the training, in which the net has the maximum only."""
_OVER = 0.25
"""The part after it, in which the average takes its place."""
_GAIN = 8.0
"""An average over all places is about so much smaller than the maximum."""


class Warmup(nn.Module):
    """A net with an average before its head that begins with the maximum, and becomes itself in mid-training.

    An average over 256 places hides a small thing from the gradient at first: after the same steps such a net
    knows a third of the things in a scene instead of nearly all, and cannot tell a stag beetle from a weevil.

    When it is trained, `settle` makes the net alone what it is in here.

    Args:
        net: the net; its last two modules are the pooling and the head.
        steps: number of steps of the training.
    """

    def __init__(self, net: nn.Sequential, steps: int) -> None:
        super().__init__()
        self.net = net
        self._steps, self._step = steps, 0

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores (N, classes) of pictures (N, 3, H, W)."""
        self._step += 1
        own = min(1.0, max(0.0, (self._step / self._steps - ALONE) / _OVER))
        features = self.net[:-2](pictures)
        scores: Tensor = (1.0 - own) * self.net[-1](features.amax((2, 3)))
        if own > 0.0:
            scores = scores + own * self.net[-2:](_GAIN * features)
        return scores

    @torch.no_grad()
    def settle(self) -> None:
        """Put the gain that its map has in here into the head's weights."""
        self.net[-1].weight *= _GAIN  # type: ignore[assignment,operator]
