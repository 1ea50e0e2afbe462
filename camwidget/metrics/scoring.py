"""Scoring of many maps by many metrics, with every shared request to the model made once."""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..attribution.batched_inference import rerun_probabilities
from ..errors import MetricError
from ..execution.host_copies import HostCopies
from ..models.vision_model import VisionModel
from .cases import Case, ChangedPicture, Recomputation, ScoredPicture
from .recomputation import recompute_maps, sharing_key
from .registry import Metric, Request, Score

__all__ = ["ScoringProgress", "check_input_kind", "check_metric", "score_steps"]

_NO_METHOD = "method unknown"
_NO_LABEL = "true class unknown"
_NO_LOCATION = "location of the object unknown"
_IS_CLIP = "not defined for clips"
#: What to pass to ``measure``, by the requirement that is missing.
_REMEDIES = {
    _NO_METHOD: "The metric recomputes the map: pass an explanation as returned by explain.",
    _NO_LABEL: "Pass the picture's class as label=….",
    _NO_LOCATION: "Pass mask=…, bool (H, W) or (n, H, W), or a picture with its ground truth, such as a sample "
    "of the zoo, for a class that it knows.",
    _IS_CLIP: "It compares neighbors in one picture: take 'deletion', 'insertion', 'energy' or 'inside-outside', which "
    "count the pixels of all frames.",
}


@dataclass(frozen=True)
class ScoringProgress:
    """Progress of the scoring of several cases.

    Attributes:
        done: forward passes that are finished.
        total: all forward passes; grows where a metric makes a further request.
        scores: the final scores so far, by case and metric name.

    Example:
        >>> from camwidget.metrics import ScoringProgress
        >>> ScoringProgress(done=2, total=8, scores={}).done
        2
    """

    done: int
    total: int
    scores: dict[tuple[Case, str], Score]


def check_metric(metric: Metric, case: Case) -> None:
    """Raise a MetricError if the metric lacks something that it needs of this case."""
    if why := missing_requirement(metric, case):
        raise MetricError(f"{metric.label} has no score: {why}. {_REMEDIES[why]}")


def check_input_kind(metric: Metric, model: VisionModel) -> None:
    """Raise a MetricError if the metric is not defined for what the model takes: clips."""
    if not _is_defined_for(metric, model):
        raise MetricError(f"{metric.label} has no score: {_IS_CLIP}. {_REMEDIES[_IS_CLIP]}")


def _is_defined_for(metric: Metric, model: VisionModel) -> bool:
    return model.frames is None or "picture" not in metric.needs


def missing_requirement(metric: Metric, case: Case) -> str:
    """The requirement of a metric that a case does not meet, in a few words; empty if it meets all."""
    if not _is_defined_for(metric, case.subject.model):
        return _IS_CLIP
    if "method" in metric.needs and case.method is None:
        return _NO_METHOD
    if "label" in metric.needs and case.subject.label is None:
        return _NO_LABEL
    if "truth" in metric.needs and case.locations is None:
        return _NO_LOCATION
    return ""


def _undefined_reason(metric: Metric, case: Case) -> str:
    """Why a metric is undefined for a regression output; empty if it is defined, or for probabilities."""
    if case.subject.model.scores != "value" or not metric.reads_predictions:
        return ""
    if "certainty" in metric.needs:
        return "a quantity has no certainty to gain"
    return "" if case.value else "the quantity is 0, of which nothing is a part"


def score_steps(
    cases: Sequence[Case], metrics: Sequence[Metric], *, lenient: bool = False
) -> Iterator[ScoringProgress]:
    """Score every case by every metric, and report the progress.

    Args:
        cases: the maps; maps of pictures with the same model share its forward passes.
        metrics: the metrics, with distinct names.
        lenient: whether a case that lacks what a metric needs scores NaN with a note, instead of raising.

    Yields:
        The progress after each batch; the last one has all scores.

    Raises:
        MetricError: if a case lacks what a metric needs, before anything is computed.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from camwidget.metrics import Case, ScoredPicture, score_steps
        >>> model = cw.load(device="cpu")
        >>> pixels = model.preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> probabilities = model.probabilities(model.logits(pixels[None]))[0].double()
        >>> case = Case(ScoredPicture(model, pixels, probabilities), target=6, saliency=torch.rand(192, 192))
        >>> *_, last = score_steps([case], [cw.get_metric("drop")])
        >>> 0 <= last.scores[case, "drop"].value <= 1
        True
    """
    scores: dict[tuple[Case, str], Score] = {}
    for case in cases:
        for metric in metrics:
            if not lenient:
                check_metric(metric, case)
            elif why := missing_requirement(metric, case):
                scores[case, metric.name] = Score(math.nan, why)
    pending: list[_MetricRun] = []
    for case in cases:
        for metric in metrics:
            if (case, metric.name) in scores:
                continue
            run = _MetricRun(case, metric)
            run.advance(None)
            _collect(run, scores, pending)
    predictions = _PredictionCache()
    yield ScoringProgress(0, max(len(pending), 1), scores)
    while pending:
        waiting, pending = pending, []
        predicting = [r for r in waiting if isinstance(r.request, list)]
        groups = _recomputation_groups(waiting)
        left = sum(map(len, groups))
        yield from predictions.compute(predicting, left, scores)
        for run in predicting:
            assert isinstance(run.request, list)
            run.advance(predictions.values(run.case, run.request))
            _collect(run, scores, pending)
        for group in groups:
            left -= len(group)
            before = predictions.done
            for recomputed in recompute_maps([(run.case, request) for run, request in group]):
                predictions.done = before + recomputed.done
                yield ScoringProgress(predictions.done, before + recomputed.total + left, scores)
            for (run, _), maps in zip(group, recomputed.maps, strict=True):
                run.advance(maps)
                _collect(run, scores, pending)
    yield ScoringProgress(predictions.done, predictions.done, scores)


def _collect(
    run: _MetricRun, scores: dict[tuple[Case, str], Score], pending: list[_MetricRun]
) -> None:
    if run.score is None:
        pending.append(run)
    else:
        scores[run.case, run.metric.name] = run.score


def _recomputation_groups(
    runs: Sequence[_MetricRun],
) -> list[list[tuple[_MetricRun, Recomputation]]]:
    """The runs that request recomputed maps, with their requests, grouped by pixels and model."""
    groups: dict[Hashable, list[tuple[_MetricRun, Recomputation]]] = {}
    for run in runs:
        if isinstance(run.request, Recomputation):
            key = sharing_key(run.case, run.request)
            groups.setdefault(key, []).append((run, run.request))
    return list(groups.values())


class _MetricRun:
    """A metric applied to a case: its pending request, or its score."""

    def __init__(self, case: Case, metric: Metric) -> None:
        self.case = case
        self.metric = metric
        self.request: Request | None = None
        self.score: Score | None = None
        self._work: Generator[Request, torch.Tensor, float | Score] | None = None

    def advance(self, result: torch.Tensor | None) -> None:
        """Run the metric up to its next request or its end.

        Args:
            result: the result of the pending request; None at the start.
        """
        if self.case.fault and not (self.metric.takes_empty and self.case.is_empty):
            # A constant map has no score: its value would depend on how ties are broken.
            self.score = Score(math.nan, self.case.fault)
            return
        if why := _undefined_reason(self.metric, self.case):
            self.score = Score(math.nan, why)
            return
        if self._work is None:
            started = self.metric.function(self.case, **dict(self.metric.options))
            if not isinstance(started, Generator):
                self._end(started)
                return
            self._work = started
        try:
            self.request = next(self._work) if result is None else self._work.send(result)
        except StopIteration as end:
            self._end(end.value)

    def _end(self, result: float | Score) -> None:
        self.score = result if isinstance(result, Score) else Score(float(result))


class _PredictionCache:
    """Predictions for changed pictures, each computed once."""

    def __init__(self) -> None:
        self.done = 0
        #: Probabilities (classes,), float64 on the CPU, by picture and change.
        self._rows: dict[tuple[ScoredPicture, Hashable], torch.Tensor] = {}

    def values(self, case: Case, changes: list[ChangedPicture]) -> torch.Tensor:
        """The target's probabilities (n,) for computed changes; for a regression output, relative to the unmasked
        picture.
        """
        rows = [self._rows[case.subject, change.key][case.target] for change in changes]
        return torch.stack(rows) / case.scale if rows else torch.zeros(0, dtype=torch.float64)

    def compute(
        self, runs: list[_MetricRun], left: int, scores: dict[tuple[Case, str], Score]
    ) -> Iterator[ScoringProgress]:
        """Predict the new changes, those of one model and input size in one series of batches.

        Args:
            runs: runs whose request is a list of changes.
            left: forward passes that follow at least.
            scores: the final scores so far.

        Yields:
            The progress after each batch.
        """
        new: dict[
            tuple[VisionModel, torch.Size], dict[tuple[ScoredPicture, Hashable], ChangedPicture]
        ] = {}
        for run in runs:
            subject = run.case.subject
            self._rows.setdefault((subject, run.case.unmasked.key), subject.probabilities)
            assert isinstance(run.request, list)
            for change in run.request:
                if (subject, change.key) not in self._rows:
                    # Pictures of different sizes cannot share a batch.
                    series = new.setdefault((subject.model, subject.pixels.shape), {})
                    series[subject, change.key] = change
        total = self.done + sum(map(len, new.values())) + left
        for (model, _), changes in new.items():
            for _ in self._run(model, changes, runs[0].case.subject.context.precision):
                yield ScoringProgress(self.done, total, scores)

    def _run(
        self,
        model: VisionModel,
        changes: dict[tuple[ScoredPicture, Hashable], ChangedPicture],
        precision: str,
    ) -> Iterator[None]:
        keys = list(changes)
        #: By the first change of a batch, which of its pictures are the unmasked one.
        unchanged: dict[int, HostCopies] = {}

        def make(start: int, stop: int) -> torch.Tensor:
            rows, same = [], []
            for key in keys[start:stop]:
                row = changes[key].make()
                rows.append(row)
                same.append((row == key[0].pixels).all())
            unchanged[start] = HostCopies([torch.stack(same)])
            return model.inputs(torch.stack(rows))

        number = 0
        for values in rerun_probabilities(model, len(keys), make, precision=precision):
            (flags,) = unchanged.pop(number).read()
            for row, is_unchanged in zip(values.double(), flags.tolist(), strict=True):
                subject = keys[number][0]
                # Rounding depends on the batch: the unmasked picture must have exactly one prediction.
                self._rows[keys[number]] = subject.probabilities if is_unchanged else row
                number += 1
            self.done += len(values)
            yield


def find_faults(raw: torch.Tensor, saliency: torch.Tensor) -> list[str]:
    """Find the maps that are constant or have NaN, which rank no pixels.

    Args:
        raw: unscaled maps (N, h, w).
        saliency: scaled maps (N, H, W).

    Returns:
        For each map the reason ("constant map", "NaN in the map"), or "" for a proper map.
    """
    found: list[Any] = []
    for values, shown in zip(raw, saliency, strict=True):
        if not torch.isfinite(values).all():
            found.append("NaN in the map")
        else:
            found.append("constant map" if bool(shown.min() == shown.max()) else "")
    return found
