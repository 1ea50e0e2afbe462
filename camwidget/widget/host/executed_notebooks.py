"""Executed notebooks (papermill, nbconvert): the stored output shows the widgets' final state.

nbclient, which nbconvert, papermill and Quarto use, stores what the widgets sent while a cell was running; results that
the worker computes later are lost. In such a kernel a cell ends when the widgets are finished. It is recognized by
``allow_stdin``, which is False if no person could answer a question.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .. import _compat

__all__ = ["finish_cells_with", "note_page_message"]

#: Whether a page has sent a message: then a person is there, and cells no longer wait.
_is_attended = False
_registered: Any = None


def note_page_message() -> None:
    """Note that a page has sent a message to a widget."""
    global _is_attended
    _is_attended = True


def finish_cells_with(finish: Callable[[], None]) -> None:
    """Call ``finish`` at the end of each cell of a kernel without a front end.

    Args:
        finish: blocks until all widgets are finished. An interrupt ends it.
    """
    global _registered
    shell = _compat.kernel_shell()
    if shell is None or shell is _registered:
        return
    _registered = shell

    def after_cell(result: Any) -> None:
        if not _is_attended and _is_unattended(shell):
            finish()

    shell.events.register("post_run_cell", after_cell)


def _is_unattended(shell: Any) -> bool:
    # Voila executes a notebook too, but shows a page of it afterwards, which should not wait.
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return False
    content = shell.kernel.get_parent().get("content", {})
    return content.get("allow_stdin") is False
