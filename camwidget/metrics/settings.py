"""Checks of the settings that people give to metrics."""

from __future__ import annotations

import math
from typing import Any

from ..errors import MethodError, MetricError
from ..methods import settings

__all__ = ["real", "whole"]


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises:
        MetricError: if it is not.
    """
    try:
        return settings.whole(name, value, least)
    except MethodError as error:
        raise MetricError(str(error)) from None


def real(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """A number between two bounds; a bound of infinity is left out.

    Raises:
        MetricError: if it is not.
    """
    try:
        return settings.real(name, value, low, high)
    except MethodError as error:
        raise MetricError(str(error)) from None
