"""Target of the map that the main one is compared with: its own, or the main map's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...attribution.stance import FOR, Stance, class_label, split_target, stance_of
from ...attribution.targets import Contrast, Counterfactual, Target
from ...errors import TargetError
from ...models.vision_model import VisionModel
from .chosen_target import target_from_json, target_to_json

__all__ = ["compared_target", "compared_target_to_json"]


def compared_target_to_json(value: Any, model: VisionModel, known: VisionModel | None) -> Any:
    """Check a target of map B, and return it as JSON has it.

    Args:
        value: a class, ``Counterfactual`` or ``Contrast``, or one of the dicts of ``target_to_json``. What the evidence
            is against may be None, which stands for map A's class.
        model: B's model.
        known: the same under the text that it will have; None if its classes are not known yet.

    Raises:
        TargetError: if there is no such class, or a class is contrasted with itself.
    """

    def name(part: Any, *, may_be_main: bool = False) -> Any:
        if part is None and may_be_main:
            return None
        if known is not None:
            return known.classes[known.class_index(part)]
        if not isinstance(part, str):
            raise TargetError(
                f"A class of {model.name} is a name here: its text has to be known first."
            )
        return part

    target = target_from_json(value)
    if isinstance(target, Counterfactual):
        return target_to_json(Counterfactual(name(target.of, may_be_main=True)))
    if isinstance(target, Contrast):
        of, against = name(target.of), name(target.against, may_be_main=True)
        if of == against:
            raise TargetError(f"{of!r} rather than itself says nothing: choose another class.")
        return target_to_json(Contrast(of, against))
    return name(target)


def compared_target(
    compare: Mapping[str, Any], main: Target, model: VisionModel
) -> tuple[int | None, Stance, str]:
    """Return the class of map B, None for its own prediction, the stance, and in what it cannot follow map A.

    Args:
        compare: in what B differs.
        main: the target of map A.
        model: B's model, under its text.

    Raises:
        TargetError: if B's class is contrasted with A's, which is the same.
    """
    name = class_label(main)
    wanted: Any = main
    if "target" in compare:
        wanted = target_from_json(compare["target"])
        if wanted is None:
            return None, FOR, ""
        if isinstance(wanted, Counterfactual):
            wanted = Counterfactual(name if wanted.of is None else wanted.of)
        if isinstance(wanted, Contrast):
            wanted = Contrast(wanted.of, name if wanted.against is None else wanted.against)
            if wanted.of == wanted.against:
                raise TargetError(
                    f"B is for {wanted.of!r} rather than A's class, which is the same: choose another class of B."
                )
    elif stance_of(main) == FOR:
        wanted = name
    names = _names(wanted)
    missing = [each for each in names if not _has_class(model, each)]
    if names[0] in missing:
        return None, FOR, f"No {names[0]!r} here: its own prediction."
    if missing:
        note = f"No {missing[0]!r} here: for its class alone."
        return model.class_index(names[0]), FOR, note
    index, stance = split_target(model, wanted if isinstance(wanted, str) else type(wanted)(*names))
    return index, stance, ""


def _has_class(model: VisionModel, name: str) -> bool:
    try:
        model.class_index(name)
    except TargetError:
        return False
    return True


def _names(target: Any) -> list[str]:
    """Names of the classes of a target."""
    parts = [target]
    if isinstance(target, Counterfactual):
        parts = [target.of]
    elif isinstance(target, Contrast):
        parts = [target.of, target.against]
    return [part if isinstance(part, str) else part.label for part in parts]
