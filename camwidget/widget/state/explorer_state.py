"""State of an explorer as a small JSON dictionary: reading, checking and restoring it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import traitlets as t

from ...attribution.methods import get_method
from ...attribution.stance import NamedTarget, named_target, split_target
from ...errors import CamwidgetError, StateError, TargetError
from ...masking.user_mask import HIDDEN, encode
from ...models.detection_model import DetectionModel
from ...models.segmentation_model import SegmentationModel
from ...models.vision_model import VisionModel
from .. import _compat
from ..control.chosen_target import check_method, target_from_json, target_to_json
from ..control.comparison import valid_compare
from ..control.context import TWO_WAY_TRAITS, ExplorerContext
from ..control.detection_questions import target_among
from ..control.finding_control import DetectionController, RegionController
from ..control.map_request import Region
from ..control.method_settings import options_of
from ..control.paint import PaintController
from ..control.trait_requests import TraitRequests
from ..view.synced_traits import names_tagged

__all__ = [
    "MAP_KEYS",
    "STATE_KEYS",
    "STYLE_TRAITS",
    "State",
    "StateContext",
    "StateKey",
    "checked_state",
    "default_of",
    "read_state",
    "restore_state",
]

State: TypeAlias = dict[str, Any]

#: Traits of the view that only change how the map is drawn.
STYLE_TRAITS = names_tagged("style")
#: Keys of the state that decide which map there is.
MAP_KEYS = (
    "picture",
    "text",
    "references",
    "region",
    "about",
    "least_score",
    "target",
    "method",
    "settings",
    "layer",
)


@dataclass(frozen=True, eq=False)
class StateContext:
    """Parts of an explorer that its state is read from and restored to.

    Attributes:
        explorer: its traits, pictures and display.
        requests: requests maps and predictions.
        paint: what is painted on each picture.
    """

    explorer: ExplorerContext
    requests: TraitRequests
    paint: PaintController

    def owner(self, name: str) -> t.HasTraits:
        """The widget that has a key's trait: the view, or the explorer."""
        explorer = self.explorer
        return explorer.display.view if name in STYLE_TRAITS else explorer.traits.owner


def _read_trait(context: StateContext, name: str) -> Any:
    return getattr(context.explorer.values, name)


def _read_style(context: StateContext, name: str) -> Any:
    return getattr(context.explorer.display.view, name)


def _read_text(context: StateContext, name: str) -> str:
    """Read the requested text; "" before the model has proposed one."""
    requested = context.requests.main.requested
    if requested is None:
        return context.explorer.values.text
    return requested.text if isinstance(requested.text, str) else ""


def _read_references(context: StateContext, name: str) -> tuple[str | int, ...]:
    requested = context.requests.main.requested
    if requested is None or not isinstance(requested.text, tuple):
        return context.explorer.values.references
    return requested.text


def _read_region(context: StateContext, name: str) -> np.ndarray | None:
    requested = context.requests.main.requested
    if requested is None or not isinstance(requested.text, Region):
        return context.explorer.values.region
    return requested.text.mask


def _read_target(context: StateContext, name: str) -> NamedTarget | None:
    """Read the requested target; None while the predicted class is not known."""
    requested = context.requests.main.requested
    if requested is None:
        return context.explorer.values.target
    if requested.target is None:
        return None
    model = context.explorer.prompt.outline(requested.picture, requested.text)
    return named_target(model, requested.target, requested.stance)


def _set_trait(context: StateContext, name: str, value: Any) -> None:
    context.explorer.traits.publish(name, value)


def _set_text(context: StateContext, name: str, value: str) -> None:
    prompt, picture = context.explorer.prompt, context.explorer.picture
    if picture is not None and prompt.model.prompt is not None:
        if value:
            prompt.restore(picture, value)
        else:
            prompt.forget(picture)
    context.explorer.traits.publish_known(name, value)


def _set_references(context: StateContext, name: str, value: tuple[str | int, ...]) -> None:
    explorer = context.explorer
    if explorer.prompt.trait == "references":
        explorer.prompt.write(None, value)
        explorer.display.publish(**explorer.prompt.panels(explorer.picture))
    explorer.traits.publish_known(name, value)


def _set_region(context: StateContext, name: str, value: np.ndarray | None) -> None:
    explorer, picture = context.explorer, context.explorer.picture
    if explorer.prompt.trait == "region" and picture is not None:
        explorer.prompt.write(picture, Region.of(value))
        explorer.display.publish(**explorer.prompt.panels(picture))
    explorer.traits.publish_known(name, value)


def _set_question(context: StateContext, name: str, value: Any) -> None:
    explorer = context.explorer
    if isinstance(explorer.prompt, DetectionController):
        prompt = explorer.prompt
        prompt.ask(**{"about": prompt.about, "least_score": prompt.least_score, name: value})
    explorer.traits.publish_known(name, value)


def _set_style(context: StateContext, name: str, value: Any) -> None:
    context.explorer.display.publish(**{name: value})


def _valid(context: StateContext, name: str, value: Any) -> Any:
    """Validate a value by its own trait."""
    owner = context.owner(name)
    trait = owner.traits()[name]
    if isinstance(value, bool) and isinstance(trait, (t.Int, t.Float)):
        raise StateError(f"the value must be a number, not {value!r}.")
    if isinstance(trait, t.Bool) and not isinstance(value, bool):
        raise StateError(f"the value must be True or False, not {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise StateError(f"the value must be a finite number, not {value!r}.")
    return _compat.validated(trait, owner, value)


def _checked_together(context: StateContext, name: str, value: Any) -> Any:
    """Return the value unchecked: ``_check_map`` and ``_check_paint`` check keys that depend on each other."""
    return value


def _checked_compare(context: StateContext, name: str, value: Any) -> Any:
    """Check how B differs. Its class may be one of another picture, or text: B says so, and has its own prediction."""
    explorer = context.explorer
    if not any(prompt.is_open for prompt in explorer.prompts):
        return _valid(context, name, value)
    return valid_compare(value, explorer.models, len(explorer.pictures.all), lambda compare: None)


def _default(context: StateContext, name: str) -> Any:
    if name == "compare":
        return {"model": 1} if len(context.explorer.models) > 1 else None
    if name == "references":
        return context.explorer.prompt.first
    if name == "region":
        model = context.explorer.prompt.model
        return model.region if isinstance(model, SegmentationModel) else None
    if name in ("about", "least_score"):
        model = context.explorer.prompt.model
        return (
            getattr(model, name)
            if isinstance(model, DetectionModel)
            else _trait_default(context, name)
        )
    if name == "layer":
        return context.explorer.prompt.model.default_layer
    return _trait_default(context, name)


def _trait_default(context: StateContext, name: str) -> Any:
    return context.owner(name).traits()[name].default()


def _runs(paint: np.ndarray | None) -> dict[str, Any] | None:
    """Encode paint as JSON: its shape, and the runs of ``user_mask.encode``."""
    if paint is None:
        return None
    return {"shape": list(paint.shape), "runs": encode(paint.astype(np.int8))}


def _same(value: Any) -> Any:
    return value


def _plain(value: Any) -> Any:
    """Convert NumPy's floats and strings, which are subclasses of Python's, to Python's own."""
    for kind in (float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _copied(value: Any) -> Any:
    """Copy a mapping, so that changing the state changes nothing else."""
    if not isinstance(value, Mapping):
        return value
    return {k: _copied(v) if isinstance(v, Mapping) else _plain(v) for k, v in value.items()}


@dataclass(frozen=True)
class StateKey:
    """One key of the state.

    Attributes:
        name: the key.
        read: ``read(context, name)`` returns the present value.
        check: ``check(context, name, value)`` returns the value for ``apply``, or raises an error.
        apply: ``apply(context, name, value)`` sets the value, and requests nothing.
        default: ``default(context, name)`` returns the initial value.
        to_json: encodes a value as JSON.
        from_json: decodes it; may raise a ValueError, a TypeError or a CamwidgetError.
        requests: what a change of the value requests for the same map: "" nothing, "prediction" the prediction for the
            masked picture, "curve" also the complete curve, "compared" the compared map.
    """

    name: str
    read: Callable[[StateContext, str], Any] = _read_trait
    check: Callable[[StateContext, str, Any], Any] = _valid
    apply: Callable[[StateContext, str, Any], None] = _set_trait
    default: Callable[[StateContext, str], Any] = _default
    to_json: Callable[[Any], Any] = _plain
    from_json: Callable[[Any], Any] = _same
    requests: str = ""


#: Keys that need more than their own trait, in the order in which they are set: the classes depend on the text, and the
#: text on the picture.
_SPECIAL = (
    StateKey("picture"),
    StateKey("text", read=_read_text, check=_checked_together, apply=_set_text),
    StateKey("references", read=_read_references, apply=_set_references, to_json=list),
    StateKey(
        "region", check=_checked_together, read=_read_region, apply=_set_region, to_json=_runs
    ),
    StateKey("about", apply=_set_question),
    StateKey("least_score", apply=_set_question),
    StateKey(
        "target",
        read=_read_target,
        check=_checked_together,
        to_json=target_to_json,
        from_json=target_from_json,
    ),
    StateKey("method", check=_checked_together),
    StateKey("settings", to_json=_copied, from_json=_copied, requests="compared"),
    StateKey("layer", check=_checked_together),
    StateKey("mode", requests="curve"),
    StateKey("baseline", requests="curve"),
    StateKey("fraction", requests="prediction"),
    StateKey("mask", check=_checked_together, to_json=_runs, requests="curve"),
    StateKey(
        "compare",
        check=_checked_compare,
        to_json=_copied,
        from_json=_copied,
        requests="compared",
    ),
)

_BY_NAME = {key.name: key for key in _SPECIAL}
STATE_KEYS: dict[str, StateKey] = {
    **_BY_NAME,
    **{name: StateKey(name) for name in TWO_WAY_TRAITS if name not in _BY_NAME},
    **{name: StateKey(name, read=_read_style, apply=_set_style) for name in STYLE_TRAITS},
}


def read_state(context: StateContext) -> State:
    """Read the requested map and the style in which it is drawn, without waiting for a computation."""
    return {key.name: key.to_json(key.read(context, key.name)) for key in STATE_KEYS.values()}


def default_of(context: StateContext, name: str) -> Any:
    """Return a key's value in a new explorer of the same models and pictures, as JSON."""
    return STATE_KEYS[name].to_json(STATE_KEYS[name].default(context, name))


def checked_state(context: StateContext, wanted: Mapping[str, Any]) -> State:
    """Check a state; return it completed by the present values, each as its trait takes it.

    Raises:
        StateError: if a key is unknown, or a value cannot be; the message has the key.
    """
    if not isinstance(wanted, Mapping):
        raise StateError(f"A state is a dict, as ex.state gives it, not {type(wanted).__name__}.")
    unknown = [key for key in wanted if key not in STATE_KEYS]
    if unknown:
        raise StateError(
            f"A state has no {', '.join(map(repr, unknown))}. It has {', '.join(STATE_KEYS)}."
        )
    plan = {name: key.read(context, name) for name, key in STATE_KEYS.items()}
    for name, key in STATE_KEYS.items():
        if name not in wanted:
            continue
        try:
            plan[name] = key.check(context, name, key.from_json(wanted[name]))
        except (CamwidgetError, t.TraitError, TypeError, ValueError, LookupError) as error:
            raise StateError(f"state[{name!r}]: {error}") from error
    _check_region(context, plan, wanted)
    _check_map(context, plan, wanted)
    _check_paint(context, plan, wanted)
    return plan


def _check_map(context: StateContext, plan: State, wanted: Mapping[str, Any]) -> None:
    """Check text, class, layer and method, which depend on each other, and complete their names in ``plan``."""
    at = context.explorer.prompt.trait
    try:
        model = _model_of(context, plan, wanted)
        at = "target"
        if plan["target"] is not None:
            index, stance = split_target(model, plan["target"])
            plan["target"] = named_target(model, index, stance)
        at = "layer"
        plan["layer"] = model.layer(plan["layer"]).name
        at = "method"
        get_method(plan["method"]).check(model, plan["layer"])
        if plan["target"] is not None:
            check_method(plan["method"], model, plan["layer"], index, stance)
    except (CamwidgetError, TypeError) as error:
        # The error is attributed to a key that the caller has named.
        if at not in wanted:
            at = next((key for key in MAP_KEYS if key in wanted), at)
        raise StateError(f"state[{at!r}]: {error}") from error


def _check_paint(context: StateContext, plan: State, wanted: Mapping[str, Any]) -> None:
    """Check paint; without any, put the paint of the state's picture into ``plan``."""
    pictures = context.explorer.pictures.all
    picture = pictures[plan["picture"]] if pictures else None
    if "mask" in wanted:
        try:
            plan["mask"] = context.paint.read(plan["mask"], picture)
        except (CamwidgetError, TypeError) as error:
            raise StateError(f"state['mask']: {error}") from error
    elif picture is not None:
        plan["mask"] = context.paint.of(picture)


def _check_region(context: StateContext, plan: State, wanted: Mapping[str, Any]) -> None:
    """Check a region; without any, put the region of the state's picture into ``plan``."""
    pictures, prompt = context.explorer.pictures.all, context.explorer.prompt
    picture = pictures[plan["picture"]] if pictures else None
    if "region" in wanted:
        try:
            paint = context.paint.read(plan["region"], picture)
            if paint is not None and not isinstance(prompt, RegionController):
                raise TargetError(f"{prompt.model.name} is asked about no region.")
            plan["region"] = None if paint is None else Region.of(paint == HIDDEN).mask
        except (CamwidgetError, TypeError) as error:
            raise StateError(f"state['region']: {error}") from error
    elif picture is not None and isinstance(prompt, RegionController):
        plan["region"] = prompt.known(picture).mask


def _model_of(context: StateContext, plan: State, wanted: Mapping[str, Any]) -> VisionModel:
    """Return the model under the state's text; a new text resets the class, unless that is named too."""
    explorer = context.explorer
    prompt, pictures = explorer.prompt, explorer.pictures.all
    if "text" in wanted and plan["text"] != "":
        plan["text"] = prompt.readable(plan["text"])
    if not pictures or not prompt.is_asked:
        return explorer.model
    picture = pictures[plan["picture"]]
    if prompt.trait == "references":
        model = prompt.outline(picture, plan["references"])
        if "target" not in wanted and plan["target"] is not None:
            plan["target"] = explorer.kept_target(plan["references"])
        return model
    if isinstance(prompt, DetectionController):
        return _model_of_detections(context, prompt, plan, wanted)
    if prompt.trait != "text":
        return prompt.outline(picture, None)
    if "text" not in wanted and picture is not explorer.picture:
        plan["text"] = prompt.known(picture) or ""
    if "target" not in wanted and ("text" in wanted or "picture" in wanted):
        plan["target"] = None
    if plan["target"] is None and not plan["text"]:
        return explorer.model  # the classes are not known yet; the layers are the same
    return prompt.cache(picture, plan["text"] or None).model


def _model_of_detections(
    context: StateContext, prompt: DetectionController, plan: State, wanted: Mapping[str, Any]
) -> VisionModel:
    """Return the model under the state's detections; the same one is explained, unless the state names one."""
    explorer = context.explorer
    picture = explorer.pictures.all[plan["picture"]]
    given = prompt.asked(picture, plan["about"], plan["least_score"])
    model = prompt.outline(picture, given)
    if "target" not in wanted:
        requested = context.requests.main.requested if picture is explorer.picture else None
        plan["target"] = target_among(model, given, requested)
    return model


def restore_state(context: StateContext, wanted: Mapping[str, Any]) -> None:
    """Check a complete or partial state, and then set all of it together; at most one map is requested.

    Raises:
        StateError: if anything cannot be; nothing has changed then.
    """
    plan = checked_state(context, wanted)
    before = read_state(context)
    changed = {n for n, key in STATE_KEYS.items() if key.to_json(plan[n]) != before[n]}
    with context.explorer.traits.restoring():
        for name, key in STATE_KEYS.items():
            if name in changed or name in wanted:
                key.apply(context, name, plan[name])
    requests, pictures = context.requests, context.explorer.pictures.all
    requests.publish_two_way()
    requested = requests.main.requested
    # Of the plan, not of the traits: another thread may have set some of them meanwhile, and may have requested its own
    # map before they were set back here.
    if pictures and context.explorer.prompt.why_nothing(pictures[plan["picture"]]):
        if requested is not None or changed & set(MAP_KEYS):
            requests.without_classes.show(pictures[plan["picture"]])
    elif pictures:
        options = options_of(plan["settings"], plan["method"])
        wanted_map = pictures[plan["picture"]], plan["method"], plan["layer"], options
        is_other = requested is None or wanted_map != (
            requested.picture,
            requested.method,
            requested.layer,
            requested.options,
        )
        if changed & set(MAP_KEYS) or is_other:
            requests.request_map(wanted_map[0], plan["target"], *wanted_map[1:])
    if requests.main.requested == requested:  # else everything else comes with the new map
        needed = {STATE_KEYS[name].requests for name in changed}
        if needed & {"prediction", "curve"}:
            requests.request_predictions(curve="curve" in needed)
        if "compared" in needed:
            requests.request_compared()
