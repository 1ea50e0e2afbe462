"""Checks of the settings of metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .. import _validation
from ..errors import CamwidgetError, MetricError
from ..masking.baselines import check_baseline

__all__ = ["a_baseline", "a_fraction", "listed", "one_of", "percentages", "real", "whole"]


def listed(value: Any) -> list[Any]:
    """One or several of something as a list; a name is one."""
    is_several = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if is_several else [value]


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises:
        MetricError: if it is not.
    """
    return _validation.whole(name, value, least, error=MetricError)


def real(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """A number between two bounds; a bound of infinity is left out.

    Raises:
        MetricError: if it is not.
    """
    return _validation.real(name, value, low, high, error=MetricError)


def a_fraction(value: Any) -> float:
    """A part of the picture's pixels, neither none nor all.

    Raises:
        MetricError: if it is not.
    """
    if _validation.is_number(value, 0, 1, ends=False):
        return float(value)
    raise MetricError(
        f"A fraction of the picture lies between 0 and 1, such as 0.25; {value!r} was given."
    )


def percentages(values: Any) -> tuple[float, ...]:
    """Parts of the picture's pixels in percent, each between 0 and 100.

    Raises:
        MetricError: if they are not.
    """
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    if found and all(_validation.is_number(v, 0, 100, ends=False) for v in found):
        return tuple(float(v) for v in found)
    raise MetricError(
        f"Percentiles lie between 0 and 100, such as (10, 50, 90), and there is at least one; {values!r} was given."
    )


def one_of(value: Any, known: Sequence[str], what: str) -> str:
    """One of the names that there are; ``what`` is what they name ("baseline")."""
    if value in known:
        return str(value)
    raise MetricError(f"There is no {what} {value!r}: use {', '.join(map(repr, known))}.")


def a_baseline(name: Any) -> str:
    """The name of what replaces removed pixels.

    Raises:
        MetricError: if there is none of this name, or it cannot be made here.
    """
    try:
        return check_baseline(name)
    except CamwidgetError as error:
        raise MetricError(str(error)) from None
