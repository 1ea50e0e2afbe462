"""Evaluation on a Dask cluster: batches distributed to the workers, with bitwise equal results.

The plan with the model is the result of a Dask task, so that the scheduler can recompute it when the workers that held
it are lost. Each worker process unpacks it once.
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
from .plan import EvaluationPlan

__all__ = ["run_on_cluster"]

#: Number of lost workers after which a batch is reported as the cause.
_TRIES = 3
#: Submitted batches per thread of the cluster: one running and one waiting.
_AHEAD = 2


@dataclass(frozen=True)
class _PackedPlan:
    """A serialized plan."""

    plan: bytes = field(repr=False)
    name: str
    versions: tuple[str, str]
    threads: int  #: torch threads, on which the last bits of the results depend

    @classmethod
    def of(cls, plan: EvaluationPlan) -> _PackedPlan:
        import cloudpickle

        data = cloudpickle.dumps(plan)
        name = hashlib.sha256(data).hexdigest()[:16]
        return cls(data, name, (__version__, torch.__version__), torch.get_num_threads())


@dataclass
class _Task:
    """A submitted batch."""

    number: int
    items: Sequence[Item]
    tries: int = 1


def run_on_cluster(
    client: Any, plan: EvaluationPlan, batches: Iterator[tuple[int, list[Item]]]
) -> Iterator[tuple[int, list[Row]]]:
    """Compute batches on a Dask cluster.

    Args:
        client: client of the cluster.
        plan: the plan of the evaluation.
        batches: numbers and pictures, read when the cluster has capacity.

    Yields:
        Number and rows of each batch, in order of completion.

    Raises:
        DataError: if ``client`` is no synchronous Dask client.
        CamwidgetError: if Dask is not installed, or several workers in turn are lost over one batch.
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
    submissions = _Submissions(client, _PackedPlan.of(plan))
    finished = distributed.as_completed()
    try:
        while True:
            while submissions.has_room and (found := next(batches, None)) is not None:
                finished.add(submissions.submit(_Task(*found)))
                del found
            if not submissions.tasks:
                return
            future = next(finished)
            task = submissions.tasks.pop(future)
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
                submissions.send_plan()
                finished.add(submissions.submit(task))
                continue
            if rows is None:
                submissions.sends_files = True
                finished.add(submissions.submit(task))
                continue
            yield task.number, rows
    finally:
        client.cancel(list(submissions.tasks))


class _Submissions:
    """The batches submitted to the workers."""

    def __init__(self, client: Any, packed: _PackedPlan) -> None:
        self.client, self.packed = client, packed
        self.tasks: dict[Any, _Task] = {}
        #: Whether workers cannot read the client's files and get their contents.
        self.sends_files = False
        self.send_plan()

    def send_plan(self) -> None:
        """Submit the plan to the workers."""
        with warnings.catch_warnings():
            # Dask recommends loading large objects on the workers; a model has no file to load it from.
            warnings.filterwarnings("ignore", message="Sending large graph")
            self.plan = self.client.submit(_identity, self.packed, pure=False)

    @property
    def has_room(self) -> bool:
        """Whether the cluster has capacity for another batch."""
        threads = int(sum(self.client.nthreads().values()))
        return len(self.tasks) < _AHEAD * max(1, threads)

    def submit(self, task: _Task) -> Any:
        """Submit a batch, and return its future."""
        items = [_with_contents(i) for i in task.items] if self.sends_files else list(task.items)
        future = self.client.submit(_work, self.plan, items, not self.sends_files, pure=False)
        self.tasks[future] = task
        return future


def _with_contents(item: Item) -> Item:
    """The picture with its file's contents, if it is a readable file."""
    if not isinstance(item.picture, Path):
        return item
    try:
        return replace(item, picture=item.picture.read_bytes())
    except OSError:
        return item  # the worker reports the error


# -- in the worker ------------------------------------------------------------------------

#: The threads of a worker share one model and torch's global settings.
_lock = fork_safety.lock()
#: The plan that was unpacked last, by name.
_unpacked: dict[str, tuple[EvaluationPlan, MetricContext]] = {}
#: Number of times each plan was unpacked in this process, for the tests.
_unpack_counts: Counter[str] = Counter()


def _identity(packed: _PackedPlan) -> _PackedPlan:
    return packed


def _work(packed: _PackedPlan, items: list[Item], needs_files: bool) -> list[Row] | None:
    """The rows of a batch; None if a file is missing on this worker and ``needs_files`` is true."""
    if needs_files and not all(_exists(i.picture) for i in items if isinstance(i.picture, Path)):
        return None
    with _lock, process_exit.block_exit():
        plan, context = _unpack(packed)
        before = torch.get_num_threads()
        torch.set_num_threads(packed.threads)
        try:
            return run_batch(plan, context, items)
        finally:
            torch.set_num_threads(before)


def _exists(path: Path) -> bool:
    return path.exists()


def _unpack(packed: _PackedPlan) -> tuple[EvaluationPlan, MetricContext]:
    if packed.name not in _unpacked:
        own = (__version__, torch.__version__)
        if own != packed.versions:
            raise CamwidgetError(
                f"A worker has camwidget {own[0]} with torch {own[1]}, the client {packed.versions[0]} with "
                f"{packed.versions[1]}: install the same on all, so that the numbers are the same."
            )
        import cloudpickle

        _unpacked.clear()  # one model at a time is enough for a worker's memory
        plan: EvaluationPlan = cloudpickle.loads(packed.plan)
        _unpacked[packed.name] = plan, MetricContext(plan.precision, plan.seed)
        _unpack_counts[packed.name] += 1
    return _unpacked[packed.name]
