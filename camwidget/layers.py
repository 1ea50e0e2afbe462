"""Which layers of a network can be explained: one traced forward pass tells."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from .errors import CamwidgetError, LayerError, ModelError
from .gap import GapHead, HeadWitness
from .output_reader import OutputReader
from .relus import other_activations
from .stages import last_features, list_stages, listed_name
from .tokens import TokenGrid

__all__ = ["Discovery", "Layer", "Reshape", "discover_layers", "hooked", "spatial"]

#: Turns a layer's output that is not (N, C, H, W) into one that is.
Reshape = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Layer:
    """A layer whose output is a stack of maps."""

    name: str
    shape: tuple[int, int, int]  #: channels, height, width

    def __str__(self) -> str:
        return f"{self.name} · {self.shape[2]}×{self.shape[1]}"


@dataclass(frozen=True)
class Discovery:
    """What one traced forward pass tells of a network."""

    logits: (
        torch.Tensor
    )  #: (1, columns), as the module computes them; none where the output has no class scores
    layers: dict[str, Layer]  #: every module with a spatial output, in order of execution
    stages: tuple[Layer, ...]  #: the few that a person chooses from
    default: str
    gap_head: GapHead | None
    calls: dict[str, int] = field(default_factory=dict)
    tokens: TokenGrid = field(default_factory=TokenGrid)
    rectifies: bool = False  #: whether there are ReLUs on the way to the logits
    activations: tuple[str, ...] = ()  #: the other activations there
    same: tuple[tuple[str, ...], ...] = ()  #: names that stand for one tensor

    def with_classes(self, count: int) -> Discovery:
        """The same network with another number of outputs: what a text makes of some models."""
        if count == self.logits.shape[1]:
            return self
        # A head that was recognised has a row for each of the outputs there were.
        return replace(self, logits=self.logits.new_zeros((1, count)), gap_head=None)

    def is_same(self, name: str, other: str) -> bool:
        """Whether two names stand for one tensor, as a container and its last child do."""
        return name == other or any(name in group and other in group for group in self.same)


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


def spatial(
    output: Any, size: Sequence[int], reshape: Reshape | None, tokens: TokenGrid | None = None
) -> torch.Tensor | None:
    """A layer's output as (N, C, H, W) with more than one cell, or None if it is not one.

    Args:
        output: whatever the layer returned.
        size: height and width of the picture; maps have about its proportions, which tells
            (N, C, H, W) from the (N, H, W, C) of Swin and of ConvNeXt's inner layers.
        reshape: for outputs that are not (N, C, H, W) already.
        tokens: for a transformer's (N, T, C), where there is no ``reshape``.
    """
    if not isinstance(output, torch.Tensor) or not output.is_floating_point():
        return None
    if output.ndim != 4 or _is_channels_last(output, size):
        if reshape is not None and output.ndim >= 3:
            try:
                output = reshape(output)
            except (RuntimeError, ValueError, IndexError, TypeError):
                return None
        elif output.ndim == 4:
            output = output.permute(0, 3, 1, 2)
        elif output.ndim == 3 and tokens is not None:
            output = tokens.maps(output, size)
            if output is None:
                return None
    maps: torch.Tensor = output
    if maps.ndim != 4 or maps.shape[-1] * maps.shape[-2] < 2 or not _has_place(maps, size):
        return None
    return maps


def _is_channels_last(output: torch.Tensor, size: Sequence[int]) -> bool:
    first, second, third = output.shape[1:]
    if 0 in output.shape:
        return False
    return _skew(first, second, size) < _skew(second, third, size)


def _skew(height: int, width: int, size: Sequence[int]) -> float:
    """How far a map's proportions are from the picture's."""
    return abs(math.log(height / width) - math.log(size[0] / size[1]))


def _has_place(maps: torch.Tensor, size: Sequence[int]) -> bool:
    """Whether height and width are those of a map: an attention head's (tokens, digits) are not."""
    height, width = maps.shape[-2:]
    # A few cells are rounded a lot.
    return min(height, width) <= 4 or _skew(height, width, size) < math.log(1.5)


class _Recorder:
    """Notes every module's output shape, and which modules hand on the same tensor."""

    def __init__(
        self,
        module: nn.Module,
        size: Sequence[int],
        reshape: Reshape | None,
        blind: frozenset[str] = frozenset(),
    ) -> None:
        self.names = {m: name for name, m in module.named_modules() if name}
        self.blind = blind
        self.size = size
        self.reshape = reshape
        self.calls: dict[str, int] = {}
        self.layers: dict[str, Layer] = {}
        self.witness = HeadWitness()
        self.tokens = TokenGrid()
        #: Layers whose maps are tokens: of some of them the score does not depend.
        self.tokened: list[str] = []
        # Outputs are kept alive, so that identity tells which modules hand on the same tensor.
        self._kept: list[torch.Tensor] = []
        self._same: dict[tuple[int, int], list[str]] = {}

    @torch.no_grad()
    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        name = self.names[module]
        self.calls[name] = self.calls.get(name, 0) + 1
        maps = None if name in self.blind else spatial(output, self.size, self.reshape, self.tokens)
        if maps is not None and len(maps) == 1:  # windows of a picture come as a batch
            if output.ndim == 3 and self.reshape is None:
                self.tokened.append(name)
                self.tokens.settle(output, maps)
            elif output.ndim == 4:
                self.tokens.note(maps, self.size)
            self.layers[name] = Layer(name, (maps.shape[1], maps.shape[2], maps.shape[3]))
            self._kept.append(output)
            # An in-place ReLU hands on the tensor it was given, at a newer version.
            self._same.setdefault((id(output), output._version), []).append(name)
        source = args[0] if args and isinstance(args[0], torch.Tensor) else None
        self.witness.note(name, module, source, maps)

    @property
    def once(self) -> dict[str, Layer]:
        """The layers that run once in a pass: the others have no one map."""
        return {n: layer for n, layer in self.layers.items() if self.calls[n] == 1}

    @property
    def same(self) -> tuple[tuple[str, ...], ...]:
        """Names that stand for one tensor, the module that made it first."""
        groups = ([n for n in group if self.calls[n] == 1] for group in self._same.values())
        return tuple(tuple(group) for group in groups if len(group) > 1)


def discover_layers(
    module: nn.Module,
    inputs: torch.Tensor,
    reader: OutputReader,
    reshape: Reshape | None = None,
    extras: dict[str, torch.Tensor] | None = None,
) -> Discovery:
    """Run ``inputs`` (1, C, H, W), and ``extras`` by name, through ``module`` and report its layers.

    ``reader`` finds out what the output means.

    Raises:
        ModelError: if the module fails.
        LayerError: if no layer has a spatial output.
    """
    extras = extras or {}
    try:
        blind = _blind(module, inputs, extras, reader) if extras else frozenset()
        recorder = _Recorder(module, inputs.shape[-2:], reshape, blind)
        # With a graph, which tells the activations; what the layers hand on is kept alive in any case.
        with torch.enable_grad(), hooked(dict.fromkeys(recorder.names, recorder)):
            output = reader.call(module, inputs.clone().requires_grad_().clone(), extras)
        with torch.enable_grad():
            found = reader.settle(output, module, inputs, extras)
    except CamwidgetError:
        raise
    except Exception as error:  # someone's own module
        raise ModelError(
            f"{type(module).__name__} fails on an input of shape {tuple(inputs.shape)}: {error}. For another size "
            "pass preprocess=camwidget.Preprocess(size, mean=…, std=…); for inputs beside the picture, "
            "inputs={name: tensor}."
        ) from error
    logits = inputs.new_zeros((len(inputs), 0)) if found is None else found.detach()
    rectifies, others = other_activations(output if found is None else found)
    layers, same = recorder.once, recorder.same
    if not layers:
        raise LayerError(
            "No layer of this module has an output of shape (N, channels, height, width). For a "
            "transformer whose patches are not found pass reshape=…, a callable from its tokens to "
            "(N, channels, height, width)."
        )
    # NaN compares equal to nothing; whoever asked will say what is wrong with the weights.
    finite = found is not None and bool(torch.isfinite(logits).all())
    heard = layers
    if finite and any(name in layers for name in recorder.tokened):
        if not _lie_in_place(module, inputs, extras, recorder, reader):
            layers = {n: v for n, v in layers.items() if n not in recorder.tokened}
        heard = _heard(module, inputs, extras, layers, reader)
    head = recorder.witness.find(logits, recorder.calls) if finite else None
    stages = list_stages(heard, same)
    if head is not None:
        head = replace(head, layer=listed_name(head.layer, stages, same))
    default = last_features(module, stages, reader.channels) if head is None else head.layer
    if head is None and default in recorder.tokened:
        # A class token reads the patches for the last time inside the last block.
        shape = layers[default].shape
        default = next(n for n in reversed(heard) if heard[n].shape == shape)
    if all(default != s.name for s in stages):
        order = list(layers)
        stages = tuple(sorted((*stages, layers[default]), key=lambda s: order.index(s.name)))
    return Discovery(
        logits=logits,
        layers=layers,
        stages=stages,
        default=default,
        gap_head=head,
        calls=recorder.calls,
        tokens=recorder.tokens,
        rectifies=rectifies,
        activations=others,
        same=same,
    )


def _blind(
    module: nn.Module, inputs: torch.Tensor, extras: dict[str, torch.Tensor], reader: OutputReader
) -> frozenset[str]:
    """The modules whose output has nothing to do with the picture: a question's words may lie in a grid by chance."""
    names = {m: n for n, m in module.named_modules() if n}
    sums: dict[str, list[tuple[float, float]]] = {}

    def note(layer: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.is_floating_point():
            values = output.cpu().double()  # mps has no doubles
            total, size = values.sum().item(), values.norm().item()
            sums.setdefault(names[layer], []).append((total, size))

    with torch.no_grad(), hooked(dict.fromkeys(names, note)):
        for picture in (inputs, 0.3 - 0.5 * inputs):
            reader.call(module, picture.clone(), extras)
    blind = set()
    for name, seen in sums.items():
        half = len(seen) // 2
        pairs = zip(seen[:half], seen[half:], strict=False)
        if all(
            math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)
            for pair in pairs
            for x, y in zip(*pair, strict=True)
        ):
            blind.add(name)
    return frozenset(blind)


def _heard(
    module: nn.Module,
    inputs: torch.Tensor,
    extras: dict[str, torch.Tensor],
    layers: dict[str, Layer],
    reader: OutputReader,
) -> dict[str, Layer]:
    """The layers on whose maps the score depends.

    Behind the last block of a transformer with a class token nothing asks for the patches any more.
    """
    outputs: dict[str, torch.Tensor] = {}
    names = {module.get_submodule(name): name for name in layers}

    def remember(layer: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        if not output.requires_grad:
            output = output.detach().requires_grad_()
        outputs[names[layer]] = output
        return output.clone()  # an in-place layer may follow

    with torch.enable_grad(), hooked(dict.fromkeys(names, remember)):
        logits = reader.logits(reader.call(module, inputs.clone(), extras), len(inputs))
    if logits is None or not logits.requires_grad:
        return layers
    asked = list(outputs)
    gradients = torch.autograd.grad(logits.max(), [outputs[n] for n in asked], allow_unused=True)
    deaf = {
        n for n, g in zip(asked, gradients, strict=True) if g is None or not _reaches_patches(g)
    }
    return {n: layer for n, layer in layers.items() if n not in deaf} or layers


def _lie_in_place(
    module: nn.Module,
    inputs: torch.Tensor,
    extras: dict[str, torch.Tensor],
    recorder: _Recorder,
    reader: OutputReader,
) -> bool:
    """Whether a change in one place of the picture shows in the tokens of that place.

    Some transformers (Hiera) shuffle their tokens; nothing in the shape tells. The first tokens after the patches are
    looked at, before attention has mixed them much.
    """
    name = recorder.tokened[0]
    _, height, width = recorder.layers[name].shape
    row, column = height // 4, width // 2
    changed = inputs.clone()
    down, across = inputs.shape[-2] / height, inputs.shape[-1] / width
    rows = slice(round(row * down), round((row + 1) * down))
    columns = slice(round(column * across), round((column + 1) * across))
    changed[..., rows, columns] = -2 * changed[..., rows, columns] + 1
    seen: list[torch.Tensor] = []

    def keep(layer: nn.Module, args: Any, output: torch.Tensor) -> None:
        maps = spatial(output, inputs.shape[-2:], None, recorder.tokens)
        if maps is not None:
            seen.append(maps.float().clone())

    with torch.no_grad(), hooked({module.get_submodule(name): keep}):
        for picture in (inputs, changed):
            reader.call(module, picture.clone(), extras)
    if len(seen) != 2:
        return False
    moved = (seen[1] - seen[0]).abs().sum(1)[0]
    found = divmod(int(moved.argmax()), width)
    # Overlapping patches share a change with their neighbours.
    return abs(found[0] - row) <= 1 and abs(found[1] - column) <= 1


def _reaches_patches(gradient: torch.Tensor) -> bool:
    """Whether more than the extra tokens, which come first, are asked for."""
    return bool(gradient[:, -1].any()) if gradient.ndim == 3 else bool(gradient.any())
