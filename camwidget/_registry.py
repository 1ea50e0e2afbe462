"""Helpers of the registries of methods and metrics: settings of a function, suggestions for unknown names."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import CamwidgetError

__all__ = ["Options", "did_you_mean", "with_settings"]

#: Keyword arguments, hashable as a whole.
Options = tuple[tuple[str, Any], ...]


def with_settings(
    function: Callable[..., Any],
    before: Options,
    changes: Mapping[str, Any],
    label: str,
    error: type[CamwidgetError],
) -> Options:
    """A function's settings, some of them changed; its keyword-only arguments are those that it has.

    Args:
        function: whose settings.
        before: those that were chosen before.
        changes: those to change.
        label: what the function is called.
        error: raised if there is no such setting.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        listed = f"Its settings: {', '.join(known)}." if known else "It has none."
        raise error(f"{label} has no setting {', '.join(unknown)}. {listed}")
    return tuple({**dict(before), **changes}.items())


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """A sentence, after a blank, that suggests close names; empty if there are none."""
    near = difflib.get_close_matches(str(name).lower(), list(known), n=2, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
