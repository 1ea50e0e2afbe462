"""``Evaluation``: the rows, means and ranks of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..metrics import Metric
from . import table as tables
from .html_table import as_html, counted
from .plan import FIXED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Evaluation"]

#: Columns of the file that are no result.
_KEEPING = ("run", "facts", "batch", "rest", "error", "curves")


@dataclass(eq=False)
class Evaluation:
    """How good the maps of several methods are, on many pictures.

    Attributes:
        model: the model's name.
        metrics: by which the maps were scored, in the order of the columns.
        rows: a data frame, one row a picture, method and layer: the picture's number and name, label, target and
            prediction (indices and names), confidence (of the target; or the quantity), each metric's value (NaN where
            there is none), fault (of a map that ranks nothing), and notes (by metric, why there is no value).
        skipped: a data frame of the pictures that were skipped: number, name and reason.
        facts: what the numbers depend on.
    """

    model: str
    metrics: tuple[Metric, ...] = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    skipped: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)
    _curves: list[dict[str, list[float | None]] | None] = field(repr=False)
    _index: pd.MultiIndex = field(repr=False)

    @classmethod
    def of(
        cls,
        kept: Sequence[dict[str, Any]],
        metrics: Sequence[Metric],
        combinations: Sequence[tuple[str, str]],
        facts: dict[str, Any],
    ) -> Evaluation:
        """From rows as they are kept, in the order of the pictures."""
        scored = [row for row in kept if "error" not in row]
        names = [m.name for m in metrics]
        fixed = [c for c in FIXED if c not in (*_KEEPING, "fault", "notes")]
        columns = [*fixed, *names, "fault", "notes"]
        rows = pd.DataFrame([{c: row.get(c) for c in columns} for row in scored], columns=columns)
        rows = rows.astype({**dict.fromkeys(names, "float64"), "label": "Int64"})
        skipped = pd.DataFrame(
            [(r["picture"], r["name"], r["error"]) for r in kept if "error" in r],
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
        """A row a method, or a method and layer where a method has several.

        Columns: of each metric mean, low and high (95 % bootstrap interval over pictures, which are drawn together for
        all methods) and n, the pictures that have a value; of the maps all, constant and NaN, which have no score.
        """
        return self._listed(tables.summary(self.rows, self.metrics, self._index))

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """The rank of each row of ``table`` by each metric's mean, 1 being best and ties averaged; and their mean."""
        return tables.ranks(self.table, self.metrics)

    @cached_property
    def curves(self) -> dict[str, pd.DataFrame]:
        """By metric, the mean curve that it is the area under, with its interval; rows go from 0 to 1."""
        found = tables.mean_curves(self.rows, self._curves, self._index)
        if self._by_layer:
            return found
        return {name: frame.droplevel("layer", axis=1) for name, frame in found.items()}

    @property
    def _by_layer(self) -> bool:
        return bool(self._index.get_level_values("method").has_duplicates)

    def _listed(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame if self._by_layer else frame.droplevel("layer")

    def plot(self) -> Figure:
        """The mean curves with their intervals, and the radar chart of the ranks (matplotlib)."""
        from .plots import draw_all

        return draw_all(self)

    def radar(self) -> Figure:
        """The ranks as a radar chart: a spoke a metric, a polygon a method, the best rank outermost (matplotlib)."""
        from .plots import draw_radar

        return draw_radar(self)

    @property
    def pictures(self) -> int:
        """How many pictures have been scored."""
        return int(self.rows["picture"].nunique())

    def __repr__(self) -> str:
        head = f"Evaluation of {self.model}: {counted(self.pictures, 'picture')}"
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
        return as_html(self)
