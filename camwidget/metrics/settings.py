"""What a metric's settings may be: refused before the model is asked anything, in words that name the remedy."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, TypeGuard

from ..errors import MetricError
from ..perturb import BASELINES

__all__ = ["a_baseline", "a_fraction", "a_number", "one_of", "percentages", "whole_number"]


def whole_number(value: Any, least: int, of_what: str) -> int:
    """A whole number that is not below ``least``; ``of_what`` begins the message ("A curve's steps")."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise MetricError(f"{of_what} are a whole number, at least {least}; {value!r} was given.")
    return number


def a_number(value: Any, of_what: str) -> float:
    """A finite number that is not negative."""
    if _is_real(value) and 0 <= value < float("inf"):
        return float(value)
    raise MetricError(f"{of_what} is a number, 0 or more; {value!r} was given.")


def a_fraction(value: Any) -> float:
    """A part of the picture's pixels, neither none nor all."""
    if _is_real(value) and 0 < value < 1:
        return float(value)
    raise MetricError(
        f"A fraction of the picture lies between 0 and 1, such as 0.25; {value!r} was given."
    )


def percentages(values: Any) -> tuple[float, ...]:
    """Parts of the picture's pixels in percent, each between 0 and 100."""
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    if found and all(_is_real(v) and 0 < v < 100 for v in found):
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
    """The name of what replaces removed pixels."""
    return one_of(name, list(BASELINES), "baseline")


def _is_real(value: Any) -> TypeGuard[float]:
    """Whether it is a number that can be compared, numpy's among them."""
    return isinstance(value, Real)
