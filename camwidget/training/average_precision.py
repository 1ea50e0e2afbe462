"""Average precision of detections, as COCO defines it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

THRESHOLDS: tuple[float, ...] = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
"""Intersections over union from which on a box counts as found."""

_RECALLS = np.linspace(0, 1, 101)


def overlaps(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of each of the boxes (A, 4) with each of (B, 4): (A, B)."""
    first = np.maximum(a[:, None, :2], b[None, :, :2])
    last = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (last - first).clip(min=0).prod(2)
    areas_a, areas_b = ((x[:, 2:] - x[:, :2]).prod(1) for x in (a, b))
    found: NDArray[np.floating] = both / (areas_a[:, None] + areas_b[None] - both)
    return found


def matched(
    boxes: NDArray[np.floating], truth: NDArray[np.floating], threshold: float
) -> NDArray[np.bool_]:
    """Whether each box finds a true one that no better box has found, bool (K,).

    Args:
        boxes: boxes (K, 4) of one class, by decreasing score.
        truth: true boxes (M, 4) of that class.
        threshold: least intersection over union.
    """
    overlap = overlaps(boxes, truth)
    free = np.ones(len(truth), bool)
    right = np.zeros(len(boxes), bool)
    for n, row in enumerate(overlap):
        best = np.where(free, row, -1.0)
        if len(best) and best.max() >= threshold:
            right[n] = True
            free[best.argmax()] = False
    return right


def average_precision(scores: NDArray[np.floating], right: NDArray[np.bool_], total: int) -> float:
    """The mean over 101 recalls of the best precision at that recall or a higher one.

    Args:
        scores: score of each detection of a class in all pictures, (K,).
        right: whether it is right, (K,).
        total: number of true boxes.
    """
    hits = right[np.argsort(-scores, kind="stable")].cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / total, _RECALLS - 1e-12)
    return float(np.append(best, 0.0)[np.minimum(places, len(best))].mean())


@dataclass
class Precision:
    """Detections in some pictures, compared with the truth.

    Attributes:
        scores: scores of the detections, by class.
        right: whether they are right at each of ``THRESHOLDS``, (10, K) a picture, by class.
        totals: number of true boxes, by class.
    """

    scores: dict[int, list[NDArray[np.floating]]] = field(default_factory=lambda: defaultdict(list))
    right: dict[int, list[NDArray[np.bool_]]] = field(default_factory=lambda: defaultdict(list))
    totals: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(
        self,
        boxes: NDArray[np.floating],
        scores: NDArray[np.floating],
        labels: NDArray[np.signedinteger],
        truth: NDArray[np.floating],
        present: Sequence[int],
    ) -> None:
        """Add a picture.

        Args:
            boxes: detected boxes (K, 4).
            scores: their scores (K,).
            labels: their classes (K,).
            truth: true boxes (M, 4).
            present: their classes.
        """
        real = np.asarray(present)
        for label in present:
            self.totals[label] += 1
        for label in np.unique(labels).tolist():
            own = np.flatnonzero(labels == label)
            own = own[np.argsort(-scores[own], kind="stable")]
            self.scores[label].append(scores[own])
            found = [matched(boxes[own], truth[real == label], t) for t in THRESHOLDS]
            self.right[label].append(np.stack(found))

    def means(self) -> dict[str, float]:
        """The mean over classes at a threshold of a half, and over thresholds too."""
        table = []
        for label, total in self.totals.items():
            if not self.scores[label]:
                table.append([0.0] * len(THRESHOLDS))
                continue
            scores, right = np.concatenate(self.scores[label]), np.hstack(self.right[label])
            table.append([average_precision(scores, row, total) for row in right])
        by_threshold = np.mean(table, 0)
        return {
            "map_50": round(float(by_threshold[0]), 4),
            "map_75": round(float(by_threshold[THRESHOLDS.index(0.75)]), 4),
            "map_50_95": round(float(by_threshold.mean()), 4),
        }
