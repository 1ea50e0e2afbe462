"""Private API of the Jupyter libraries that the widgets need, each access in one place and with a check.

``check()`` names each library that has changed. An access that fails raises a ``CamwidgetError`` that names it, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ipycanvas
import ipywidgets
import traitlets as t
from ipywidgets.widgets import widget as widget_module

from ..errors import CamwidgetError

__all__ = [
    "all_widgets",
    "canvas_queue_drop",
    "canvas_queue_forget_current",
    "check",
    "echoes_updates",
    "hold_weakly",
    "kernel_loop",
    "kernel_shell",
    "message_callbacks",
    "reply_on_named_subshell",
    "set_trait_if",
    "split_buffers",
    "stderr_of_request",
    "validated",
]

#: Where ipycanvas keeps the manager that queues the drawing of all canvases.
_canvas_module = ipycanvas.canvas


def _changed(library: str, name: str) -> CamwidgetError:
    try:
        found = version(library)
    except PackageNotFoundError:
        found = "?"
    return CamwidgetError(
        f"{library} {found} has no {name} any more, which camwidget's widgets need. Install the version before."
    )


def _need(library: str, owner: object, name: str) -> Any:
    """A private attribute of a library, or an error that names the library."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise _changed(library, name) from None


# -- ipywidgets ----------------------------------------------------------------------------


def all_widgets() -> dict[str, Any]:
    """Every open widget by its model id: ipywidgets' own dictionary, which keeps them alive."""
    registry: dict[str, Any] = _need("ipywidgets", widget_module, "_instances")
    return registry


def hold_weakly(widget: ipywidgets.Widget, proxy: Any) -> None:
    """Have ipywidgets' dictionary of all widgets hold a proxy in the place of an open widget."""
    all_widgets()[widget.model_id] = proxy


def echoes_updates() -> bool:
    """Whether a page's message is sent on to the other pages that show the same widget."""
    return bool(_need("ipywidgets", widget_module, "JUPYTER_WIDGETS_ECHO"))


def split_buffers(state: dict[str, Any]) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """A state as it is sent: without its binary values, their paths, and these."""
    parts: tuple[dict[str, Any], list[Any], list[Any]] = _need(
        "ipywidgets", widget_module, "_remove_buffers"
    )(state)
    return parts


def message_callbacks(widget: ipywidgets.Widget) -> list[Callable[..., Any]]:
    """Functions to be called with a widget's custom messages."""
    dispatcher = _need("ipywidgets", widget, "_msg_callbacks")
    return list(_need("ipywidgets", dispatcher, "callbacks"))


#: Methods of ``ipywidgets.Widget`` that ``CheckedMessages`` overrides or calls.
_WIDGET_METHODS = ("_send", "_handle_msg", "_handle_custom_msg", "_lock_property")


# -- traitlets -----------------------------------------------------------------------------


def set_trait_if(
    trait: t.TraitType[Any, Any],
    owner: t.HasTraits,
    value: Any,
    is_change: Callable[[Any, Any], bool],
) -> None:
    """Set a trait as traitlets does, but call its observers only if ``is_change(before, after)``."""
    name = trait.name
    assert name is not None
    after = validated(trait, owner, value)
    values: dict[str, Any] = _need("traitlets", owner, "_trait_values")
    before = values.get(name, trait.default_value)
    values[name] = after
    if is_change(before, after):
        owner.notify_change(t.Bunch(name=name, old=before, new=after, owner=owner, type="change"))


def validated(trait: t.TraitType[Any, Any], owner: t.HasTraits, value: Any) -> Any:
    """A value as a trait of an object takes it.

    Raises:
        TraitError: if it does not.
    """
    return _need("traitlets", trait, "_validate")(owner, value)


# -- ipykernel -----------------------------------------------------------------------------


def reply_on_named_subshell(comm: Any) -> None:
    """Have a page's message go to the subshell that the page named.

    ipykernel 7.4 sends it to the subshell that the widget used last, for code that waits for a page's reply: after
    every cell that set a trait, that is the main thread, and while the next cell is busy no message would be handled.
    Other versions have nothing to forget.
    """
    vars(comm).pop("_reply_subshell_id", None)


def kernel_loop() -> Any:
    """The event loop of the kernel's main thread, tornado's; None where there is no ipykernel."""
    return getattr(getattr(_shell(), "kernel", None), "io_loop", None)


def kernel_shell() -> Any:
    """The shell of a kernel that answers requests; None in a script, or at a prompt."""
    shell = _shell()
    return shell if hasattr(getattr(shell, "kernel", None), "get_parent") else None


@contextmanager
def stderr_of_request(request: dict[str, Any] | None) -> Iterator[None]:
    """What the calling thread writes to stderr belongs to a request; ipykernel before 7 decides by itself."""
    stream: Any = sys.stderr
    if request is None or not hasattr(stream, "set_thread_parent"):
        yield
        return
    token = stream.set_thread_parent(request)
    try:
        yield
    finally:
        stream.reset_thread_parent(token)


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


# -- ipycanvas -----------------------------------------------------------------------------


def _canvas_manager() -> Any:
    return _need("ipycanvas", _canvas_module, "_CANVAS_MANAGER")


def canvas_queue_forget_current() -> None:
    """Have the next drawing name its canvas, also where it is the one drawn on last.

    A page that reloads leaves the queue of all canvases pointing at one that is gone (ipycanvas issue 322).
    """
    _canvas_manager()._current_canvas = None


def canvas_queue_drop() -> None:
    """Drop what has been drawn and not been sent."""
    manager = _canvas_manager()
    manager._commands_cache, manager._buffers_cache = [], []


# -- the check -----------------------------------------------------------------------------


def check() -> list[str]:
    """Find out which private API has changed in the libraries installed.

    Returns:
        A sentence for each change, naming library, version and attribute; empty if all is there.
    """
    needed: list[tuple[str, object, str]] = [
        ("ipywidgets", widget_module, "_instances"),
        ("ipywidgets", widget_module, "_remove_buffers"),
        ("ipywidgets", widget_module, "JUPYTER_WIDGETS_ECHO"),
        *(("ipywidgets", ipywidgets.Widget, name) for name in _WIDGET_METHODS),
        ("traitlets", t.HasTraits(), "_trait_values"),
        ("traitlets", t.TraitType, "_validate"),
        ("ipycanvas", _canvas_module, "_CANVAS_MANAGER"),
    ]
    faults = [str(_changed(*entry[::2])) for entry in needed if not hasattr(entry[1], entry[2])]
    manager = getattr(_canvas_module, "_CANVAS_MANAGER", None)
    if manager is not None:
        faults += [
            str(_changed("ipycanvas", name))
            for name in ("_current_canvas", "_commands_cache", "_buffers_cache")
            if not hasattr(manager, name)
        ]
    return faults
