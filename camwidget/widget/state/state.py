"""State of an explorer as a small JSON dictionary that shows the same again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import traitlets as t

from ...attribution.methods import get_method
from ...errors import CamwidgetError, StateError
from ...masking.user_mask import encode
from ...models.vision_model import VisionModel
from ..control.view_events import TWO_WAY_TRAITS
from ..view.synced_traits import names_tagged

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["LOOK", "MAP", "PARTS", "State", "StateKey", "checked", "default_of", "read", "restore"]

State: TypeAlias = dict[str, Any]

#: Traits of the view that only change how the map is drawn.
LOOK = names_tagged("style")
#: Parts that decide which map there is.
MAP = ("picture", "text", "target", "method", "layer")


def _trait(explorer: Explorer, name: str) -> Any:
    return getattr(explorer, name)


def _look(explorer: Explorer, name: str) -> Any:
    return getattr(explorer._view, name)


def _text(explorer: Explorer, name: str) -> str:
    """The text that is asked for; "" while the model has still to propose one."""
    asked = explorer._desk.requested
    return explorer.text if asked is None else asked.text or ""


def _target(explorer: Explorer, name: str) -> str | None:
    """The class that is asked for; None while nobody knows which the model predicts."""
    asked = explorer._desk.requested
    if asked is None:
        return explorer.target
    if asked.target is None:
        return None
    return explorer._texts.bench(asked.picture, asked.text).model.classes[asked.target]


def _set(explorer: Explorer, name: str, value: Any) -> None:
    explorer._announce(name, value)


def _set_text(explorer: Explorer, name: str, value: str) -> None:
    if explorer.pictures and explorer._texts.model.prompt is not None:
        picture = explorer.pictures[explorer.picture]
        if value:
            explorer._texts.restore(picture, value)
        else:
            explorer._texts.forget(picture)
    explorer._state(name, value)


def _set_look(explorer: Explorer, name: str, value: Any) -> None:
    explorer._screen.tell(**{name: value})


def _valid(explorer: Explorer, name: str, value: Any) -> Any:
    """A value as its own trait takes it."""
    owner = explorer._view if name in LOOK else explorer
    trait = owner.traits()[name]
    if isinstance(value, bool) and isinstance(trait, (t.Int, t.Float)):
        raise StateError(f"a number is wanted, not {value!r}.")
    if isinstance(trait, t.Bool) and not isinstance(value, bool):
        raise StateError(f"True or False is wanted, not {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise StateError(f"a finite number is wanted, not {value!r}.")
    return trait._validate(owner, value)


def _checked_together(explorer: Explorer, name: str, value: Any) -> Any:
    """Text, class, layer and method depend on each other, and paint on the picture: see ``_check_map``."""
    return value


def _default(explorer: Explorer, name: str) -> Any:
    if name == "compare":
        return {"model": 1} if len(explorer.models) > 1 else None
    if name == "layer":
        return explorer._texts.model.default_layer
    owner = explorer._view if name in LOOK else explorer
    return owner.traits()[name].default()


def _runs(paint: np.ndarray | None) -> dict[str, Any] | None:
    """Paint as JSON has it: its shape, and ``painting.encode``'s runs."""
    return None if paint is None else {"shape": list(paint.shape), "runs": encode(paint)}


def _same(value: Any) -> Any:
    return value


def _plain(value: Any) -> Any:
    """NumPy's floats and strings are Python's too, but are written otherwise."""
    for kind in (float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _copied(value: Any) -> Any:
    """A dict of the state is nobody else's."""
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


@dataclass(frozen=True)
class StateKey:
    """One part of the state.

    Attributes:
        name: its key.
        read: (explorer, name) to the present value.
        check: (explorer, name, value) to the value as ``apply`` takes it, or an error.
        apply: (explorer, name, value): sets it, and asks for nothing.
        default: (explorer, name) to the value at first.
        to_json: a value as JSON has it.
        from_json: the other way round; may raise a ValueError, a TypeError or one of ours.
        asks: what the model is to be asked of the same map if this is another: "" nothing, "mask" what it says of the
            masked picture, "curve" the whole curve too; "other" the map compared is another.
    """

    name: str
    read: Callable[[Explorer, str], Any] = _trait
    check: Callable[[Explorer, str, Any], Any] = _valid
    apply: Callable[[Explorer, str, Any], None] = _set
    default: Callable[[Explorer, str], Any] = _default
    to_json: Callable[[Any], Any] = _plain
    from_json: Callable[[Any], Any] = _same
    asks: str = ""


#: Parts that need more than their own trait. In the order in which they are set: a class is one of those under the
#: text, which is the picture's.
_SPECIAL = (
    StateKey("picture"),
    StateKey("text", read=_text, check=_checked_together, apply=_set_text),
    StateKey("target", read=_target, check=_checked_together),
    StateKey("method", check=_checked_together),
    StateKey("layer", check=_checked_together),
    StateKey("mode", asks="curve"),
    StateKey("baseline", asks="curve"),
    StateKey("fraction", asks="mask"),
    StateKey("mask", check=_checked_together, to_json=_runs, asks="curve"),
    StateKey("compare", to_json=_copied, from_json=_copied, asks="other"),
)

_BY_NAME = {part.name: part for part in _SPECIAL}
PARTS: dict[str, StateKey] = {
    **_BY_NAME,
    **{name: StateKey(name) for name in TWO_WAY_TRAITS if name not in _BY_NAME},
    **{name: StateKey(name, read=_look, apply=_set_look) for name in LOOK},
}


def read(explorer: Explorer) -> State:
    """What is asked for, and how it is drawn. Takes no lock that anything is computed under."""
    return {p.name: p.to_json(p.read(explorer, p.name)) for p in PARTS.values()}


def default_of(explorer: Explorer, name: str) -> Any:
    """A part's value in an explorer that was given nothing but a model and pictures, as JSON has it."""
    return PARTS[name].to_json(PARTS[name].default(explorer, name))


def checked(explorer: Explorer, wanted: Mapping[str, Any]) -> State:
    """A whole state, of what is named in ``wanted`` and what there is; values as traits take them.

    Raises:
        StateError: if a key is unknown, or a value cannot be; the message has the key.
    """
    if not isinstance(wanted, Mapping):
        raise StateError(f"A state is a dict, as ex.state gives it, not {type(wanted).__name__}.")
    unknown = [key for key in wanted if key not in PARTS]
    if unknown:
        raise StateError(
            f"A state has no {', '.join(map(repr, unknown))}. It has {', '.join(PARTS)}."
        )
    plan = {name: part.read(explorer, name) for name, part in PARTS.items()}
    for name, part in PARTS.items():
        if name not in wanted:
            continue
        try:
            plan[name] = part.check(explorer, name, part.from_json(wanted[name]))
        except (CamwidgetError, t.TraitError, TypeError, ValueError, LookupError) as error:
            raise StateError(f"state[{name!r}]: {error}") from error
    _check_map(explorer, plan, wanted)
    _check_paint(explorer, plan, wanted)
    return plan


def _check_map(explorer: Explorer, plan: State, wanted: Mapping[str, Any]) -> None:
    """Put text, class, layer and method right, which depend on each other; ``plan`` is changed."""
    key = "text"
    try:
        model = _model_of(explorer, plan, wanted)
        key = "target"
        if plan["target"] is not None:
            plan["target"] = model.classes[model.class_index(plan["target"])]
        key = "layer"
        plan["layer"] = model.layer(plan["layer"]).name
        key = "method"
        get_method(plan["method"]).check(model, plan["layer"])
    except (CamwidgetError, TypeError) as error:
        # What was not named is not to blame.
        at = key if key in wanted else next((k for k in MAP if k in wanted), key)
        raise StateError(f"state[{at!r}]: {error}") from error


def _check_paint(explorer: Explorer, plan: State, wanted: Mapping[str, Any]) -> None:
    """Another picture has its own paint, unless that is named too; ``plan`` is changed."""
    picture = explorer.pictures[plan["picture"]] if explorer.pictures else None
    if "mask" in wanted:
        try:
            plan["mask"] = explorer._brush.read(plan["mask"], picture)
        except (CamwidgetError, TypeError) as error:
            raise StateError(f"state['mask']: {error}") from error
    elif picture is not None:
        plan["mask"] = explorer._brush.of(picture)


def _model_of(explorer: Explorer, plan: State, wanted: Mapping[str, Any]) -> VisionModel:
    """The model under the text wanted; where the text is another, so is the class, unless it is named too."""
    texts = explorer._texts
    if "text" in wanted and plan["text"] != "":
        plan["text"] = explorer._readable(plan["text"])
    if texts.model.prompt is None or not explorer.pictures:
        return explorer.model
    picture = explorer.pictures[plan["picture"]]
    if "text" not in wanted and picture is not explorer.pictures[explorer.picture]:
        plan["text"] = texts.known(picture) or ""
    if "target" not in wanted and ("text" in wanted or "picture" in wanted):
        plan["target"] = None
    if plan["target"] is None and not plan["text"]:
        return explorer.model  # nobody knows the classes yet; the layers are the same
    return texts.bench(picture, plan["text"] or None).model


def restore(explorer: Explorer, wanted: Mapping[str, Any]) -> None:
    """Show a state, or what is named of one: everything is checked first, and then set together.

    One map is asked for at most.

    Raises:
        StateError: if anything cannot be; nothing has changed then.
    """
    plan = checked(explorer, wanted)
    before = read(explorer)
    other = {n for n, part in PARTS.items() if part.to_json(plan[n]) != before[n]}
    explorer._restoring = True
    try:
        for name in PARTS:
            if name in other or name in wanted:
                PARTS[name].apply(explorer, name, plan[name])
    finally:
        explorer._restoring = False
    explorer._screen.tell(**{name: getattr(explorer, name) for name in TWO_WAY_TRAITS})
    desk = explorer._desk
    asked = desk.requested
    if other & set(MAP):
        explorer._ask(plan["target"])
    if desk.requested == asked:  # else what is said of the new map comes with it
        asks = {PARTS[name].asks for name in other}
        if asks & {"mask", "curve"}:
            explorer._ask_masked(curve="curve" in asks)
        if "other" in asks:
            explorer._other.ask()
