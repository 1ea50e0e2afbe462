"""``Evaluation``: the result of ``evaluate``, with rows, means, ranks and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import DataError
from ..metrics import Metric
from . import table as tables
from .html_table import pluralized, render_table
from .plan import FIXED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Evaluation"]

#: Columns of the results file that are no results.
_BOOKKEEPING = ("run", "facts", "batch", "rows_left", "error", "curves")


@dataclass(eq=False)
class Evaluation:
    """Scores of several saliency methods on a data set.

    Attributes:
        model: the model's name.
        metrics: the metrics, in the order of the columns.
        rows: data frame with one row per picture, method and layer: number and name of the picture; label, target and
            prediction (indices and names); confidence (the target's probability, or the regression output); the value
            of each metric (NaN if there is none); fault (why a map does not rank pixels); notes (reasons for NaN, by
            metric).
        skipped: data frame of the skipped pictures: number, name and reason.
        facts: everything that the numbers depend on: versions, weights, settings and data.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> samples = cw.zoo.samples("zoo/textures")[:4]
        >>> evaluation = cw.evaluate(model, samples, methods=["gradcam", "random"], metrics=["drop"])
        >>> evaluation.pictures, len(evaluation.rows)
        (4, 8)
        >>> sorted(evaluation.ranks.index)
        ['gradcam', 'random']
    """

    model: str
    metrics: tuple[Metric, ...] = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    skipped: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)
    _curves: list[dict[str, list[float | None]] | None] = field(repr=False)
    _index: pd.MultiIndex = field(repr=False)

    @classmethod
    def from_rows(
        cls,
        rows_read: Sequence[dict[str, Any]],
        metrics: Sequence[Metric],
        combinations: Sequence[tuple[str, str]],
        facts: dict[str, Any],
    ) -> Evaluation:
        """Create an evaluation from the rows of a results file, in the order of the pictures."""
        scored = [row for row in rows_read if "error" not in row]
        names = [m.name for m in metrics]
        fixed = [c for c in FIXED if c not in (*_BOOKKEEPING, "fault", "notes")]
        columns = [*fixed, *names, "fault", "notes"]
        rows = pd.DataFrame([{c: row.get(c) for c in columns} for row in scored], columns=columns)
        rows = rows.astype({**dict.fromkeys(names, "float64"), "label": "Int64"})
        skipped = pd.DataFrame(
            [(r["picture"], r["name"], r["error"]) for r in rows_read if "error" in r],
            columns=["picture", "name", "reason"],
        )
        return cls(
            facts["model"],
            tuple(metrics),
            rows,
            skipped,
            facts,
            [row.get("curves") for row in scored],
            pd.MultiIndex.from_tuples(combinations, names=["method", "layer"]),
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """Data frame with one row per method, or per method and layer where a method has several layers.

        Columns: for each metric the mean, the bounds of its 95 % bootstrap interval (pictures are resampled jointly for
        all methods) and n, the number of pictures with a value; for the maps, how many there are, and how many are
        constant or have NaN and thus no score.
        """
        return self._listed(tables.summary(self.rows, self.metrics, self._index))

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """The rank of each row of ``table`` by each metric's mean (1 is best, ties averaged), and the mean rank."""
        return tables.rank_rows(self.table, self.metrics)

    @cached_property
    def curves(self) -> dict[str, pd.DataFrame]:
        """Mean curves with their intervals, by metric that is an area under a curve; the index is from 0 to 1."""
        found = tables.mean_curves(self.rows, self._curves, self._index)
        if self._by_layer:
            return found
        return {name: frame.droplevel("layer", axis=1) for name, frame in found.items()}

    @property
    def _by_layer(self) -> bool:
        return bool(self._index.get_level_values("method").has_duplicates)

    def _listed(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame if self._by_layer else frame.droplevel("layer")

    def compare(
        self,
        one: str,
        other: str,
        *,
        layer: str | None = None,
        other_layer: str | None = None,
        within: Evaluation | None = None,
    ) -> pd.DataFrame:
        """Compare two methods, or two models, picture by picture.

        The interval of a mean difference is much narrower than those of both means, which contain the differences
        between the pictures.

        Args:
            one: name of a method of this evaluation.
            other: name of another one, whose values are subtracted.
            layer: the layer of ``one``, where it has several.
            other_layer: the layer of ``other``; ``layer`` if None.
            within: the evaluation that has ``other``, of the same pictures, such as one of another model; this one if
                None.

        Returns:
            Data frame with one row per metric: the mean difference, the bounds of its 95 % bootstrap interval, n, the
            number of pictures with both values, and better: 1 if the interval says that ``one`` is better, −1 if
            ``other`` is, 0 if it cannot tell them apart. Of two evaluations, the metrics that both have.

        Raises:
            DataError: if there is no such method or layer, or several layers of one and none is named; or if the other
                evaluation has other pictures, or no metric with the same settings.

        Example:
            >>> import camwidget as cw
            >>> model = cw.load(device="cpu")
            >>> samples = cw.zoo.samples("zoo/textures")[:4]
            >>> evaluation = cw.evaluate(model, samples, methods=["gradcam", "random"], metrics=["pointing", "energy"])
            >>> int(evaluation.compare("gradcam", "random").loc["energy", "better"])
            1
        """
        second = self if within is None else within
        pictures = [
            dict(zip(e.rows["picture"], e.rows["name"], strict=True)) for e in (self, second)
        ]
        if pictures[0] != pictures[1]:
            raise DataError(
                "The two evaluations have different pictures: evaluate both on the same data."
            )
        metrics = [m for m in self.metrics if m in second.metrics]
        if not metrics:
            raise DataError("The two evaluations have no metric with the same settings in common.")
        return tables.differences(
            metrics,
            (self.rows, tables.find_row(self.rows, one, layer)),
            (second.rows, tables.find_row(second.rows, other, other_layer or layer)),
        )

    def plot(self) -> Figure:
        """The mean curves with their intervals, and the radar chart of the ranks (matplotlib)."""
        from .plots import draw_all

        return draw_all(self)

    def radar(self) -> Figure:
        """The ranks as a radar chart: one spoke per metric, one polygon per method, the best rank outermost
        (matplotlib).
        """
        from .plots import draw_radar

        return draw_radar(self)

    @property
    def pictures(self) -> int:
        """The number of scored pictures."""
        return int(self.rows["picture"].nunique())

    def __repr__(self) -> str:
        head = f"Evaluation of {self.model}: {pluralized(self.pictures, 'picture')}"
        if len(self.skipped):
            head += f", {len(self.skipped)} skipped"
        table = self.table
        shown = pd.DataFrame(
            {
                f"{m.name} {'↑' if m.better == 'higher' else '↓'}": [
                    # z: no "-0.000".
                    f"{mean:z.3f} [{low:z.3f}, {high:z.3f}]"
                    for mean, low, high, _ in table[m.name].itertuples(index=False)
                ]
                for m in self.metrics
            },
            index=table.index,
        )
        shown["mean rank"] = self.ranks["mean rank"].round(2)
        return f"{head}\n{shown.to_string()}"

    def _repr_html_(self) -> str:
        return render_table(self)
