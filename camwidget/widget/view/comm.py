"""Messages from a page to a widget, validated before they are used."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets as t
from ipywidgets.widgets.widget import JUPYTER_WIDGETS_ECHO, _remove_buffers

from ...errors import CamwidgetError
from ...runtime import process_exit
from ...runtime.error_reports import error_text
from ..host import executed_notebooks

__all__ = ["KNOWN", "CheckedMessages"]

#: What is raised on purpose where a page sets what cannot be.
KNOWN = (CamwidgetError, t.TraitError)


class CheckedMessages(ipywidgets.Widget):
    """A widget that reads its mail with care: what cannot be is not done, is said, and the page hears what holds."""

    #: Traits that only the kernel sets: what a page says of them is not heard.
    _own: frozenset[str] = frozenset()
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
        """A page's message goes to the subshell that the page named.

        ipykernel 7.4 sends it to where the widget spoke last, for code that waits for a page's reply: after every cell
        that set a trait, that is the main thread, and while the next cell is busy nothing would be answered.
        """
        if self.comm is not None:
            self.comm.__dict__.pop("_reply_subshell_id", None)

    def _handle_msg(self, msg: Any) -> None:
        executed_notebooks.page_has_spoken()
        self.is_heard = True
        data = msg.get("content", {}).get("data") if isinstance(msg, dict) else None
        if not isinstance(data, dict) or data.get("method") not in _METHODS:
            self._refuse(CamwidgetError("The page sent what is no message of a widget."))
            return
        if process_exit.exit_has_begun():
            return
        try:
            with (
                process_exit.block_exit()
            ):  # on a subshell this is a thread that Python would end, too
                super()._handle_msg(msg)
        except Exception as error:
            self._refuse(error)

    def set_state(self, sync_data: Any) -> None:
        """What the page changed, each trait by itself, so that one that is refused keeps no other from being set."""
        if not isinstance(sync_data, dict):
            self._refuse(CamwidgetError("The page sent a state that has no names."))
            return
        known = {n: v for n, v in sync_data.items() if n in self.keys and n not in self._own}
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
        """Pages that show the same widget hear what one of them sent, as of every widget of ipywidgets."""
        echoed = {n: v for n, v in state.items() if self.trait_metadata(n, "echo_update", True)}
        if echoed and JUPYTER_WIDGETS_ECHO:
            plain, paths, buffers = _remove_buffers(echoed)
            self._send({"method": "echo_update", "state": plain, "buffer_paths": paths}, buffers)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        # Not by ipywidgets' dispatcher, which prints what a callback raises into the notebook.
        for callback in self._msg_callbacks.callbacks:
            try:
                callback(self, content, buffers)
            except Exception as error:
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._say_refusal(error_text(error, self, known=KNOWN))

    def _say_refusal(self, text: str) -> None:
        """Where the widget shows errors; one that does not has them in the log."""
        if self.has_trait("error"):
            self.set_trait("error", text)
        else:
            self.log.warning(text)


_METHODS = ("update", "request_state", "custom")


def _same(held: Any, value: Any) -> bool:
    """Whether the page has what is held; where nobody can tell, it is sent again."""
    try:
        return bool(held == value)
    except (TypeError, ValueError, RecursionError):  # arrays, or lists in lists without end
        return False
