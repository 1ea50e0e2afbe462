"""Access to the private parts of an explorer, for tests."""

from __future__ import annotations

from typing import Any

from camwidget.widget import Explorer
from camwidget.widget.control.worker import Worker
from camwidget.widget.explorer_parts import ExplorerParts
from camwidget.widget.panels.accordion import Panels
from camwidget.widget.view.display import Display


def parts_of(explorer: Explorer) -> ExplorerParts:
    """Everything that an explorer is made of."""
    return explorer._parts


def view_of(explorer: Explorer) -> Any:
    """The synced traits: what a page gets, and sets."""
    return parts_of(explorer).view


def display_of(explorer: Explorer) -> Display:
    """The view with the charts and the thumbnails."""
    return parts_of(explorer).context.display


def worker_of(explorer: Explorer) -> Worker:
    """The thread that computes."""
    return parts_of(explorer).context.worker


def panels_of(explorer: Explorer) -> Panels:
    """The folded panels."""
    return parts_of(explorer).panels


def send_from_page(widget: Any, content: Any, buffers: Any = ()) -> None:
    """Have a widget receive a custom message, as from a page."""
    widget._handle_custom_msg(content, list(buffers))


def receive(widget: Any, message: Any) -> None:
    """Have a widget receive a message of the comm protocol."""
    widget._handle_msg(message)
