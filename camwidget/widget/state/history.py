"""History of an explorer's states, for undo and redo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ...runtime import fork_safety
from . import state
from .state import LOOK, PARTS, State

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["History"]


class _Line(NamedTuple):
    """The states in order. Replaced as a whole, never changed."""

    past: tuple[State, ...]
    now: State
    future: tuple[State, ...]


class History:
    """The steps of an explorer, whoever made them: a person, or Python.

    What a step brings with it, such as the class that is predicted for another picture, belongs to it. A map that
    failed, or was cancelled, is no step. Steps in a row of one trait are one where no map was shown between them and
    little time has passed: a slider that is dragged.

    Args:
        explorer: whose.
    """

    #: Steps that are kept.
    LENGTH = 200
    #: Seconds after which the same trait changed again is another step.
    PAUSE = 1.0

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        #: Held while the line is replaced; nothing else is waited for under it.
        self._lock = fork_safety.rlock()
        #: Held while several traits are set together: two of these at once would mix.
        self._turn = fork_safety.rlock()
        self._inside = threading.local()
        self._line = _Line((), {}, ())
        #: The line when the state was last on the screen with its map.
        self._settled = self._line
        #: What the last step changed, and when; None where the next change is another step anyway.
        self._cause: str | None = None
        self._when = 0.0

    def connect(self) -> None:
        """Begin to listen. After everyone else: what a change brings with it has been done then."""
        explorer = self._explorer
        self._line = self._settled = _Line((), state.read(explorer), ())
        explorer.observe(self._changed, [name for name in PARTS if name not in LOOK])
        explorer._view.observe(self._changed, list(LOOK))
        self._tell()

    def _depth(self) -> int:
        """How many steps this thread is inside of."""
        depth: int = getattr(self._inside, "depth", 0)
        return depth

    @contextmanager
    def one(self, cause: str | None = None) -> Iterator[None]:
        """All that this thread changes inside is one step."""
        self._inside.depth = self._depth() + 1
        try:
            yield
        finally:
            self._inside.depth -= 1
            if not self._inside.depth and not self._explorer._restoring:
                self._note(cause)

    def restore(self, wanted: State) -> None:
        """Show a state, or what is named of one, as one step.

        Raises:
            StateError: if it cannot be; nothing has changed then.
        """
        with self._turn, self.one():
            state.restore(self._explorer, wanted)

    def undo(self) -> None:
        """Back by one step, if there is one."""
        self._move(
            lambda line: (
                _Line(line.past[:-1], line.past[-1], (line.now, *line.future))
                if line.past
                else line
            )
        )

    def redo(self) -> None:
        """Forth again by one step, if there is one."""
        self._move(
            lambda line: (
                _Line((*line.past, line.now), line.future[0], line.future[1:])
                if line.future
                else line
            )
        )

    def settle(self) -> None:
        """The map asked for is on the screen: the class and the text that nobody knew before are known."""
        with self._lock:
            now, line = state.read(self._explorer), self._line
            if _completes(now, line.now):
                past = line.past[:-1] if line.past and line.past[-1] == now else line.past
                self._line = _Line(past, now, line.future)
            self._cause = None
            self._keep_if_shown()
        self._tell()

    def stroke(self, number: int) -> None:
        """The brush has moved: however long a stroke takes, it is one step."""
        self._note(f"stroke {number}", lasting=True)

    def back(self) -> None:
        """The map asked for came to nothing, and the one before is there again: so is the line, but for the rest."""
        with self._lock:
            self._line = self._settled
            self._cause = None
        self._note(None)
        self._tell()

    def _move(self, to: Callable[[_Line], _Line]) -> None:
        explorer = self._explorer
        with self._turn:
            with self._lock:
                before = self._line
                self._line = line = to(before)
                self._cause = None
            if line is before:
                return
            try:
                state.restore(explorer, line.now)
            except BaseException:
                with self._lock:
                    self._line = before
                raise
            with self._lock:
                # Its map may have failed by now.
                self._line = self._line._replace(now=state.read(explorer))
                self._keep_if_shown()
        self._tell()

    def _changed(self, change: dict[str, Any]) -> None:
        explorer, name, value = self._explorer, change["name"], change["new"]
        if explorer._restoring or self._depth():
            return
        # What is only stated follows from a step that is noted where it is made.
        # By value: ours is a weak proxy.
        if change["owner"] != explorer or not explorer._is_stated(name, value):
            self._note(name)

    def _note(self, cause: str | None, *, lasting: bool = False) -> None:
        """The present state is a step, if it is another, and nothing that goes on.

        Args:
            cause: what has changed it; None if that is a step of its own.
            lasting: whether the same cause goes on, however long it has rested.
        """
        with self._lock:
            now, line, when = state.read(self._explorer), self._line, time.monotonic()
            if _completes(now, line.now):
                self._line = line._replace(now=now)
                return
            goes_on = cause is not None and cause == self._cause
            goes_on = goes_on and (lasting or when - self._when < self.PAUSE)
            past = line.past if goes_on else (*line.past, line.now)[-self.LENGTH :]
            if goes_on and past[-1] == now:  # there and back
                past, cause = past[:-1], None
            self._line = _Line(past, now, ())
            self._cause, self._when = cause, when
            self._keep_if_shown()
        self._tell()

    def _keep_if_shown(self) -> None:
        desk = self._explorer._desk
        if desk.requested == desk.shown:
            self._settled = self._line

    def _tell(self) -> None:
        """What can be done now, and the code of what is shown."""
        explorer = self._explorer
        told: tuple[bool, bool] | None = None
        # Two threads may tell at once: the newest is told last.
        while told != (now := (bool(self._line.past), bool(self._line.future))):
            told = now
            explorer._announce("can_undo", now[0])
            explorer._announce("can_redo", now[1])
            explorer._screen.tell(undoable=now[0], redoable=now[1])
        explorer._session.submit("code", lambda: explorer._screen.tell(code=explorer.code))


def _completes(now: State, before: State) -> bool:
    """Whether a state is another only in that its class, or its text, was not known yet."""
    return all(
        value == before[name] or (name in ("target", "text") and not before[name])
        for name, value in now.items()
    )
