"""Run a user's module for one pass, leave it as it was found, and put its failures into words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .._compat.pytorch import COMPILED_MODULE
from ..errors import ModelError

__all__ = ["bare_module", "hooked", "not_finite", "wants_rows"]


def not_finite(module: nn.Module, name: str, dtype: torch.dtype) -> ModelError:
    """The error for logits that are not finite, which names the cause.

    Args:
        module: whose logits.
        name: what to call it.
        dtype: of its parameters.
    """
    bad = [
        key
        for key, tensor in module.state_dict().items()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all()
    ]
    if bad:
        return ModelError(
            f"{name} has weights that are NaN or infinite, in {len(bad)} tensors, the first "
            f"{bad[0]!r}. Load other weights."
        )
    remedy = (
        "Try it in float32: module.float()."
        if dtype in (torch.float16, torch.bfloat16)
        else "Check its normalisation and weights."
    )
    return ModelError(f"{name} answers NaN or infinity for this picture. {remedy}")


def wants_rows(error: BaseException) -> bool:
    """Whether a module counts on rows of pixels lying together in memory, which channels-last pictures do not."""
    return isinstance(error, RuntimeError) and "view size is not compatible" in str(error)


def bare_module(module: nn.Module) -> nn.Module:
    """The module that holds the layers: not its compiled form, nor the one that spreads it over devices."""
    while True:
        inner = getattr(module, COMPILED_MODULE, None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


@contextmanager
def hooked(hooks: dict[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Forward hooks that answer to this thread only, and are gone afterwards, whatever happens."""
    owner = threading.get_ident()

    def only_here(hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: nn.Module, args: Any, output: Any) -> Any:
            # Someone else may be running the same module at this moment; a deep copy of it has its hooks too.
            is_ours = threading.get_ident() == owner and module in hooks
            return hook(module, args, output) if is_ours else None

        return call

    handles: list[Any] = []
    try:
        for module, hook in hooks.items():
            handles.append(module.register_forward_hook(only_here(hook)))
        yield
    finally:
        for handle in handles:
            handle.remove()
