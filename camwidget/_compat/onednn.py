"""Private API of PyTorch for oneDNN, the library of convolutions on CPUs: its own form of the weights, made once.

PyTorch's compiler uses the same operations. What is missing in a build or version is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

__all__ = ["CHECKS", "convolve", "convolve_packed", "pack_weights", "takes_weights"]


def takes_weights(weights: torch.Tensor) -> bool:
    """Whether oneDNN runs convolutions with these weights (out, in, kh, kw) in their own precision."""
    return bool(
        torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and weights.dtype == torch.float32
        and weights.device.type == "cpu"
        and hasattr(torch, "mkldnn_convolution")
    )


def convolve(
    inputs: torch.Tensor,
    weights: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """Convolve by oneDNN, which PyTorch chooses by itself for more than one thread or large inputs only."""
    return torch.mkldnn_convolution(inputs, weights, bias, padding, stride, dilation, groups)


def pack_weights(
    weights: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    shape: Sequence[int],
) -> torch.Tensor | None:
    """Return weights in the form that suits inputs of a shape (N, C, H, W); None where PyTorch has no such form."""
    operations = torch.ops.mkldnn
    try:
        pack, _ = operations._reorder_convolution_weight, operations._convolution_pointwise
    except AttributeError:
        return None
    packed: torch.Tensor = pack(weights, padding, stride, dilation, groups, list(shape))
    return packed


def convolve_packed(
    inputs: torch.Tensor,
    packed: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    *,
    rectifies: bool,
) -> torch.Tensor:
    """Convolve inputs (N, C, H, W) with weights of ``pack_weights``, and set negative results to 0 if requested."""
    activation = "relu" if rectifies else "none"
    result: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        inputs, packed, bias, padding, stride, dilation, groups, activation, [], ""
    )
    return result


def _packs() -> bool:
    inputs, weights = torch.ones(1, 2, 3, 3), -torch.ones(4, 2, 1, 1)
    if not takes_weights(weights):
        return True
    setting = [1, 1], [0, 0], [1, 1], 1
    packed = pack_weights(weights, *setting, inputs.shape)
    if packed is None:
        return False
    bare, rectified = (
        convolve_packed(inputs, packed, None, *setting, rectifies=r) for r in (False, True)
    )
    return bool((bare == -2).all() and (rectified == 0).all())


#: Description of each assumption, with the function that checks it.
CHECKS: Mapping[str, Callable[[], bool]] = {"packed weights of oneDNN": _packs}
