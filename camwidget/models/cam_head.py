"""Detection of global average pooling with one linear map behind it, where CAM applies.

The head is recognized by its arithmetic in one traced forward pass, not by module types, so that pooling written as
``x.mean((2, 3))`` counts too.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import torch
from torch import nn

__all__ = ["GapHead", "GapHeadDetector"]


@dataclass(frozen=True)
class GapHead:
    """Global average pooling that feeds one linear map (Zhou 2016, section 2).

    ``logits = pool(f) @ weight.T + bias``, where f is the output of ``layer``, rectified first if ``rectified``; or,
    with a 1×1 convolution before the pooling, ``pool(relu(weight · f + bias))``.
    """

    layer: str  #: where f is
    module: str  #: the nn.Linear, or the convolution of one cell, that holds the weights
    rectified: bool = False


class GapHeadDetector:
    """Recorder of layer means and inputs of linear maps in a traced pass, which finds a GAP head by comparing them."""

    def __init__(self) -> None:
        self._means: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._inputs: dict[str, tuple[nn.Linear | nn.Conv2d | nn.Conv3d, torch.Tensor]] = {}
        self._maps: dict[str, torch.Tensor] = {}

    def record(
        self,
        name: str,
        module: nn.Module,
        source: torch.Tensor | None,
        maps: torch.Tensor | None,
    ) -> None:
        """Record that a module has run on ``source`` and gave ``maps`` (N, C, H, W), or None."""
        if maps is not None:
            self._means[name] = (_mean(maps), _mean(maps.relu()))
        if source is None:
            return
        one_by_one = (
            isinstance(module, (nn.Conv2d, nn.Conv3d))
            and set(module.kernel_size) == {1}
            and module.groups == 1
        )
        if isinstance(module, nn.Linear) or one_by_one:
            # Copies, since an in-place ReLU may follow.
            self._inputs[name] = (module, source.float().clone())  # type: ignore[assignment]
            if one_by_one and maps is not None:
                self._maps[name] = maps.float().clone()

    def find(
        self, logits: torch.Tensor, calls: dict[str, int], layers: Container[str]
    ) -> GapHead | None:
        """Find the GAP head of the network.

        Args:
            logits: the network's logits (N, classes).
            calls: number of calls of each module.
            layers: names of the layers that may be f.

        Returns:
            The head, or None.
        """
        for name, (module, source) in reversed(self._inputs.items()):
            if calls[name] != 1 or module.weight.shape[0] != logits.shape[1]:
                continue
            maps = self._maps.get(name)
            pooled = (
                _pooled_before(module, source, logits)
                if maps is None
                else _pooled_after(maps, source, logits)
            )
            if pooled is None:
                continue
            for layer, means in reversed(self._means.items()):
                if layer not in layers or layer == name or name.startswith(layer + "."):
                    continue
                for rectified, mean in enumerate(means):
                    if _equal(mean, pooled, logits.dtype):
                        return GapHead(layer, name, bool(rectified))
        return None


def _pooled_before(
    module: nn.Linear | nn.Conv2d | nn.Conv3d, source: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor | None:
    """Return the input of the linear map if the logits are its output; None otherwise."""
    pooled, weight = source.flatten(1), module.weight.float().flatten(1)
    if pooled.shape[1] != weight.shape[1]:
        return None
    expected = pooled @ weight.T + (0 if module.bias is None else module.bias.float())
    return pooled if _equal(logits, expected, logits.dtype) else None


def _pooled_after(
    maps: torch.Tensor, source: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor | None:
    """Return the mean of the input of a 1×1 convolution if the logits are the mean of its output; None otherwise."""
    if any(_equal(_mean(m), logits, logits.dtype) for m in (maps, maps.relu())):
        return _mean(source)
    return None


def _mean(maps: torch.Tensor) -> torch.Tensor:
    return maps.float().flatten(2).mean(2)


def _equal(values: torch.Tensor, others: torch.Tensor, dtype: torch.dtype) -> bool:
    """Return whether values are equal one by one, to the dtype's precision; a large channel hides no other."""
    if values.shape != others.shape:
        return False
    digits = max(1e-3, 8 * torch.finfo(dtype).eps)
    a, b = values.float(), others.float()
    spread = (a.abs() + b.abs()) / 2
    return bool(((a - b).abs() <= digits * (spread + 0.05 * spread.median())).all())
