"""``survey_pictures`` and ``mistakes``: predictions, maps and features of all pictures of a data set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from ..attribution.methods import Method
from ..errors import DataError, ModelError
from ..evaluation.data import Data, open_data
from ..evaluation.items import Item
from ..evaluation.parsing import TruthLike
from ..evaluation.plan import facts_of, make_plan
from ..evaluation.plan_run import PlanRun
from ..evaluation.results_file import ResultsFile
from ..metrics import Metric
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .result import SurveyResult
from .survey_columns import SurveyColumns

__all__ = ["METRICS", "SurveyRun", "mistakes", "survey_pictures"]

#: The metrics of a survey: one of the model alone, and the share of the map on the objects where they are known.
METRICS = ("drop", "energy")


class SurveyRun:
    """A survey that is computed step by step, and read at any time.

    Args:
        model: as in ``survey_pictures``, and so the others.
        data: the pictures.
        method: the method of the maps.
        layer: the layer of the maps and features.
        metrics: the metrics.
        results: the file of the rows.
        truth: gives the locations of objects.
        classes: maps classes of the data to those of the model.
        limit: the greatest number of pictures.
        precision: precision of the passes.
        seed: seed of the random numbers.
        client: a Dask client.
        batch: pictures per pass.
        progress: called within a batch; may raise to cancel.

    Attributes:
        data: the opened data set.
        total: number of pictures; 0 if unknown.
    """

    def __init__(
        self,
        model: VisionModel,
        data: Any,
        *,
        method: str | Method = "gradcam",
        layer: str | None = None,
        metrics: str | Metric | Sequence[str | Metric] = METRICS,
        results: str | os.PathLike[str] | None = None,
        truth: TruthLike | None = None,
        classes: Mapping[Any, Any] | None = None,
        limit: int | None = None,
        precision: str = "fp32",
        seed: int = 0,
        client: Any = None,
        batch: int = 16,
        progress: Progress | None = None,
    ) -> None:
        require_model(model, "Survey", data)
        if not model.classes:
            raise ModelError(f"There is nothing to survey, since {model.no_classes}")
        plan = make_plan(model, [method], metrics, layer, "predicted", precision, seed, batch)
        (combination,) = plan.combinations
        plan = replace(plan, extra=SurveyColumns(combination.layer), lenient=True)
        self.data: Data = open_data(
            data, model, truth=truth, classes=classes, limit=limit, strict=False
        )
        if results is not None and self.data.is_shuffled:
            raise DataError(
                "The DataLoader shuffles, so a survey cannot be resumed from a results file: create it with "
                "shuffle=False."
            )
        self._model, self._plan = model, plan
        self._facts = facts_of(plan, self.data)
        self._file = ResultsFile(results, self._facts)
        self._run = PlanRun(plan, self.data, self._file, client, progress)
        self.total = self._run.total

    def steps(self) -> Generator[Stage]:
        """Compute the missing batches, and yield the progress after each."""
        return self._run.steps()

    def result(self) -> SurveyResult:
        """Read what is computed so far."""
        return SurveyResult.from_rows(
            self._file.rows(),
            self._model.classes,
            self._plan.metrics,
            self._facts,
            self._file.folder,
        )

    def item(self, survey: SurveyResult, row: int) -> Item:
        """Read a picture again, as the data gives it.

        Args:
            survey: what was found.
            row: row number of its table.

        Raises:
            DataError: if the data cannot be read twice.
        """
        number = int(survey.table["picture"].iloc[row])
        numbers = pd.concat([survey.table["picture"], survey.skipped["picture"]]).astype(int)
        place = int((numbers < number).sum())
        item = next(self.data.items(place), None)
        if item is None or item.number != number:
            raise DataError(
                f"{survey.table['name'].iloc[row]} cannot be opened: the data can be read only once. Pass a list, a "
                "folder or a dataset."
            )
        return item

    def close(self) -> None:
        """Close the file of results."""
        self._file.close()


def survey_pictures(
    model: VisionModel,
    data: Any,
    *,
    method: str | Method = "gradcam",
    layer: str | None = None,
    metrics: str | Metric | Sequence[str | Metric] = METRICS,
    results: str | os.PathLike[str] | None = None,
    truth: TruthLike | None = None,
    classes: Mapping[Any, Any] | None = None,
    limit: int | None = None,
    precision: str = "fp32",
    seed: int = 0,
    client: Any = None,
    batch: int = 16,
    progress: Progress | None = None,
) -> SurveyResult:
    """Compute prediction, map, features and scores of each picture of a data set, for the predicted class.

    Of each picture, a map of 16 × 16 cells, at most 2 × 512 features, and a thumbnail are kept: some 7 kB in the file
    of results, and as much in a nameless temporary file beside it (or where ``tempfile`` has its files), which is
    mapped into memory. Memory itself grows by some hundred bytes a picture: its row of the table.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        data: pictures in any form that ``evaluate`` takes, with their classes where these are known.
        method: the method of the maps, a name of ``list_methods`` or from ``get_method``.
        layer: the layer of the maps and of the features; the model's default layer if None.
        metrics: names from ``list_metrics``, or metrics from ``get_metric``. One that needs what the data lacks, such
            as the places of objects, is left out.
        results: a file for the rows, as in ``evaluate``: the same call resumes an interrupted survey.
        truth: as in ``evaluate``.
        classes: as in ``evaluate``.
        limit: the greatest number of pictures, as in ``evaluate``.
        precision: "fp32", "bf16" or "fp16", as in ``explain``.
        seed: seed of all random numbers, ≥ 0.
        client: a ``dask.distributed`` client that computes the batches on its workers, with the same results.
        batch: number of pictures per forward pass, at least 1.
        progress: called with (pictures done, all pictures, or 0 if unknown); may raise to cancel, and ``results`` keeps
            the finished batches. If None, a bar appears after a second.

    Returns:
        One row for each picture, with maps, features and thumbnails.

    Raises:
        DataError: if the data is empty, no picture can be read, or the file of results belongs to another survey.
        MethodError: if the method is unknown or does not apply.
        MetricError: if a metric is unknown.
        LayerError: if there is no such layer.
        ModelError: if ``model`` is not from ``load`` or ``wrap``, or fails on every picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> found = cw.survey.survey_pictures(model, cw.zoo.samples("zoo/biased"))
        >>> sorted(found.classes), len(found.mistakes) > 0
        (['stag beetle', 'weevil'], True)
    """
    run = SurveyRun(
        model,
        data,
        method=method,
        layer=layer,
        metrics=metrics,
        results=results,
        truth=truth,
        classes=classes,
        limit=limit,
        precision=precision,
        seed=seed,
        client=client,
        batch=batch,
        progress=progress,
    )
    with contextlib.closing(run), contextlib.closing(run.steps()) as steps:
        follow(steps, f"surveying {model.name}", progress)
        found = run.result()
    if not len(found):
        raise DataError(
            "There is nothing to survey: the data is empty."
            if not len(found.skipped)
            else f"None of the {len(found.skipped)} pictures can be surveyed. The first, "
            f"{found.skipped['name'][0]}: {found.skipped['reason'][0]}"
        )
    return found


def mistakes(model: VisionModel, data: Any, **settings: Any) -> pd.DataFrame:
    """List the pictures of a data set that a model predicts wrong, the most confident mistakes first.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        data: pictures with their classes, in any form that ``evaluate`` takes.
        settings: settings of ``camwidget.survey.survey_pictures``, such as ``limit``, ``metrics`` or ``results``.

    Returns:
        One row per mistake: number and name of the picture, truth, prediction, confidence of the prediction,
        truth_confidence, that of the true class, both from 0 to 1, and the value of each metric of the map.

    Raises:
        DataError: if no true class is known, or the data is empty.
        ModelError: if ``model`` is not from ``load`` or ``wrap``, or fails on every picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> wrong = cw.mistakes(model, cw.zoo.samples("zoo/biased"))
        >>> wrong[["truth", "prediction"]].iloc[0].tolist()
        ['weevil', 'stag beetle']
    """
    require_model(model, "mistakes", data)
    return survey_pictures(model, data, **settings).mistakes.drop(columns="correct")
