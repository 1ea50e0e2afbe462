"""``Stance``: whether a map is for a class, against it, or for it rather than another class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..errors import TargetError
from .targets import ClassTarget, Contrast, Counterfactual, Target, TargetLike, resolve_target

if TYPE_CHECKING:
    from ..models.vision_model import VisionModel

__all__ = [
    "FOR",
    "NamedTarget",
    "Stance",
    "class_label",
    "explained_class",
    "named_target",
    "split_target",
    "stance_of",
    "stance_payload",
    "stance_target",
]

#: A class by its name, or a counterfactual or contrast of names.
NamedTarget: TypeAlias = "str | Counterfactual | Contrast"


class Stance(NamedTuple):
    """Stance towards the class that is explained.

    Attributes:
        kind: "for", "against" or "rather", which is for the class rather than another.
        other: index of that other class; None unless ``kind`` is "rather".
    """

    kind: str = "for"
    other: int | None = None


FOR = Stance()


def stance_target(model: VisionModel, index: int, stance: Stance) -> Target:
    """Return the target of a class and a stance.

    Raises:
        TargetError: if there is no such class, or it is contrasted with itself.
    """
    if stance.kind == "against":
        return resolve_target(model, Counterfactual(index))
    if stance.other is not None:
        return resolve_target(model, Contrast(index, stance.other))
    return resolve_target(model, index)


def _class_target(target: Target) -> Target:
    while isinstance(target, (Contrast, Counterfactual)):
        target = target.of  # type: ignore[assignment]  # resolved
    return target


def explained_class(target: Target) -> int:
    """Return the index of the class that a target is for or against."""
    index = _class_target(target).index
    assert index is not None
    return index


def class_label(target: Target) -> str:
    """Return the name of the class that a target is for or against."""
    return _class_target(target).label


def stance_of(target: Target) -> Stance:
    """Return the stance of a target that was resolved for a model."""
    if isinstance(target, Counterfactual):
        return Stance("against")
    if isinstance(target, Contrast):
        return Stance("rather", explained_class(target.against))  # type: ignore[arg-type]  # resolved
    return FOR


def split_target(model: VisionModel, target: TargetLike) -> tuple[int, Stance]:
    """Return the class and the stance of a target.

    Args:
        model: whose classes these are.
        target: class index or name, a ``Counterfactual`` of one, or a ``Contrast`` of two.

    Raises:
        TargetError: if there is no such class, a class is contrasted with itself, or the target is of no single class.
    """
    if isinstance(target, Counterfactual):
        return _class_index(model, target.of), Stance("against")
    if isinstance(target, Contrast):
        index, other = _class_index(model, target.of), _class_index(model, target.against)
        Contrast(index, other).resolved(model)  # refuses a class against itself
        return index, Stance("rather", other)
    return _class_index(model, target), FOR


def _class_index(model: VisionModel, target: TargetLike) -> int:
    if isinstance(target, ClassTarget):
        target = target.index
    if isinstance(target, (Contrast, Counterfactual)) or hasattr(target, "score"):
        raise TargetError(
            "Here a target is a class, a camwidget.Counterfactual of a class, or a camwidget.Contrast of two; "
            f"camwidget.explain takes others, such as {getattr(target, 'label', target)!r}."
        )
    return model.class_index(target)  # type: ignore[arg-type]


def stance_payload(stance: Stance) -> dict[str, Any]:
    """Encode a stance for the browser: its kind, and the index of the other class, -1 if there is none."""
    return {"kind": stance.kind, "other": -1 if stance.other is None else stance.other}


def named_target(model: VisionModel, index: int, stance: Stance) -> NamedTarget:
    """Return the target of a class and a stance by the names of the classes."""
    name = model.classes[index]
    if stance.kind == "against":
        return Counterfactual(name)
    return name if stance.other is None else Contrast(name, model.classes[stance.other])
