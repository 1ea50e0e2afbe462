"""Warm-up from global maximum to global average pooling, which speeds up learning of small evidence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MAXIMUM_ONLY = 0.35
"""Share of the steps with maximum pooling only."""
_TRANSITION = 0.25
"""Share of the steps of the transition to average pooling."""
GAIN = 8.0
"""Approximate ratio of the maximum to the average over all positions of a scene."""


class PoolingWarmup(nn.Module):
    """A network with global average pooling that starts with maximum pooling and changes over during training.

    An average over 256 positions hides small objects from the gradient at first: without the warm-up and with the same
    number of steps, a network finds a third of the objects of a scene instead of nearly all, and does not distinguish a
    stag beetle from a weevil. After training, ``merge_gain`` makes the network independent of this wrapper.

    Args:
        net: the network; its last two modules are the pooling and the head.
        steps: number of training steps.
        gain: approximate ratio of the maximum of a feature to its average over all positions.
    """

    def __init__(self, net: nn.Sequential, steps: int, gain: float = GAIN) -> None:
        super().__init__()
        self.net = net
        self._steps, self._step, self._gain = steps, 0, gain

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores (N, classes) of pictures (N, 3, H, W), or clips (N, 3, T, H, W)."""
        self._step += 1
        own = min(1.0, max(0.0, (self._step / self._steps - MAXIMUM_ONLY) / _TRANSITION))
        features = self.net[:-2](pictures)
        scores: Tensor = (1.0 - own) * self.net[-1](features.flatten(2).amax(2))
        if own > 0.0:
            scores = scores + own * self.net[-2:](self._gain * features)
        return scores

    @torch.no_grad()
    def merge_gain(self) -> None:
        """Multiply the head's weights by the gain of the map."""
        self.net[-1].weight *= self._gain  # type: ignore[assignment,operator]
