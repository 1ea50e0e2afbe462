"""Summary tables of an evaluation: means with confidence intervals, ranks, and mean curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..errors import DataError
from ..metrics import Metric

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "EvaluationTable",
    "differences",
    "find_row",
    "four_digits",
    "mean_curves",
    "means",
    "rank_rows",
    "summary",
]

#: Number of bootstrap resamples.
RESAMPLES = 2000
#: Coverage of the bootstrap interval.
CONFIDENCE = 0.95
#: Random indices per batch: 32 MiB.
_DRAWS = 1 << 22


class EvaluationTable(Protocol):
    """Protocol with the parts of ``Evaluation`` that tables and figures read."""

    model: str
    metrics: tuple[Metric, ...]
    rows: pd.DataFrame
    skipped: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row per method, or per method and layer."""

    @property
    def ranks(self) -> pd.DataFrame:
        """The rank of each row of ``table`` by each metric, and their mean."""

    @property
    def curves(self) -> dict[str, pd.DataFrame]:
        """Mean curves, by metric that is an area under one."""

    @property
    def pictures(self) -> int:
        """Number of scored pictures."""


def means(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means over pictures with percentile bootstrap intervals (Efron 1979; Efron & Tibshirani 1993, chapter 13).

    Pictures are resampled, not single values: the values of one row are resampled jointly, so that methods are compared
    on the same pictures.

    Args:
        values: (pictures, n), NaN for missing values.
        seed: seed of the resampling.

    Returns:
        float64 (3, n): mean, lower and upper bound. NaN without values; no interval for fewer than two.
    """
    is_value = np.isfinite(values)
    filled = np.where(is_value, values, 0.0)
    count = is_value.sum(0)
    with np.errstate(invalid="ignore"):
        center = filled.sum(0) / count
    if len(values) < 2:
        return np.stack([center, np.full_like(center, np.nan), np.full_like(center, np.nan)])
    resampled = np.concatenate(list(_resampled(filled, is_value, seed)))
    tail = 50 * (1 - CONFIDENCE)
    with np.errstate(invalid="ignore"):
        low, high = _percentiles(resampled, [tail, 100 - tail])
    few = count < 2
    low[few] = high[few] = np.nan
    return np.stack([center, low, high])


def _resampled(filled: np.ndarray, is_value: np.ndarray, seed: int) -> Any:
    """Means (some, n) of pictures drawn with replacement, RESAMPLES in total."""
    pictures = len(filled)
    random = np.random.default_rng(seed)
    weights = is_value.astype(np.float64)
    step = max(1, _DRAWS // pictures)
    for start in range(0, RESAMPLES, step):
        draws = random.integers(0, pictures, (min(step, RESAMPLES - start), pictures))
        # With the count of each picture, a matrix product replaces slow indexing.
        offset = draws + pictures * np.arange(len(draws))[:, None]
        times = np.bincount(offset.ravel(), minlength=draws.size).reshape(draws.shape)
        times = times.astype(np.float64)
        with np.errstate(invalid="ignore"):
            yield (times @ filled) / (times @ weights)


def _percentiles(values: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """Percentiles of each column, (len(at), n), without its NaN (resamples without a value)."""
    if np.isfinite(values).all():
        return np.asarray(np.percentile(values, at, axis=0))
    found = [
        np.percentile(column[np.isfinite(column)], at)
        if np.isfinite(column).any()
        else np.full(len(at), np.nan)
        for column in values.T
    ]
    return np.stack(found, axis=1)


def _pivot(rows: pd.DataFrame, index: pd.MultiIndex, column: str) -> np.ndarray:
    """A column of the rows as (pictures, combinations)."""
    pivoted = rows.pivot(index="picture", columns=["method", "layer"], values=column)
    return np.asarray(pivoted.reindex(columns=index), dtype=np.float64)


def summary(rows: pd.DataFrame, metrics: Sequence[Metric], index: pd.MultiIndex) -> pd.DataFrame:
    """Summarize rows by method and layer.

    Args:
        rows: one per picture, method and layer.
        metrics: the metrics, in the order of the columns.
        index: methods and layers, in the order of the rows.

    Returns:
        For each metric mean, low, high and n; for the maps the number of all, constant and NaN ones.
    """
    columns: dict[tuple[str, str], Any] = {}
    values = np.concatenate([_pivot(rows, index, m.name) for m in metrics], axis=1)
    # One resampling serves all metrics: with many pictures it dominates the time.
    found = means(values).reshape(3, len(metrics), len(index))
    counts = np.isfinite(values).sum(0).reshape(len(metrics), len(index))
    for number, metric in enumerate(metrics):
        for place, name in enumerate(("mean", "low", "high")):
            columns[metric.name, name] = found[place, number]
        columns[metric.name, "n"] = counts[number]
    groups = rows.groupby(["method", "layer"])["fault"]
    for name, is_counted in (
        ("all", lambda fault: np.ones(len(fault), bool)),
        ("constant", lambda fault: fault == "constant map"),
        ("NaN", lambda fault: fault == "NaN in the map"),
    ):
        counted = {key: int(np.sum(is_counted(fault))) for key, fault in groups}
        columns["maps", name] = [counted.get(key, 0) for key in index]
    return pd.DataFrame(columns, index=index)


def differences(
    metrics: Sequence[Metric],
    one: tuple[pd.DataFrame, tuple[str, str]],
    other: tuple[pd.DataFrame, tuple[str, str]],
) -> pd.DataFrame:
    """Compare two methods picture by picture.

    Args:
        metrics: the metrics, in the order of the result's rows.
        one: rows with one per picture, method and layer; and the method and layer.
        other: the same; its values are subtracted.

    Returns:
        By metric the mean difference, the bounds of its bootstrap interval, n, and "better": 1 if the interval says
        that the first is better, −1 if the second is, and 0 if it contains 0 or there is none.
    """
    values = [
        np.concatenate(
            [_pivot(rows, pd.MultiIndex.from_tuples([key]), m.name) for m in metrics], axis=1
        )
        for rows, key in (one, other)
    ]
    apart = values[0] - values[1]
    center, low, high = means(apart)
    direction = np.array([1 if m.better == "higher" else -1 for m in metrics])
    return pd.DataFrame(
        {
            "mean": center,
            "low": low,
            "high": high,
            "n": np.isfinite(apart).sum(0),
            "better": direction * ((low > 0).astype(int) - (high < 0).astype(int)),
        },
        index=pd.Index([m.name for m in metrics], name="metric"),
    )


def find_row(rows: pd.DataFrame, method: str, layer: str | None) -> tuple[str, str]:
    """Find the method and layer of one row of the summary.

    Raises:
        DataError: if there is no such row, or several of this method and no layer is given.
    """
    layers = rows.loc[rows["method"] == method, "layer"].unique().tolist()
    if not layers:
        names = ", ".join(rows["method"].unique())
        raise DataError(f"The evaluation has no method {method!r}; it has {names}.")
    # A method that explains at the input has one row for all layers.
    if len(layers) == 1:
        return method, str(layers[0])
    if layer not in layers:
        wrong = "has several layers" if layer is None else f"has no layer {layer!r}"
        raise DataError(f"{method} {wrong}: pass layer=… with one of {', '.join(layers)}.")
    return method, str(layer)


def rank_rows(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Rank the rows by each metric's mean (1 is best, ties averaged), and average the ranks.

    Means that agree to four digits share a rank: methods that are equal in theory, as CAM and Grad-CAM are for some
    nets, have scores that differ in the sixth digit.
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
    """A number rounded to four significant digits, for comparisons."""
    return float(f"{value:.4g}")


def mean_curves(
    rows: pd.DataFrame, curves: Sequence[dict[str, list[float | None]] | None], index: pd.MultiIndex
) -> dict[str, pd.DataFrame]:
    """Average the curves of each metric that is an area under a curve.

    Args:
        rows: one per picture, method and layer.
        curves: the curves of each row, by metric.
        index: methods and layers.

    Returns:
        By metric a data frame with the positions on the curve, from 0 to 1, as rows, and as columns for each method and
        layer mean, low and high.
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
