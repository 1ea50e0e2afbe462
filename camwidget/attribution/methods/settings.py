"""``Setting``: name, range and default of a method's setting, declared once where the method takes it."""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..._registry import Options
from ..._validation import check_integer, check_number
from ...errors import MethodError

__all__ = [
    "Range",
    "Setting",
    "checked_options",
    "declared_settings",
    "options_text",
    "settings_payload",
]


#: Types that a ``Range`` is of.
_NUMBERS = (int, float, type(None))


@dataclass(frozen=True)
class Range:
    """Range of a setting, for the annotation of a method's keyword-only argument.

    ``masks: Annotated[int, Range(1)] = 4000`` is an integer of at least 1, and 4000 by default.

    Attributes:
        low: the least value.
        high: the greatest value; infinity if there is none.
        help: what the setting is, in a few words, for a tooltip.
        usual: the greatest value that a slider offers, where the range has no end; None for no slider.
        words: values that are no numbers, such as "segments".
        default_for: for a default that depends on the model, a function of a ``VisionModel`` to the number that applies
            where none is given, or to None where no number does the same.
    """

    low: float
    high: float = math.inf
    help: str = ""
    usual: float | None = None
    words: tuple[str, ...] = ()
    default_for: Callable[[Any], float | None] | None = None


@dataclass(frozen=True)
class Setting:
    """Setting of a method, as its function declares it.

    Attributes:
        name: name of the keyword argument.
        default: value where none is given; None if it depends on the model or the picture.
        is_whole: whether its values are whole numbers.
        range: its least and greatest value, and what it is.
        other_types: types of values that are no numbers, which the method checks itself.
    """

    name: str
    default: float | None
    is_whole: bool
    range: Range
    other_types: tuple[type, ...] = ()

    def checked(self, value: Any) -> Any:
        """Return a value of the setting.

        Raises:
            MethodError: if it is no number in the range.
        """
        low, high = self.range.low, self.range.high
        if isinstance(value, self.other_types) or (value is None and self.default is None):
            return value
        if not self.is_whole:
            return check_number(self.name, value, low, high, error=MethodError)
        number = check_integer(self.name, value, int(low), error=MethodError)
        if number > high:
            raise MethodError(f"{self.name} is an integer from {low:g} to {high:g}, not {value!r}.")
        return number


@lru_cache
def declared_settings(function: Callable[..., Any]) -> tuple[Setting, ...]:
    """Return the settings of a method's function: its keyword-only arguments that are annotated with a ``Range``."""
    hints = typing.get_type_hints(function, include_extras=True)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name)
        ranges = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Range)]
        if parameter.kind is parameter.KEYWORD_ONLY and ranges:
            declared = hint.__origin__  # type: ignore[union-attr]
            kinds = typing.get_args(declared) or (declared,)
            others = tuple(kind for kind in kinds if kind not in _NUMBERS)
            found.append(
                Setting(parameter.name, parameter.default, int in kinds, ranges[0], others)
            )
    return tuple(found)


def checked_options(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a function with values as it takes them; those that it does not declare as they are.

    Raises:
        MethodError: if one is no number in its range.
    """
    declared = {setting.name: setting for setting in declared_settings(function)}
    return {
        name: declared[name].checked(value) if name in declared else value
        for name, value in options.items()
    }


def options_text(options: Options) -> str:
    """Return settings in words, such as "masks 1000, keep 0.3"; empty if there are none."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name, value in options
        if isinstance(value, (int, float, str))
    )


def settings_payload(
    settings: tuple[Setting, ...], words: Collection[str] = (), model: Any = None
) -> list[dict[str, Any]]:
    """Encode settings for the browser.

    Args:
        settings: settings of a method.
        words: those values that are no numbers and that apply to the model.
        model: ``VisionModel`` for which defaults that depend on it are looked up, which may run it; none are if None.

    Returns:
        For each its name, default, range, help and words. None stands for a default that is no number, or depends on
        the picture, and for no maximum.
    """

    def default(setting: Setting) -> float | None:
        find = setting.range.default_for
        return setting.default if find is None or model is None else find(model)

    return [
        {
            "name": setting.name,
            "default": default(setting),
            "integer": setting.is_whole,
            "low": setting.range.low,
            "high": setting.range.high if math.isfinite(setting.range.high) else None,
            "usual": setting.range.usual,
            "help": setting.range.help,
            "words": [word for word in setting.range.words if word in words],
        }
        for setting in settings
    ]
