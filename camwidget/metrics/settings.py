"""Checks of metric settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from .. import _validation
from ..errors import CamwidgetError, MetricError
from ..masking import baselines

__all__ = [
    "as_list",
    "check_baseline",
    "check_choice",
    "check_fraction",
    "check_integer",
    "check_number",
    "check_percentiles",
]


def as_list(value: Any) -> list[Any]:
    """One value or several as a list; a string is one value."""
    is_several = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if is_several else [value]


def check_integer(name: str, value: Any, least: int = 1) -> int:
    """Check an integer of at least ``least``.

    Raises:
        MetricError: if it is not one.
    """
    return _validation.check_integer(name, value, least, error=MetricError)


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """Check a number between two bounds, inclusive; the message leaves out a bound of infinity.

    Raises:
        MetricError: if it is not one.
    """
    return _validation.check_number(name, value, low, high, error=MetricError)


def check_fraction(value: Any) -> float:
    """Check a share of the picture's pixels, in (0, 1).

    Raises:
        MetricError: if it is not one.
    """
    if _validation.is_number(value, 0, 1, ends=False):
        return float(value)
    raise MetricError(
        f"A fraction of the picture is a number between 0 and 1, such as 0.25, not {value!r}."
    )


def check_percentiles(values: Any) -> tuple[float, ...]:
    """Check shares of the picture's pixels in percent, each in (0, 100).

    Raises:
        MetricError: if a value is out of its range, or there is no value.
    """
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    if found and all(_validation.is_number(v, 0, 100, ends=False) for v in found):
        return tuple(float(v) for v in found)
    raise MetricError(
        f"Percentiles are one or several numbers between 0 and 100, such as (10, 50, 90), not {values!r}."
    )


def check_choice(value: Any, known: Sequence[str], what: str) -> str:
    """Check that a value is one of the known names.

    Args:
        value: the value.
        known: the known names.
        what: the kind of name, for the message ("baseline").

    Raises:
        MetricError: if it is not one of them.
    """
    if value in known:
        return str(value)
    raise MetricError(f"There is no {what} {value!r}: use {', '.join(map(repr, known))}.")


def check_baseline(name: Any) -> str:
    """Check the name of a baseline.

    Raises:
        MetricError: if there is no such baseline, or it cannot be computed here.
    """
    try:
        return baselines.check_baseline(name)
    except CamwidgetError as error:
        raise MetricError(str(error)) from None
