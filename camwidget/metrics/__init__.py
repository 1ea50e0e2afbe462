"""Metrics: functions that score one saliency map of one picture, in a registry.

A metric that needs the model is a generator: it yields requests for predictions or recomputed maps and is sent the
results. ``scoring`` collects the requests of all metrics and maps, and computes each once.

Analyses of a map that are not scores belong in ``analysis``, and tables over many pictures in ``evaluation``.
"""

# The order of the imports is the order of display.
from . import (  # isort: skip
    confidence,
    road,
    region_perturbation,
    robustness,
    compactness,
    randomization_metrics,
    agreement,
    localization_metrics,
)
from .cases import Case, ChangedPicture, MetricContext, Recomputation, ScoredPicture
from .measuring import measure
from .registry import Metric, Score, get_metric, list_metrics, metric
from .scoring import ScoringProgress, score_steps

__all__ = [
    "Case",
    "ChangedPicture",
    "Metric",
    "MetricContext",
    "Recomputation",
    "Score",
    "ScoredPicture",
    "ScoringProgress",
    "agreement",
    "compactness",
    "confidence",
    "get_metric",
    "list_metrics",
    "localization_metrics",
    "measure",
    "metric",
    "randomization_metrics",
    "region_perturbation",
    "road",
    "robustness",
    "score_steps",
]
