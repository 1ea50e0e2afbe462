"""Metrics: each is a function of a case (one map of one picture), entered into a registry.

A metric that has to ask the model is a generator: it yields changed pictures, or maps to be made anew, and is sent the
answers. ``scoring`` gathers what all metrics of all maps ask, and asks each thing once.
"""

# In the order in which they are shown.
from . import (  # isort: skip
    confidence,
    road,
    regions,
    robustness,
    compactness,
    randomization_metrics,
    agreement,
    localization_metrics,
)
from .cases import Case, Change, MetricContext, Recomputation, ScoredPicture
from .measuring import measure
from .registry import Metric, Score, get_metric, list_metrics, metric
from .scoring import Scoring, score_steps

__all__ = [
    "Case",
    "Change",
    "Metric",
    "MetricContext",
    "Recomputation",
    "Score",
    "ScoredPicture",
    "Scoring",
    "agreement",
    "compactness",
    "confidence",
    "get_metric",
    "list_metrics",
    "localization_metrics",
    "measure",
    "metric",
    "randomization_metrics",
    "regions",
    "road",
    "robustness",
    "score_steps",
]
