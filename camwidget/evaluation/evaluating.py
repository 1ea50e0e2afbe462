"""``evaluate``: many pictures × methods × layers × metrics, in batches whose results are kept at once."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from ..attribution.methods import Method
from ..errors import DataError, MetricError, ModelError
from ..metrics import Metric, MetricContext
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .batch import Row, run_batch
from .data import Data, open_data
from .evaluation import Evaluation
from .items import Item
from .parsing import TruthLike
from .plan import Plan, facts_of, make_plan
from .results_file import ResultsFile

__all__ = ["evaluate"]


def evaluate(
    model: VisionModel,
    data: Any,
    methods: str | Method | Sequence[str | Method] = ("gradcam", "random"),
    metrics: str | Metric | Sequence[str | Metric] = ("drop", "increase", "deletion"),
    *,
    layers: str | Sequence[str | None] | None = None,
    target: str = "label",
    results: str | os.PathLike[str] | None = None,
    truth: TruthLike | None = None,
    classes: Mapping[Any, Any] | None = None,
    limit: int | None = None,
    precision: str = "fp32",
    seed: int = 0,
    client: Any = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> Evaluation:
    """Score methods on many pictures.

    Args:
        model: from ``load`` or ``wrap``; left as it is.
        data: a folder of class folders, or a flat one of pictures without classes; a list of pictures, of (picture,
            class), of (picture, class, truth), or of samples of the zoo; a torchvision dataset; a DataLoader of
            (images, classes), images in [0, 1] at the model's size and not normalised, or of whole numbers (uint8),
            which are resized and cropped like any picture; or any iterable of what a list may hold. Of a stream, no
            more than a batch is in memory. A truth is a mask (H, W), masks (n, H, W), boxes (n, 4) as (left, top,
            right, bottom) in the picture's own pixels, or a sample; masks and boxes are of the class given beside them,
            and of whatever is explained where none is.
        methods: names of ``list_methods()``, or ``get_method`` with settings.
        metrics: names of ``list_metrics()``, or ``get_metric`` with settings.
        layers: module names; the model's default layer if None; "all" for every one of ``model.layers``.
        target: the class that is explained: "label", the picture's own, or "predicted", the model's.
        results: a file for the rows, JSON lines, written as they come; a run that was broken off goes on from it. A
            file of another evaluation is refused; but what is in the pictures' files or a dataset, and what ``truth``
            gives, is not compared.
            ``pandas.read_json(results, lines=True, precise_float=True)`` opens it. None keeps them in memory.
        truth: a function of (number, element of the data) that gives a truth, where the data does not hold it.
        classes: from the data's classes (folders' names, say) to the model's, where they differ; None for no class.
        limit: how many pictures at most: of a stream the first, otherwise spread evenly over the data.
        precision: as in ``explain``.
        seed: of all that is random.
        client: a ``dask.distributed`` client, whose workers share the work; the same numbers as without.
        batch: how many pictures share their passes.
        progress: called with (pictures done, all of them, or 0 where that is unknown), and may raise to cancel: what
            has been written to ``results`` is kept. A bar appears after a second if None.

    Returns:
        Means with confidence intervals, ranks, and every single row. A picture that cannot be read is skipped and
        listed; a map that ranks nothing has no score, and is counted.

    Raises:
        DataError: if the data is empty, has no classes to explain, or no picture can be read; or if the file of
            results is of another evaluation.
        MetricError: if a metric is unknown, or needs of every picture what no picture has.
        MethodError, LayerError, ModelError: as in ``explain``, before anything is computed where possible.
    """
    require_model(model, "evaluate", data)
    if not model.classes:
        raise ModelError(f"There is nothing to evaluate, since {model.no_classes}")
    plan = make_plan(model, methods, metrics, layers, target, precision, seed, batch)
    found = open_data(
        data,
        model,
        truth=truth,
        classes=classes,
        limit=limit,
        strict=target == "label" or "label" in plan.wants,
    )
    if results is not None and found.is_shuffled:
        raise DataError(
            "The DataLoader shuffles, so that what is missing in the file of results could not be told: make it with "
            "shuffle=False."
        )
    facts = facts_of(plan, found)
    with contextlib.closing(ResultsFile(results, facts)) as records:
        steps = _Run(plan, found, records, client, progress).steps()
        # Closed here and now when somebody cancels: work that is under way elsewhere is called off.
        with contextlib.closing(steps):
            follow(steps, f"evaluating {model.name}", progress)
        rows = records.rows()
    if all("error" in row for row in rows):
        if not rows:
            raise DataError("There is nothing to evaluate: the data is empty.")
        raise DataError(
            f"None of the {len(rows)} pictures can be evaluated. The first, {rows[0]['name']}: {rows[0]['error']}"
        )
    combinations = [(c.method.name, c.shown) for c in plan.combinations]
    return Evaluation.of(rows, plan.metrics, combinations, facts)


class _Run:
    """The batches that are not finished yet, one after another or on a cluster."""

    def __init__(
        self, plan: Plan, data: Data, records: ResultsFile, client: Any, progress: Progress | None
    ) -> None:
        self.plan, self.data, self.records = plan, data, records
        self.client, self.progress = client, progress
        self.total = data.total or 0
        self._done = sum(len({row["picture"] for row in rows}) for rows in records.batches.values())

    def steps(self) -> Generator[Stage]:
        """Once a batch, and in between where only asking is of interest."""
        yield self._stage()
        if self.client is None:
            bench = MetricContext(self.plan.precision, self.plan.seed)
            for number, items in self._batches():
                # A model that fails from the start is not asked about thousands of pictures; later ones are skipped.
                rows = run_batch(self.plan, bench, items, self._tick, strict=self._done == 0)
                del items  # before the next ones are read
                yield self._keep(number, rows)
        else:
            from .dask_backend import spread_out

            for number, rows in spread_out(self.client, self.plan, self._batches()):
                yield self._keep(number, rows)

    def _tick(self) -> None:
        """Let somebody cancel in the middle of a batch, which may take minutes."""
        if self.progress is not None:
            self.progress(self._done, self.total)

    def _stage(self) -> Stage:
        return Stage(self._done, self.total)

    def _keep(self, number: int, rows: list[Row]) -> Stage:
        self.records.add(number, rows)
        self._done += len({row["picture"] for row in rows})
        return self._stage()

    def _batches(self) -> Iterator[tuple[int, list[Item]]]:
        """Those that are missing, with their numbers: a batch is the same pictures in whatever run."""
        size = self.plan.batch
        number = 0
        while number in self.records.batches:
            number += 1
        if self.data.total is not None and number * size >= self.data.total:
            return
        items = self.data.items(number * size)
        while chunk := list(itertools.islice(items, size)):
            if number not in self.records.batches:
                if number == 0:
                    self._check_first(chunk)
                yield number, chunk
            chunk = []  # not kept while the next is read
            number += 1

    def _check_first(self, items: Sequence[Item]) -> None:
        """What the first pictures all lack, the others will lack too.

        Raises:
            DataError, MetricError: names the remedy.
        """
        readable = [item for item in items if not item.error]
        if not readable:
            return
        unlabelled = all(item.label is None for item in readable)
        if unlabelled and self.plan.target == "label":
            raise DataError(
                "The pictures have no classes to explain: give them as (picture, class), in class folders, or in rows "
                'under "label", or pass target="predicted" to explain what the model says.'
            )
        for metric in self.plan.metrics:
            if "label" in metric.needs and unlabelled:
                raise MetricError(
                    f"{metric.label} needs the pictures' true classes: give the data as (picture, class)."
                )
            if "truth" in metric.needs and all(item.truth is None for item in readable):
                raise MetricError(
                    f"{metric.label} needs to know where the objects are: give the data as (picture, class, mask or "
                    "boxes), samples of the zoo, or truth=…, a function of (number, element)."
                )
