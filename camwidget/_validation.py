"""Checks of settings and other plain values, with errors that name the remedy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from torch import nn

from .errors import CamwidgetError, PictureError

__all__ = ["check_filled", "is_number", "listed_names"]


def is_number(value: Any, low: float, high: float = math.inf) -> bool:
    """Whether a value is a finite number within bounds; what is no number, or NaN, is not."""
    is_real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return bool(is_real and low <= value <= high and math.isfinite(value))


def listed_names(value: Any, name: str) -> list[Any]:
    """A list of names from one name or several.

    Raises:
        CamwidgetError: if it is neither.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping, nn.Module)):
        raise CamwidgetError(f"{name} is a list of names, not {type(value).__name__}.")
    return list(value)


def check_filled(array: Any, name: str, fill: str = "0") -> None:
    """Refuse an array of ``numpy.ma`` with masked values: what is in their places would be taken without a word.

    Args:
        array: anything; a list of arrays is looked at one by one.
        name: what to call it in the message.
        fill: the value that the message proposes for the masked ones.

    Raises:
        PictureError: names the remedy.
    """
    if isinstance(array, (list, tuple)):
        for each in array:
            check_filled(each, name, fill)
    elif isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise PictureError(
            f"Some values of {name} are masked: say what stands in their place, such as array.filled({fill})."
        )
