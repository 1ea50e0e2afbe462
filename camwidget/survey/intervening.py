"""``intervene``: hide something in all pictures of a data set, and evaluate the model again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from .._validation import is_number
from ..attribution.explaining import raw_maps, saliency_maps
from ..attribution.methods import Method, get_method
from ..attribution.targets import ClassTarget
from ..attribution.trace import Trace
from ..errors import CamwidgetError, DataError, ModelError
from ..evaluation.data import open_data
from ..evaluation.items import OpenedItem
from ..evaluation.plan import ExtraColumns, facts_of, make_plan
from ..evaluation.plan_run import PlanRun
from ..evaluation.results_file import ResultsFile
from ..evaluation.table import means
from ..masking.baselines import check_baseline
from ..masking.rank_rule import hidden_by_rank, levels_of, threshold, top_mask
from ..metrics import Case
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .clusters import Cluster

__all__ = ["Intervention", "InterventionRun", "intervene"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """What changed when something was hidden in all pictures.

    Attributes:
        hidden: what was hidden, in words.
        table: data frame with one row per picture: number and name; truth (None if unknown) and prediction; confidence
            of the prediction; hidden_prediction, and hidden_confidence, the value of the same class when it is hidden;
            control_prediction and control_confidence, when as many pixels of the same shape are hidden at a random
            place.
    """

    hidden: str
    table: pd.DataFrame = field(repr=False)

    @property
    def summary(self) -> pd.DataFrame:
        """The change by what was hidden and by the control: mean, and the ends of its 95 % bootstrap interval.

        The rows are "accuracy", where the truth is known; "same prediction", the share of pictures that are predicted
        as before; and "confidence" of the class that was predicted before. "before" is the mean without hiding.
        """
        table = self.table
        known = table["truth"].notna().to_numpy(bool)
        right = {
            name: (table[name] == table["truth"]).to_numpy(float)[known]
            for name in ("prediction", "hidden_prediction", "control_prediction")
        }
        same = {
            name: (table[name] == table["prediction"]).to_numpy(float)
            for name in ("prediction", "hidden_prediction", "control_prediction")
        }
        confidence = {
            name: table[name].to_numpy(float)
            for name in ("confidence", "hidden_confidence", "control_confidence")
        }
        rows = {"same prediction": same, "confidence": confidence}
        if known.any():
            rows = {"accuracy": right, **rows}
        found = {}
        for name, values in rows.items():
            before, hidden, control = values.values()
            # Paired: pictures are resampled with all of their values.
            change, low, high = means(np.stack([hidden - before, control - before], 1))
            found[name] = {
                "before": float(before.mean()),
                "change": change[0],
                "low": low[0],
                "high": high[0],
                "control": change[1],
                "control low": low[1],
                "control high": high[1],
            }
        return pd.DataFrame.from_dict(found, orient="index")

    def of(self, rows: Sequence[int] | NDArray[np.int64]) -> Intervention:
        """Return the same of some pictures only, such as a cluster's.

        Args:
            rows: rows of the table; those of a survey of the same data are the same.
        """
        return replace(self, table=self.table.iloc[list(rows)])

    def __str__(self) -> str:
        name = "accuracy" if "accuracy" in self.summary.index else "same prediction"
        row = self.summary.loc[name]
        return (
            f"{self.hidden} hidden in {len(self.table):,} pictures: {name} {row['before']:.1%} → "
            f"{row['before'] + row['change']:.1%}, {_points(row, '')}; at a random place {_points(row, 'control ')}."
        )


def _points(row: Any, prefix: str) -> str:
    change = row["control" if prefix else "change"]
    return f"{100 * change:+.1f} points ({100 * row[prefix + 'low']:+.1f} to {100 * row[prefix + 'high']:+.1f})"


@dataclass(frozen=True, eq=False)
class _HiddenFacts(ExtraColumns):
    """Columns of the predictions with pixels hidden: a class's evidence, or a region that all pictures share.

    Attributes:
        layer: the layer of the maps.
        method: the method of the maps.
        target: index of the class whose evidence is hidden; None for the predicted one.
        region: bool (H, W), hidden in all pictures instead of evidence; None for evidence.
        fraction: the share of pixels that is hidden.
        baseline: what replaces them.
        seed: seed of the control's places.
    """

    layer: str
    method: Method
    target: int | None
    region: NDArray[np.bool_] | None
    fraction: float
    baseline: str
    seed: int

    @property
    def facts(self) -> dict[str, Any]:
        region = None
        if self.region is not None:
            region = hashlib.sha256(
                repr(self.region.shape).encode() + np.packbits(self.region).tobytes()
            ).hexdigest()[:16]
        return {
            "intervention": {
                "target": self.target,
                "region": region,
                "fraction": self.fraction,
                "baseline": self.baseline,
            }
        }

    def columns(
        self, trace: Trace, opened: Sequence[OpenedItem], cases: Sequence[Case]
    ) -> list[dict[str, Any]]:
        model = trace.model
        size = (int(trace.pixels.shape[-2]), int(trace.pixels.shape[-1]))
        hidden = self._hidden(trace, cases, size)
        moved = torch.stack(
            [self._moved(mask, p.item.number, size) for mask, p in zip(hidden, opened, strict=True)]
        )
        found = []
        for masks in (hidden, moved):
            pixels = torch.stack(
                [c.subject.masked(m, self.baseline) for c, m in zip(cases, masks, strict=True)]
            )
            with torch.no_grad():
                logits = model.logits(pixels)
                found.append((model.predicted(logits), model.probabilities(logits.float())))
        return [
            {
                "hidden_prediction": found[0][0][n],
                "hidden_confidence": float(found[0][1][n, case.target]),
                "control_prediction": found[1][0][n],
                "control_confidence": float(found[1][1][n, case.target]),
            }
            for n, case in enumerate(cases)
        ]

    def _hidden(self, trace: Trace, cases: Sequence[Case], size: tuple[int, int]) -> torch.Tensor:
        """Which pixels are hidden, bool (N, H, W)."""
        device = trace.pixels.device
        if self.region is not None:
            region = torch.from_numpy(self.region.astype(np.float32))[None, None]
            fitted = torch.nn.functional.interpolate(region, size, mode="nearest")[0, 0] > 0.5
            return fitted.to(device).expand(len(cases), *size)
        saliency = [case.saliency for case in cases]
        if self.target is not None:
            target = ClassTarget(self.target, trace.model.classes[self.target])
            raw = raw_maps(trace, [target], [self.method], [self.layer])[0, 0, self.layer].float()
            saliency = list(saliency_maps(raw, size, self.method.scale))
        # A map without evidence ranks no pixel, so that nothing is hidden.
        maps = torch.stack(list(saliency)).float().nan_to_num(0.0)
        has_evidence = (maps > 0).flatten(1).any(1)[:, None, None]
        return hidden_by_rank(levels_of(maps), threshold(self.fraction)) & has_evidence

    def _moved(self, mask: torch.Tensor, number: int, size: tuple[int, int]) -> torch.Tensor:
        """The mask at a random place; what leaves the picture enters it on the other side."""
        rng = np.random.default_rng([self.seed, number])
        steps = (int(rng.integers(size[0])), int(rng.integers(size[1])))
        return torch.roll(mask, steps, (0, 1))


class InterventionRun:
    """An intervention that is computed step by step, and read when it is complete.

    Args:
        model: as in ``intervene``, and so the others.
        data: the pictures.
        hide: what is hidden.
        fraction: share of the pixels.
        baseline: what replaces them.
        method: the method of the maps.
        layer: the layer of the maps.
        results: the file of the rows.
        classes: maps classes of the data to those of the model.
        limit: the greatest number of pictures.
        precision: precision of the passes.
        seed: seed of the random numbers.
        client: a Dask client.
        batch: pictures per pass.
        progress: called within a batch; may raise to cancel.
    """

    def __init__(
        self,
        model: VisionModel,
        data: Any,
        hide: str | Cluster | NDArray[Any] = "evidence",
        *,
        fraction: float = 0.1,
        baseline: str = "blur",
        method: str | Method = "gradcam",
        layer: str | None = None,
        results: str | os.PathLike[str] | None = None,
        classes: Mapping[Any, Any] | None = None,
        limit: int | None = None,
        precision: str = "fp32",
        seed: int = 0,
        client: Any = None,
        batch: int = 16,
        progress: Progress | None = None,
    ) -> None:
        require_model(model, "intervene", data)
        if not model.classes:
            raise ModelError(f"There is nothing to evaluate, since {model.no_classes}")
        if not is_number(fraction, 0, 1):
            raise CamwidgetError(f"fraction is the share of pixels, from 0 to 1, not {fraction!r}.")
        check_baseline(baseline)
        plan = make_plan(
            model, [method], ["complexity"], layer, "predicted", precision, seed, batch
        )
        (combination,) = plan.combinations
        self.words, target, region = _what(model, hide, fraction)
        extra = _HiddenFacts(
            combination.layer,
            get_method(method),
            target,
            region,
            float(fraction),
            baseline,
            seed,
        )
        plan = replace(plan, extra=extra, lenient=True, metrics=())
        self._model = model
        found = open_data(data, model, classes=classes, limit=limit, strict=False)
        self._file = ResultsFile(results, facts_of(plan, found))
        self._run = PlanRun(plan, found, self._file, client, progress)

    def steps(self) -> Generator[Stage]:
        """Compute the missing batches, and yield the progress after each."""
        return self._run.steps()

    def result(self) -> Intervention:
        """Read what changed.

        Raises:
            DataError: if no picture could be read.
        """
        rows = [row for row in self._file.rows() if "error" not in row]
        if not rows:
            raise DataError("No picture can be read, so nothing was hidden.")
        names = self._model.classes
        table = pd.DataFrame(
            {
                "picture": [row["picture"] for row in rows],
                "name": [row["name"] for row in rows],
                "truth": [row["label_name"] for row in rows],
                "prediction": [row["prediction_name"] for row in rows],
                "confidence": [row["confidence"] for row in rows],
                "hidden_prediction": [names[row["hidden_prediction"]] for row in rows],
                "hidden_confidence": [row["hidden_confidence"] for row in rows],
                "control_prediction": [names[row["control_prediction"]] for row in rows],
                "control_confidence": [row["control_confidence"] for row in rows],
            }
        )
        return Intervention(self.words, table)

    def close(self) -> None:
        """Close the file of results."""
        self._file.close()


def intervene(
    model: VisionModel,
    data: Any,
    hide: str | Cluster | NDArray[Any] = "evidence",
    *,
    fraction: float = 0.1,
    progress: Progress | None = None,
    **settings: Any,
) -> Intervention:
    """Hide something in all pictures of a data set, and evaluate the model again.

    The control hides as many pixels of the same shape, at a random place of each picture.

    Args:
        model: from ``load`` or ``wrap``; left unchanged.
        data: pictures in any form that ``evaluate`` takes, with their classes where these are known.
        hide: "evidence", the evidence for the class that is predicted; the name of a class, the evidence for it;
            a cluster, the region where its mean map is highest, the same in all pictures; or a mask (H, W), of which
            true pixels are hidden in all pictures.
        fraction: the share of each picture's pixels that is hidden, from 0 to 1, highest saliency first; of no effect
            with a mask.
        progress: as in ``evaluate``.
        settings: ``baseline`` ("blur", "mean", "black", "inpaint"), and of ``survey_pictures`` ``method``, ``layer``,
            ``results``, ``classes``, ``limit``, ``precision``, ``seed``, ``client``, ``batch``.

    Returns:
        The predictions before and after, and the changes with their intervals.

    Raises:
        CamwidgetError: if ``hide`` is none of these, or a setting is invalid.
        DataError: if the data is empty, or no picture can be read.
        ModelError: if ``model`` is not from ``load`` or ``wrap``, or fails on every picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> changed = cw.survey.intervene(model, cw.zoo.samples("zoo/biased"), "weevil")
        >>> changed.summary.index.tolist()
        ['accuracy', 'same prediction', 'confidence']
    """
    run = InterventionRun(model, data, hide, fraction=fraction, progress=progress, **settings)
    with contextlib.closing(run), contextlib.closing(run.steps()) as steps:
        follow(steps, f"hiding in {model.name}", progress)
        return run.result()


def _what(
    model: VisionModel, hide: Any, fraction: float
) -> tuple[str, int | None, NDArray[np.bool_] | None]:
    """What is hidden: in words, the class whose evidence it is, and the region that all pictures share.

    Raises:
        CamwidgetError: if it is not one of these.
    """
    share = f"top {fraction:.0%} of the evidence"
    if isinstance(hide, Cluster):
        region = top_mask(hide.mean_map, fraction)
        return f"region of cluster {hide.number} ({hide.prediction})", None, region
    if isinstance(hide, str):
        if hide == "evidence":
            return share, None, None
        if hide in model.classes:
            return f"{share} for {hide}", list(model.classes).index(hide), None
        raise CamwidgetError(
            f"hide is 'evidence', a class of the model, a cluster or a mask (H, W); there is no class {hide!r}."
        )
    mask = np.asarray(hide)
    if mask.ndim != 2 or not mask.size or not set(np.unique(mask).tolist()) <= {0, 1}:
        raise CamwidgetError(
            "hide is 'evidence', a class of the model, a cluster, or a mask (H, W) of 0 and 1, not "
            f"{type(hide).__name__} of shape {mask.shape}."
        )
    return "painted region", None, mask.astype(bool)
