"""Means with confidence intervals, and ranks, from one row a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..metrics import Metric

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "EvaluationTable",
    "four_digits",
    "mean_curves",
    "means",
    "ranks",
    "summary",
]

#: How many times the pictures are drawn anew.
RESAMPLES = 2000
#: What part of the resampled means the interval holds.
CONFIDENCE = 0.95
#: Draws at once: 32 MiB of them.
_DRAWS = 1 << 22


class EvaluationTable(Protocol):
    """What tables and figures of an evaluation are made from: the part of ``Evaluation`` that they read."""

    model: str
    metrics: tuple[Metric, ...]
    rows: pd.DataFrame
    skipped: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """A row a method, or a method and layer."""

    @property
    def ranks(self) -> pd.DataFrame:
        """The rank of each row of ``table`` by each metric, and their mean."""

    @property
    def curves(self) -> dict[str, pd.DataFrame]:
        """By metric, the mean curve that it is the area under."""

    @property
    def pictures(self) -> int:
        """How many pictures have been scored."""


def means(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means over pictures with percentile bootstrap intervals (Efron 1979; Efron & Tibshirani 1993, chapter 13).

    Pictures are drawn, not single values: what stands beside each other in a row is drawn together, so that the methods
    are compared on the same pictures.

    Args:
        values: (pictures, n), NaN where there is none.
        seed: of the draws.

    Returns:
        float64 (3, n): mean, lower and upper end. NaN where there are no values; no interval of fewer than two.
    """
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    count = there.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = filled.sum(0) / count
    if len(values) < 2:
        return np.stack([centre, np.full_like(centre, np.nan), np.full_like(centre, np.nan)])
    resampled = np.concatenate(list(_resampled(filled, there, seed)))
    tail = 50 * (1 - CONFIDENCE)
    with np.errstate(invalid="ignore"):
        low, high = _percentiles(resampled, [tail, 100 - tail])
    few = count < 2
    low[few] = high[few] = np.nan
    return np.stack([centre, low, high])


def _resampled(filled: np.ndarray, there: np.ndarray, seed: int) -> Any:
    """Means (some, n) of pictures drawn with replacement, RESAMPLES in all."""
    pictures = len(filled)
    random = np.random.default_rng(seed)
    weights = there.astype(np.float64)
    step = max(1, _DRAWS // pictures)
    for start in range(0, RESAMPLES, step):
        draws = random.integers(0, pictures, (min(step, RESAMPLES - start), pictures))
        # How often each picture was drawn: a product of matrices then does what indexing would do slowly.
        offset = draws + pictures * np.arange(len(draws))[:, None]
        times = np.bincount(offset.ravel(), minlength=draws.size).reshape(draws.shape)
        times = times.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            yield (times @ filled) / (times @ weights)


def _percentiles(values: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """Of each column (len(at), n), without its NaN: of a draw that held no value."""
    if np.isfinite(values).all():
        return np.asarray(np.percentile(values, at, axis=0))
    found = [
        np.percentile(column[np.isfinite(column)], at)
        if np.isfinite(column).any()
        else np.full(len(at), np.nan)
        for column in values.T
    ]
    return np.stack(found, axis=1)


def _wide(rows: pd.DataFrame, index: pd.MultiIndex, column: str) -> np.ndarray:
    """A column of rows as (pictures, combinations)."""
    wide = rows.pivot(index="picture", columns=["method", "layer"], values=column)
    return np.asarray(wide.reindex(columns=index), dtype=np.float64)


def summary(rows: pd.DataFrame, metrics: Sequence[Metric], index: pd.MultiIndex) -> pd.DataFrame:
    """A row a method and layer: of each metric mean, low, high and n; of the maps all, constant and NaN.

    Args:
        rows: one a picture, method and layer.
        metrics: in the order of the columns.
        index: methods and layers, in the order of the rows.
    """
    columns: dict[tuple[str, str], Any] = {}
    values = np.concatenate([_wide(rows, index, m.name) for m in metrics], axis=1)
    # Drawn once for all metrics: of many pictures it is the drawing that takes long.
    found = means(values).reshape(3, len(metrics), len(index))
    there = np.isfinite(values).sum(0).reshape(len(metrics), len(index))
    for number, metric in enumerate(metrics):
        for place, name in enumerate(("mean", "low", "high")):
            columns[metric.name, name] = found[place, number]
        columns[metric.name, "n"] = there[number]
    groups = rows.groupby(["method", "layer"], sort=False)["fault"]
    for name, is_counted in (
        ("all", lambda fault: np.ones(len(fault), bool)),
        ("constant", lambda fault: fault == "constant map"),
        ("NaN", lambda fault: fault == "NaN in the map"),
    ):
        counted = {key: int(np.sum(is_counted(fault))) for key, fault in groups}
        columns["maps", name] = [counted.get(key, 0) for key in index]
    return pd.DataFrame(columns, index=index)


def ranks(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """The rank of each row by each metric's mean, 1 being best and ties averaged; and the mean of its ranks.

    Means that agree to four digits share a rank: one map made in two ways, as CAM and Grad-CAM are on some nets, has
    scores that differ in the sixth.
    """
    found = pd.DataFrame(
        {
            m.name: table[m.name, "mean"]
            .map(four_digits)
            .rank(ascending=m.better == "lower", method="average")
            for m in metrics
        },
        index=table.index,
    )
    found["mean rank"] = found.mean(axis=1)
    return found


def four_digits(value: float) -> float:
    """A number as far as it is looked at when two are compared."""
    return float(f"{value:.4g}")


def mean_curves(
    rows: pd.DataFrame, curves: Sequence[dict[str, list[float | None]] | None], index: pd.MultiIndex
) -> dict[str, pd.DataFrame]:
    """By metric, the curves that it sums up, averaged over pictures: rows are places on the curve, from 0 to 1.

    Args:
        rows: one a picture, method and layer.
        curves: of each row, by metric.
        index: methods and layers.

    Returns:
        Columns are method, layer, and of each mean, low and high.
    """
    names = list(dict.fromkeys(name for found in curves if found for name in found))
    places = {number: n for n, number in enumerate(dict.fromkeys(rows["picture"]))}
    combinations = {key: n for n, key in enumerate(index)}
    keys = list(zip(rows["picture"], rows["method"], rows["layer"], strict=True))
    found_curves: dict[str, pd.DataFrame] = {}
    for name in names:
        length = max(len(c[name]) for c in curves if c and name in c)
        values = np.full((len(places), len(combinations), length), np.nan)
        for (picture, method, layer), found in zip(keys, curves, strict=True):
            if found and name in found:
                curve = np.array(found[name], dtype=np.float64)
                if len(curve) != length:
                    at = np.linspace(0, 1, length)
                    curve = np.interp(at, np.linspace(0, 1, len(curve)), curve)
                values[places[picture], combinations[method, layer]] = curve
        bands = means(values.reshape(len(places), -1)).reshape(3, len(combinations), length)
        columns = pd.MultiIndex.from_tuples(
            [(*key, what) for key in index for what in ("mean", "low", "high")],
            names=["method", "layer", None],
        )
        found_curves[name] = pd.DataFrame(
            bands.transpose(1, 0, 2).reshape(-1, length).T,
            index=pd.Index(np.linspace(0, 1, length), name="fraction"),
            columns=columns,
        )
    return found_curves
