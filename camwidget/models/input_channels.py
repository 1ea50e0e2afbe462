"""Input channels of a module, read off its first convolution, and the preprocessing that follows from them."""

from __future__ import annotations

from torch import nn

from ..images.preprocess import Preprocess

__all__ = ["default_preprocess", "input_channels", "may_compute_frames", "takes_volumes"]


def default_preprocess(module: nn.Module) -> Preprocess:
    """Return the preprocessing of a module without one: short side 224, center crop, no normalization.

    Of a module whose first convolution has three dimensions, the short side is 112: clips have many pixels.
    """
    channels = input_channels(module) or 3
    side = 112 if takes_volumes(module) else 224
    return Preprocess(side, mean=(0.0,) * channels, std=(1.0,) * channels)


def input_channels(module: nn.Module) -> int | None:
    """Return the number of input channels of the first convolution; None without one."""
    first = _first_convolution(module)
    return first.in_channels if isinstance(first, (nn.Conv2d, nn.Conv3d)) else None


def takes_volumes(module: nn.Module) -> bool:
    """Return whether the first convolution of a module has three dimensions."""
    return isinstance(_first_convolution(module), nn.Conv3d)


def may_compute_frames(module: nn.Module) -> bool:
    """Return whether a module may compute the frames of a clip one by one: some of its convolutions have not three
    dimensions, or it has none.
    """
    kinds = [type(m) for m in module.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d))]
    return not kinds or any(not issubclass(kind, nn.Conv3d) for kind in kinds)


def _first_convolution(module: nn.Module) -> nn.Module | None:
    kinds = (nn.Conv2d, nn.Conv3d)
    return next((m for m in module.modules() if isinstance(m, kinds)), None)
