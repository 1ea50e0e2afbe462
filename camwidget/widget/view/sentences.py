"""Sentences that the widget shows. They say "evidence", since a map does not prove where a model looks."""

from __future__ import annotations

import math

import numpy as np

from ...attribution.explanation import Explanation
from ...attribution.methods.settings import options_text
from ...attribution.stance import class_label
from ...attribution.targets import evidence_phrase
from ...images.ground_truth import share_inside
from ...masking.user_mask import painted_fractions
from ...models.prediction import Prediction
from ...models.scores import decimals, number_text
from ...models.vision_model import VisionModel
from ..view.mask_settings import UNMASKED, MaskSettings

__all__ = ["box", "growing", "method_text", "picked_sentence", "sentence", "status", "truth"]


def sentence(
    explanation: Explanation,
    mask: MaskSettings,
    before: float,
    after: float | None,
    most_probable: str | None = None,
    rival: tuple[str, float, float] | None = None,
) -> str:
    """Describe in one sentence how masking changed the prediction; screen readers read it out.

    Args:
        explanation: the map.
        mask: how the picture is masked.
        before: the probability of the map's class, or the quantity, for the unmasked picture.
        after: that for the masked one; None if nothing is hidden.
        most_probable: the most probable class of the masked picture; None if masking has not changed it.
        rival: of a contrast, the other class: its name, and its numbers for the unmasked and the masked picture.
    """
    name, evidence = class_label(explanation.target), evidence_phrase(explanation.target)
    kept = painted_fractions(mask.paint)[1]
    spare = f" The {_percent(kept)} painted to be kept would stay." if kept else ""
    if after is None:
        if explanation.is_empty:
            return f"{explanation.note} Choose another {_others(explanation.prediction)}layer or method."
        if mask.mode == "keep":
            return (
                f"Nothing is masked yet. Drag the slider to keep only the most evidence {evidence}."
            )
        return (
            f"Nothing is removed yet. Drag the slider to take the evidence {evidence} away.{spare}"
        )
    deed = _deed(explanation, mask)
    it = "it" if name in deed and rival is None else name
    text = f"{deed} {_effect(before, after, it, explanation.prediction)}"
    if rival is not None:
        other, whole, masked = rival
        text = f"{text[:-1]} and {_effect(whole, masked, other, explanation.prediction)}"
    if most_probable is not None:
        text = f"{text} Now first: {most_probable}."
    if explanation.is_empty:
        return f"{text} {explanation.note}"
    evident = float((explanation.saliency > 0).mean())
    beyond = ""
    if mask.mode != "multiply" and mask.fraction > evident + 0.005:
        share = f"{100 * evident:.0f} %"
        beyond = f" Only {share} of the picture has any; beyond, pixels go in reading order."
    return f"{text}{beyond}"


def _others(prediction: Prediction) -> str:
    """Begin a list of choices with "class, " or "quantity, "; empty where there is only one."""
    if len(prediction.names) == 1:
        return ""
    return "quantity, " if prediction.scores == "value" else "class, "


def _deed(explanation: Explanation, mask: MaskSettings) -> str:
    """Describe how the picture was masked, by its map and by paint."""
    evidence, mode, fraction = evidence_phrase(explanation.target), mask.mode, mask.fraction
    hidden, kept = painted_fractions(mask.paint)
    hiding = f"iding the painted {_percent(hidden)}"
    if explanation.is_empty or (mode, fraction) in UNMASKED:
        return f"H{hiding}"
    most = f"the {_percent(fraction)} with the most evidence {evidence}"
    if explanation.method == "random":
        most = f"a random {_percent(fraction)}"
    elif explanation.method == "center":
        most = f"the middle {_percent(fraction)}"
    if mode == "keep":
        if fraction == 0:
            everything = "Blurring everything" if mask.baseline == "blur" else "Hiding everything"
            return f"Keeping only the painted {_percent(kept)}" if kept else everything
        also = f" and the painted {_percent(kept)}" if kept else ""
        less = f", and h{hiding} of the picture," if hidden else ""
        return f"Keeping only {most}{also}{less}"
    if mode == "remove":
        begin = f"H{hiding} and removing" if hidden else "Removing"
        return f"{begin} {most}" + (
            f", but for the {_percent(kept)} painted to be kept," if kept else ""
        )
    begin = f"H{hiding} and multiplying" if hidden else "Multiplying"
    rest = f", but for the {_percent(kept)} painted to be kept," if kept else ""
    return f"{begin} the picture by its map {evidence}{rest}"


def _effect(before: float, after: float, it: str, prediction: Prediction) -> str:
    if math.isnan(after):
        return f"leaves no box that {it} could be."
    if prediction.scores == "value":
        return _moved(before, after, it, prediction.unit)
    # The difference of what is shown, so that the sum on the screen comes out right.
    change = round(round(after, 2) - round(before, 2), 2)
    if max(before, after) < 0.005:
        return f"leaves {it} below 0.01."
    if change == 0:
        return f"leaves {it} at {before:.2f}."
    verb = "raises" if change > 0 else "lowers"
    return f"{verb} {it} by {abs(change):.2f} ({before:.2f} → {after:.2f})."


def _moved(before: float, after: float, it: str, unit: str) -> str:
    """Describe the change of a quantity. Both numbers have the same number of digits."""
    digits = decimals(before, after)
    first, second = (number_text(v, "value", digits=digits) for v in (before, after))
    of = f" {unit}" if unit else ""
    if first == second:
        return f"leaves {it} at {first}{of}."
    return f"{'raises' if after > before else 'lowers'} {it} from {first} to {second}{of}."


def _percent(share: float) -> str:
    """Write a share of the picture in percent; never as "0 %", unless it is 0."""
    return f"{round(100 * share, 1):g} %" if share >= 0.0005 else "under 0.1 %"


def picked_sentence(name: str | None) -> str:
    """Describe the result of a click on the picture: the class with the strongest map there, or none."""
    if name is None:
        return "None of the most probable classes has positive evidence there."
    return f"The strongest evidence there is for {name}."


def growing(method: str, name: str, share: float) -> str:
    """Describe the progress of a map."""
    return f"{method} · {name} · computing, {100 * share:.0f} %"


def method_text(explanation: Explanation) -> str:
    """Name of the method, with the settings that differ from its defaults."""
    settings = options_text(explanation.options)
    return f"{explanation.method_label} ({settings})" if settings else explanation.method_label


def status(model: VisionModel, explanation: Explanation, milliseconds: float) -> str:
    """Summarize a map in one line: model, method, layer, class, time, device, and whether it is partly random."""
    height, width = explanation.raw.shape
    frames = model.map_frames(explanation.layer, (height, width), explanation.saliency.shape)
    size = (
        f"{width}×{height}"
        if frames is None
        else f"{width}×{height // frames[0]} in {frames[0]} frames"
    )
    return " · ".join(
        (
            model.name,
            method_text(explanation),
            f"{explanation.layer} {size}",
            explanation.target.label,
            f"{milliseconds:.0f} ms" if milliseconds >= 1 else "< 1 ms",
            str(model.device),
            *(["partly random: another run may differ"] if model.randomness_note else []),
        )
    )


def truth(
    name: str, explanation: Explanation | None, evidence: np.ndarray, is_there: bool, objects: int
) -> str:
    """State the share of the saliency inside the true evidence, and the evidence's area, which is the share by chance.

    Args:
        name: the class.
        explanation: its map; None while there is none.
        evidence: bool (H, W), at the model's size.
        is_there: whether the picture has any, seen or cropped away.
        objects: how many objects the evidence touches.
    """
    if not is_there:
        return f"No {name} in this picture."
    if not evidence.any():
        return f"The {name} is outside what the model gets of the picture."
    if explanation is None:
        return ""
    where = "the object" if objects == 1 else f"the {objects} objects" if objects else "its place"
    share = share_inside(explanation.saliency, evidence)
    if math.isnan(share):
        return f"No saliency, so none in {where}."
    # With spaces at which no line ends.
    inside, covered = (f"{100 * part:.0f}\u00a0%" for part in (share, float(evidence.mean())))
    return f"In {where}: {inside} of saliency, on {covered} of the picture."


def box(overlap: float, objects: int, hit: bool) -> str:
    """State how well a map's box overlaps the true boxes, and whether its peak lies on an object.

    Args:
        overlap: the best intersection over union.
        objects: how many true boxes there are.
        hit: whether the peak does.
    """
    other = "the true one" if objects == 1 else f"the best of {objects} true ones"
    return f"The box overlaps {other} by {overlap:.2f}; the peak {'hits' if hit else 'misses'}."
