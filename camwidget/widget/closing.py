"""Closing what a widget is made of."""

from __future__ import annotations

from typing import Any

from ipywidgets import Widget

__all__ = ["close_parts"]


def close_parts(widget: Widget) -> None:
    """Close every widget in a widget's synced traits, and in theirs: layouts, marks and children else stay open."""
    for part in _found(widget, {}).values():
        if part is not widget:
            part.close()


def _found(value: Any, found: dict[int, Widget]) -> dict[int, Widget]:
    if isinstance(value, Widget):
        if id(value) not in found:
            found[id(value)] = value
            for name in value.keys:
                # What is private is not its own: all canvases of ipycanvas share a manager.
                if not name.startswith("_"):
                    _found(getattr(value, name), found)
    elif isinstance(value, dict):
        for item in value.values():
            _found(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _found(item, found)
    return found
