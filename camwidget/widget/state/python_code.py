"""Python code that reproduces what an explorer shows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...analysis.localizing import THRESHOLD
from ...attribution.targets import Contrast, Counterfactual
from ...loading.loader import DEFAULT_MODEL
from ...models.detection_model import EDGES
from ...models.vision_model import VisionModel
from ..control.cache import Picture
from ..control.chosen_target import target_from_json
from ..control.finding_control import DetectionController
from ..control.reference_control import ReferenceController
from ..view.mask_settings import UNMASKED
from .explorer_state import STYLE_TRAITS, State, StateContext, default_of, read_state
from .picture_sources import MOST, PictureSources, literal

__all__ = ["CodeWriter"]

#: Columns after which a call is broken into lines.
_WIDTH = 88
#: The defaults of ``mask_curve``.
_USUAL = {"mode": "remove", "baseline": "blur"}


class CodeWriter:
    """Writes the code of one explorer.

    Args:
        context: what its state is read from.
    """

    def __init__(self, context: StateContext) -> None:
        self._context = context
        #: What was written of which pictures: the list is replaced when one is added.
        self._written: tuple[list[Picture], PictureSources] | None = None

    def code(self) -> str:
        """Write the present view as Python; a module or an array of the user's session is ``...`` with a comment."""
        explorer = self._context.explorer
        model, now = explorer.prompt.model, read_state(self._context)
        lines = ["import camwidget as cw", ""]
        names = ["model", *(f"model_{n}" for n in range(2, len(explorer.models) + 1))]
        for name, each in zip(names, explorer.models, strict=True):
            lines += _model(each, name)
        first = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        if explorer.pictures.all:
            sources = self._sources(model)
            lines += [*sources.lines, *_widget(self._context, now, first, "images")]
            if not explorer.prompt.why_nothing(explorer.pictures.all[now["picture"]]):
                lines += ["", "# The same without the widget:"]
                given = self._given(now, sources)
                one = sources.one(now["picture"])
                asked = self._asked(now)
                lines += _maps(now, model, one, given, asked, is_empty=self._is_empty())
        else:
            lines += _widget(self._context, now, first, "[]")
        return "\n".join([*lines, ""])

    def _is_empty(self) -> bool:
        """Whether the map that is requested is known to be one of zeros, which masks nothing."""
        main = self._context.requests.main
        return main.result is not None and main.result.explanation.is_empty and main.is_settled

    def _given(self, now: State, sources: PictureSources) -> str:
        """The argument of ``given`` for references that the model does not have; empty if there are none."""
        prompt = self._context.explorer.prompt
        if not isinstance(prompt, ReferenceController) or tuple(now["references"]) == prompt.first:
            return ""
        values: dict[str, str] = {}
        for reference in now["references"]:
            if isinstance(reference, int):
                value = sources.one(reference)
            else:
                own = prompt.model_value(reference)
                value = literal(os.fspath(own)) if isinstance(own, (str, os.PathLike)) else "..."
            values[prompt.name_of(reference)] = value
        if all(literal(name) == value for name, value in values.items()):
            return f"{prompt.kind}=[{', '.join(values.values())}]"
        pairs = ", ".join(f"{literal(name)}: {value}" for name, value in values.items())
        return f"{prompt.kind}={{{pairs}}}"

    def _asked(self, now: State) -> tuple[str, list[str]]:
        """The name of the model that is asked about detections or a region, and the lines that make it."""
        prompt, region = self._context.explorer.prompt, now["region"]
        if isinstance(prompt, DetectionController):
            about, least = now["about"], now["least_score"]
            is_other = about != default_of(self._context, "about")
            asked = f"about={literal(about)}" if is_other else ""
            if not prompt.finds_for_itself:
                return ("asked", [f"asked = model.given({asked})"]) if asked else ("model", [])
            is_other = least != default_of(self._context, "least_score")
            found = f"model.detections(image{f', {literal(least)}' if is_other else ''})"
            chosen = ", ".join(filter(None, [f"detections={found}", asked]))
            return "followed", [f"followed = model.given({chosen})  # each is a class"]
        if region is None or region == default_of(self._context, "region"):
            return "model", []
        runs = f"{literal(region['runs'])}, {tuple(region['shape'])}"
        return "asked", [
            f"region = cw.masking.user_mask.decode({runs}) == 1",
            "asked = model.given(region=region)",
        ]

    def _sources(self, model: VisionModel) -> PictureSources:
        pictures = self._context.explorer.pictures.all
        if self._written is None or self._written[0] is not pictures:
            self._written = (pictures, PictureSources(pictures, model.name))
        return self._written[1]


def _call(head: str, arguments: Sequence[str], tail: str = ")") -> list[str]:
    """A call on one line, or with a line for each argument."""
    line = f"{head}{', '.join(arguments)}{tail}"
    if len(line) <= _WIDTH or not arguments:
        return [line]
    return [head, *(f"    {argument}," for argument in arguments), tail]


def _model(model: VisionModel, name: str) -> list[str]:
    """Write the lines that load a model as the user did, and assign it to a name."""
    origin = model.origin
    if origin is None:
        return [f"{name} = ...  # a VisionModel of your own, {literal(model.name)}"]
    given = [] if origin.given is None else _references(name, *origin.given)
    if origin.maker == "wrap":
        return [f"{name} = cw.wrap(module, ...)  # your own module: {origin.name}", *given]
    arguments = [] if origin.name == DEFAULT_MODEL else [literal(origin.name)]
    lines: list[str] = []
    if origin.weights is not None:
        arguments.append(f"weights={literal(origin.weights)}")
    if origin.weights_in_memory:
        lines.append("weights = ...  # your state dict")
        arguments.append("weights=weights")
    if origin.classes is not None and len(origin.classes) > MOST:
        lines.append(f"classes = ...  # your {len(origin.classes)} names")
        arguments.append("classes=classes")
    elif origin.classes is not None:
        arguments.append(f"classes={literal(origin.classes)}")
    if origin.device is not None:
        arguments.append(f"device={literal(origin.device)}")
    if not origin.pretrained:
        arguments.append("pretrained=False")
    return [*lines, *_call(f"{name} = cw.load(", arguments), *given]


def _references(name: str, keyword: str, values: Mapping[str, Any]) -> list[str]:
    """What a model was given: texts, or files of pictures, to compare with; a region; detections."""
    if keyword == "region":
        return [f"{name} = {name}.given(region=...)  # your mask"]
    if keyword in ("detections", "boxes"):
        asked = [f"{n}={literal(v)}" for n, v in values.items()]
        chosen = ["detections=..."] if keyword == "detections" else []
        note = f"  # of {name}.detections(picture)" if chosen else ""
        return [f"{name} = {name}.given({', '.join([*chosen, *asked])}){note}"]
    texts = {n: str(v) for n, v in values.items() if isinstance(v, (str, os.PathLike))}
    if len(texts) < len(values):
        return [f"{name} = {name}.given({keyword}=...)  # pictures in memory: {', '.join(values)}"]
    written = literal([*texts] if list(texts.values()) == [*texts] else texts)
    return _call(f"{name} = {name}.given(", [f"{keyword}={written}"])


def _widget(context: StateContext, now: State, models: str, images: str) -> list[str]:
    """Write the lines that create the explorer: values that are not defaults as arguments, others by ``ex.state``."""
    other = {n: v for n, v in now.items() if v != default_of(context, n)}
    direct = [
        n
        for n in other
        if n not in STYLE_TRAITS
        and (n in ("target", "references") or not isinstance(other[n], (dict, list)))
    ]
    arguments = [models, images]
    explorer = context.explorer
    model, listed = explorer.prompt.model, explorer.display.top
    if listed != min(6, 9 if explorer.prompt.is_open else len(model.classes)):
        arguments.append(f"top={listed}")
    for name in direct:
        value = other.pop(name)
        arguments.append(f"{name}={_target(value) if name == 'target' else literal(value)}")
    lines = _call("ex = cw.Explorer(", arguments)
    if other:
        entries = [f"{literal(name)}: {literal(value)}" for name, value in other.items()]
        lines += _call("ex.state = {", entries, "}")
    return [*lines, "ex"]


def _target(value: Any) -> str:
    """The expression for a target, as the state has it."""
    target = target_from_json(value)
    if isinstance(target, Counterfactual):
        return f"cw.Counterfactual({literal(target.of)})"
    if isinstance(target, Contrast):
        return f"cw.Contrast({literal(target.of)}, {literal(target.against)})"
    return literal(target)


def _method(now: State) -> str:
    """The expression for the method, with its settings."""
    name = literal(now["method"])
    options = now["settings"].get(now["method"], {})
    if not options:
        return name
    settings = ", ".join(f"{each}={literal(value)}" for each, value in options.items())
    return f"cw.get_method({name}, {settings})"


def _class_name(value: Any) -> Any:
    """The class of a target, as the state has it."""
    target = target_from_json(value)
    return target.of if isinstance(target, (Contrast, Counterfactual)) else target


def _maps(
    now: State,
    model: VisionModel,
    picture: str,
    given: str,
    asked: tuple[str, list[str]],
    *,
    is_empty: bool,
) -> list[str]:
    """Lines for the map, and for the prediction for the masked picture.

    Args:
        now: the state.
        model: the model as it was declared.
        picture: the expression for the picture.
        given: the argument of ``model.given`` for the references; empty if the model has them.
        asked: the name of the model that is asked about detections or a region, and the lines that make it.
        is_empty: whether the map is one of zeros.
    """
    name, lines = asked[0], [f"image = {picture}", *asked[1]]
    if given:
        lines += _call("compared = model.given(", [given])
        name = "compared"
    if now["text"]:
        assert model.prompt is not None
        lines.append(f"prompted = model.given({model.prompt.name}={literal(now['text'])})")
        name = "prompted"
    target, explained = [], []
    if now["target"] is not None:
        # Predictions are of the class, whatever of it is explained.
        target, explained = [literal(_class_name(now["target"]))], [_target(now["target"])]
    method = [f"method={_method(now)}"] if _method(now) != literal("gradcam") else []
    layer = [f"layer={literal(now['layer'])}"] if now["layer"] != model.default_layer else []
    lines += _call("exp = cw.explain(", [name, "image", *explained, *method, *layer])
    if now["boxes"] and not is_empty:
        share = now["box_threshold"]
        threshold = [] if share == THRESHOLD else [f"threshold={literal(share)}"]
        lines += _call("found = cw.localize(", ["exp", *threshold])
    mode, fraction, paint = now["mode"], now["fraction"], now["mask"]
    how = [f"{n}={literal(now[n])}" for n in _USUAL if now[n] != _USUAL[n]]
    # Of a detection that is lost there is no edge.
    masks = f"{name}.may_be_lost()" if now["about"] in EDGES else name
    hide = []
    if paint:
        painted = f"{literal(paint['runs'])}, {tuple(paint['shape'])}"
        lines.append(f"paint = cw.masking.user_mask.decode({painted})")
        hide = ["paint"]
    if is_empty or mode == "multiply":
        if paint:
            how = [] if is_empty else ["by=exp", 'mode="multiply"']
            if now["baseline"] != _USUAL["baseline"]:
                how.append(f"baseline={literal(now['baseline'])}")
            lines += _masked(name, [*hide, *how], masks)
        elif not is_empty:
            lines += _call("change = cw.confidence_change(", [name, "image", "exp", *target])
    elif (mode, fraction) not in UNMASKED or paint:
        lines += _masked(name, [*hide, "by=exp", f"fraction={literal(fraction)}", *how], masks)
        how += ['spacing="quadratic"', *(f"{one}={one}" for one in hide)]
        lines += _call("curve = cw.mask_curve(", [name, "image", "exp", *target, *how])
    return lines


def _masked(name: str, how: list[str], masks: str) -> list[str]:
    """Lines for the masked picture by a model, and the prediction for it by its form for masked pictures."""
    return [
        *_call("masked = cw.mask_picture(", [name, "image", *how]),
        f"prediction = {masks}.predict(masked)",
    ]
