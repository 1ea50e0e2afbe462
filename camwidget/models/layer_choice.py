"""Layer choice: which layers are offered, the stages of the network, and which is the default."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..execution.autograd_graph import graph_nodes

if TYPE_CHECKING:
    from .layer_table import Layer

__all__ = [
    "has_weights",
    "is_routed",
    "last_features",
    "last_shared_features",
    "list_stages",
    "listed_name",
]

#: Largest and smallest number of layers that are offered for choice.
MANY, FEW = 40, 4

#: Modules that pass features on without computing new ones.
_NO_FEATURES = (
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.Identity,
)


def listed_name(name: str, stages: tuple[Layer, ...], same: tuple[tuple[str, ...], ...]) -> str:
    """Return the name under which a tensor is listed, or the given one if it is not listed."""
    names = {name, *(other for group in same if name in group for other in group)}
    return next((s.name for s in stages if s.name in names), name)


def list_stages(layers: dict[str, Layer], same: tuple[tuple[str, ...], ...]) -> tuple[Layer, ...]:
    """Return the layers that are offered for choice: stages, or else blocks; each tensor under one name."""
    prefix = _common_prefix(list(layers))

    def is_one_stage(name: str) -> bool:
        """All direct children work at the container's own resolution."""
        size = layers[name].shape[1:]
        children = [n for n in layers if n.rpartition(".")[0] == name]
        return all(layers[n].shape[1:] == size for n in children)

    dropped: set[str] = set()
    for names in same:
        group = [n for n in names if n in layers]
        if not group:
            continue
        # The module that computed the tensor, and the containers that return it.
        outward = [group[0], *(n for n in group[1:] if group[0].startswith(n + "."))]
        keep = next((n for n in reversed(outward) if is_one_stage(n)), group[0])
        dropped.update(n for n in group if n != keep)
    kept_layers = [layer for name, layer in layers.items() if name not in dropped]
    choices = []
    for depth in range(6):
        choice = [s for s in kept_layers if s.name[len(prefix) :].count(".") <= depth]
        if FEW <= len(choice) <= MANY:
            return tuple(choice)
        choices.append(choice)
    return tuple(next((c for c in choices if len(c) >= FEW), kept_layers))


def is_routed(module: nn.Module, name: str, calls: Iterable[str]) -> bool:
    """Return whether a layer is one of several parallel branches, such as experts, of which a picture runs only some.

    If the first few of them ran, as in a stack of blocks that is cut off, this cannot be decided from one picture.

    Args:
        module: the network.
        name: the layer's.
        calls: the names of all modules that ran.
    """
    steps = name.split(".")
    for depth in range(1, len(steps)):
        holder = module.get_submodule(".".join(steps[:depth]))
        if type(holder) not in (nn.ModuleList, nn.ModuleDict):
            continue
        kind = type(holder.get_submodule(steps[depth]))
        alike = [other for other, part in holder.named_children() if type(part) is kind]
        ran = {
            n.split(".")[depth]
            for n in calls
            if n.split(".")[:depth] == steps[:depth] and n.count(".") >= depth
        }
        those = [other for other in alike if other in ran]
        is_cut_off = len(those) > 1 and those == alike[: len(those)]
        if steps[depth] in those and len(those) < len(alike) and not is_cut_off:
            return True
    return False


def _common_prefix(names: list[str]) -> str:
    parts = [n.split(".") for n in names]
    prefix: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        prefix.append(level[0])
    return "".join(f"{p}." for p in prefix)


def last_features(
    module: nn.Module, stages: tuple[Layer, ...], classes: int, calls: Iterable[str]
) -> str:
    """Return the last spatial layer that computes features, as the Grad-CAM paper advises (section 3).

    Args:
        module: the network.
        stages: its listed layers.
        classes: number of its scores.
        calls: names of all its modules that ran, in order.
    """
    order = list(calls)
    for layer in reversed(stages):
        # A map for each class, as in segmentation networks, is the output itself, unless weights follow.
        is_answer = layer.shape[0] == classes and not any(
            has_weights(module.get_submodule(name)) for name in order[order.index(layer.name) + 1 :]
        )
        if not is_answer and not isinstance(module.get_submodule(layer.name), _NO_FEATURES):
            return layer.name
    return stages[-1].name


def last_shared_features(
    module: nn.Module,
    stages: tuple[Layer, ...],
    score: torch.Tensor,
    outputs: Mapping[str, torch.Tensor],
    weighted: Container[Any],
) -> str | None:
    """Return the last layer of a detector whose features every box and class of it is computed from.

    The heads are the last operations with weights, behind which the outputs of a detector only select, scale and
    decode. What they return are boxes and classes, not features; and a layer of one head, or of one scale, is no source
    of the others.

    Args:
        module: the network.
        stages: its listed layers.
        score: a number that depends on all boxes and classes, with graph.
        outputs: the layers' outputs, by name.
        weighted: the graph nodes of the outputs of all modules with weights.

    Returns:
        The layer's name; None if there is no such layer, or no graph.
    """
    answers: set[Any] = set()
    heads: list[Any] = []
    stack = [score.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in answers:
            continue
        answers.add(node)
        if node in weighted:
            heads.append(node)
        else:
            stack.extend(parent for parent, _ in node.next_functions)
    sources = [set(graph_nodes(head)) for head in heads]
    if not sources:
        return None
    shared = set.intersection(*sources) - answers
    return next(
        (
            layer.name
            for layer in reversed(stages)
            if outputs[layer.name].grad_fn in shared
            and not isinstance(module.get_submodule(layer.name), _NO_FEATURES)
        ),
        None,
    )


def has_weights(part: nn.Module) -> bool:
    """Return whether a module has a matrix or kernel of its own; a normalization has only vectors."""
    return any(p.ndim >= 2 for p in part.parameters(recurse=False))
