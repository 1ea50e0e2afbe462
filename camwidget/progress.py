"""Progress of long work, and the way to cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from tqdm.auto import tqdm

__all__ = ["Progress", "track"]

T = TypeVar("T")

#: Called with (done, total) after each step; may raise to cancel.
Progress: TypeAlias = Callable[[int, int], None]


def track(steps: Sequence[T], label: str, progress: Progress | None = None) -> Iterator[T]:
    """Yield the steps, reporting to ``progress``, or to a bar that appears after a second."""
    if progress is None:
        # The delay keeps quick work quiet.
        yield from tqdm(steps, desc=label, leave=False, delay=1.0)
        return
    for done, step in enumerate(steps):
        progress(done, len(steps))
        yield step
    progress(len(steps), len(steps))
