"""Checks of the settings of methods."""

from __future__ import annotations

import math
import operator
from typing import Any

from ...errors import MethodError

__all__ = ["real", "whole"]


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises:
        MethodError: if it is not.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number < 2**63:
        raise MethodError(f"{name} is a whole number of at least {least}, not {value!r}.")
    return number


def real(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """A number between two bounds; a bound of infinity is left out.

    Raises:
        MethodError: if it is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (low <= number <= high and math.isfinite(number)):
        bounds = f"between {low:g} and {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise MethodError(f"{name} is a number {bounds}, not {value!r}.")
    return number
