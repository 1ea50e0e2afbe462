"""Settings of methods as an explorer has them: for each method those that differ from its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._registry import Options
from ...attribution.methods import Method, get_method
from ...attribution.methods.settings import checked_options
from ...errors import MethodError

__all__ = ["MethodSettings", "checked_settings", "configured", "options_of", "with_options"]

#: By the method's name, its settings that differ from its defaults.
MethodSettings = dict[str, dict[str, Any]]


def checked_settings(value: Any) -> MethodSettings:
    """Return settings of methods without those that have their default.

    Args:
        value: by the method's name, its settings by name; None in the place of one stands for its default.

    Raises:
        MethodError: if there is no such method or setting, or a value is out of its range.
    """
    if not isinstance(value, Mapping):
        raise MethodError(
            f"settings is a dict of methods, such as {{'rise': {{'masks': 1000}}}}, not {type(value).__name__}."
        )
    checked: MethodSettings = {}
    for name, settings in value.items():
        method = get_method(name)
        if not isinstance(settings, Mapping):
            raise MethodError(
                f"The settings of {name!r} are a dict, not {type(settings).__name__}."
            )
        declared = {setting.name: setting for setting in method.settings}
        if unknown := [each for each in settings if each not in declared]:
            listed = f"It has {', '.join(declared)}." if declared else "It has none."
            raise MethodError(f"{method.label} has no setting {unknown[0]!r}. {listed}")
        given = {each: number for each, number in settings.items() if number is not None}
        numbers = checked_options(method.function, given)
        own = {
            each: numbers[each]
            for each in declared
            if each in numbers and numbers[each] != declared[each].default
        }
        if own:
            checked[name] = own
    return checked


def options_of(settings: Mapping[str, Mapping[str, Any]], method: str) -> Options:
    """Return a method's settings as the registry has them."""
    return tuple(settings.get(method, {}).items())


def with_options(settings: MethodSettings, method: str, options: Options) -> MethodSettings:
    """Return settings in which a method has these."""
    others = {name: own for name, own in settings.items() if name != method}
    return {**others, method: dict(options)} if options else others


def configured(method: str, options: Options) -> Method:
    """Return a method with its settings."""
    return get_method(method, **dict(options))
