"""Errors and wrappers of a user's module: non-finite outputs, required memory layout, compiled and parallel modules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import nn

from .._compat.pytorch import COMPILED_MODULE
from ..errors import ModelError
from .device_errors import device_lost_error, is_device_lost, is_out_of_memory

__all__ = [
    "hooked",
    "needs_contiguous_input",
    "non_finite_error",
    "raise_failed_pass",
    "running_modules",
    "unwrapped_module",
]


def non_finite_error(module: nn.Module, name: str, dtype: torch.dtype) -> ModelError:
    """Return the error for logits that are not finite, with the cause and the remedy.

    Args:
        module: the module that computed the logits.
        name: the model's name.
        dtype: dtype of the module's parameters.
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
        else "Check its normalization and weights."
    )
    return ModelError(f"{name} gives NaN or infinity for this picture. {remedy}")


def _failed_pass_error(
    error: Exception, name: str, device: torch.device, shape: torch.Size
) -> Exception:
    """Return the error for a pass that failed, with the remedy.

    Args:
        error: what the module raised. Lack of memory, and a module that needs contiguous input, have remedies that
            callers try: those errors are returned as they are.
        name: the model's name.
        device: the model's device.
        shape: shape of the inputs.
    """
    if is_out_of_memory(error) or needs_contiguous_input(error):
        return error
    if is_device_lost(error):
        return device_lost_error(name, device, error)
    return ModelError(
        f"{name} fails on inputs of shape {tuple(shape)}: {type(error).__name__}: {error}. "
        "Explain pictures of the size it was made for, with preprocess=camwidget.Preprocess(size, …)."
    )


def raise_failed_pass(
    error: Exception, name: str, device: torch.device, shape: torch.Size
) -> NoReturn:
    """Raise what ``_failed_pass_error`` returns, from the error; within an ``except`` block."""
    translated = _failed_pass_error(error, name, device, shape)
    try:
        if translated is error:
            raise error
        raise translated from error
    finally:
        # Its traceback refers to this frame, and to those of the pass: a circle of references would keep the pass in
        # memory until Python's garbage collector runs.
        del translated, error


def needs_contiguous_input(error: BaseException) -> bool:
    """Return whether an error means that the module needs contiguous input, and not channels-last memory format."""
    return isinstance(error, RuntimeError) and "view size is not compatible" in str(error)


def unwrapped_module(module: nn.Module) -> nn.Module:
    """Return the module inside ``torch.compile``, ``DataParallel`` and ``DistributedDataParallel`` wrappers."""
    while True:
        inner = getattr(module, COMPILED_MODULE, None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


@contextmanager
def hooked(hooks: dict[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Register forward hooks for the passes of the calling thread within a ``with`` block."""
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


@contextmanager
def running_modules(module: nn.Module) -> Iterator[list[str]]:
    """Yield a list that holds the names of the modules that this thread runs at the moment, outermost first.

    TorchScript modules, which take no hooks, are left out.
    """
    owner = threading.get_ident()
    names = {m: n for n, m in module.named_modules() if not isinstance(m, torch.jit.ScriptModule)}
    running: list[str] = []

    def enter(part: nn.Module, args: Any) -> None:
        if threading.get_ident() == owner and part in names:
            running.append(names[part])

    def leave(part: nn.Module, args: Any, output: Any) -> None:
        running.pop()

    handles = [part.register_forward_pre_hook(enter) for part in names]
    try:
        with hooked(dict.fromkeys(names, leave)):
            yield running
    finally:
        for handle in handles:
            handle.remove()
