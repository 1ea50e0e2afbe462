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
    """Past, present and future states; immutable."""

    past: tuple[State, ...]
    now: State
    future: tuple[State, ...]


class History:
    """The undo history of an explorer, of changes by a person and by Python.

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
        #: The line at the time when the map of its present state was last shown.
        self._settled = self._line
        #: The trait that the last step changed, and when; None if the next change is a new step in any case.
        self._cause: str | None = None
        self._when = 0.0

    def connect(self) -> None:
        """Start to observe the traits. Called after all other observers: a step includes what they change."""
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
        """The states that ``undo`` goes back to, the most recent last."""
        return self._line.past

    def restore(self, wanted: State) -> None:
        """Restore a complete or partial state as one step.

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
        """Complete the present state by the class and the text, which may be known only now."""
        with self._lock:
            now, line = self._read(), self._line
            if _completes(now, line.now):
                past = line.past[:-1] if line.past and line.past[-1] == now else line.past
                self._line = _Line(past, now, line.future)
            self._cause = None
            self._keep_if_shown()
        self._publish()

    def map_restored(self) -> None:
        """Remove the step whose map failed or was canceled; other changes since then become a step."""
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
            # Changes by another thread in the meantime are a step of their own. If the map fails, `map_restored`
            # replaces the line.
            self._note(None)
            with self._lock:
                self._keep_if_shown()
        self._publish()

    def _trait_changed(self, change: dict[str, Any]) -> None:
        # A published value follows from a change that was noted already.
        traits, name = self._context.explorer.traits, change["name"]
        if not self._is_in_step() and not traits.is_known(name, change["new"]):
            self._note(name)

    def _style_changed(self, change: dict[str, Any]) -> None:
        if not self._is_in_step():
            self._note(change["name"])

    def _is_in_step(self) -> bool:
        """Whether this thread's changes are noted together, at the end of a step."""
        traits = self._context.explorer.traits
        return traits.is_restoring or traits.is_in_step

    def _note(self, cause: str | None, lasting: bool = False) -> None:
        """Add the present state as a step if it has changed, or replace the last step if that continues.

        Args:
            cause: name of the trait that has changed; None for a step that continues no other.
            lasting: whether a change of the same cause continues the step after any pause.
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
        # Two threads may publish at once: repeat until the newest state is published.
        while published != (now := (bool(self._line.past), bool(self._line.future))):
            published = now
            explorer.traits.publish("can_undo", now[0])
            explorer.traits.publish("can_redo", now[1])
            explorer.display.publish(can_undo=now[0], can_redo=now[1])
        explorer.worker.submit("code", lambda: explorer.display.publish(code=self._code()))


def _completes(now: State, before: State) -> bool:
    """Whether two states differ only in a class or a text that ``before`` did not know yet."""
    return all(
        value == before[name] or (name in ("target", "text") and not before[name])
        for name, value in now.items()
    )
