"""Someone's module, run for one pass and left as it was found; and what goes wrong then, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from . import fork_safety
from .errors import ModelError

__all__ = [
    "KeptBuffers",
    "bare_module",
    "evaluating",
    "not_finite",
    "wants_rows",
    "without_new_graphs",
]

# One lock for all: two models may share a module, or a part of one, and with it its training flags.
_passes = fork_safety.rlock()


class KeptBuffers:
    """Copies of a module's buffers, for a module whose forward writes into them (a counter, a memory).

    Attributes:
        changed: names of those that were put back.
    """

    def __init__(self, module: nn.Module) -> None:
        self.changed: list[str] = []
        self._kept = [
            (part._buffers, f"{prefix}.{name}".lstrip("."), name, buffer, buffer.detach().clone())
            for prefix, part in module.named_modules()
            for name, buffer in part._buffers.items()
            if buffer is not None and buffer.device.type != "meta"
        ]

    def restore(self) -> None:
        """Put back what has changed: the tensors themselves, and what is in them."""
        with torch.no_grad():
            for holder, path, name, buffer, copy in self._kept:
                if holder.get(name) is not buffer or not _same(buffer, copy):
                    holder[name] = buffer
                    buffer.copy_(copy)
                    self.changed.append(path)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same values; NaN is the same as NaN."""
    if torch.equal(one, other):
        return True
    return one.is_floating_point() and bool(torch.allclose(one, other, 0, 0, equal_nan=True))


@contextmanager
def evaluating(
    module: nn.Module, device: torch.device, *, keep_buffers: bool = False
) -> Iterator[KeptBuffers | None]:
    """Hold a module for one pass, in evaluation mode, and give it back as it was; without autocast.

    Args:
        module: which.
        device: where it is.
        keep_buffers: whether its buffers are put back too: a copy of each is made, which few modules need.
    """
    with (
        _passes,
        torch.inference_mode(False),
        torch.autocast(device.type, enabled=False),
    ):
        flags = [(part, part.training) for part in _parts(module)]
        kept = KeptBuffers(module) if keep_buffers else None
        try:
            for part, was in flags:
                if was:
                    part.training = False
            yield kept
        finally:
            for part, was in flags:  # a forward may set them itself
                if part.training is not was:
                    part.training = was
            if kept is not None:
                kept.restore()


@contextmanager
def without_new_graphs(module: nn.Module) -> Iterator[None]:
    """Within it a module is run with gradients; what it caches for itself then, it has without their graph.

    A tensor with a graph among its attributes cannot be copied, and would keep that graph alive.
    """
    before = {id(tensor) for *_, tensor in _graphs(module)}
    try:
        yield
    finally:
        for holder, key, tensor in _graphs(module):
            if id(tensor) not in before:
                holder[key] = tensor.detach()


def _graphs(module: nn.Module) -> list[tuple[dict[Any, Any], Any, torch.Tensor]]:
    """The tensors that autograd computed among the attributes of a module's parts, and in dictionaries of theirs."""
    found: list[tuple[dict[Any, Any], Any, torch.Tensor]] = []
    for part in _parts(module):
        own = vars(part)
        for holder in (own, *(v for k, v in own.items() if type(v) is dict and k[0] != "_")):
            found += [
                (holder, key, value)
                for key, value in holder.items()
                if isinstance(value, torch.Tensor) and value.grad_fn is not None
            ]
    return found


def _parts(module: nn.Module) -> list[nn.Module]:
    """A module and all in it, each once: ``modules()`` without the names, which take longer than the search itself."""
    found = [module]
    seen = {module}
    for part in found:  # which grows meanwhile
        for inner in part._modules.values():
            if inner is not None and inner not in seen:
                seen.add(inner)
                found.append(inner)
    return found


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
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner
