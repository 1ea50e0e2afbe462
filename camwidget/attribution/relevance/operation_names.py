"""Names of PyTorch's operations, grouped by relevance rule; all other operations are refused.

Names are those of ``torch.overrides.resolve_name`` without their modules, so that the module, the function
and the method of one operation are one entry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = [
    "ACTIVATIONS",
    "ADDITIONS",
    "AFFINE",
    "AVERAGES",
    "CONSTANTS",
    "DIVISIONS",
    "GATES",
    "HEAD_DESCRIPTIONS",
    "KEEP_LENGTH",
    "LENGTHS",
    "LINEAR",
    "MATRIX_PRODUCTS",
    "MAXIMA",
    "METADATA",
    "MOVES",
    "NORMALIZATIONS",
]
__all__ += ["IDENTITIES", "PRODUCTS", "SMOOTH_ACTIVATIONS", "SUMS", "function_name", "is_in_place"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PREFIXES = ("torch.nn.functional.", "torch.functional.", "torch.Tensor.", "torch.")

#: Descriptions for error messages of operations that a classifier's head may have in place of a linear layer.
HEAD_DESCRIPTIONS = {
    "normalize": "division of the features by their own length (normalize), as in a head of cosines",
    "norm": "the length of the features (norm) otherwise than to divide them by it",
    "linalg.norm": "the length of the features (linalg.norm) otherwise than to divide them by it",
    "linalg.vector_norm": "the length of the features (linalg.vector_norm) otherwise than to divide them by it",
    "cosine_similarity": "a head of cosines (cosine_similarity)",
    "cdist": "a head of distances (cdist)",
}

#: Read a tensor's metadata, not its values.
METADATA = frozenset(
    f"{name}.__get__"
    for name in _names(
        "shape ndim dtype device layout requires_grad is_cuda is_cpu is_mps is_sparse is_quantized is_nested "
        "is_meta is_leaf itemsize names grad_fn"
    )
) | _names(
    "size dim numel nelement ndimension stride is_contiguous is_floating_point is_complex __len__ get_device "
    "element_size is_inference"
)

#: Make a tensor of another one's shape that does not depend on its values.
CONSTANTS = _names("zeros_like ones_like full_like new_zeros new_ones new_full new_tensor")

#: (input, weight, bias, …): weighted sums.
LINEAR = _names("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d")

#: Identities in evaluation mode.
IDENTITIES = _names(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout dropout_"
)

#: Elementwise functions that map zero to zero and never flip a sign.
ACTIVATIONS = _names(
    "relu relu_ relu6 hardtanh hardtanh_ leaky_relu leaky_relu_ clamp clamp_ clamp_min clamp_min_"
)

#: Move elements, and relevance with them: the gradient is the rule.
MOVES = _names(
    "flatten view reshape view_as reshape_as permute transpose swapaxes movedim unsqueeze squeeze unflatten "
    "contiguous clone cat concat concatenate stack chunk split split_with_sizes tensor_split unbind narrow select "
    "index_select __getitem__ pad expand expand_as to float double type_as pixel_shuffle pixel_unshuffle "
    "channel_shuffle flip roll repeat repeat_interleave tile T.__get__ mT.__get__"
)

#: The maximum takes all relevance, as it takes the gradient; but the output no longer counts as the picture.
MAXIMA = _names(
    "max_pool1d max_pool2d max_pool2d_with_indices adaptive_max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool2d_with_indices amax"
)

#: Weighted sums with fixed weights.
AVERAGES = _names(
    "avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d mean sum interpolate upsample"
)

#: Sums of two activations.
SUMS = _names("add add_ __add__ __radd__ __iadd__")

#: Elementwise products.
PRODUCTS = _names("mul mul_ __mul__ __rmul__ __imul__ multiply")

#: Elementwise sums and differences.
ADDITIONS = SUMS | _names("sub sub_ __sub__ __isub__ __rsub__ rsub subtract")

#: Elementwise quotients.
DIVISIONS = _names("div div_ __truediv__ __itruediv__ divide true_divide")

#: Arithmetic with a constant, elementwise.
AFFINE = ADDITIONS | PRODUCTS | DIVISIONS | _names("neg neg_ __neg__")

#: Lengths of vectors.
LENGTHS = _names("norm linalg.norm linalg.vector_norm")

#: What is done with a length before activations are divided by it.
KEEP_LENGTH = MOVES | SUMS | _names("clamp clamp_ clamp_min clamp_min_")

#: Divide activations by a statistic of themselves.
NORMALIZATIONS = _names("layer_norm rms_norm group_norm")

#: Smooth elementwise functions that map zero to zero.
SMOOTH_ACTIVATIONS = _names(
    "gelu silu silu_ hardswish hardswish_ mish mish_ elu elu_ celu celu_ selu selu_ tanh tanh_"
)

#: Elementwise functions whose output multiplies an activation.
GATES = _names("sigmoid sigmoid_ hardsigmoid hardsigmoid_ erf erf_")

#: Products that sum over a dimension.
MATRIX_PRODUCTS = _names("matmul __matmul__ __rmatmul__ bmm einsum")


#: By function, the position of its argument ``inplace``.
_INPLACE_ARGUMENT = {
    **dict.fromkeys(_names("relu relu6 silu hardswish hardsigmoid mish selu"), 1),
    **dict.fromkeys(_names("leaky_relu elu celu"), 2),
    "hardtanh": 3,
}


@functools.cache
def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a PyTorch function without its modules."""
    from torch.overrides import resolve_name

    name: str = resolve_name(function) or getattr(function, "__name__", repr(function))
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :].removeprefix("_C._nn.")
    return name


def is_in_place(name: str, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Return whether an operation writes into its first argument."""
    if name in IDENTITIES or name.endswith("__get__"):
        return False
    if name.startswith("__"):
        return name.startswith("__i") and name != "__invert__"
    if name.endswith("_") or kwargs.get("inplace"):
        return True
    place = _INPLACE_ARGUMENT.get(name)
    return place is not None and len(args) > place and bool(args[place])
