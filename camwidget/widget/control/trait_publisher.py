"""Assignment of computed values to an explorer's traits, kept apart from changes that a person makes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import traitlets as t

from ...runtime.error_reports import error_text

__all__ = ["TraitPublisher"]


class TraitPublisher:
    """Sets the traits of an explorer, which it does not keep alive.

    Its flags are kept for each thread: while one thread restores a state, another may still request a map.

    Args:
        owner: the explorer.
        on_error: called with a text when an observer of a trait raises.
    """

    def __init__(self, owner: t.HasTraits, on_error: Callable[[str], None]) -> None:
        self._owner = weakref.ref(owner)
        self._on_error = on_error
        self._local = threading.local()
        self._on_step: Callable[[str | None, bool], None] = lambda cause, lasting: None

    @property
    def is_alive(self) -> bool:
        """Whether the explorer still exists."""
        return self._owner() is not None

    @property
    def owner(self) -> t.HasTraits:
        """The explorer.

        Raises:
            ReferenceError: if it does not exist any more.
        """
        owner = self._owner()
        if owner is None:
            raise ReferenceError("The explorer is gone.")
        return owner

    def observe(
        self, handler: Callable[[dict[str, Any]], None], names: str | Sequence[str]
    ) -> None:
        """Call ``handler`` with each change of these traits."""
        owner = self._owner()
        if owner is not None:
            owner.observe(handler, names)

    def publish(self, name: str, value: Any) -> None:
        """Set a trait. An error raised by an observer is shown, and stops nothing else."""
        owner = self._owner()
        if owner is None:
            return
        try:
            owner.set_trait(name, value)
        except Exception as error:
            # Also errors of this library: the observer's code did not expect them.
            begin = f"An observer of {name!r} raised"
            self._on_error(error_text(error, owner, begin=begin, known=()))

    def publish_known(self, name: str, value: Any) -> None:
        """Set a trait to a value that is shown or requested already, so that its change requests nothing."""
        before = getattr(self._local, "known", None)
        self._local.known = (name, value)
        try:
            self.publish(name, value)
        finally:
            self._local.known = before

    def is_known(self, name: str, value: Any) -> bool:
        """Whether this thread is setting this trait to an equal value in ``publish_known``."""
        known: tuple[str, Any] | None = getattr(self._local, "known", None)
        if known is None or known[0] != name:
            return False
        # Arrays have no single truth value: of them, the very object counts.
        return known[1] is value or (
            not isinstance(value, np.ndarray)
            and not isinstance(known[1], np.ndarray)
            and bool(known[1] == value)
        )

    def is_same_known(self, name: str, value: Any) -> bool:
        """Whether this thread is setting this trait to this very object in ``publish_known``."""
        known: tuple[str, Any] | None = getattr(self._local, "known", None)
        return known is not None and known[0] == name and known[1] is value

    @property
    def is_restoring(self) -> bool:
        """Whether this thread is inside ``restoring``: no change requests anything until all traits are set."""
        return bool(getattr(self._local, "restoring", False))

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Set several traits, checked before, without requesting anything in between."""
        self._local.restoring = True
        try:
            yield
        finally:
            self._local.restoring = False

    # -- steps of the history --------------------------------------------------------------

    def on_step(self, listener: Callable[[str | None, bool], None]) -> None:
        """Call ``listener(cause, lasting)`` after each step; ``lasting`` if pauses do not end the step (a stroke)."""
        self._on_step = listener

    @property
    def is_in_step(self) -> bool:
        """Whether this thread is inside ``step``."""
        return bool(getattr(self._local, "depth", 0))

    @contextmanager
    def step(self, cause: str | None = None) -> Iterator[None]:
        """Record all changes that this thread makes inside as one step of the history."""
        self._local.depth = getattr(self._local, "depth", 0) + 1
        try:
            yield
        finally:
            self._local.depth -= 1
            if not self.is_in_step and not self.is_restoring:
                self._on_step(cause, False)

    def note_stroke(self, number: int) -> None:
        """Record a movement of the brush: a stroke is one step, however long it takes."""
        self._on_step(f"stroke {number}", True)
