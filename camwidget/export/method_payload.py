"""A method as a saved page describes it."""

from __future__ import annotations

from typing import Any

from ..attribution.methods import Method
from ..attribution.methods.settings import options_text
from ..attribution.methods.target_reasons import target_reasons

__all__ = ["method_payload"]


def method_payload(method: Method) -> dict[str, Any]:
    """The data of a method for the browser: its names, its tooltip, and why it says nothing of some targets."""
    return {
        "name": method.name,
        "label": method.label,
        "settings": options_text(method.options),
        "group": method.group,
        "tip": method.tip,
        "everywhere": method.at_input,
        **target_reasons(method),
    }
