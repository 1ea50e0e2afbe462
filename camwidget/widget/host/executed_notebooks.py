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

__all__ = [
    "after_cells",
    "finish",
    "finish_cells_with",
    "is_executed_by_program",
    "note_page_message",
]

#: Whether a page has sent anything: then there is somebody, and no cell waits any more.
_is_attended = False
_registered: Any = None
_finish: Callable[[], None] | None = None
_after_cells: list[Callable[[], None]] = []


def note_page_message() -> None:
    """Note that a page has sent a widget something."""
    global _is_attended
    _is_attended = True


def finish_cells_with(finish: Callable[[], None]) -> None:
    """Have each cell of a kernel that nobody attends end with ``finish()``.

    Args:
        finish: blocks until all widgets are finished. An interrupt ends it.
    """
    global _registered, _finish
    _finish = finish
    shell = _compat.kernel_shell()
    if shell is None or shell is _registered:
        return
    _registered = shell

    def after_cell(result: Any) -> None:
        if is_executed_by_program():
            finish()
            for follow in list(_after_cells):
                follow()

    shell.events.register("post_run_cell", after_cell)


def finish() -> None:
    """Block until all widgets are finished."""
    if _finish is not None:
        _finish()


def after_cells(follow: Callable[[], None]) -> None:
    """Have a function called at the end of each cell that nobody attends, once the widgets are finished."""
    if follow not in _after_cells:
        _after_cells.append(follow)


def is_executed_by_program() -> bool:
    """Whether the cell that runs belongs to a notebook that a program executes, and no page shows."""
    shell = _compat.kernel_shell()
    # Voila executes a notebook too, but has a page for its kernel afterwards, which is not to wait.
    is_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    if _is_attended or shell is None or is_voila:
        return False
    content = shell.kernel.get_parent().get("content", {})
    return content.get("allow_stdin") is False
