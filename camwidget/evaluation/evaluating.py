"""``evaluate``: scores of many pictures × methods × layers by several metrics, in resumable batches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..attribution.methods import Method
from ..errors import DataError, ModelError
from ..metrics import Metric
from ..models.argument_checks import require_model
from ..models.findings import is_asked_per_picture
from ..models.vision_model import VisionModel
from ..progress import Progress, follow
from .data import open_data
from .evaluation import Evaluation
from .parsing import TruthLike
from .plan import facts_of, make_plan
from .plan_run import PlanRun
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
            (images, classes) with images in [0, 1] at the model's input size, not normalized, or in uint8, which are
            resized and cropped like any picture; or any iterable of such elements, of which one
            batch at a time is in memory. A truth is a mask (H, W), masks (n, H, W), boxes (n, 4) as
            (left, top, right, bottom) in the picture's own pixels, or a sample. Masks and boxes belong to the class
            of their element, or to the explained class if it has none.
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
        that does not rank pixels has no score and is counted.

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
    if not model.classes and not is_asked_per_picture(model):
        raise ModelError(f"There is nothing to evaluate, since {model.no_classes}")
    plan = make_plan(model, methods, metrics, layers, target, precision, seed, batch)
    found = open_data(
        data,
        model,
        truth=truth,
        classes=classes,
        limit=limit,
        strict=target == "label" or "label" in plan.needs,
    )
    if results is not None and found.is_shuffled:
        raise DataError(
            "The DataLoader shuffles, so an evaluation cannot be resumed from a results file: create it with "
            "shuffle=False."
        )
    facts = facts_of(plan, found)
    with contextlib.closing(ResultsFile(results, facts)) as results_file:
        steps = PlanRun(plan, found, results_file, client, progress).steps()
        # Closed at once on cancellation, which also cancels the batches on a cluster.
        with contextlib.closing(steps):
            follow(steps, f"evaluating {model.name}", progress)
        rows = list(results_file.rows())
    if all("error" in row for row in rows):
        if not rows:
            raise DataError("There is nothing to evaluate: the data is empty.")
        raise DataError(
            f"None of the {len(rows)} pictures can be evaluated. The first, {rows[0]['name']}: {rows[0]['error']}"
        )
    combinations = [(c.method.name, c.listed_layer) for c in plan.combinations]
    return Evaluation.from_rows(rows, plan.metrics, combinations, facts)
