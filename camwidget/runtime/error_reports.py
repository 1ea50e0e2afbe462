"""Error reports: errors as text for the user; unexpected ones are logged with their traceback under ``camwidget``."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType

from ..errors import CamwidgetError
from . import fork_safety

__all__ = ["LOGGER", "error_line", "error_text", "first_line", "log_error", "log_within"]

LOGGER = logging.getLogger(__name__.partition(".")[0])

#: Number of tracebacks remembered for each owner, and of characters shown of a message.
_MAX_TRACEBACKS, _MAX_LENGTH = 100, 400

#: By owner, the keys of the records logged for it; errors without an owner belong to this module.
_logged: weakref.WeakKeyDictionary[object, dict[Hashable, None]] = weakref.WeakKeyDictionary()
_lock = fork_safety.lock()
#: Makes what surrounds the logging of an error.
_context: Callable[[], AbstractContextManager[object]] = nullcontext


def error_line(error: BaseException) -> str:
    """Return the type and message of an error in one line of limited length."""
    # format_exception_only also handles an error whose ``__str__`` raises.
    line = " ".join("".join(traceback.format_exception_only(error)).split())
    return line if len(line) <= _MAX_LENGTH else f"{line[: _MAX_LENGTH - 1]}…"


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
    """Return an error as text for the user, and log it.

    Args:
        error: the error.
        owner: the widget that shows the text. The same traceback is logged once for each owner.
        begin: beginning of the text for an unexpected error, such as "An observer of 'mask' raised".
        known: types of expected errors, whose own message is the text; they are logged at level DEBUG.

    Returns:
        The message of an expected error; for an unexpected one, its type, its message, and where its traceback is.
    """
    if isinstance(error, known):
        LOGGER.debug("%s", error, exc_info=error, stacklevel=2)
        return str(error)
    text = f"{begin} {error_line(error)}" if begin else f"An unexpected error ({error_line(error)})"
    log_error(error, f"{text}. The same is not logged again.", owner, stacklevel=3)
    return f"{text}; its traceback is {_log_location()}."


def log_error(
    error: BaseException,
    message: str,
    owner: object = None,
    *,
    level: int = logging.ERROR,
    stacklevel: int = 2,
) -> None:
    """Log an error with its traceback, once for each owner and traceback.

    Args:
        error: the error.
        message: what failed, and what happens instead.
        owner: the object that the error belongs to; None for the library itself.
        level: level of ``logging``.
        stacklevel: stack level of ``logging``; 2 for the caller's line.
    """
    key = (level, _traceback_key(error), tuple(weakref.ref(h) for h in _handlers()))
    with _lock:
        known = _logged.setdefault(
            sys.modules[__name__] if owner is None else _dereferenced(owner), {}
        )
        if key in known:
            return
        known[key] = None
        if len(known) > _MAX_TRACEBACKS:
            del known[next(iter(known))]
    with _context():
        LOGGER.log(level, "%s", message, exc_info=error, stacklevel=stacklevel)


def log_within(context: Callable[[], AbstractContextManager[object]]) -> None:
    """Log all errors from now on within a context, which ``context`` makes for each in the thread that logs it."""
    global _context
    _context = context


def _dereferenced(owner: object) -> object:
    """Return the referent of a weak proxy, which cannot be weakly referenced; any other object as it is."""
    return owner.__repr__.__self__ if isinstance(owner, weakref.ProxyTypes) else owner


def _traceback_key(error: BaseException) -> Hashable:
    """Return a key of a traceback: the types of its errors and its lines of code, without the messages."""
    found: dict[Hashable, None] = {}
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        found[f"{type(current).__module__}.{type(current).__qualname__}"] = None
        for frame, line in traceback.walk_tb(current.__traceback__):
            # Each line once: an endless recursion does not end at the same depth every time.
            found[frame.f_code.co_filename, line] = None
        suppressed = current.__suppress_context__
        current = current.__cause__ or (None if suppressed else current.__context__)
    return tuple(found)


def _handlers() -> Iterator[logging.Handler]:
    """Iterate over the handlers of this package's records, as ``Logger.callHandlers`` finds them."""
    current: logging.Logger | None = LOGGER
    while current is not None:
        yield from current.handlers
        current = current.parent if current.propagate else None


def _log_location() -> str:
    """Return where the user finds logged tracebacks, as the end of the sentence "its traceback is …"."""
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
        return _stderr_location(sys.modules.get("IPython"))
    return f"where the log of {LOGGER.name!r} goes (Python's logging)"


def _stderr_location(ipython: ModuleType | None) -> str:
    """Return where the user finds stderr: in a notebook it is below the last cell, or in a log after a click."""
    shell = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return "on stderr"
    return (
        "below the cell that ran last, or in the notebook's log (in JupyterLab: View > Show Log "
        "Console)"
    )
