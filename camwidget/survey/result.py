"""``SurveyResult``: the pictures of a survey, one row each, with their maps, features and thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import Metric
from .survey_columns import MAP_SIDE, read_map, read_vector

__all__ = ["SurveyResult"]


@dataclass(eq=False)
class SurveyResult:
    """What a survey found, one row for each picture that could be read.

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
    thumbnails: list[bytes] = field(repr=False)
    concepts: pd.DataFrame = field(repr=False)
    skipped: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    @classmethod
    def from_rows(
        cls,
        rows_read: Sequence[dict[str, Any]],
        classes: Sequence[str],
        metrics: Sequence[Metric],
        facts: dict[str, Any],
    ) -> SurveyResult:
        """Create a result from rows of a results file.

        Args:
            rows_read: the rows, in the order of the pictures.
            classes: names of the model's classes.
            metrics: the metrics of the survey.
            facts: everything that the rows depend on.
        """
        rows = [row for row in rows_read if "error" not in row]
        kept = tuple(m for m in metrics if any(row.get(m.name) is not None for row in rows))
        labels = [row.get("label") for row in rows]
        table = pd.DataFrame(
            {
                "picture": [row["picture"] for row in rows],
                "name": [row["name"] for row in rows],
                "truth": [row.get("label_name") for row in rows],
                "prediction": [row["prediction_name"] for row in rows],
                "correct": pd.array(
                    [
                        None if label is None else label == row["prediction"]
                        for label, row in zip(labels, rows, strict=True)
                    ],
                    dtype="boolean",
                ),
                "confidence": np.array([row["confidence"] for row in rows], float),
                "truth_confidence": np.array([_number(row["truth_confidence"]) for row in rows]),
                **{m.name: np.array([_number(row.get(m.name)) for row in rows]) for m in kept},
                "fault": [row["fault"] for row in rows],
            }
        )
        found = {row["prediction"] for row in rows} | {n for n in labels if n is not None}
        shares = [row["concepts"] or {} for row in rows]
        names = sorted({name for share in shares for name in share})
        maps = [read_map(row["map"]) for row in rows]
        return cls(
            model=facts["model"],
            classes=tuple(classes[n] for n in sorted(found)),
            metrics=kept,
            table=table,
            maps=np.stack(maps) if maps else np.zeros((0, MAP_SIDE, MAP_SIDE), np.uint8),
            features=_vectors([row["features"] for row in rows]),
            embeddings=_vectors([row["embedding"] for row in rows]),
            thumbnails=[base64.b64decode(row["thumbnail"]) for row in rows],
            concepts=pd.DataFrame(
                [[share.get(name, np.nan) for name in names] for share in shares],
                columns=names,
                dtype="float64",
            ),
            skipped=pd.DataFrame(
                [(r["picture"], r["name"], r["error"]) for r in rows_read if "error" in r],
                columns=["picture", "name", "reason"],
            ),
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


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of all rows, float32 (n, size)."""
    if not texts:
        return np.zeros((0, 0), np.float32)
    return np.stack([read_vector(text) for text in texts]).astype(np.float32)
