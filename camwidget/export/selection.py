"""Default classes, methods and layers of a saved page or of the widget's class list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from .._validation import listed_names
from ..attribution.methods import Method, get_method, list_methods
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
]

#: Quick ones that say different things, in the order in which they are preferred.
_METHODS = ("gradcam", "cam", "gradcam++", "layercam", "hirescam", "eigencam", "saliency")
_FEW_METHODS, _FEW_LAYERS = 4, 6

#: A class by name or index, several of them, or None for the predicted one.
Targets: TypeAlias = str | int | Sequence[str | int] | None


@dataclass(frozen=True)
class Selection:
    """What is in a page, and of it what is shown first."""

    classes: tuple[int, ...]
    target: int
    methods: tuple[Method, ...]
    method: Method
    layers: tuple[str, ...]
    layer: str

    def places(self, model: VisionModel, method: Method) -> tuple[str, ...]:
        """The layers at which a method's maps are in the page: of one that takes its time, only the first shown."""
        asked = self.layers if method.is_quick_at_layers else (self.layer,)
        return tuple(name for name in asked if method.reason(model, name) is None)


def choose_classes(
    model: VisionModel, whole: np.ndarray, target: Targets, classes: int | Iterable[str | int]
) -> tuple[tuple[int, ...], int]:
    """The listed classes, and the one shown.

    Args:
        model: under its text.
        whole: probabilities (classes,) of the whole picture.
        target: one or several that are listed whatever ``classes`` says, the first of them shown; if None the predicted
            one is, or the first of ``classes`` where that is not among them.
        classes: how many of the most probable ones, or which.
    """
    if target is None:
        target = []
    elif isinstance(target, (int, np.integer)):
        target = [target]
    wanted = [model.class_index(t) for t in listed_names(target, "target")]
    predicted = model.foremost(torch.from_numpy(whole)[None])[0]
    order: list[int] = model.ordered(torch.from_numpy(whole)).tolist()
    if isinstance(classes, (int, np.integer)):
        classes = int(classes)
        if classes < 1:
            raise CamwidgetError(f"A page has at least one class, not {classes}.")
        shown = wanted[0] if wanted else predicted
        listed = listed_classes(model, whole, shown, classes)
        more = [i for i in dict.fromkeys(wanted) if i not in listed]
        if more:  # in place of the least probable ones
            spare = [i for i in listed if i not in wanted][-len(more) :]
            kept = [i for i in listed if i not in spare]
            listed = sorted([*kept, *more], key=order.index)
        return tuple(listed), shown
    asked = [model.class_index(c) for c in listed_names(classes, "classes")]
    if not asked and not wanted:
        raise TargetError("A page has at least one class: classes is empty.")
    shown = wanted[0] if wanted else predicted if predicted in asked else asked[0]
    # As a model's answer is read: the most probable first.
    return tuple(sorted({*asked, *wanted}, key=order.index)), shown


def choose_methods(
    model: VisionModel,
    layer: str,
    method: str | Method | None,
    methods: Sequence[str | Method] | None,
) -> tuple[tuple[Method, ...], Method]:
    """The methods, and the one shown.

    Raises:
        MethodError: if one that was asked for does not apply at the layer.
    """
    if isinstance(methods, Method):
        methods = [methods]
    several = [] if methods is None else listed_names(methods, "methods")
    asked = [get_method(m) for m in (*([] if method is None else [method]), *several)]
    for m in asked:
        m.check(model, layer)
    if methods is None:
        for name in _METHODS:
            if len(asked) < _FEW_METHODS and get_method(name).reason(model, layer) is None:
                asked.append(get_method(name))
    if not asked:
        raise CamwidgetError("A page has at least one method: methods is empty.")
    chosen = {m.name: m for m in reversed(asked)}
    order = [m.name for m in list_methods()]
    listed = sorted(chosen.values(), key=lambda m: _place(m.name, order))
    return tuple(listed), asked[0]


def choose_layers(
    model: VisionModel, layer: str | None, layers: str | Sequence[str] | None
) -> tuple[tuple[str, ...], str]:
    """The layers, shallow to deep, and the one shown.

    If none are asked for, all that the model lists, or some of every resolution where there are many.

    Raises:
        LayerError: if there is none of a name.
    """
    listed = [x.name for x in model.layers]
    if layers == "all" and not model.has_layer("all"):
        layers, layer = listed, layer or model.default_layer
    asked = None
    if layers is not None:
        asked = [model.layer(name).name for name in listed_names(layers, "layers")]
    if asked is not None and not asked:
        raise CamwidgetError("A page has at least one layer: layers is empty.")
    shown = model.layer(layer).name if layer is not None or asked is None else asked[0]
    some = _spread(model, shown) if asked is None else {*asked, shown}
    order = [*listed, *(name for name in some if name not in listed)]
    return tuple(name for name in order if name in some), shown


def _spread(model: VisionModel, shown: str) -> set[str]:
    """A few of the listed layers: the last of each resolution, deep ones first, and others between them."""
    names = [x.name for x in model.layers]
    if len(names) <= _FEW_LAYERS:
        return {*names, shown}
    chosen = dict.fromkeys((shown, model.default_layer))
    last = {x.shape[1:]: x.name for x in model.layers}
    # The classes' own maps, as some nets end in, are no features.
    outputs = {x.name for x in model.layers if x.shape[0] == len(model.classes)}
    for name in reversed(last.values()):
        if len(chosen) < _FEW_LAYERS and name not in outputs:
            chosen[name] = None
    # Large maps are most of a page, and few people want two layers of them.
    small = [x.name for x in model.layers if x.shape[1] * x.shape[2] <= 1024]
    left = [n for n in small if n not in chosen and n not in outputs]
    missing = min(_FEW_LAYERS - len(chosen), len(left))
    chosen.update((left[(2 * k + 1) * len(left) // (2 * missing)], None) for k in range(missing))
    return set(chosen)


def _place(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def listed_classes(model: VisionModel, whole: np.ndarray, target: int, most: int) -> list[int]:
    """The most probable classes, the target among them; words in reading order, and quantities in the model's.

    Args:
        model: under its text, if it takes one.
        whole: probabilities (classes,) of the whole picture.
        target: the class explained.
        most: how many, at least 1.
    """
    reading = model.reading
    by_text = reading is not None and reading.classes is not None
    every = np.arange(len(whole)) if by_text else model.ordered(torch.from_numpy(whole)).numpy()
    order: list[int] = every[:most].tolist()
    return order if target in order else [*order[:-1], target]


def quantity_of(model: VisionModel) -> dict[str, str]:
    """What the browser is told of numbers that are no probabilities: their unit. Empty of probabilities."""
    return {"unit": model.unit} if model.scores == "value" else {}
