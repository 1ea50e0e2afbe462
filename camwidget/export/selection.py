"""Selection of the classes, methods and layers of a saved page, and of the widget's class list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from .._validation import as_name_list
from ..attribution.methods import Method, get_method, list_methods
from ..attribution.stance import FOR, Stance, split_target
from ..attribution.targets import Contrast, Counterfactual
from ..errors import CamwidgetError, TargetError
from ..models.vision_model import VisionModel

__all__ = [
    "Selection",
    "Targets",
    "choose_classes",
    "choose_layers",
    "choose_methods",
    "listed_classes",
    "quantity_of",
    "split_targets",
]

#: Fast methods of different kinds, in order of preference.
_METHODS = ("gradcam", "cam", "gradcam++", "layercam", "hirescam", "eigencam", "saliency")
_FEW_METHODS, _FEW_LAYERS = 4, 6

#: What is explained: a class by name or index, or evidence against it, or for it rather than another.
_OneTarget: TypeAlias = str | int | Contrast | Counterfactual
#: One of these, several of them, or None for the predicted class.
Targets: TypeAlias = _OneTarget | Sequence[_OneTarget] | None


@dataclass(frozen=True)
class Selection:
    """Classes, methods and layers of a page, and those that are shown first.

    Attributes:
        classes: the listed classes.
        target: the class that is shown first.
        methods: the methods.
        method: the method that is shown first.
        layers: the layers.
        layer: the layer that is shown first.
        stance: whether the map shown first is for its class, against it, or for it rather than another.
        contrasts: classes with a stance of which the page has maps besides those for every listed class.
    """

    classes: tuple[int, ...]
    target: int
    methods: tuple[Method, ...]
    method: Method
    layers: tuple[str, ...]
    layer: str
    stance: Stance = FOR
    contrasts: tuple[tuple[int, Stance], ...] = ()

    def places(self, model: VisionModel, method: Method) -> tuple[str, ...]:
        """The layers of a method's maps in the page: for a slow method, only the layer that is shown first."""
        selected = self.layers if method.is_quick_at_layers else (self.layer,)
        return tuple(name for name in selected if method.reason(model, name) is None)


def choose_classes(
    model: VisionModel, unmasked: np.ndarray, target: Targets, classes: int | Iterable[str | int]
) -> tuple[tuple[int, ...], int]:
    """Choose the listed classes and the one that is shown first.

    Args:
        model: the model, with its text.
        unmasked: probabilities (classes,) of the unmasked picture.
        target: classes that are listed in any case; the first one is shown first. If None, the predicted class is shown
            first, or the first of ``classes`` if they exclude it.
        classes: the number of most probable classes, or the classes by name or index.

    Returns:
        The listed class indices, most probable first, and the index that is shown first.

    Raises:
        TargetError: if there is no such class, or none is selected.
        CamwidgetError: if ``classes`` is below 1.
    """
    targets = [
        each
        for index, stance in split_targets(model, target)
        for each in (index, stance.other)
        if each is not None
    ]
    predicted = model.most_probable(torch.from_numpy(unmasked)[None])[0]
    order: list[int] = model.ordered(torch.from_numpy(unmasked)).tolist()
    if isinstance(classes, (int, np.integer)):
        classes = int(classes)
        if classes < 1:
            raise CamwidgetError(f"A page has at least one class, not {classes}.")
        shown = targets[0] if targets else predicted
        listed = listed_classes(model, unmasked, shown, classes)
        more = [i for i in dict.fromkeys(targets) if i not in listed]
        if more:  # they replace the least probable classes
            spare = [i for i in listed if i not in targets][-len(more) :]
            kept = [i for i in listed if i not in spare]
            listed = sorted([*kept, *more], key=order.index)
        return tuple(listed), shown
    selected = [model.class_index(c) for c in as_name_list(classes, "classes")]
    if not selected and not targets:
        raise TargetError("A page has at least one class: classes is empty.")
    shown = targets[0] if targets else predicted if predicted in selected else selected[0]
    # The most probable class comes first.
    return tuple(sorted({*selected, *targets}, key=order.index)), shown


def split_targets(model: VisionModel, target: Targets) -> list[tuple[int, Stance]]:
    """Return the class and the stance of each target; an empty list for the predicted class.

    Raises:
        TargetError: if there is no such class, or a class is contrasted with itself.
    """
    if target is None:
        return []
    if isinstance(target, (int, np.integer, Contrast, Counterfactual)):
        target = [target]
    return [split_target(model, each) for each in as_name_list(target, "target")]


def choose_methods(
    model: VisionModel,
    layer: str,
    method: str | Method | None,
    methods: Sequence[str | Method] | None,
) -> tuple[tuple[Method, ...], Method]:
    """Choose the methods and the one that is shown first.

    Raises:
        MethodError: if an explicit method does not apply at the layer.
        CamwidgetError: if ``methods`` is empty.
    """
    if isinstance(methods, Method):
        methods = [methods]
    several = [] if methods is None else as_name_list(methods, "methods")
    selected = [get_method(m) for m in (*([] if method is None else [method]), *several)]
    for m in selected:
        m.check(model, layer)
    if methods is None:
        for name in _METHODS:
            if len(selected) < _FEW_METHODS and get_method(name).reason(model, layer) is None:
                selected.append(get_method(name))
    if not selected:
        raise CamwidgetError("A page has at least one method: methods is empty.")
    chosen = {m.name: m for m in reversed(selected)}
    order = [m.name for m in list_methods()]
    listed = sorted(chosen.values(), key=lambda m: _position(m.name, order))
    return tuple(listed), selected[0]


def choose_layers(
    model: VisionModel, layer: str | None, layers: str | Sequence[str] | None
) -> tuple[tuple[str, ...], str]:
    """Choose the layers, shallow to deep, and the one that is shown first.

    Without explicit layers, all layers of the model are chosen, or some of every resolution if there are many.

    Raises:
        LayerError: if there is no such layer.
        CamwidgetError: if ``layers`` is empty.
    """
    listed = [x.name for x in model.layers]
    if layers == "all" and not model.has_layer("all"):
        layers, layer = listed, layer or model.default_layer
    selected = None
    if layers is not None:
        selected = [model.layer(name).name for name in as_name_list(layers, "layers")]
    if selected is not None and not selected:
        raise CamwidgetError("A page has at least one layer: layers is empty.")
    shown = model.layer(layer).name if layer is not None or selected is None else selected[0]
    some = _spread(model, shown) if selected is None else {*selected, shown}
    order = [*listed, *(name for name in some if name not in listed)]
    return tuple(name for name in order if name in some), shown


def _spread(model: VisionModel, shown: str) -> set[str]:
    """A few of the model's layers: the last of each resolution, deep ones first, and others between them."""
    names = [x.name for x in model.layers]
    if len(names) <= _FEW_LAYERS:
        return {*names, shown}
    chosen = dict.fromkeys((shown, model.default_layer))
    last = {x.shape[1:]: x.name for x in model.layers}
    # The class maps that end some nets are no features.
    outputs = {x.name for x in model.layers if x.shape[0] == len(model.classes)}
    for name in reversed(last.values()):
        if len(chosen) < _FEW_LAYERS and name not in outputs:
            chosen[name] = None
    # Large maps dominate the size of a page, so at most one layer has them.
    small = [x.name for x in model.layers if x.shape[1] * x.shape[2] <= 1024]
    left = [n for n in small if n not in chosen and n not in outputs]
    missing = min(_FEW_LAYERS - len(chosen), len(left))
    chosen.update((left[(2 * k + 1) * len(left) // (2 * missing)], None) for k in range(missing))
    return set(chosen)


def _position(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def listed_classes(
    model: VisionModel, unmasked: np.ndarray, target: int, most: int, rival: int | None = None
) -> list[int]:
    """Choose the most probable classes and the target; words keep their reading order, regression outputs the model's.

    Args:
        model: the model, with its text if it takes one.
        unmasked: probabilities (classes,) of the unmasked picture.
        target: the explained class.
        most: the greatest number of classes, at least 1; with a rival 2 are listed in any case.
        rival: the class that the target is contrasted with, if any, which is listed too.

    Returns:
        Class indices.
    """
    parsed_prompt = model.parsed_prompt
    by_text = parsed_prompt is not None and parsed_prompt.classes is not None
    every = (
        np.arange(len(unmasked)) if by_text else model.ordered(torch.from_numpy(unmasked)).numpy()
    )
    wanted = [target] if rival is None else [target, rival]
    order: list[int] = every[: max(most, len(wanted))].tolist()
    missing = [index for index in wanted if index not in order]
    if not missing:
        return order
    spare = [index for index in order if index not in wanted][-len(missing) :]
    return [*(index for index in order if index not in spare), *missing]


def quantity_of(model: VisionModel) -> dict[str, str]:
    """The unit of regression outputs, for the browser; empty for probabilities."""
    return {"unit": model.unit} if model.scores == "value" else {}
