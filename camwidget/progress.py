"""Progress bars and cancellation of long computations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from tqdm.auto import tqdm

__all__ = ["Progress", "Stage", "follow", "track"]


class Countable(Protocol):
    """An object that reports its progress."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


class Stage(NamedTuple):
    """The progress of a computation."""

    done: int
    total: int


T = TypeVar("T")
C = TypeVar("C", bound=Countable)

#: Called with (done, total) after each step; may raise to cancel.
Progress: TypeAlias = Callable[[int, int], None]


def _bar(label: str, total: int) -> Any:
    """Create a bar that appears after a second; none if TQDM_DISABLE is set."""
    # tqdm reads the variable for text bars, but not for notebook bars.
    off = bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(desc=label, leave=False, delay=1.0, total=total, disable=off)


def track(steps: Sequence[T], label: str, progress: Progress | None = None) -> Iterator[T]:
    """Yield the steps, and report each to ``progress``, or to a bar that appears after a second."""
    if progress is None:
        with _bar(label, len(steps)) as bar:
            try:
                for step in steps:
                    yield step
                    bar.update()
            except GeneratorExit:
                # The caller stopped early: without this, an incomplete bar is displayed as a failure.
                bar.total = bar.n
                raise
        return
    for done, step in enumerate(steps):
        progress(done, len(steps))
        yield step
    progress(len(steps), len(steps))


def follow(steps: Iterable[C], label: str, progress: Progress | None = None) -> C:
    """Exhaust an iterable of steps that report their progress, as ``track`` does.

    Args:
        steps: the steps, at least one.
        label: label of the bar.
        progress: called with (done, total); a bar if None.

    Returns:
        The last step.
    """
    last: C | None = None
    if progress is None:
        with _bar(label, 1) as bar:
            for last in steps:
                bar.total = last.total
                bar.update(last.done - bar.n)
    else:
        for last in steps:
            progress(last.done, last.total)
    assert last is not None, "there is at least one step"
    return last
