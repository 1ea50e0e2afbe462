"""Log output: what widgets log between cells is shown below the cell that ran last.

A kernel sends each output with the request that it belongs to. Between cells that is a page's last message to a
widget, and JupyterLab and Notebook drop what belongs to such a message as soon as the message has been handled: a
traceback that a worker logs a moment later would be shown nowhere. A cell's output is shown until it is run again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ...runtime import error_reports
from .. import _compat

__all__ = ["show_log_below_cells"]

#: The shell whose cells are followed.
_followed: Any = None
#: The request of the cell that began last.
_last_cell: dict[str, Any] | None = None


def show_log_below_cells() -> None:
    """Show what is logged from now on below the cell that began last; outside kernels this does nothing."""
    global _followed
    shell = _compat.kernel_shell()
    if shell is None or shell is _followed:
        return
    _followed = shell
    _note_cell()
    shell.events.register("pre_run_cell", _note_cell)
    error_reports.log_within(_below_last_cell)


def _note_cell(info: Any = None) -> None:
    """Note the running cell. Requests of an application itself, which no cell shows, leave no history."""
    global _last_cell
    shell = _compat.kernel_shell()
    if shell is None or not getattr(info, "store_history", True):
        return
    request = shell.kernel.get_parent()
    if request.get("header", {}).get("msg_type") == "execute_request":
        _last_cell = request


def _below_last_cell() -> AbstractContextManager[None]:
    return _compat.stderr_of_request(_last_cell)
