"""See what an image model looked at: saliency, class by class, and what masking it changes."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .analysis.adversarial import Attack, MapSurvival, attack, map_survival
    from .analysis.dissecting import dissect
    from .analysis.dissection import Dissection
    from .analysis.feature_visualization.visualizing import Visualization, visualize
    from .analysis.human_studies import Question
    from .analysis.interventions import mask_picture, probabilities
    from .analysis.localizing import Localization, localize, segmentation_seeds
    from .analysis.mask_curve import MaskCurve, confidence_change, mask_curve
    from .analysis.textual_explanation import TextualExplanation, describe_decision
    from .attribution.explaining import explain
    from .attribution.explanation import Explanation, Explanations
    from .attribution.methods import get_method, list_methods
    from .attribution.targets import Contrast, Counterfactual, LogProbability
    from .errors import CamwidgetError
    from .evaluation import Evaluation, evaluate
    from .export import save_page
    from .images.preprocess import Preprocess
    from .loading.loader import list_models, load
    from .metrics import get_metric, list_metrics, measure
    from .models.vision_model import Prediction, VisionModel
    from .models.wrapping import wrap
    from .runtime.caches import set_cache_limit
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
    "mask_picture",
    "measure",
    "probabilities",
    "save_page",
    "segmentation_seeds",
    "set_cache_limit",
    "visualize",
    "wrap",
]


#: Where each name is at home. Its module is imported when it is first asked for: the command's help need not wait for
#: PyTorch, nor a script that only explains for Jupyter.
_HOMES = {
    "analysis.adversarial": ("Attack", "MapSurvival", "attack", "map_survival"),
    "analysis.dissecting": ("dissect",),
    "analysis.dissection": ("Dissection",),
    "analysis.feature_visualization.visualizing": ("Visualization", "visualize"),
    "analysis.human_studies": ("Question",),
    "analysis.interventions": ("mask_picture", "probabilities"),
    "analysis.localizing": ("Localization", "localize", "segmentation_seeds"),
    "analysis.mask_curve": ("MaskCurve", "confidence_change", "mask_curve"),
    "analysis.textual_explanation": ("TextualExplanation", "describe_decision"),
    "attribution.explaining": ("explain",),
    "attribution.explanation": ("Explanation", "Explanations"),
    "attribution.methods": ("get_method", "list_methods"),
    "attribution.targets": ("Contrast", "Counterfactual", "LogProbability"),
    "errors": ("CamwidgetError",),
    "evaluation": ("Evaluation", "evaluate"),
    "export": ("save_page",),
    "images.preprocess": ("Preprocess",),
    "loading.loader": ("list_models", "load"),
    "metrics": ("get_metric", "list_metrics", "measure"),
    "models.vision_model": ("Prediction", "VisionModel"),
    "models.wrapping": ("wrap",),
    "runtime.caches": ("set_cache_limit",),
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


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%explore`` and ``%%explain`` to IPython; ``%load_ext camwidget`` calls it.

    Args:
        shell: IPython's shell.
    """
    from .widget.magics import register

    register(shell)
