"""See what an image model looked at: saliency, class by class, and what masking it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .adversarial import Attack, MapSurvival, attack, map_survival
from .concepts import dissect
from .decision import TextualExplanation, describe_decision
from .deepvis import Visualization, visualize
from .dissection import Dissection
from .engine import explain
from .errors import CamwidgetError
from .evaluation import Evaluation, evaluate
from .explanation import Explanation, Explanations
from .export import save_page
from .loading import list_models, load
from .localization import Localization, localize, segmentation_seeds
from .methods import get_method, list_methods
from .metrics import get_metric, list_metrics, measure
from .models import Prediction, VisionModel
from .perturb import MaskCurve, confidence_change, mask_curve
from .preprocess import Preprocess
from .quizzes import Question
from .targets import Contrast, Counterfactual, LogProbability
from .wrapping import wrap

if TYPE_CHECKING:
    from .widget import Explorer, Quiz

__all__ = [
    "Attack",
    "CamwidgetError",
    "Contrast",
    "Counterfactual",
    "Dissection",
    "Evaluation",
    "Explanation",
    "Explanations",
    "Explorer",
    "Localization",
    "LogProbability",
    "MapSurvival",
    "MaskCurve",
    "Prediction",
    "Preprocess",
    "Question",
    "Quiz",
    "TextualExplanation",
    "VisionModel",
    "Visualization",
    "__version__",
    "attack",
    "confidence_change",
    "describe_decision",
    "dissect",
    "evaluate",
    "explain",
    "get_method",
    "get_metric",
    "list_methods",
    "list_metrics",
    "list_models",
    "load",
    "localize",
    "map_survival",
    "mask_curve",
    "measure",
    "save_page",
    "segmentation_seeds",
    "visualize",
    "wrap",
]


def __getattr__(name: str) -> Any:
    # The widgets bring Jupyter along; a script that only explains need not pay for it.
    if name in ("Explorer", "Quiz"):
        from . import widget

        return getattr(widget, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
