"""``PlanRun``: the computation of a plan for all pictures of a data set, batch by batch and resumable."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from ..errors import DataError, MetricError
from ..metrics import MetricContext
from ..models.spatial_model import SpatialModel
from ..progress import Progress, Stage
from .batch import Row, run_batch
from .data import Data
from .items import Item
from .plan import EvaluationPlan
from .results_file import ResultsFile

__all__ = ["PlanRun"]


class PlanRun:
    """The run of a plan over all batches that are not finished yet, in this process or on a cluster.

    Args:
        plan: what is computed for each picture.
        data: the pictures.
        results_file: the finished batches; new ones are added to it.
        client: a ``dask.distributed`` client; None computes in this process.
        progress: called within a batch with (pictures done, all pictures, or 0 if unknown); may raise to cancel.

    Attributes:
        total: number of pictures; 0 if unknown.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        data: Data,
        results_file: ResultsFile,
        client: Any,
        progress: Progress | None,
    ) -> None:
        self.plan, self.data, self.results_file = plan, data, results_file
        self.client, self.progress = client, progress
        self.total = data.total or 0
        self._done = sum(batch.pictures for batch in results_file.batches.values())

    def steps(self) -> Generator[Stage]:
        """Compute the missing batches, and yield the progress after each."""
        yield self._stage()
        if self.client is None:
            context = MetricContext(self.plan.precision, self.plan.seed)
            for number, items in self._batches():
                # Failures on all of the first batch raise; later failures only skip their pictures.
                rows = run_batch(self.plan, context, items, self._tick, strict=self._done == 0)
                del items  # frees the memory before the next batch is read
                yield self._record(number, rows)
        else:
            from .dask_backend import run_on_cluster

            for number, rows in run_on_cluster(self.client, self.plan, self._batches()):
                yield self._record(number, rows)

    def _tick(self) -> None:
        """Report the progress within a batch, which allows cancellation: a batch may take minutes."""
        if self.progress is not None:
            self.progress(self._done, self.total)

    def _stage(self) -> Stage:
        return Stage(self._done, self.total)

    def _record(self, number: int, rows: list[Row]) -> Stage:
        self.results_file.add(number, rows)
        self._done += len({row["picture"] for row in rows})
        return self._stage()

    def _batches(self) -> Iterator[tuple[int, list[Item]]]:
        """Iterate over the missing batches with their numbers; every run has the same batches."""
        size = self.plan.batch
        number = 0
        while number in self.results_file.batches:
            number += 1
        if self.data.total is not None and number * size >= self.data.total:
            return
        items = self.data.items(number * size)
        while chunk := list(itertools.islice(items, size)):
            if number not in self.results_file.batches:
                if number == 0:
                    self._check_first(chunk)
                yield number, chunk
            chunk = []  # frees the memory before the next batch is read
            number += 1

    def _check_first(self, items: Sequence[Item]) -> None:
        """Refuse data whose first pictures all lack a label or truth that is needed.

        Raises:
            DataError: if the classes to explain are missing.
            MetricError: if a metric lacks what it needs, and the plan is not lenient.
        """
        readable = [item for item in items if not item.error]
        if not readable:
            return
        unlabeled = all(item.label is None for item in readable)
        if unlabeled and self.plan.target == "label":
            raise DataError(
                "The pictures have no classes to explain: give them as (picture, class), in class folders, or in rows "
                'under "label", or pass target="predicted" to explain the predicted class.'
            )
        if self.plan.lenient:
            return
        for metric in self.plan.metrics:
            if "label" in metric.needs and unlabeled:
                raise MetricError(
                    f"{metric.label} needs the pictures' true classes: give the data as (picture, class)."
                )
            is_known = any(item.truth is not None for item in readable) or _has_place(self.plan)
            if "truth" in metric.needs and not is_known:
                raise MetricError(
                    f"{metric.label} needs to know where the objects are: give the data as (picture, class, mask or "
                    "boxes), samples of the zoo, or truth=…, a function of (number, element)."
                )


def _has_place(plan: EvaluationPlan) -> bool:
    """Whether the model is asked about a place in the picture: a detection, or a region."""
    model = plan.model
    return model.finds_boxes or (isinstance(model, SpatialModel) and model.chosen_size is not None)
