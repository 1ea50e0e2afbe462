"""Computation of one batch of an evaluation: the maps of all methods and layers from one trace, and their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from ..attribution.explaining import raw_maps, saliency_maps
from ..attribution.targets import ClassTarget, PerPictureTarget
from ..attribution.trace import Trace
from ..errors import CamwidgetError, LayerError, ModelError, PictureError
from ..execution.device_errors import is_out_of_memory
from ..execution.isolated_pass import autocast_off
from ..metrics import Case, MetricContext, Score, ScoredPicture, score_steps
from ..metrics.scoring import find_faults
from .items import Item, OpenedItem, open_item
from .plan import Combination, EvaluationPlan

__all__ = ["Row", "run_batch"]

#: The results for one map of one picture, or for a skipped picture, as stored in the results file.
Row = dict[str, Any]

#: Called repeatedly within a batch; may raise to cancel.
Tick = Callable[[], None]


def run_batch(
    plan: EvaluationPlan,
    context: MetricContext,
    items: Sequence[Item],
    tick: Tick = lambda: None,
    *,
    strict: bool = False,
) -> list[Row]:
    """Compute the rows of consecutive pictures, in their order.

    Args:
        plan: the plan of the evaluation.
        context: state shared by the pictures of the run in this process.
        items: the pictures.
        tick: called repeatedly; may raise to cancel.
        strict: whether a failure of the model on every picture is raised; otherwise the pictures are skipped.

    Returns:
        One row per map, or one per skipped picture.

    Raises:
        ModelError: if the model fails on every picture and ``strict`` is true.
        LayerError: if the layer has no map for any picture and ``strict`` is true.
    """
    rows: dict[int, list[Row]] = {}
    by_size: dict[tuple[int, ...], list[OpenedItem]] = {}
    for item in items:
        if plan.target == "label" and item.label is None and not item.error:
            rows[item.number] = [_skipped_row(item, "its true class is not known")]
            continue
        try:
            opened = open_item(item, plan.model)
        except (PictureError, OSError) as error:
            rows[item.number] = [_skipped_row(item, str(error))]
            continue
        size = (item.number,) if plan.unbatched else tuple(opened.pixels.shape)
        by_size.setdefault(size, []).append(opened)
    failure: ModelError | LayerError | None = None
    scored = False
    for group in by_size.values():
        try:
            rows.update(_run(plan, context, group, tick))
            scored = True
        except (ModelError, LayerError) as error:
            # A picture that overflows or is too small for the layer must not invalidate the others of its batch.
            for opened in group:
                try:
                    if len(group) == 1:
                        raise error
                    rows.update(_run(plan, context, [opened], tick))
                    scored = True
                except (ModelError, LayerError) as own:
                    failure = own
                    rows[opened.item.number] = [_skipped_row(opened.item, str(own))]
    if strict and failure is not None and not scored and len(items) > 1:
        raise failure
    return [row for item in items for row in rows[item.number]]


def _skipped_row(item: Item, reason: str) -> Row:
    return {"picture": item.number, "name": item.name, "error": reason}


def _run(
    plan: EvaluationPlan, context: MetricContext, group: Sequence[OpenedItem], tick: Tick
) -> dict[int, list[Row]]:
    """The rows of pictures of equal size, by picture number."""
    pixels = torch.stack([opened.pixels for opened in group])
    model = plan.model.with_text_for(pixels)
    if not model.classes:
        raise ModelError(f"There is nothing to explain, since {model.no_classes}")
    try:
        trace = Trace(
            model,
            pixels.to(model.device),
            [c.layer for c in plan.combinations if plan.extra is not None or not c.method.at_input],
            precision=plan.precision,
            with_input=any(c.method.needs_input for c in plan.combinations),
        )
        subjects = _subjects(plan, context, group, trace, tick)
        cases = [case for subject in subjects for case in subject.cases]
        scores: dict[tuple[Case, str], Score] = {}
        for scoring in score_steps(cases, plan.metrics, lenient=True):
            scores = scoring.scores
            tick()
        extra: list[dict[str, Any]] = [{} for _ in group]
        if plan.extra is not None:
            extra = plan.extra.columns(trace, group, [s.cases[0] for s in subjects])
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise CamwidgetError(
            f"A batch of {len(group)} pictures does not fit into the memory of {model.device}: pass a smaller batch=…"
        ) from error
    rows = {
        opened.item.number: [
            _row(
                opened.item, combination, case, {m.name: scores[case, m.name] for m in plan.metrics}
            )
            for combination, case in zip(plan.combinations, subject.cases, strict=True)
        ]
        for opened, subject in zip(group, subjects, strict=True)
    }
    for found, more in zip(rows.values(), extra, strict=True):
        found[0].update(more)
    for subject in subjects:
        # A case has its picture: in a circle, both would be in memory until Python's garbage collector runs.
        subject.cases.clear()
    return rows


def _subjects(
    plan: EvaluationPlan,
    context: MetricContext,
    group: Sequence[OpenedItem],
    trace: Trace,
    tick: Tick,
) -> list[ScoredPicture]:
    """The pictures of a trace, each with one case per combination."""
    model = trace.model
    size = trace.pixels.shape[-2:]
    # With a text per picture the classes differ between pictures, so that no label applies.
    labels = [None if plan.text_per_picture else opened.item.label for opened in group]
    with torch.no_grad(), autocast_off(trace.logits.device):
        probabilities = model.probabilities(trace.logits.float()).double().cpu()
        chosen = model.predicted(trace.logits)
        if plan.target == "label":
            chosen = [label for label in labels if label is not None]
        each = tuple(ClassTarget(i, model.classes[i]) for i in chosen)
        target = each[0] if len(set(each)) == 1 else PerPictureTarget(each)
        subjects = [
            ScoredPicture(
                model, trace.pixels[n], probabilities[n], context, opened.item.number, labels[n]
            )
            for n, opened in enumerate(group)
        ]
        for subject, opened in zip(subjects, group, strict=True):
            subject.locate = partial(opened.locate, model)
        raws: dict[tuple[str, str], torch.Tensor] = {}
        for combination in plan.combinations:
            method, layer = combination.method, combination.layer
            if (method.name, layer) not in raws:
                layers = [c.layer for c in plan.combinations if c.method is method]
                found = raw_maps(trace, [target], [method], layers, lambda done, total: tick())
                raws.update({(method.name, name): found[0, 0, name].float() for name in layers})
            raw = raws[method.name, layer]
            frames = model.map_frames(layer, raw.shape[-2:], size)
            saliency = saliency_maps(raw, size, method.scale, frames)
            peaks = raw.flatten(1).amax(1).tolist()
            for n, (fault, peak) in enumerate(zip(find_faults(raw, saliency), peaks, strict=True)):
                case = Case(subjects[n], chosen[n], saliency[n], method, layer, fault, peak)
                subjects[n].cases.append(case)
    return subjects


def _row(item: Item, combination: Combination, case: Case, scores: dict[str, Score]) -> Row:
    """The row of a map in JSON types: None and a note in place of NaN."""
    subject = case.subject
    classes = subject.model.classes
    (predicted,) = subject.model.most_probable(subject.probabilities[None])
    row: Row = {
        "picture": item.number,
        "name": item.name,
        "label": subject.label,
        "label_name": None if subject.label is None else classes[subject.label],
        "target": case.target,
        "target_name": classes[case.target],
        "prediction": predicted,
        "prediction_name": classes[predicted],
        "confidence": case.value,
        "method": combination.method.name,
        "layer": combination.listed_layer,
        "fault": case.fault or None,
    }
    notes: dict[str, str] = {}
    curves: dict[str, list[float | None]] = {}
    for name, score in scores.items():
        row[name] = _finite(score.value)
        if row[name] is None:
            notes[name] = score.note or ("not a number" if math.isnan(score.value) else "infinite")
        if score.curve is not None:
            curves[name] = [_finite(v) for v in score.curve]
    return {**row, "notes": notes or None, "curves": curves or None}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
