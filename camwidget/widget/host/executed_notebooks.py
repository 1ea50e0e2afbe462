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

__all__ = [
    "after_cells",
    "finish",
    "finish_cells_with",
    "is_executed_by_program",
    "note_page_message",
]

#: Whether a page has sent a message: then a person is there, and cells no longer wait.
_is_attended = False
_registered: Any = None
_finish: Callable[[], None] | None = None
_after_cells: list[Callable[[], None]] = []


def note_page_message() -> None:
    """Note that a page has sent a message to a widget."""
    global _is_attended
    _is_attended = True


def finish_cells_with(finish: Callable[[], None]) -> None:
    """Call ``finish`` at the end of each cell of a kernel without a front end.

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
