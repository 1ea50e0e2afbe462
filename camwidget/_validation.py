"""Checks of settings and other plain values, with errors that name the remedy."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from .errors import CamwidgetError, PictureError

__all__ = [
    "as_name_list",
    "check_integer",
    "check_no_masked_values",
    "check_number",
    "encodable_text",
    "is_integer",
    "is_number",
]


def is_number(value: Any, low: float, high: float = math.inf, *, ends: bool = True) -> bool:
    """Return whether a value is a finite number within bounds, which are allowed values if ``ends``."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    number: Any = value
    is_inside = low <= number <= high if ends else low < number < high
    return bool(is_inside and math.isfinite(number))


def is_integer(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Return whether a value is an integer of Python or NumPy within bounds; bool is not accepted."""
    try:
        return not isinstance(value, bool) and bool(low <= operator.index(value) <= high)
    except TypeError:
        return False


def check_integer(
    name: str, value: Any, least: int | None = 1, *, error: type[CamwidgetError] = CamwidgetError
) -> int:
    """Return an integer after checking that it is at least ``least``, if that is given.

    Raises:
        CamwidgetError: of the class ``error``, with the argument's name, if it is not one.
    """
    if not is_integer(value, -(2**63) if least is None else least, 2**63 - 1):
        bound = "" if least is None else f" of at least {least}"
        raise error(f"{name} is an integer{bound}, not {value!r}.")
    return operator.index(value)


def check_number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    error: type[CamwidgetError] = CamwidgetError,
) -> float:
    """Return a number after checking its bounds; the message leaves out a bound of infinity.

    Raises:
        CamwidgetError: of the class ``error``, with the argument's name, if it is not one.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (low <= number <= high and math.isfinite(number)):
        bounds = f"between {low:g} and {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise error(f"{name} is a number {bounds}, not {value!r}.")
    return number


def as_name_list(value: Any, name: str) -> list[Any]:
    """Return one or several names as a list.

    Raises:
        CamwidgetError: if the value is neither.
    """
    # Not at the top: the zoo draws its pictures without PyTorch.
    from torch import nn

    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping, nn.Module)):
        raise CamwidgetError(f"{name} is a list of names, not {type(value).__name__}.")
    return list(value)


def check_no_masked_values(array: Any, name: str, fill: str = "0") -> None:
    """Raise an error for a masked array of ``numpy.ma``, whose masked values would otherwise be used silently.

    Args:
        array: any value; the arrays in a list are checked one by one.
        name: what to call it in the message.
        fill: the value that the message proposes for the masked ones.

    Raises:
        PictureError: names the remedy.
    """
    if isinstance(array, (list, tuple)):
        for each in array:
            check_no_masked_values(each, name, fill)
    elif isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise PictureError(
            f"Some values of {name} are masked: replace them, for instance with array.filled({fill})."
        )


def encodable_text(text: object) -> str:
    """A user's text with "?" in place of what UTF-8 cannot encode: a file name may contain such bytes."""
    return str(text).encode("utf-8", "replace").decode("utf-8")
