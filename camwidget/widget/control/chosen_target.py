"""Targets as an explorer has them: as JSON, as the view gets them, and as clicks on classes choose them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...attribution.methods import get_method
from ...attribution.stance import NamedTarget, Stance, split_target, stance_target
from ...attribution.targets import Contrast, Counterfactual, TargetLike
from ...errors import TargetError
from ...models.vision_model import VisionModel

__all__ = [
    "check_method",
    "picked_target",
    "target_from_json",
    "target_to_json",
    "target_with_stance",
]

#: Keys of a target in JSON that is no plain class.
_AGAINST, _FOR, _RATHER = "against", "for", "rather_than"


def target_to_json(target: NamedTarget | None) -> Any:
    """Return a target of class names as JSON has it.

    Returns:
        The name of a class; ``{"against": name}`` for a counterfactual; ``{"for": name, "rather_than": name}`` for a
        contrast; None for the predicted class.
    """
    if isinstance(target, Counterfactual):
        return {_AGAINST: target.of}
    if isinstance(target, Contrast):
        return {_FOR: target.of, _RATHER: target.against}
    return None if target is None else str(target)


def target_from_json(value: Any) -> Any:
    """Return the target of a value of ``target_to_json``; what is no mapping is returned as it is.

    Raises:
        TargetError: if a mapping has other keys.
    """
    if not isinstance(value, Mapping):
        return value
    if set(value) == {_AGAINST}:
        return Counterfactual(value[_AGAINST])
    if set(value) == {_FOR, _RATHER}:
        return Contrast(value[_FOR], value[_RATHER])
    raise TargetError(
        f"A target is the name of a class, {{{_AGAINST!r}: name}}, or {{{_FOR!r}: name, {_RATHER!r}: name}}, not "
        f"{dict(value)!r}."
    )


def check_method(method: str, model: VisionModel, layer: str, index: int, stance: Stance) -> None:
    """Check that a method applies at a layer, and to a class with a stance.

    Raises:
        MethodError: with the reason and a remedy, if it does not.
    """
    chosen = get_method(method)
    chosen.check(model, layer)
    chosen.check_target(stance_target(model, index, stance))


def target_with_stance(model: VisionModel, index: int, payload: Mapping[str, Any]) -> TargetLike:
    """Return the target of a class and a stance that the browser has set.

    Raises:
        TargetError: if it is no stance, or the class is contrasted with itself.
    """
    kind, other = payload.get("kind"), payload.get("other")
    if kind == "rather" and type(other) is int and 0 <= other < len(model.classes):
        if other == index:
            raise TargetError(
                f"{model.classes[index]!r} rather than itself says nothing: choose another class."
            )
        return Contrast(model.classes[index], model.classes[other])
    if kind not in ("for", "against"):
        raise TargetError(f"There is no such target: {dict(payload)!r}.")
    name = model.classes[index]
    return name if kind == "for" else Counterfactual(name)


def picked_target(
    model: VisionModel, now: TargetLike | None, index: int, *, awaits_rival: bool
) -> TargetLike:
    """Return the target after a click in the list of classes: the stance stays, unlike ``PixelClasses.target``.

    Args:
        model: whose classes are listed.
        now: the target before; None if it is not known yet.
        index: the class that was clicked. Where it is the one that the class explained is contrasted with, the two
            change places.
        awaits_rival: whether the class that was clicked is to be that one.

    Raises:
        TargetError: if it is to be, and is the class explained.
    """
    name = model.classes[index]
    if awaits_rival and now is not None:
        return target_with_stance(
            model, split_target(model, now)[0], {"kind": "rather", "other": index}
        )
    if isinstance(now, Counterfactual):
        return Counterfactual(name)
    if isinstance(now, Contrast):
        before, stance = split_target(model, now)
        assert stance.other is not None
        return Contrast(name, model.classes[before if stance.other == index else stance.other])
    return name
