"""History of an explorer's states, for undo and redo."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ..control.map_request import MapRequest
from .explorer_state import STATE_KEYS, STYLE_TRAITS, State, StateContext, read_state, restore_state

__all__ = ["History"]


class _Line(NamedTuple):
    """The states in order. Replaced, never changed."""

    past: tuple[State, ...]
    now: State
    future: tuple[State, ...]


class History:
    """Steps of an explorer, whoever made them: a person, or Python.

    Changes that follow from a step, such as the class predicted for a new picture, are part of it. A map that failed,
    or was canceled, is no step. Consecutive changes of one trait are one step if no map was shown between them and
    little time has passed, as when a slider is dragged.

    Args:
        context: what states are read from, and restored to.
        code: writes the Python code of the present state, which is published after each step.
    """

    #: Steps that are kept.
    LENGTH = 200
    #: Seconds after which the same trait changed again is another step.
    PAUSE = 1.0

    def __init__(self, context: StateContext, code: Callable[[], str]) -> None:
        self._context = context
        self._code = code
        #: Held while the line is replaced; nothing else is waited for under it.
        self._lock = fork_safety.rlock()
        #: Held while several traits are set together: two of these at once would mix.
        self._turn = fork_safety.rlock()
        self._line = _Line((), {}, ())
        #: The line when the state was last on the screen with its map.
        self._settled = self._line
        #: What the last step changed, and when; None where the next change is another step anyway.
        self._cause: str | None = None
        self._when = 0.0

    def connect(self) -> None:
        """Begin to listen. After everyone else: what a change brings with it has been done then."""
        explorer = self._context.explorer
        self._line = self._settled = _Line((), self._read(), ())
        explorer.traits.on_step(self._note)
        explorer.traits.observe(
            self._trait_changed, [name for name in STATE_KEYS if name not in STYLE_TRAITS]
        )
        explorer.display.view.observe(self._style_changed, list(STYLE_TRAITS))
        self._publish()

    def _read(self) -> State:
        return read_state(self._context)

    @property
    def past(self) -> tuple[State, ...]:
        """The states that can be gone back to, the last one last."""
        return self._line.past

    def restore(self, wanted: State) -> None:
        """Show a state, or what is named of one, as one step.

        Raises:
            StateError: if it cannot be; nothing has changed then.
        """
        with self._turn, self._context.explorer.traits.step():
            restore_state(self._context, wanted)

    def undo(self) -> None:
        """Go back by one step, if there is one."""
        self._move(
            lambda line: (
                _Line(line.past[:-1], line.past[-1], (line.now, *line.future))
                if line.past
                else line
            )
        )

    def redo(self) -> None:
        """Go forth again by one step, if there is one."""
        self._move(
            lambda line: (
                _Line((*line.past, line.now), line.future[0], line.future[1:])
                if line.future
                else line
            )
        )

    def map_shown(self, shown: MapRequest, model: VisionModel) -> None:
        """Complete the present state: class and text may not have been known before the map was shown."""
        with self._lock:
            now, line = self._read(), self._line
            if _completes(now, line.now):
                past = line.past[:-1] if line.past and line.past[-1] == now else line.past
                self._line = _Line(past, now, line.future)
            self._cause = None
            self._keep_if_shown()
        self._publish()

    def map_restored(self) -> None:
        """Go back to the line before the map that has come to nothing, but for what else has changed since."""
        with self._lock:
            self._line = self._settled
            self._cause = None
        self._note(None)
        self._publish()

    def _move(self, to: Callable[[_Line], _Line]) -> None:
        with self._turn:
            with self._lock:
                before = self._line
                self._line = line = to(before)
                self._cause = None
            if line is before:
                return
            try:
                restore_state(self._context, line.now)
            except BaseException:
                with self._lock:
                    self._line = before
                raise
            # What another thread has changed meanwhile is a step after this one. A map that has failed by now, or fails
            # later, has the line replaced by `map_restored`.
            self._note(None)
            with self._lock:
                self._keep_if_shown()
        self._publish()

    def _trait_changed(self, change: dict[str, Any]) -> None:
        # What is only published follows from a step that is noted where it is made.
        traits, name = self._context.explorer.traits, change["name"]
        if not self._is_in_step() and not traits.is_known(name, change["new"]):
            self._note(name)

    def _style_changed(self, change: dict[str, Any]) -> None:
        if not self._is_in_step():
            self._note(change["name"])

    def _is_in_step(self) -> bool:
        """Whether what this thread changes is noted when all of it is done."""
        traits = self._context.explorer.traits
        return traits.is_restoring or traits.is_in_step

    def _note(self, cause: str | None, lasting: bool = False) -> None:
        """Note the present state as a step, if it is another, and not the last step going on.

        Args:
            cause: what has changed it; None if that is a step of its own.
            lasting: whether the same cause goes on, however long it has rested.
        """
        with self._lock:
            now, line, when = self._read(), self._line, time.monotonic()
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
        self._publish()

    def _keep_if_shown(self) -> None:
        if self._context.requests.main.is_settled:
            self._settled = self._line

    def _publish(self) -> None:
        """Publish what can be undone and redone, and the code of the present state."""
        explorer = self._context.explorer
        published: tuple[bool, bool] | None = None
        # Two threads may publish at once: the newest state is published last.
        while published != (now := (bool(self._line.past), bool(self._line.future))):
            published = now
            explorer.traits.publish("can_undo", now[0])
            explorer.traits.publish("can_redo", now[1])
            explorer.display.publish(can_undo=now[0], can_redo=now[1])
        explorer.worker.submit("code", lambda: explorer.display.publish(code=self._code()))


def _completes(now: State, before: State) -> bool:
    """Whether a state is another only in that its class, or its text, was not known yet."""
    return all(
        value == before[name] or (name in ("target", "text") and not before[name])
        for name, value in now.items()
    )
