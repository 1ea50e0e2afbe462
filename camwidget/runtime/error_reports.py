"""Errors as text to show; an unexpected one is logged with its traceback under ``camwidget``."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import weakref
from collections.abc import Hashable, Iterator
from types import ModuleType

from ..errors import CamwidgetError
from . import fork_safety

__all__ = ["LOGGER", "error_line", "error_text", "first_line", "log_error"]

LOGGER = logging.getLogger(__name__.partition(".")[0])

#: Different tracebacks that are remembered for each owner, and characters of a message that are shown.
_MOST, _LONGEST = 100, 400

#: By owner, what has been logged for it. Those without one are this module's.
_logged: weakref.WeakKeyDictionary[object, dict[Hashable, None]] = weakref.WeakKeyDictionary()
_lock = fork_safety.lock()


def error_line(error: BaseException) -> str:
    """The kind of an error and its message in one line, whatever is in it."""
    # Also of an error whose ``__str__`` raises.
    line = " ".join("".join(traceback.format_exception_only(error)).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def error_text(
    error: BaseException,
    owner: object = None,
    *,
    begin: str = "",
    known: tuple[type[BaseException], ...] = (CamwidgetError,),
) -> str:
    """An error for a person to read: one that is known explains itself, any other is logged with its traceback.

    Args:
        error: what was raised.
        owner: the widget that shows the text. For each, the same traceback is logged once, however often it comes.
        begin: the beginning of the text for an error that is not known, such as "An observer of 'mask' raised".
        known: what is raised on purpose. It is logged with its traceback too, but as a detail (DEBUG).
    """
    if isinstance(error, known):
        LOGGER.debug("%s", error, exc_info=error, stacklevel=2)
        return str(error)
    what = f"{begin} {error_line(error)}" if begin else f"An unexpected error ({error_line(error)})"
    log_error(error, f"{what}. The same is not logged again.", owner, stacklevel=3)
    return f"{what}; its traceback is {_where_logged()}."


def log_error(
    error: BaseException,
    message: str,
    owner: object = None,
    *,
    level: int = logging.ERROR,
    stacklevel: int = 2,
) -> None:
    """Log an error with its traceback, unless it has been for this owner: what fails a thousand times is logged once.

    Args:
        error: what was raised.
        message: what was being done, and what is done instead.
        owner: whose error it is; None for the library's own.
        level: as ``logging`` has it.
        stacklevel: whose line the record is of; 2 for the caller's.
    """
    key = (level, _origin(error), tuple(weakref.ref(h) for h in _handlers()))
    with _lock:
        known = _logged.setdefault(sys.modules[__name__] if owner is None else _itself(owner), {})
        if key in known:
            return
        known[key] = None
        if len(known) > _MOST:
            del known[next(iter(known))]
    LOGGER.log(level, "%s", message, exc_info=error, stacklevel=stacklevel)


def _itself(owner: object) -> object:
    """What a weak proxy stands for; anything else as it is. There are no weak references to proxies."""
    return owner.__repr__.__self__ if isinstance(owner, weakref.ProxyTypes) else owner


def _origin(error: BaseException) -> Hashable:
    """What tells a traceback from others: the kinds of errors in it and the lines it goes through, not the messages."""
    found: dict[Hashable, None] = {}
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        found[f"{type(at).__module__}.{type(at).__qualname__}"] = None
        for frame, line in traceback.walk_tb(at.__traceback__):
            # Each line once: an endless recursion does not end at the same depth every time.
            found[frame.f_code.co_filename, line] = None
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return tuple(found)


def _handlers() -> Iterator[logging.Handler]:
    """Those that a record of ours goes to, as ``Logger.callHandlers`` finds them."""
    at: logging.Logger | None = LOGGER
    while at is not None:
        yield from at.handlers
        at = at.parent if at.propagate else None


def _where_logged() -> str:
    """Where a person finds what is logged, to stand behind "its traceback is"."""
    handlers = list(_handlers())
    listening = [
        h for h in handlers if h.level <= logging.ERROR and not isinstance(h, logging.NullHandler)
    ]
    logger = f"logging.getLogger({LOGGER.name!r})"
    if not LOGGER.isEnabledFor(logging.ERROR):
        return f"not logged, since errors are left out: logging.disable(0); {logger}.setLevel('ERROR') changes that"
    if not (listening if handlers else logging.lastResort):
        return f"not kept, since no handler takes errors: {logger}.addHandler(logging.StreamHandler()) changes that"
    files = [h.baseFilename for h in listening if isinstance(h, logging.FileHandler)]
    files = [name for name in files if name != os.devnull]
    if files:
        return f"in {files[0]}"
    streams = [h.stream for h in listening if isinstance(h, logging.StreamHandler)]
    if not handlers or sys.stderr in streams:
        return _on_stderr(sys.modules.get("IPython"))
    return f"where the log of {LOGGER.name!r} goes (Python's logging)"


def _on_stderr(ipython: ModuleType | None) -> str:
    """What a person sees of stderr: in a notebook it goes to the last cell or, if that was a click, to a log."""
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return "on stderr"
    return (
        "below the cell that ran last, or in the notebook's log (in JupyterLab: View > Show Log "
        "Console)"
    )
