"""Score many metrics of many maps together, so that shared requests to the model are made once."""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..attribution.batched_inference import rerun_probabilities
from ..errors import MetricError
from ..models.vision_model import VisionModel
from .cases import Case, Change, Recomputation, ScoredPicture
from .recomputation import alike, recompute_maps
from .registry import Metric, Request, Score

__all__ = ["Scoring", "check_metric", "score_steps"]

_NO_METHOD = "method unknown"
_NO_LABEL = "true class unknown"
_NO_PLACE = "place of the object unknown"
#: What ``measure`` may be given instead.
_REMEDIES = {
    _NO_METHOD: "The map is to be made anew: give an explanation as it comes from explain.",
    _NO_LABEL: "Give the picture's class as label=….",
    _NO_PLACE: "Give mask=…, bool (H, W) or (n, H, W), or a picture that carries its truth, such as a sample of the "
    "zoo, and of a class that it knows.",
}


@dataclass(frozen=True)
class Scoring:
    """How far the scoring has come.

    Attributes:
        done, total: passes of the model; the total grows where a metric asks again after an answer.
        scores: by case and metric's name, those that are final.
    """

    done: int
    total: int
    scores: dict[tuple[Case, str], Score]


def check_metric(metric: Metric, case: Case) -> None:
    """Raise a MetricError if the metric lacks something that it needs of this case."""
    if why := lacking(metric, case):
        raise MetricError(f"{metric.label} has no score: {why}. {_REMEDIES[why]}")


def lacking(metric: Metric, case: Case) -> str:
    """What a metric needs and this case has not, in a few words; "" if it has all."""
    if "method" in metric.needs and case.method is None:
        return _NO_METHOD
    if "label" in metric.needs and case.subject.label is None:
        return _NO_LABEL
    if "truth" in metric.needs and case.whereabouts is None:
        return _NO_PLACE
    return ""


def _no_part(metric: Metric, case: Case) -> str:
    """Why quantities give a metric no number; "" if they do, or the answers are probabilities."""
    if case.subject.model.scores != "value" or not metric.reads_answers:
        return ""
    if "certainty" in metric.needs:
        return "a quantity has no certainty to gain"
    return "" if case.value else "the quantity is 0, of which nothing is a part"


def score_steps(
    cases: Sequence[Case], metrics: Sequence[Metric], *, lenient: bool = False
) -> Iterator[Scoring]:
    """Score every case by every metric.

    Args:
        cases: of pictures on one bench; of those of one model the passes are shared.
        metrics: the metrics, of different names.
        lenient: whether a case that lacks what a metric needs scores NaN, with a note, instead of raising.

    Raises:
        MetricError: if a metric lacks what it needs (before anything is computed).
    """
    scores: dict[tuple[Case, str], Score] = {}
    for case in cases:
        for metric in metrics:
            if not lenient:
                check_metric(metric, case)
            elif why := lacking(metric, case):
                scores[case, metric.name] = Score(math.nan, why)
    open_tasks: list[_Task] = []
    for case in cases:
        for metric in metrics:
            if (case, metric.name) in scores:
                continue
            task = _Task(case, metric)
            task.go_on(None)
            _keep(task, scores, open_tasks)
    answered = _Answered()
    yield Scoring(0, max(len(open_tasks), 1), scores)
    while open_tasks:
        waiting, open_tasks = open_tasks, []
        asked = [t for t in waiting if isinstance(t.request, list)]
        groups = _alike(waiting)
        left = sum(map(len, groups))
        yield from answered.ask(asked, left, scores)
        for task in asked:
            assert isinstance(task.request, list)
            task.go_on(answered.of(task.case, task.request))
            _keep(task, scores, open_tasks)
        for group in groups:
            left -= len(group)
            before = answered.done
            for made in recompute_maps([(task.case, request) for task, request in group]):
                answered.done = before + made.done
                yield Scoring(answered.done, before + made.total + left, scores)
            for (task, _), maps in zip(group, made.maps, strict=True):
                task.go_on(maps)
                _keep(task, scores, open_tasks)
    yield Scoring(answered.done, answered.done, scores)


def _keep(task: _Task, scores: dict[tuple[Case, str], Score], open_tasks: list[_Task]) -> None:
    if task.score is None:
        open_tasks.append(task)
    else:
        scores[task.case, task.metric.name] = task.score


def _alike(tasks: Sequence[_Task]) -> list[list[tuple[_Task, Recomputation]]]:
    """The tasks that want maps made anew, with what they ask for: those of the same pixels and model together."""
    groups: dict[Hashable, list[tuple[_Task, Recomputation]]] = {}
    for task in tasks:
        if isinstance(task.request, Recomputation):
            key = alike(task.case, task.request)
            groups.setdefault(key, []).append((task, task.request))
    return list(groups.values())


class _Task:
    """One metric at work on one case: what it asks for now, or its score."""

    def __init__(self, case: Case, metric: Metric) -> None:
        self.case = case
        self.metric = metric
        self.request: Request | None = None
        self.score: Score | None = None
        self._work: Generator[Request, torch.Tensor, float | Score] | None = None

    def go_on(self, answer: torch.Tensor | None) -> None:
        """Begin, or take the answer to the present request, up to the next one or the end."""
        if self.case.fault and not (self.metric.takes_empty and self.case.is_empty):
            # A map that ranks nothing has no score; a number would be one of the tie rule.
            self.score = Score(math.nan, self.case.fault)
            return
        if why := _no_part(self.metric, self.case):
            self.score = Score(math.nan, why)
            return
        if self._work is None:
            result = self.metric.function(self.case, **dict(self.metric.options))
            if not isinstance(result, Generator):
                self._end(result)
                return
            self._work = result
        try:
            self.request = next(self._work) if answer is None else self._work.send(answer)
        except StopIteration as end:
            self._end(end.value)

    def _end(self, result: float | Score) -> None:
        self.request = None
        self.score = result if isinstance(result, Score) else Score(float(result))


class _Answered:
    """What the model has been asked, and what it answered."""

    def __init__(self) -> None:
        self.done = 0
        #: Probabilities (classes,), float64 on the CPU, by picture and change.
        self._rows: dict[tuple[ScoredPicture, Hashable], torch.Tensor] = {}

    def of(self, case: Case, changes: list[Change]) -> torch.Tensor:
        """The target's probabilities (n,), or parts of the quantity, for changes that have been asked about."""
        rows = [self._rows[case.subject, change.key][case.target] for change in changes]
        return torch.stack(rows) / case.scale if rows else torch.zeros(0, dtype=torch.float64)

    def ask(
        self, tasks: list[_Task], left: int, scores: dict[tuple[Case, str], Score]
    ) -> Iterator[Scoring]:
        """Ask about the changes that nobody has asked about before, those of one model and size in one series.

        ``left`` is what is to be done afterwards, at least.
        """
        new: dict[tuple[VisionModel, torch.Size], dict[tuple[ScoredPicture, Hashable], Change]] = {}
        for task in tasks:
            subject = task.case.subject
            self._rows.setdefault((subject, task.case.whole.key), subject.whole)
            assert isinstance(task.request, list)
            for change in task.request:
                if (subject, change.key) not in self._rows:
                    # A model may take pictures of any size, and those of two sizes make no batch.
                    series = new.setdefault((subject.model, subject.pixels.shape), {})
                    series[subject, change.key] = change
        total = self.done + sum(map(len, new.values())) + left
        for (model, _), changes in new.items():
            for _ in self._run(model, changes, tasks[0].case.subject.bench.precision):
                yield Scoring(self.done, total, scores)

    def _run(
        self,
        model: VisionModel,
        changes: dict[tuple[ScoredPicture, Hashable], Change],
        precision: str,
    ) -> Iterator[None]:
        keys = list(changes)
        unchanged: set[int] = set()

        def make(start: int, stop: int) -> torch.Tensor:
            rows = []
            for number in range(start, stop):
                subject = keys[number][0]
                row = changes[keys[number]].make()
                # The same picture has the same answer, to the last digit, in whatever batch it stands.
                if torch.equal(row, subject.pixels):
                    unchanged.add(number)
                rows.append(row)
            return model.inputs(torch.stack(rows))

        number = 0
        for values in rerun_probabilities(model, len(keys), make, precision=precision):
            for row in values.double():
                subject = keys[number][0]
                self._rows[keys[number]] = subject.whole if number in unchanged else row
                number += 1
            self.done += len(values)
            yield


def faults(raw: torch.Tensor, saliency: torch.Tensor) -> list[str]:
    """Why each map ranks nothing, or ""; of raw maps (N, h, w) and their saliency (N, H, W)."""
    found: list[Any] = []
    for values, shown in zip(raw, saliency, strict=True):
        if not torch.isfinite(values).all():
            found.append("NaN in the map")
        else:
            found.append("constant map" if bool(shown.min() == shown.max()) else "")
    return found
