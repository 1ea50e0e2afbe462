"""Messages from a page to a widget, validated before they are used."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets as t

from ...errors import CamwidgetError
from ...runtime import process_exit
from ...runtime.error_reports import error_text
from .. import _compat
from ..host import executed_notebooks

__all__ = ["KNOWN", "CheckedMessages"]

#: What is raised on purpose where a page sets what cannot be.
KNOWN = (CamwidgetError, t.TraitError)


class CheckedMessages(ipywidgets.Widget):
    """A widget that checks its messages: a page that sets what cannot be gets the value that holds, and an error."""

    #: Whether a page has sent anything.
    is_heard = False

    def open(self) -> None:
        """Open the comm, if it is not."""
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
            with process_exit.block_exit():  # a subshell's thread could also be ended at exit
                super()._handle_msg(msg)
        except Exception as error:
            self._refuse(error)

    def set_state(self, sync_data: Any) -> None:
        """Set what the page changed, one trait at a time: a refused value does not stop the others."""
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
            # Not under ``hold_trait_notifications``, as ipywidgets does it: meanwhile it would also catch what other
            # threads set, and their changes would look as if the page had made them.
            with self._lock_property(**{name: value}):
                try:
                    from_json = self.trait_metadata(name, "from_json", self._trait_from_json)
                    self.set_trait(name, from_json(value, self))
                except Exception as error:
                    self._refuse(error)
            if not _same(getattr(self, name), value):
                self.send_state(name)

    def _echo(self, state: dict[str, Any]) -> None:
        """Send what one page changed to the others that show the same widget, as every widget of ipywidgets does."""
        echoed = {n: v for n, v in state.items() if self.trait_metadata(n, "echo_update", True)}
        if echoed and _compat.echoes_updates():
            plain, paths, buffers = _compat.split_buffers(echoed)
            self._send({"method": "echo_update", "state": plain, "buffer_paths": paths}, buffers)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        # Not by ipywidgets' dispatcher, which prints what a callback raises into the notebook.
        for callback in _compat.message_callbacks(self):
            try:
                callback(self, content, buffers)
            except Exception as error:
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._show_refusal(error_text(error, self, known=KNOWN))

    def _show_refusal(self, text: str) -> None:
        """Show a text where the widget shows errors; one that shows none has them in the log."""
        if self.has_trait("error"):
            self.set_trait("error", text)
        else:
            self.log.warning(text)


_METHODS = ("update", "request_state", "custom")


def _same(held: Any, value: Any) -> bool:
    """Whether the page has what is held; where that cannot be told, it is sent again."""
    try:
        return bool(held == value)
    except (TypeError, ValueError, RecursionError):  # arrays, or lists in lists without end
        return False
