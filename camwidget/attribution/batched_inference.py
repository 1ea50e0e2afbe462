"""Batched inference: run the model on many modified inputs, in batches that fit the device.

Passes run without graph, in batches whose size and memory format are measured (``execution.batch_search``). All
perturbation methods, mask curves and metrics that modify pictures use this module.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import torch

from ..errors import ModelError
from ..execution.batch_search import (
    Batches,
    BatchSearch,
    BatchSeries,
    ResponsiveSeries,
    search_of,
)
from ..execution.device_errors import is_out_of_memory
from ..execution.host_copies import copied_to_host
from ..execution.running import hooked, needs_contiguous_input
from ..models.scores import are_close
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .batchnorm_folding import fold_batchnorms
from .precision import in_precision, warn_if_slower
from .target_scores import score_of, uses_module_output
from .targets import Target
from .trace import Trace
from .trimmed_passes import trimming_hooks, trims_in_pass

__all__ = [
    "batch_series",
    "batch_size",
    "gather_probabilities",
    "in_batches",
    "limit_graph",
    "rerun",
    "rerun_from_input",
    "rerun_from_layer",
    "rerun_probabilities",
    "rerun_scores",
    "responsive_series",
    "search_for",
]

R = TypeVar("R")

#: (start, stop) to the module's inputs (stop - start, C, H, W) of that part of a series.
Make: TypeAlias = Callable[[int, int], torch.Tensor]
#: (start in a series, largest batch) to the module's outputs and their logits, batch by batch.
Series: TypeAlias = Callable[[int, int], Iterator[tuple[Any, torch.Tensor]]]

#: Length of a series from which a faster copy of the model, with folded batch normalizations, pays off, by device type.
#: The copy takes as long as 3 passes of ResNet-50 at 224² on a CPU, and as 300 on an H200.
_MIN_PASSES_TO_FOLD = {"cpu": 64, "cuda": 2048}
#: A batch size above that of any device.
_UNLIMITED = 1 << 30

#: Pixels per pass by device type with which the search for the fastest batches begins: on a CPU, 4 to 8 pictures of
#: 224² stay in many processors' caches; a GPU needs large batches.
_PIXELS = {"cpu": 8 * 224 * 224, "cuda": 128 * 224 * 224}
#: Largest graph of a batch that is larger than the first one, in bytes.
_MOST_GRAPH_BYTES = 2**30
#: How many times these pixels the search may try, which limits the memory.
_MOST = 4


def search_for(
    model: VisionModel,
    work: str,
    height: int,
    width: int,
    *,
    precision: str = "fp32",
    size: int | None = None,
    formats: bool = False,
) -> BatchSearch:
    """Return the search for the fastest batches of one kind of passes, which the process remembers.

    Args:
        model: the model.
        work: name of the kind of passes; those of one name take equally long for a picture.
        height: of the pictures.
        width: of the pictures.
        precision: as in ``Trace``.
        size: size with which to begin; that for whole passes if None.
        formats: whether the passes can run in either memory format.
    """
    pixels = _PIXELS.get(model.device.type, _PIXELS["cpu"])
    usual = max(1, min(pixels // (height * width), 256))
    most = max(1, min(_MOST * pixels // (height * width), 256))
    if size is not None:
        # A single one is large: several would take more memory, and no less time.
        usual, most = size, min(_MOST * size, 256) if size > 1 else 1
    if model.mixes_pictures:
        usual = most = 1
    has_formats = formats and model.takes_channels_last
    key = (work, height, width, str(model.device), precision, usual, has_formats)
    first = Batches(usual, model.takes_channels_last)
    # A seed gives the same random numbers in batches of the same size only.
    measures = not (model.isolation.draws_random_numbers or model.randomness_note)
    return search_of(
        model.module,
        key,
        lambda: BatchSearch(first, max(usual, most), formats=has_formats, measures=measures),
    )


def batch_series(
    model: VisionModel, work: str, total: int, height: int, width: int, *, most: int | None = None
) -> BatchSeries:
    """Return the batches of a series of ``total`` passes; see ``search_for``. ``most`` is the largest size."""
    return BatchSeries(search_for(model, work, height, width), total, most)


def batch_size(model: VisionModel, height: int, width: int) -> int:
    """Return how many pictures of a size to run at once, as far as that is known."""
    series = BatchSeries(search_for(model, "pictures", height, width, formats=True), 0)
    return series.next_size(_UNLIMITED)


def responsive_series(
    model: VisionModel, total: int, height: int, width: int, seconds: float
) -> ResponsiveSeries:
    """Return the batches of a series of ``total`` passes that each take about some seconds."""
    return ResponsiveSeries(
        search_for(model, "pictures", height, width, formats=True), total, seconds
    )


def limit_graph(model: VisionModel, series: BatchSeries, nbytes: int, count: int) -> None:
    """Keep larger batches from being tried whose graphs would take more than a GiB of a computer's memory.

    On a GPU, a batch that does not fit fails and is halved; on a computer, the process may be killed.

    Args:
        model: the model.
        series: the series of passes with a graph.
        nbytes: size of the graph of a batch that was run.
        count: how many pictures it had.
    """
    if model.device.type == "cpu":
        series.limit(max(count, _MOST_GRAPH_BYTES * count // max(1, nbytes)))


def rerun(
    model: VisionModel,
    total: int,
    make: Make,
    *,
    start: int = 0,
    max_batch: int = _UNLIMITED,
    precision: str = "fp32",
    checks: bool = True,
) -> Iterator[tuple[Any, torch.Tensor]]:
    """Run the model on a series of inputs, batch by batch.

    Args:
        model: the model.
        total: length of the series.
        make: gives the inputs (stop − start, C, H, W) of a part of the series.
        start: index in the series at which to begin.
        max_batch: largest batch.
        precision: "fp32", "bf16" or "fp16", as in ``Trace``.
        checks: whether logits that are not finite are an error. To look at them is to wait for a GPU.

    Yields:
        The module's output of a batch, and its logits.

    Raises:
        ModelError: if a single picture does not fit into memory, or logits are not finite.
    """
    if start >= total:
        return
    first = make(start, start + 1)
    warn_if_slower(model, first, precision)
    search = search_for(model, "pictures", *first.shape[-2:], precision=precision, formats=True)
    series = BatchSeries(search, total - start, max_batch)
    owner = model
    if total - start >= _MIN_PASSES_TO_FOLD.get(model.device.type, _MIN_PASSES_TO_FOLD["cpu"]):
        model = fold_batchnorms(model, first)

    def run(begin: int, end: int) -> tuple[Any, torch.Tensor]:
        returned = _run(model, make(begin, end), precision, series.channels_last)
        # Of the folded copy, which the next series does not have.
        owner.takes_channels_last = model.takes_channels_last
        return returned, model.logits_of(returned, end - begin)

    for _, (returned, logits) in in_batches(model, start, total, series, run):
        if checks:
            model.check_finite(logits)
        yield returned, logits


def rerun_probabilities(
    model: VisionModel, total: int, make: Make, *, precision: str = "fp32"
) -> Iterator[torch.Tensor]:
    """Probabilities (n, classes), or quantities, batch by batch of a series of inputs: float32 on the CPU.

    Args:
        model: whose module to run.
        total: the length of the series.
        make: gives the inputs of a part of it.
        precision: as in ``Trace``.

    Raises:
        ModelError: if a single picture does not fit into memory, or logits are not finite.
    """
    batches = (
        (logits, model.probabilities(logits.float()))
        for _, logits in rerun(model, total, make, precision=precision, checks=False)
    )
    for logits, probabilities in copied_to_host(batches):
        model.check_finite(logits)
        yield probabilities


def gather_probabilities(
    model: VisionModel, total: int, make: Make, label: str, progress: Progress | None = None
) -> torch.Tensor:
    """Probabilities (total, classes), or quantities, of a series of inputs: float32 on the CPU.

    Args:
        model: whose module to run.
        total: the length of the series.
        make: gives the inputs of a part of it.
        label: text of the progress bar.
        progress: called with (done, total); a bar appears after a second if None.

    Raises:
        ModelError: if not even one picture fits into memory.
    """
    # Joined once at the end: joining batch by batch would take quadratic time.
    rows: list[torch.Tensor] = []

    def steps() -> Iterator[Stage]:
        done = 0
        for found in rerun_probabilities(model, total, make):
            rows.append(found)
            done += len(found)
            yield Stage(done, total)

    follow(steps(), label, progress)
    return torch.cat(rows)


def in_batches(
    model: VisionModel, start: int, total: int, series: BatchSeries, work: Callable[[int, int], R]
) -> Iterator[tuple[int, R]]:
    """Call ``work(begin, end)`` for the batches of a series; a batch that does not fit into memory is halved.

    Args:
        model: the model that ``work`` runs.
        start: index in the series at which to begin.
        total: length of the series.
        series: the batches; after a lack of memory they stay halved for the rest of the series.
        work: computes the result of a batch.

    Yields:
        The end of a batch, and its result.

    Raises:
        ModelError: if a single picture does not fit into memory.
    """
    while start < total:
        stop = start + series.next_size(total - start)
        try:
            if series.is_timed:
                result, seconds = _timed(model.device, lambda a=start, b=stop: work(a, b))  # type: ignore[misc]
                series.record(stop - start, seconds)
            else:
                result = work(start, stop)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if stop - start == 1:
                raise ModelError(
                    f"{model.name} does not fit into the memory of {model.device} for one picture: use a smaller "
                    "picture, precision='bf16', or device='cpu'."
                ) from error
            if series.is_timed:
                series.record(stop - start, float("inf"))
            series.limit((stop - start) // 2)
            if model.device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        yield stop, result
        start = stop


def _timed(device: torch.device, work: Callable[[], R]) -> tuple[R, float]:
    """Return the result of some work on a device, and its seconds."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    begin = time.perf_counter()
    result = work()
    wait()
    return result, time.perf_counter() - begin


def _run(model: VisionModel, inputs: torch.Tensor, precision: str, channels_last: bool) -> Any:
    with (
        model.isolated() as isolated,
        torch.no_grad(),
        in_precision(precision, inputs.device),
        _trimming(model, isolated.module, inputs),
    ):
        if channels_last and model.takes_channels_last:
            try:
                return isolated.run(inputs.contiguous(memory_format=torch.channels_last))
            except RuntimeError as error:
                if not needs_contiguous_input(error):
                    raise
                model.takes_channels_last = False
        return isolated.run(inputs.contiguous())


def _trimming(
    model: VisionModel, module: torch.nn.Module, inputs: torch.Tensor
) -> contextlib.AbstractContextManager[None]:
    """Return hooks that give memory back behind each layer, if the inputs are large."""
    return hooked(trimming_hooks(model, module) if trims_in_pass(inputs) else {})


@dataclass
class _SeriesResults:
    """Results of a series so far: logits, or one target's scores.

    Attributes:
        total: length of the series.
        rows: tensor of that length, allocated once: joining the batches after each of them would take quadratic time.
        done: how many rows are results.
    """

    total: int
    rows: torch.Tensor | None = None
    done: int = 0

    def add(self, rows: torch.Tensor, start: int) -> None:
        """Set the rows from ``start`` on; another user of the series may have set the same ones meanwhile."""
        if self.rows is None:
            self.rows = rows.new_empty((self.total, *rows.shape[1:]))
        self.rows[start : start + len(rows)] = rows
        self.done = max(self.done, start + len(rows))

    def get(self, start: int = 0) -> torch.Tensor:
        """Return the results from ``start`` on."""
        assert self.rows is not None
        return self.rows[start : self.done]


def rerun_scores(
    trace: Trace,
    target: Target,
    key: tuple[Any, ...],
    total: int,
    series: Series,
) -> Iterator[torch.Tensor]:
    """Compute a target's scores for a series of modified inputs, batch by batch.

    The trace stores the results: the scores of another class need no further pass, and an interrupted series continues
    where it stopped.

    Args:
        trace: recorded forward pass of the unmodified picture.
        target: a target; not a ``PerPictureTarget``.
        key: identifies the series in the trace.
        total: length of the series.
        series: from ``rerun_from_input`` or ``rerun_from_layer``.

    Yields:
        The scores so far, shape (done,).
    """
    # For a target of the module's own output, only scores are stored, since the output may be large.
    scores_only = uses_module_output(target) and not trace.is_plain
    results: _SeriesResults = trace.memory.setdefault(
        (*key, target if scores_only else None), _SeriesResults(total)
    )
    scores = _SeriesResults(total)
    # A function of such an output may work for single pictures only, such as out[0]["scores"].sum().
    max_batch = 1 if scores_only else _UNLIMITED
    batches: Iterator[tuple[Any, torch.Tensor]] = iter(())
    position = -1  # of ``batches`` in the series
    while scores.done < total:
        if scores.done == results.done:
            if (
                position != results.done
            ):  # at the start, or where the map of another class has gone on
                position = results.done
                batches = series(position, max_batch)
            returned, logits = next(batches)
            rows = score_of(target, returned, logits) if scores_only else logits
            results.add(rows.to(trace.logits.dtype), position)
            position += len(rows)
        rows = results.get(scores.done)
        scores.add(rows if scores_only else score_of(target, rows, rows), scores.done)
        yield scores.get()


def rerun_from_input(trace: Trace, picture: int, total: int, make: Make) -> Series:
    """Return the series that runs the model on modified inputs of one picture of a trace (see ``rerun``)."""
    model = trace.model.with_inputs_of(picture)
    return lambda start, max_batch: rerun(
        model, total, make, start=start, max_batch=max_batch, precision=trace.precision
    )


def rerun_from_layer(trace: Trace, layer: str, picture: int, total: int, change: Make) -> Series:
    """Return the series that runs the model with modified outputs of one layer.

    Where the model allows it, everything before the layer runs once a batch, for a single picture.

    Args:
        trace: recorded forward pass of the unmodified picture.
        layer: name of the layer whose output is modified.
        picture: index of the picture in the trace.
        total: length of the series.
        change: gives the layer's outputs (stop − start, …) of a part of the series; the first must be unmodified.
    """
    model = trace.model.with_inputs_of(picture)
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    height, width = trace.activation(layer).shape[-2:]
    # The fewer cells a layer has, the less is computed behind it, and the larger a batch may be.
    whole = search_for(model, "pictures", *inputs.shape[-2:]).first.size
    size = max(min(8, whole), min(8 * 28 * 28 // (height * width), 256))
    expected = trace.logits[picture]

    def run(rows: torch.Tensor, shared: bool) -> tuple[Any, torch.Tensor]:
        batch = inputs if shared else inputs.expand(len(rows), -1, -1, -1)
        with (
            model.isolated() as isolated,
            torch.no_grad(),
            in_precision(trace.precision, inputs.device),
            _trimming(model, isolated.module, inputs),
            hooked({isolated.module.get_submodule(layer): lambda *_: rows.clone()}),
        ):
            returned = isolated.run(batch.clone())
        return returned, model.logits_of(returned, len(rows))

    def is_right(rows: torch.Tensor) -> bool:
        """Return whether a batch behind the layer works with a single picture before it."""
        try:
            logits = run(rows, shared=True)[1]
        except (RuntimeError, ModelError, IndexError):
            return False  # a branch around the layer is merged with it later
        if not len(expected):
            return False  # without logits there is no way to check
        return are_close(logits[0], expected, 1e-3 if trace.precision == "fp32" else 0.1, 1)

    def series(start: int, max_batch: int) -> Iterator[tuple[Any, torch.Tensor]]:
        # Two rows are enough to see whether the batch size matters; a large picture has one in a batch.
        shared = is_right(change(0, min(2, size, total)))
        search = search_for(
            model,
            f"behind {layer}" if shared else "before a layer",
            *inputs.shape[-2:],
            precision=trace.precision,
            size=size if shared else None,
        )

        def work(begin: int, end: int) -> tuple[Any, torch.Tensor]:
            return run(change(begin, end), shared)

        for _, (returned, logits) in in_batches(
            model, start, total, BatchSeries(search, total - start, max_batch), work
        ):
            model.check_finite(logits)
            yield returned, logits

    return series
