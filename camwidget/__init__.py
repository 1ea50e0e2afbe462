"""See what an image model looked at: saliency, class by class, and what masking it changes."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .adversarial import Attack, MapSurvival, attack, map_survival
    from .caches import set_cache_limit
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
    from .widget import Explorer, Quiz
    from .wrapping import wrap

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
    "set_cache_limit",
    "visualize",
    "wrap",
]


#: Where each name is at home. Its module is imported when it is first asked for: the command's help need not wait for
#: PyTorch, nor a script that only explains for Jupyter.
_HOMES = {
    "adversarial": ("Attack", "MapSurvival", "attack", "map_survival"),
    "caches": ("set_cache_limit",),
    "concepts": ("dissect",),
    "decision": ("TextualExplanation", "describe_decision"),
    "deepvis": ("Visualization", "visualize"),
    "dissection": ("Dissection",),
    "engine": ("explain",),
    "errors": ("CamwidgetError",),
    "evaluation": ("Evaluation", "evaluate"),
    "explanation": ("Explanation", "Explanations"),
    "export": ("save_page",),
    "loading": ("list_models", "load"),
    "localization": ("Localization", "localize", "segmentation_seeds"),
    "methods": ("get_method", "list_methods"),
    "metrics": ("get_metric", "list_metrics", "measure"),
    "models": ("Prediction", "VisionModel"),
    "perturb": ("MaskCurve", "confidence_change", "mask_curve"),
    "preprocess": ("Preprocess",),
    "quizzes": ("Question",),
    "targets": ("Contrast", "Counterfactual", "LogProbability"),
    "wrapping": ("wrap",),
    "widget": ("Explorer", "Quiz"),
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is not None:
        value = getattr(importlib.import_module(f".{home}", __name__), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
