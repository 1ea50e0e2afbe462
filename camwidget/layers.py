"""Which layers of a network can be explained, and where class activation mapping applies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .errors import LayerError, ModelError

__all__ = ["Discovery", "GapHead", "Layer", "Reshape", "discover_layers", "hooked", "spatial"]

#: Turns a layer's output that is not (N, C, H, W) into one that is.
Reshape = Callable[[torch.Tensor], torch.Tensor]

#: More layers than this are no longer a choice.
MANY = 40

_POOLING = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
)


@dataclass(frozen=True)
class Layer:
    """A layer whose output is a stack of maps."""

    name: str
    shape: tuple[int, int, int]  #: channels, height, width

    def __str__(self) -> str:
        return f"{self.name} · {self.shape[1]}×{self.shape[2]}"


@dataclass(frozen=True)
class GapHead:
    """Global average pooling that feeds one linear map: where CAM applies (Zhou 2016).

    ``logits = pool(f) @ weight.T + bias`` where f is the output of ``layer``, rectified first if
    ``rectified``; or, with a 1×1 convolution before the pooling, ``pool(relu(weight · f + bias))``.
    """

    layer: str  #: where f is
    module: str  #: the nn.Linear, or the 1×1 nn.Conv2d, that holds the weights
    rectified: bool = False


@dataclass(frozen=True)
class Discovery:
    """What one traced forward pass tells of a network."""

    logits: torch.Tensor
    layers: dict[str, Layer]  #: every module with a spatial output, in order of execution
    stages: tuple[Layer, ...]  #: the few that a person chooses from
    default: str
    gap_head: GapHead | None
    calls: dict[str, int] = field(default_factory=dict)


@contextmanager
def hooked(hooks: dict[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Forward hooks that answer to this thread only, and are gone afterwards, whatever happens."""
    owner = threading.get_ident()

    def only_here(hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: nn.Module, args: Any, output: Any) -> Any:
            # Someone else may be running the same module at this moment.
            return hook(module, args, output) if threading.get_ident() == owner else None

        return call

    handles: list[Any] = []
    try:
        for module, hook in hooks.items():
            handles.append(module.register_forward_hook(only_here(hook)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def spatial(output: Any, reshape: Reshape | None) -> torch.Tensor | None:
    """A layer's output as (N, C, H, W) with more than one cell, or None if it is not one."""
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    if reshape is not None and output.ndim >= 3:
        try:
            output = reshape(output)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    if output.ndim != 4 or output.shape[-1] * output.shape[-2] < 2:
        return None
    return output


class _Recorder:
    """Notes every module's output shape, and the facts that give a GAP head away."""

    def __init__(self, module: nn.Module, reshape: Reshape | None) -> None:
        self.names = {m: name for name, m in module.named_modules() if name}
        self.reshape = reshape
        self.calls: dict[str, int] = {}
        self.layers: dict[str, Layer] = {}
        self.means: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self.head_inputs: dict[str, torch.Tensor] = {}
        self.head_outputs: dict[str, torch.Tensor] = {}
        # Outputs are kept alive, so that identity tells which modules hand on the same tensor.
        self.kept: list[torch.Tensor] = []
        self.same: dict[tuple[int, int], list[str]] = {}

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        name = self.names[module]
        self.calls[name] = self.calls.get(name, 0) + 1
        maps = spatial(output, self.reshape)
        if maps is not None:
            self.layers.pop(name, None)
            self.layers[name] = Layer(name, (maps.shape[1], maps.shape[2], maps.shape[3]))
            self.means[name] = (maps.mean((2, 3)), maps.relu().mean((2, 3)))
            self.kept.append(output)
            # An in-place ReLU hands on the tensor it was given, at a newer version.
            self.same.setdefault((id(output), output._version), []).append(name)
        source = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if isinstance(module, nn.Linear) and source is not None:
            self.head_inputs[name] = source.clone()
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and source is not None:
            self.head_inputs[name] = source.clone()
            if maps is not None:
                self.head_outputs[name] = maps.clone()


def discover_layers(
    module: nn.Module, inputs: torch.Tensor, reshape: Reshape | None = None
) -> Discovery:
    """Run ``inputs`` (1, C, H, W) through ``module`` once and report its layers.

    Raises:
        ModelError: if the output is not a tensor of logits (N, C).
        LayerError: if no layer has a spatial output.
    """
    recorder = _Recorder(module, reshape)
    with torch.no_grad(), hooked(dict.fromkeys(recorder.names, recorder)):
        logits = module(inputs)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(inputs):
        got = (
            f"a tensor of shape {tuple(logits.shape)}"
            if isinstance(logits, torch.Tensor)
            else type(logits).__name__
        )
        raise ModelError(
            f"The module returns {got}; logits of shape (N, classes) are needed. Wrap it in an "
            "nn.Module whose forward returns its logits only."
        )
    once = {n: layer for n, layer in recorder.layers.items() if recorder.calls[n] == 1}
    if not once:
        raise LayerError(
            "No layer of this module has an output of shape (N, channels, height, width). For a "
            "transformer pass reshape=…, a callable from its tokens to (N, channels, height, width)."
        )
    # NaN compares equal to nothing; whoever asked will say what is wrong with the weights.
    head = _gap_head(module, recorder, logits) if torch.isfinite(logits).all() else None
    stages = _stages(once, list(recorder.same.values()))
    default = head.layer if head and head.layer in once else _default(module, once, stages)
    if default not in {s.name for s in stages}:
        default = _alias(default, stages, list(recorder.same.values()))
    if default not in {s.name for s in stages}:
        order = list(once)
        stages = tuple(sorted((*stages, once[default]), key=lambda s: order.index(s.name)))
    return Discovery(logits, once, stages, default, head, recorder.calls)


def _alias(name: str, stages: tuple[Layer, ...], same: list[list[str]]) -> str:
    listed = {s.name for s in stages}
    for group in same:
        if name in group:
            return next((other for other in group if other in listed), name)
    return name


def _stages(layers: dict[str, Layer], same: list[list[str]]) -> tuple[Layer, ...]:
    """The layers worth a person's choice: blocks and stages, each tensor under one name."""
    names = set(layers)
    prefix = _common_prefix(list(names))

    def is_one_stage(name: str) -> bool:
        """All direct children work at the container's own resolution."""
        size = layers[name].shape[1:]
        children = [n for n in names if n.startswith(name + ".") and "." not in n[len(name) + 1 :]]
        return all(layers[n].shape[1:] == size for n in children)

    dropped: set[str] = set()
    for group in same:
        group = [n for n in group if n in names]
        if len(group) < 2:
            continue
        # The module that made the tensor, and the containers that only hand it on.
        outward = [group[0], *(n for n in group[1:] if group[0].startswith(n + "."))]
        kept = next((n for n in reversed(outward) if is_one_stage(n)), group[0])
        dropped.update(n for n in group if n != kept)
    kept = [layer for name, layer in layers.items() if name not in dropped]
    shallow: list[Layer] = []
    for depth in (1, 0):  # blocks in stages, or stages alone where blocks are too many to choose from
        shallow = [s for s in kept if s.name[len(prefix) :].count(".") <= depth]
        if len(shallow) <= MANY:
            break
    return tuple(shallow if len(shallow) >= 3 else kept)


def _common_prefix(names: list[str]) -> str:
    parts = [n.split(".") for n in names]
    prefix: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        prefix.append(level[0])
    return "".join(f"{p}." for p in prefix)


def _default(module: nn.Module, layers: dict[str, Layer], stages: tuple[Layer, ...]) -> str:
    """The last spatial layer that computes features, as the Grad-CAM paper advises (section 3)."""
    modules = dict(module.named_modules())
    for layer in reversed(stages):
        if not isinstance(modules[layer.name], _POOLING):
            return layer.name
    return (stages or tuple(layers.values()))[-1].name


def _gap_head(module: nn.Module, recorder: _Recorder, logits: torch.Tensor) -> GapHead | None:
    """Recognise global average pooling by its arithmetic, however it is written."""
    modules = dict(module.named_modules())

    def close(a: torch.Tensor, b: torch.Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(
            a.float(), b.float(), rtol=1e-3, atol=1e-3 * float(b.float().abs().max() or 1)
        )

    for name, source in reversed(recorder.head_inputs.items()):
        head = modules[name]
        classes = head.out_features if isinstance(head, nn.Linear) else head.out_channels
        if classes != logits.shape[1] or recorder.calls[name] != 1:
            continue
        if name in recorder.head_outputs:  # the convolution comes first, the pooling after it
            maps = recorder.head_outputs[name]
            if not any(close(m.mean((2, 3)), logits) for m in (maps, maps.relu())):
                continue
            pooled, weight = source.mean((2, 3)), None
        else:
            pooled, weight = source.flatten(1), head.weight.flatten(1)
            bias = head.bias if head.bias is not None else 0
            if weight.shape[1] != pooled.shape[1] or not close(pooled @ weight.T + bias, logits):
                continue
        for layer, (mean, rectified_mean) in reversed(recorder.means.items()):
            if recorder.calls[layer] != 1 or isinstance(modules[layer], _POOLING):
                continue
            if layer == name or layer.startswith(name + "."):
                continue
            if close(mean, pooled):
                return GapHead(_outermost(layer, recorder), name)
            if close(rectified_mean, pooled) and weight is not None:
                return GapHead(layer, name, rectified=True)
    return None


def _outermost(layer: str, recorder: _Recorder) -> str:
    """The first name under which the tensor appears: the module that made it."""
    for group in recorder.same.values():
        if layer in group:
            return group[0] if recorder.calls[group[0]] == 1 else layer
    return layer
