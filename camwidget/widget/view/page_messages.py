"""Messages between a page and a widget: validation of the page's (``CheckedMessages``), and ``TraitSender``."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets
import traitlets as t

from ...errors import CamwidgetError
from ...runtime import fork_safety, process_exit
from ...runtime.error_reports import error_text
from .. import _compat
from ..host import executed_notebooks

__all__ = ["KNOWN", "CheckedMessages", "TraitSender"]

#: Errors that refuse an invalid value: they are shown without a traceback in the log.
KNOWN = (CamwidgetError, t.TraitError)


class CheckedMessages(ipywidgets.Widget):
    """A widget that validates its messages. A page that sets an invalid value receives the valid one and an error."""

    #: Whether a page has sent a message.
    is_heard = False

    def open(self) -> None:
        """Open the comm, if it is not open."""
        super().open()
        self._let_page_choose()

    def _send(self, msg: Any, buffers: Any = None) -> None:
        super()._send(msg, buffers)
        self._let_page_choose()

    def _let_page_choose(self) -> None:
        if self.comm is not None:
            _compat.reply_on_named_subshell(self.comm)

    def _handle_msg(self, msg: Any) -> None:
        executed_notebooks.note_page_message()
        self.is_heard = True
        content = msg.get("content") if isinstance(msg, dict) else None
        data = content.get("data") if isinstance(content, dict) else None
        if not isinstance(data, dict) or data.get("method") not in _METHODS:
            self._refuse(
                CamwidgetError("The page sent something that is not a message of a widget.")
            )
            return
        if process_exit.exit_has_begun():
            return
        try:
            with (
                process_exit.block_exit()
            ):  # a handler may run the model, also on a subshell's thread
                super()._handle_msg(msg)
        except Exception as error:
            self._refuse(error)

    def set_state(self, sync_data: Any) -> None:
        """Set the traits that the page changed, one at a time: a refused value does not affect the others."""
        if not isinstance(sync_data, dict):
            self._refuse(CamwidgetError("The page sent a state that has no names."))
            return
        # A trait tagged ``output`` is set by Python alone.
        known = {
            name: value
            for name, value in sync_data.items()
            if name in self.keys and not self.trait_metadata(name, "output")
        }
        self._echo(known)
        for name, value in known.items():
            # Without ``hold_trait_notifications``, which ipywidgets uses: it would also hold changes by other threads,
            # which would then look as if the page had made them.
            with self._lock_property(**{name: value}):
                try:
                    from_json = self.trait_metadata(name, "from_json", self._trait_from_json)
                    self.set_trait(name, from_json(value, self))
                except Exception as error:
                    self._refuse(error)
            if not _same(getattr(self, name), value):
                self.send_state(name)

    def _echo(self, state: dict[str, Any]) -> None:
        """Send a page's changes to the other pages that show the widget, as ipywidgets does."""
        echoed = {n: v for n, v in state.items() if self.trait_metadata(n, "echo_update", True)}
        if echoed and _compat.echoes_updates():
            plain, paths, buffers = _compat.split_buffers(echoed)
            self._send({"method": "echo_update", "state": plain, "buffer_paths": paths}, buffers)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        # Not by ipywidgets' dispatcher, which prints a callback's traceback into the notebook.
        for callback in _compat.message_callbacks(self):
            try:
                callback(self, content, buffers)
            except Exception as error:
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._show_refusal(error_text(error, self, known=KNOWN))

    def _show_refusal(self, text: str) -> None:
        """Show an error in the widget's ``error`` trait; write it to the log if there is none."""
        if self.has_trait("error"):
            self.set_trait("error", text)
        else:
            self.log.warning(text)


_METHODS = ("update", "request_state", "custom")


def _same(held: Any, value: Any) -> bool:
    """Whether the trait has the page's value; False if they cannot be compared, so that it is sent again."""
    try:
        return bool(held == value)
    except (TypeError, ValueError, RecursionError):  # arrays, or deeply nested lists
        return False


class TraitSender:
    """Sets traits of a widget from any thread, those of one call in one message to the page.

    Args:
        widget: the widget.
        lock: held while traits are set, since ipywidgets' ``hold_sync`` is made for one thread; its own if None.
    """

    def __init__(self, widget: ipywidgets.Widget, lock: threading.RLock | None = None) -> None:
        self._widget = widget
        self._lock = fork_safety.rlock() if lock is None else lock
        self._sender: int | None = None

    @property
    def is_sending(self) -> bool:
        """Whether this thread is inside ``send``. Observers thereby recognize changes that the page has not made."""
        return self._sender == threading.get_ident()

    def send(self, **values: Any) -> None:
        """Set traits."""
        with self._lock:
            before, self._sender = self._sender, threading.get_ident()
            try:
                with self._widget.hold_sync():
                    for name, value in values.items():
                        setattr(self._widget, name, value)
            finally:
                self._sender = before
