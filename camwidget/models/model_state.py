"""``model_state``: what a model's module is at a moment."""

from __future__ import annotations

from ..execution.module_state import ModuleState
from .vision_model import VisionModel

__all__ = ["model_state"]


def model_state(model: VisionModel) -> ModuleState:
    """Return the present state of a model's module, which differs from an earlier one if predictions may.

    Attributes do not count where passes run the module itself, and may change them.
    """
    isolation = model.isolation
    runs_itself = isolation.is_private_copy or not isolation.runs_copy
    return ModuleState(model.module, with_attributes=not runs_itself)
