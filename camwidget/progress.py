"""Progress of long work, and the way to cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias, TypeVar

from tqdm.auto import tqdm

__all__ = ["Progress", "follow"]


class Countable(Protocol):
    """Something that says how far it has come."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


C = TypeVar("C", bound=Countable)

#: Called with (done, total) after each step; may raise to cancel.
Progress: TypeAlias = Callable[[int, int], None]


def follow(steps: Iterable[C], label: str, progress: Progress | None = None) -> C:
    """The last of some steps that count themselves, reporting to ``progress``, or to a bar after a second."""
    last: C | None = None
    if progress is None:
        # The delay keeps quick work quiet.
        with tqdm(desc=label, leave=False, delay=1.0, total=1) as bar:
            for last in steps:
                bar.total = last.total
                bar.update(last.done - bar.n)
    else:
        for last in steps:
            progress(last.done, last.total)
    assert last is not None, "there is at least one step"
    return last
