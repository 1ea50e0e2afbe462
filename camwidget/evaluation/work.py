"""One batch of pictures: from one trace all maps of all methods and layers, and all their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..engine import raw_maps, saliency_maps
from ..errors import CamwidgetError, ModelError, PictureError
from ..metrics import Bench, Case, Score, Subject, score_steps
from ..metrics.scoring import faults
from ..models import VisionModel, is_want_of_memory
from ..targets import ClassTarget, EachTarget
from ..trace import Trace
from .items import Item, Opened, open_item
from .plan import Plan

__all__ = ["Row", "run_batch"]

#: What is known of one map of one picture, or of a picture that was skipped, as it is kept.
Row = dict[str, Any]

#: Called now and then within a batch; may raise to cancel.
Tick = Callable[[], None]


def run_batch(
    plan: Plan, bench: Bench, items: Sequence[Item], tick: Tick = lambda: None
) -> list[Row]:
    """The rows of consecutive pictures, in their order.

    Args:
        plan: what to compute.
        bench: of the run, in this process.
        items: the pictures.
        tick: called now and then; may raise to cancel.

    Raises:
        ModelError: if the model fails on every picture.
    """
    rows: dict[int, list[Row]] = {}
    alike: dict[tuple[int, ...], list[Opened]] = {}
    for item in items:
        if plan.target == "label" and item.label is None and not item.error:
            rows[item.number] = [_skipped(item, "its true class is not known")]
            continue
        try:
            opened = open_item(item, plan.model)
        except (PictureError, OSError) as error:
            rows[item.number] = [_skipped(item, str(error))]
            continue
        size = (item.number,) if plan.one_by_one else tuple(opened.pixels.shape)
        alike.setdefault(size, []).append(opened)
    failure: ModelError | None = None
    scored = False
    for group in alike.values():
        try:
            rows.update(_run(plan, bench, group, tick))
            scored = True
        except ModelError as error:
            # One picture that overflows must not cost the others theirs.
            for opened in group:
                try:
                    if len(group) == 1:
                        raise error
                    rows.update(_run(plan, bench, [opened], tick))
                    scored = True
                except ModelError as own:
                    failure = own
                    rows[opened.item.number] = [_skipped(opened.item, str(own))]
    if failure is not None and not scored and len(items) > 1:
        raise failure
    return [row for item in items for row in rows[item.number]]


def _skipped(item: Item, reason: str) -> Row:
    return {"picture": item.number, "name": item.name, "error": reason}


def _run(plan: Plan, bench: Bench, group: Sequence[Opened], tick: Tick) -> dict[int, list[Row]]:
    """The rows of pictures of one size."""
    pixels = torch.stack([opened.pixels for opened in group])
    model = plan.model.told(pixels)
    pixels = pixels.to(model.device)
    methods = list(dict.fromkeys(c.method for c in plan.combinations))
    try:
        trace = Trace(
            model,
            pixels,
            [c.layer for c in plan.combinations if not c.method.at_input],
            precision=plan.precision,
            with_input=any(m.needs_input for m in methods),
        )
        cases = _cases(plan, bench, group, trace, tick)
        for scoring in score_steps(cases, plan.metrics, lenient=True):
            tick()
    except (RuntimeError, MemoryError) as error:
        if not is_want_of_memory(error):
            raise
        raise CamwidgetError(
            f"A batch of {len(group)} pictures does not fit into the memory of {model.device}: pass a smaller batch=…"
        ) from error
    return {
        opened.item.number: [
            _row(
                plan,
                case,
                combination,
                {m.name: scoring.scores[case, m.name] for m in plan.metrics},
            )
            | {"picture": opened.item.number, "name": opened.item.name}
            for case, combination in zip(
                cases[n * len(plan.combinations) :], plan.combinations, strict=False
            )
        ]
        for n, opened in enumerate(group)
    }


def _cases(
    plan: Plan, bench: Bench, group: Sequence[Opened], trace: Trace, tick: Tick
) -> list[Case]:
    """A case for each picture and combination, in this order."""
    model = trace.model
    with torch.no_grad(), torch.autocast(trace.logits.device.type, enabled=False):
        chosen = model.predicted(trace.logits)
        if plan.target == "label":
            chosen = [opened.item.label for opened in group]  # type: ignore[misc]
        each = tuple(ClassTarget(i, model.classes[i]) for i in chosen)
        target = each[0] if len(set(each)) == 1 else EachTarget(each)
        maps: list[tuple[torch.Tensor, list[str]]] = []
        for method in dict.fromkeys(c.method for c in plan.combinations):
            layers = [c.layer for c in plan.combinations if c.method is method]
            raws = raw_maps(trace, [target], [method], layers, lambda done, total: tick())
            for layer in layers:
                raw = raws[0, 0, layer].float()
                saliency = saliency_maps(raw, trace.pixels.shape[-2:], method.scale)
                maps.append((saliency, faults(raw, saliency)))
        whole = model.probabilities(trace.logits.float()).double().cpu()
    cases: list[Case] = []
    for n, opened in enumerate(group):
        subject = Subject(
            model,
            trace.pixels[n],
            whole[n],
            bench,
            opened.item.number,
            opened.item.label,
            _bound(opened, model),
        )
        for combination, (saliency, fault) in zip(plan.combinations, maps, strict=True):
            case = Case(
                subject,
                chosen[n],
                saliency[n],
                combination.method,
                combination.layer,
                fault[n],
            )
            subject.cases.append(case)
            cases.append(case)
    return cases


def _bound(opened: Opened, model: VisionModel) -> Callable[[int], Any]:
    return lambda target: opened.where(model, target)


def _row(plan: Plan, case: Case, combination: Any, scores: dict[str, Score]) -> Row:
    """A map's row, as JSON has it: no NaN, but None and a note."""
    subject = case.subject
    classes = subject.model.classes
    (predicted,) = subject.model.predicted(subject.whole[None])
    label = subject.label
    row: Row = {
        "label": label,
        "label_name": None if label is None else classes[label],
        "target": case.target,
        "target_name": classes[case.target],
        "prediction": predicted,
        "prediction_name": classes[predicted],
        "confidence": case.before,
        "method": combination.method.name,
        "layer": combination.shown,
        "fault": case.fault or None,
    }
    notes: dict[str, str] = {}
    curves: dict[str, list[float | None]] = {}
    for name, score in scores.items():
        row[name] = score.value if math.isfinite(score.value) else None
        if row[name] is None:
            notes[name] = score.note or ("not a number" if math.isnan(score.value) else "infinite")
        if score.curve is not None:
            curves[name] = [v if math.isfinite(v) else None for v in score.curve]
    return {**row, "notes": notes or None, "curves": curves or None}
