"""``ChoiceSetter``: tells choices that code sets in a panel from those that a person makes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["ChoiceSetter"]


class ChoiceSetter:
    """Marks the thread that sets the choices of a panel.

    An observer of a dropdown is called on the thread that sets it, whoever that is: only there does code set a choice.

    Args:
        lock: the panel's lock, held while choices are set.
    """

    def __init__(self, lock: contextlib.AbstractContextManager[object]) -> None:
        self._lock = lock
        self._thread: int | None = None

    @property
    def is_setting(self) -> bool:
        """Whether code on this thread is setting choices: what changes now is nobody's wish."""
        return self._thread == threading.get_ident()

    @contextlib.contextmanager
    def setting(self) -> Iterator[None]:
        """Set choices without taking them for a person's."""
        with self._lock:
            before, self._thread = self._thread, threading.get_ident()
            try:
                yield
            finally:
                self._thread = before
