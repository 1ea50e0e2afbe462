"""What the registries of methods and metrics share: settings of functions, and suggestions for unknown names."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import CamwidgetError

__all__ = ["Options", "did_you_mean", "with_settings"]

#: Keyword arguments as a hashable tuple.
Options = tuple[tuple[str, Any], ...]


def with_settings(
    function: Callable[..., Any],
    before: Options,
    changes: Mapping[str, Any],
    label: str,
    error: type[CamwidgetError],
) -> Options:
    """Change some settings of a function; its settings are its keyword-only arguments.

    Args:
        function: the function.
        before: the settings that were chosen before.
        changes: the settings to change.
        label: name of the function, for the message.
        error: raised for an unknown setting.

    Returns:
        All chosen settings.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        listed = f"Its settings: {', '.join(known)}." if known else "It has none."
        raise error(f"{label} has no setting {', '.join(unknown)}. {listed}")
    return tuple({**dict(before), **changes}.items())


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Return a sentence that suggests similar names, with a leading space; empty without similar names."""
    near = difflib.get_close_matches(str(name).lower(), list(known), n=2, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
