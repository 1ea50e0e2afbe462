"""``evaluate``: many pictures × methods × layers × metrics, in batches whose results are kept at once."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from .._validation import require_model
from ..attribution.methods import Method
from ..errors import DataError, MetricError, ModelError
from ..metrics import Metric, MetricContext
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
    """Score saliency methods on a data set.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        data: a folder of class folders, or a flat folder of unlabeled pictures; a list of pictures, of (picture,
            class), of (picture, class, truth), or of samples of the zoo; a torchvision dataset; a DataLoader of
            (images, classes) with images in [0, 1], not normalized; or any iterable of what a list may contain. Of an
            iterable, one batch at a time is in memory. A truth is a mask (H, W), masks (n, H, W), boxes (n, 4) as
            (left, top, right, bottom) in the picture's own pixels, or a sample. Masks and boxes belong to the class
            beside them, or to the explained class if there is none.
        methods: names from ``list_methods``, or methods from ``get_method``.
        metrics: names from ``list_metrics``, or metrics from ``get_metric``.
        layers: module names; the model's default layer if None; "all" for every layer of ``model.layers``.
        target: the explained class: "label", the picture's true class, or "predicted", the model's prediction.
        results: a file for the rows, in JSON lines, written batch by batch; an interrupted run resumes from it. A file
            of another evaluation is refused, but the contents of the picture files, of a dataset and of ``truth`` are
            not compared. ``pandas.read_json(results, lines=True, precise_float=True)`` opens it. If None, the rows stay
            in memory.
        truth: a function of (number, element of the data) that returns a truth, where the data has none.
        classes: a mapping from classes of the data (such as folder names) to classes of the model, where they differ;
            None for no class.
        limit: the greatest number of pictures: the first ones of an iterable, otherwise evenly spaced ones.
        precision: "fp32", "bf16" or "fp16", as in ``explain``.
        seed: seed of all random numbers, ≥ 0.
        client: a ``dask.distributed`` client that runs the batches on its workers, with the same results.
        batch: number of pictures per forward pass, at least 1.
        progress: called with (pictures done, all pictures, or 0 if unknown); may raise to cancel, and ``results`` keeps
            the finished batches. If None, a bar appears after a second.

    Returns:
        Means with confidence intervals, ranks, and all rows. Pictures that cannot be read are skipped and listed; a map
        that ranks nothing has no score and is counted.

    Raises:
        DataError: if the data is empty, has no classes to explain, or no picture can be read; or if the file of
            results belongs to another evaluation.
        MetricError: if a metric is unknown, or no picture has what it needs.
        MethodError: if a method is unknown or does not apply.
        LayerError: if there is no such layer.
        ModelError: if ``model`` is not from ``load`` or ``wrap``, or fails on every picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> samples = cw.zoo.samples("zoo/textures")[:4]
        >>> evaluation = cw.evaluate(model, samples, methods=["gradcam", "random"], metrics=["pointing"])
        >>> evaluation.table["pointing"]["mean"].loc["gradcam"] > 0.5
        np.True_
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
            context = MetricContext(self.plan.precision, self.plan.seed)
            for number, items in self._batches():
                # A model that fails from the start is not asked about thousands of pictures; later ones are skipped.
                rows = run_batch(self.plan, context, items, self._tick, strict=self._done == 0)
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
                "The pictures have no classes to explain: give them as (picture, class), or in class folders, or pass "
                'target="predicted" to explain what the model says.'
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
