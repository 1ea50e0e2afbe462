"""Attention layers: which attention operations of a model are among the tokens of the picture, found by two passes."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ..execution.attention_capture import AttentionCapture, AttentionOperation, mean_over_heads
from ..execution.running import hooked, running_modules
from ..models.first_passes import first_picture
from ..models.vision_model import VisionModel
from ..runtime import fork_safety

__all__ = ["AttentionLayers", "TokenPlaces", "attention_layers", "token_places", "tokens_in"]


@dataclass(frozen=True)
class AttentionLayers:
    """Attention operations of a model, as found for one picture.

    Attributes:
        count: number of all attention operations of a pass.
        numbers: numbers, in order of execution, of those whose weights depend on the picture, without ``pooling``.
        names: their names: of the block, or of the innermost module that contains the operation.
        shapes: shapes of their weights for one picture.
        blocks: names of the blocks: the outermost modules that contain one operation and return tokens; empty if an
            operation has none.
        pooling: number of the operation by which a query that is no token reads the tokens at the end; None if there
            is none.
        read: indices of the class tokens, those before the patches that the score reads; empty if it reads patches.
        fault: why the operations are no stack of self-attention among all tokens of the picture; empty if they are.
    """

    count: int = 0
    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    blocks: tuple[str, ...] = ()
    pooling: int | None = None
    read: tuple[int, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class TokenPlaces:
    """Positions of tokens in the picture.

    Attributes:
        grid: for each cell of the grid of patches, the index of its token, int64 (h, w).
        extra: indices of the tokens that are no patches: class token, distillation token and registers.
    """

    grid: torch.Tensor
    extra: tuple[int, ...]

    def on_grid(self, values: torch.Tensor) -> torch.Tensor:
        """Lay values of tokens (…, T) out like the picture, (…, h, w)."""
        return values[..., self.grid.to(values.device)]


def token_places(model: VisionModel, count: int, size: tuple[int, int]) -> TokenPlaces | None:
    """Return the positions of a number of tokens in a picture of a size (H, W); None if the tokens are no grid."""
    index = torch.arange(count, dtype=torch.float64)[None, :, None]
    maps = model.maps(index, size)
    if maps is None or len(maps) != 1 or maps.shape[1] != 1:
        return None
    grid = maps[0, 0].long()
    extra = sorted(set(range(count)).difference(grid.flatten().tolist()))
    return TokenPlaces(grid, tuple(extra))


def tokens_in(output: Any, pictures: int) -> tuple[torch.Tensor, int] | None:
    """Return the tokens (N, T, C), or (T, N, C), in a block's output, and the dimension of the pictures."""
    if isinstance(output, (tuple, list)) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor) or output.ndim != 3:
        return None
    if len(output) == pictures:
        return output, 0
    return (output, 1) if output.shape[1] == pictures else None


#: By module: what is found once. It depends on the module's operations, which training does not change.
_found: weakref.WeakKeyDictionary[nn.Module, AttentionLayers] = weakref.WeakKeyDictionary()
_lock = fork_safety.lock()


def attention_layers(model: VisionModel) -> AttentionLayers:
    """Return the attention layers of a model; the first call runs the model twice.

    Raises:
        ModelError: if the model fails.
    """
    with _lock:
        known = _found.get(model.module)
    if known is None:
        # Not under the lock: this waits for the model's lock, whose holder may be waiting for this one.
        known = _discover(model)
        with _lock:
            known = _found.setdefault(model.module, known)
    return known


def _discover(model: VisionModel) -> AttentionLayers:
    pixels = model.pixels(first_picture(model.preprocess))
    size = (pixels.shape[-2], pixels.shape[-1])
    outputs: dict[str, tuple[int, ...]] = {}
    with model.isolated() as isolated, torch.no_grad():
        names = {m: n for n, m in isolated.module.named_modules()}

        def note(module: nn.Module, args: Any, output: Any) -> None:
            first = output[0] if isinstance(output, (tuple, list)) and output else output
            outputs[names[module]] = tuple(getattr(first, "shape", ()))

        scripted = {m for m in names if isinstance(m, torch.jit.ScriptModule)}
        with (
            hooked(dict.fromkeys(names.keys() - scripted, note)),
            running_modules(isolated.module) as running,
            AttentionCapture(partial(mean_over_heads, pictures=1), running=running) as first,
        ):
            isolated.run(model.inputs(pixels))
    if not first.operations:
        return AttentionLayers(fault=_not_followed(model, first) or _nothing_found(model))
    uses = Counter(name for o in first.operations for name in o.modules)
    candidates = [b for b in _blocks(first.operations, outputs, uses) if b is not None]
    second, reads = _second_pass(model, 1 - pixels, candidates)
    if len(second) != len(first.operations):
        return AttentionLayers(
            fault=f"The number of attention operations of {model.name} changes from picture to picture."
        )
    changing = [
        number
        for number, (one, other) in enumerate(zip(first.operations, second, strict=True))
        if not _is_same(one.values, other.values)
    ]
    operations = [first.operations[n] for n in changing]
    pooling = None
    if len(operations) > 1 and _is_pooling(operations[-1], operations[-2]):
        pooling = changing.pop()
        operations.pop()
    blocks = _blocks(operations, outputs, uses)
    read = reads.get(blocks[-1]) if blocks else None
    shapes = tuple(o.shape for o in operations)
    fault = _fault(model, operations, size, outputs)
    fault = fault or _not_followed(model, first)
    if not fault:
        places = token_places(model, shapes[0][-1], size)
        assert places is not None
        # Where no score tells (no classes, a head of zeros), the first token that is no patch is the class token.
        class_tokens = places.extra[:1] if not read else tuple(t for t in places.extra if t in read)
    return AttentionLayers(
        count=len(first.operations),
        numbers=tuple(changing),
        names=tuple(b or _innermost(o) for b, o in zip(blocks, operations, strict=True)),
        shapes=shapes,
        blocks=tuple(b for b in blocks if b is not None) if all(blocks) else (),
        pooling=pooling,
        read=() if fault or pooling is not None else class_tokens,
        fault=fault,
    )


def _second_pass(
    model: VisionModel, pixels: torch.Tensor, blocks: list[str]
) -> tuple[list[AttentionOperation], dict[str | None, frozenset[int]]]:
    """Run the model on another picture.

    Returns:
        All operations, and by block the indices of its tokens on which the highest logit depends.
    """
    tokens: dict[str, tuple[torch.Tensor, int]] = {}

    def remember(module: nn.Module, args: Any, output: Any) -> None:
        found = tokens_in(output, 1)
        if found is not None and found[0].requires_grad:
            tokens[names[module]] = found

    with model.isolated() as isolated, torch.enable_grad():
        names = {isolated.module.get_submodule(name): name for name in blocks}
        with (
            hooked(dict.fromkeys(names, remember)),
            AttentionCapture(differentiable=True, running=()) as capture,
        ):
            returned = isolated.run(model.inputs(pixels))
        logits = model.logits_of(returned, 1)
        if not tokens or not logits.numel() or not logits.requires_grad:
            return capture.operations, {}
        outputs = [output for output, _ in tokens.values()]
        gradients = torch.autograd.grad(logits.max(), outputs, allow_unused=True)
    reads: dict[str | None, frozenset[int]] = {}
    for (name, (_, pictures)), gradient in zip(tokens.items(), gradients, strict=True):
        if gradient is not None:
            touched = gradient.select(pictures, 0).abs().amax(-1)
            reads[name] = frozenset(touched.nonzero().flatten().tolist())
    return capture.operations, reads


def _blocks(
    operations: list[AttentionOperation],
    outputs: dict[str, tuple[int, ...]],
    uses: Counter[str],
) -> list[str | None]:
    """Return the block of each operation: the outermost module that contains no other and returns tokens.

    Args:
        operations: the operations.
        outputs: by module the shape of its output, or of the first of several.
        uses: by module the number of operations of a pass that it contains.
    """

    def block(operation: AttentionOperation) -> str | None:
        for name in operation.modules:
            shape = outputs.get(name, ())
            is_of_tokens = len(shape) == 3 and 1 in shape[:2] and operation.shape[-2] in shape[:2]
            if name and uses[name] == 1 and is_of_tokens:
                return name
        return None

    return [block(o) for o in operations]


def _innermost(operation: AttentionOperation) -> str:
    return operation.modules[-1] if operation.modules else ""


def _is_pooling(last: AttentionOperation, before: AttentionOperation) -> bool:
    """Return whether the last operation reads the tokens of the one before by a few queries of its own."""
    return last.shape[-1] == before.shape[-1] and last.shape[-2] < before.shape[-2]


def _is_same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)


def _fault(
    model: VisionModel,
    operations: list[AttentionOperation],
    size: tuple[int, int],
    outputs: dict[str, tuple[int, ...]],
) -> str:
    """Return why operations are no stack of self-attention among all tokens of the picture; empty if they are."""
    if not operations:
        return f"The attention of {model.name} does not depend on the picture."
    windows = [o for o in operations if len(o.shape) == 5 or (len(o.shape) == 4 and o.shape[0] > 1)]
    if windows:
        first = windows[0]
        return (
            f"{model.name} attends within windows of the picture: {_innermost(first)!r} has {first.shape[-4]} windows "
            f"of {first.shape[-1]} tokens."
        )
    shapes = {o.shape for o in operations}
    counts = sorted({(s[-2], s[-1]) for s in shapes})
    if len(counts) > 1:
        listed = ", ".join(f"{q}×{k}" for q, k in counts[:4])
        return (
            f"The attention layers of {model.name} are among different numbers of tokens: {listed}."
        )
    (queries, keys) = counts[0]
    if queries != keys:
        return f"The attention of {model.name} has weights of {queries}×{keys}, not among the same tokens."
    if len(shapes) > 1 or len(operations[0].shape) not in (3, 4):
        listed = ", ".join(map(str, sorted(shapes)[:4]))
        return (
            f"The attention weights of {model.name} have shapes that do not go together: {listed}."
        )
    if token_places(model, keys, size) is None or not all(
        any(keys in _positions(outputs.get(name, ())) for name in o.modules) for o in operations
    ):
        return (
            f"The attention of {model.name} is among {keys} positions, which are no grid of patches of the picture "
            "(such as attention among channels)."
        )
    return ""


def _positions(shape: tuple[int, ...]) -> set[int]:
    """Return how many positions an output of one picture may have: tokens in any order, or cells of a map."""
    if len(shape) == 3:
        return {shape[0], shape[1]}
    return {shape[1] * shape[2], shape[2] * shape[3]} if len(shape) == 4 else set()


def _not_followed(model: VisionModel, capture: AttentionCapture) -> str:
    """Return that there are weights which do not multiply values as they are; "" if there are none."""
    count = len(capture.unfollowed)
    if not count:
        return ""
    does = "attention operation changes its" if count == 1 else "attention operations change their"
    return f"{model.name} has attention that is not followed: {count} {does} weights after the softmax."


def _nothing_found(model: VisionModel) -> str:
    inside = list(model.module.modules())[1:]
    leaves = Counter(type(m).__name__ for m in inside if not any(m.children()))
    found = ", ".join(f"{kind} × {count}" for kind, count in leaves.most_common(5))
    return (
        f"{model.name} has no attention: no softmax multiplies values in its forward pass (found: "
        f"{found or 'functions only'})."
    )
