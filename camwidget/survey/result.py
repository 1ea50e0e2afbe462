"""``SurveyResult``: the pictures of a survey, one row each, with their maps, features and thumbnails."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import Metric
from .disk_rows import DiskFiles, DiskRows
from .survey_columns import MAP_SIDE, read_map, read_vector

__all__ = ["SurveyResult"]


@dataclass(eq=False)
class SurveyResult:
    """What a survey found, one row for each picture that could be read.

    Maps, features, embeddings and thumbnails are on the disk and mapped into memory, in temporary files that go with
    the result.

    Attributes:
        model: the model's name.
        classes: the model's classes that occur as truth or prediction, in the model's order.
        metrics: the metrics that have a value for some picture.
        table: data frame with one row per picture: number and name; truth and prediction (class names, truth None if
            unknown); correct (None if the truth is unknown); confidence of the prediction and truth_confidence, that of
            the true class; the value of each metric; fault (why a map does not rank pixels).
        maps: uint8 (pictures, 16, 16), each map reduced, 255 its maximum.
        features: float32 (pictures, n), the layer's features averaged under the map, of unit length.
        embeddings: float32 (pictures, n), the layer's features averaged over the picture, of unit length.
        thumbnails: the pictures as small JPEG files.
        concepts: data frame with the share of each picture's map in each known concept, from 0 to 1; NaN for a concept
            that is not in the picture. Without columns if no concept is known.
        skipped: data frame of the pictures that could not be read: number, name and reason.
        facts: everything that the numbers depend on: versions, weights, settings and data.

    Example:
        >>> import camwidget as cw
        >>> model, samples = cw.load("zoo/scenes", device="cpu"), cw.zoo.samples("zoo/scenes")
        >>> found = cw.survey.survey_pictures(model, samples[:4])
        >>> len(found), found.maps.shape
        (4, (4, 16, 16))
    """

    model: str
    classes: tuple[str, ...]
    metrics: tuple[Metric, ...] = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    maps: NDArray[np.uint8] = field(repr=False)
    features: NDArray[np.float32] = field(repr=False)
    embeddings: NDArray[np.float32] = field(repr=False)
    thumbnails: Sequence[bytes] = field(repr=False)
    concepts: pd.DataFrame = field(repr=False)
    skipped: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[dict[str, Any]],
        classes: Sequence[str],
        metrics: Sequence[Metric],
        facts: dict[str, Any],
        folder: Path | None = None,
    ) -> SurveyResult:
        """Create a result from rows of a results file, of which one at a time is in memory.

        Args:
            rows: the rows, in the order of the pictures.
            classes: names of the model's classes.
            metrics: the metrics of the survey.
            facts: everything that the rows depend on.
            folder: folder of the temporary files; None for that of ``tempfile``.
        """
        columns = _Columns(metrics)
        skipped: list[tuple[int, str, str]] = []
        maps = DiskRows(folder, np.uint8, (MAP_SIDE, MAP_SIDE))
        features, embeddings = (DiskRows(folder, np.float32, (0,)) for _ in range(2))
        thumbnails = DiskFiles(folder)
        for row in rows:
            if "error" in row:
                skipped.append((row["picture"], row["name"], row["error"]))
                continue
            columns.add(row)
            maps.append(read_map(row["map"]))
            features.append(read_vector(row["features"]))
            embeddings.append(read_vector(row["embedding"]))
            thumbnails.append(base64.b64decode(row["thumbnail"]))
        table = columns.table()
        return cls(
            model=facts["model"],
            classes=tuple(classes[n] for n in sorted(columns.found)),
            metrics=tuple(metric for metric in metrics if metric.name in table),
            table=table,
            maps=maps.mapped(),
            features=features.mapped(),
            embeddings=embeddings.mapped(),
            thumbnails=thumbnails.mapped(),
            concepts=columns.concepts(),
            skipped=pd.DataFrame(skipped, columns=["picture", "name", "reason"]),
            facts=facts,
        )

    @property
    def has_truth(self) -> bool:
        """Whether the true class of some picture is known."""
        return bool(self.table["correct"].notna().any())

    @property
    def is_wrong(self) -> NDArray[np.bool_]:
        """Whether each picture is predicted wrong, bool (pictures,); False where the truth is unknown."""
        return np.asarray(self.table["correct"].eq(False).fillna(False), bool)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each picture is predicted right, bool (pictures,); False where the truth is unknown."""
        return np.asarray(self.table["correct"].fillna(False), bool)

    @property
    def accuracy(self) -> float:
        """The share of right predictions among the pictures whose true class is known; NaN without any."""
        known = self.table["correct"].dropna()
        return float(known.astype(float).mean()) if len(known) else float("nan")

    @property
    def mistakes(self) -> pd.DataFrame:
        """The rows of the pictures that are predicted wrong, the most confident first.

        Raises:
            DataError: if no true class is known.
        """
        if not self.has_truth:
            raise DataError(
                "The true classes are not known, so no prediction is known to be wrong: give the data as (picture, "
                "class), in class folders, or in rows under 'label'."
            )
        return self.table[self.is_wrong].sort_values("confidence", ascending=False, kind="stable")

    @property
    def confusion(self) -> pd.DataFrame:
        """Number of pictures of each true class (rows) with each prediction (columns)."""
        known = self.table[self.table["truth"].notna()]
        counts = pd.crosstab(known["truth"], known["prediction"])
        names = list(self.classes)
        return counts.reindex(index=names, columns=names, fill_value=0)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if len(self.skipped) else ""
        right = f", {self.accuracy:.1%} right" if self.has_truth else ""
        return f"SurveyResult({self.model}: {len(self)} pictures{right}{skipped})"


class _Columns:
    """Columns of a survey's table, made of its rows one by one; equal texts are one text in memory.

    Args:
        metrics: metrics of the survey.

    Attributes:
        found: indices of the classes that occur as truth or prediction.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.found: set[int] = set()
        self._texts: dict[str | None, str | None] = {}
        self._pictures = array("q")
        self._names: list[str] = []
        #: Truth, prediction and fault.
        self._named: tuple[list[str | None], ...] = ([], [], [])
        self._correct: list[bool | None] = []
        self._values = {
            name: array("d")
            for name in ("confidence", "truth_confidence", *(m.name for m in metrics))
        }
        self._known: set[str] = {"confidence", "truth_confidence"}
        self._concepts: dict[str, array[float]] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Add a row."""
        label, prediction = row.get("label"), row["prediction"]
        texts = (row.get("label_name"), row["prediction_name"], row["fault"])
        for column, text in zip(self._named, texts, strict=True):
            column.append(self._texts.setdefault(text, text))
        self.found |= {prediction} if label is None else {prediction, label}
        self._correct.append(None if label is None else label == prediction)
        for name, values in self._values.items():
            value = row.get(name)
            values.append(np.nan if value is None else value)
            if value is not None:
                self._known.add(name)
        shares = row["concepts"] or {}
        for name in shares:
            self._concepts.setdefault(name, array("d", [np.nan]) * len(self._pictures))
        for name, values in self._concepts.items():
            values.append(shares.get(name, np.nan))
        self._names.append(row["name"])
        self._pictures.append(row["picture"])

    def table(self) -> pd.DataFrame:
        """Return the table, with the metrics that have a value for some picture."""
        truth, prediction, fault = self._named
        return pd.DataFrame(
            {
                "picture": np.array(self._pictures, np.int64),
                "name": self._names,
                "truth": truth,
                "prediction": prediction,
                "correct": pd.array(self._correct, dtype="boolean"),
                **{n: np.array(v, float) for n, v in self._values.items() if n in self._known},
                "fault": fault,
            }
        )

    def concepts(self) -> pd.DataFrame:
        """Return the share of the map in each known concept."""
        return pd.DataFrame(
            {name: np.array(self._concepts[name], float) for name in sorted(self._concepts)},
            index=pd.RangeIndex(len(self._pictures)),
            dtype="float64",
        )
