"""Evaluation on a Dask cluster: batches spread over the workers, with the same numbers to the bit.

What a worker needs of the plan, the model above all, is the result of a task: what all workers that held it lost, the
scheduler makes again. A worker unpacks it once.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from .._version import __version__
from ..errors import CamwidgetError, DataError
from ..metrics import MetricContext
from ..runtime import fork_safety, process_exit
from .batch import Row, run_batch
from .items import Item
from .plan import Plan

__all__ = ["spread_out"]

#: How many times a batch may take its worker along before it is blamed.
_TRIES = 3
#: Batches under way for each thread of the cluster: one at work, and one that waits for it.
_AHEAD = 2


@dataclass(frozen=True)
class _Packed:
    """A plan as it travels."""

    plan: bytes = field(repr=False)
    name: str
    versions: tuple[str, str]
    threads: int  #: of torch, on which the last bits depend

    @classmethod
    def of(cls, plan: Plan) -> _Packed:
        import cloudpickle

        data = cloudpickle.dumps(plan)
        name = hashlib.sha256(data).hexdigest()[:16]
        return cls(data, name, (__version__, torch.__version__), torch.get_num_threads())


@dataclass
class _Task:
    """A batch under way."""

    number: int
    items: Sequence[Item]
    tries: int = 1


def spread_out(
    client: Any, plan: Plan, batches: Iterator[tuple[int, list[Item]]]
) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each batch, with its number, as they are finished.

    Args:
        client: of the cluster.
        plan: what to compute.
        batches: numbers and pictures; asked for as the cluster has room for them.

    Raises:
        DataError: if it is no client.
        CamwidgetError: without Dask, or if a batch takes one worker after another along.
    """
    try:
        import distributed
    except ImportError as error:
        raise CamwidgetError(
            'Evaluating on a cluster takes Dask: pip install "camwidget[dask]".'
        ) from error
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise DataError(
            f"client is a dask.distributed.Client that is not asynchronous, not {type(client).__name__}."
        )
    crew = _Submissions(client, _Packed.of(plan))
    finished = distributed.as_completed()
    try:
        while True:
            while crew.has_room and (found := next(batches, None)) is not None:
                finished.add(crew.submit(_Task(*found)))
                del found
            if not crew.tasks:
                return
            future = next(finished)
            task = crew.tasks.pop(future)
            try:
                rows = future.result()
            except (distributed.KilledWorker, CancelledError) as error:
                if task.tries == _TRIES:
                    raise CamwidgetError(
                        f"{_TRIES} workers in turn were lost over the pictures from {task.items[0].name} to "
                        f"{task.items[-1].name}: the workers may lack memory (a smaller batch=… takes less), or one of "
                        "these pictures kills them."
                    ) from error
                task.tries += 1
                crew.send_plan()
                finished.add(crew.submit(task))
                continue
            if rows is None:
                crew.sends_files = True
                finished.add(crew.submit(task))
                continue
            yield task.number, rows
    finally:
        client.cancel(list(crew.tasks))


class _Submissions:
    """The workers, and what they have been given to do."""

    def __init__(self, client: Any, packed: _Packed) -> None:
        self.client, self.packed = client, packed
        self.tasks: dict[Any, _Task] = {}
        #: Whether workers see other files than we do, and get the contents.
        self.sends_files = False
        self.send_plan()

    def send_plan(self) -> None:
        """Give the workers the plan."""
        with warnings.catch_warnings():
            # Dask would have a large model be loaded elsewhere; there is no elsewhere.
            warnings.filterwarnings("ignore", message="Sending large graph")
            self.plan = self.client.submit(_as_is, self.packed, pure=False)

    @property
    def has_room(self) -> bool:
        """Whether another batch would not wait for long."""
        threads = int(sum(self.client.nthreads().values()))
        return len(self.tasks) < _AHEAD * max(1, threads)

    def submit(self, task: _Task) -> Any:
        """Have a batch done, and get the promise of it."""
        items = [_carried(i) for i in task.items] if self.sends_files else list(task.items)
        future = self.client.submit(_work, self.plan, items, not self.sends_files, pure=False)
        self.tasks[future] = task
        return future


def _carried(item: Item) -> Item:
    """A picture with its file's contents, if there is such a file."""
    if not isinstance(item.picture, Path):
        return item
    try:
        return replace(item, picture=item.picture.read_bytes())
    except OSError:
        return item  # and the worker says what is wrong with it


# -- in the worker ------------------------------------------------------------------------

#: A worker with several threads has one model, and one set of torch's settings.
_lock = fork_safety.lock()
#: The plan that was unpacked last, by its name.
_unpacked: dict[str, tuple[Plan, MetricContext]] = {}
#: How many times each plan was unpacked in this process.
_times: Counter[str] = Counter()


def _as_is(packed: _Packed) -> _Packed:
    return packed


def _work(packed: _Packed, items: list[Item], wants_files: bool) -> list[Row] | None:
    """The rows of a batch; None if there are files that this machine does not see, and that may be sent."""
    if wants_files and not all(_is_here(i.picture) for i in items if isinstance(i.picture, Path)):
        return None
    with _lock, process_exit.at_work():
        plan, context = _unpack(packed)
        before = torch.get_num_threads()
        torch.set_num_threads(packed.threads)
        try:
            return run_batch(plan, context, items)
        finally:
            torch.set_num_threads(before)


def _is_here(path: Path) -> bool:
    return path.exists()


def _unpack(packed: _Packed) -> tuple[Plan, MetricContext]:
    if packed.name not in _unpacked:
        here = (__version__, torch.__version__)
        if here != packed.versions:
            raise CamwidgetError(
                f"A worker has camwidget {here[0]} with torch {here[1]}, the client {packed.versions[0]} with "
                f"{packed.versions[1]}: install the same on all, so that the numbers are the same."
            )
        import cloudpickle

        _unpacked.clear()  # one model at a time is enough for a worker's memory
        plan: Plan = cloudpickle.loads(packed.plan)
        _unpacked[packed.name] = plan, MetricContext(plan.precision, plan.seed)
        _times[packed.name] += 1
    return _unpacked[packed.name]
