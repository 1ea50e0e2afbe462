"""Executed notebooks (papermill, nbconvert): the stored output shows the widgets' final state.

nbclient, and with it nbconvert, papermill and Quarto, keeps of the widgets what they sent while a cell was running;
what the worker computes afterwards is lost. So such a cell ends when the widgets are finished. It is known
by ``allow_stdin``, which is False where no person could answer a question.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .. import _compat

__all__ = ["finish_cells_with", "note_page_message"]

#: Whether a page has sent anything: then there is somebody, and no cell waits any more.
_is_attended = False
_registered: Any = None


def note_page_message() -> None:
    """Note that a page has sent a widget something."""
    global _is_attended
    _is_attended = True


def finish_cells_with(finish: Callable[[], None]) -> None:
    """Have each cell of a kernel that nobody attends end with ``finish()``.

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
    # Voila executes a notebook too, but has a page for its kernel afterwards, which is not to wait.
    if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return False
    content = shell.kernel.get_parent().get("content", {})
    return content.get("allow_stdin") is False
