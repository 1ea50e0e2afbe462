"""Run the model on many changed pictures, in batches that fit the device.

No graph, channels last, and as many pictures a pass as suit the processor's caches or the GPU's memory. Every
method that asks "and if the picture were like this?" goes through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import torch

from ..errors import ModelError
from ..execution.device import is_want_of_memory
from ..execution.running import hooked, wants_rows
from ..models.scores import are_close
from ..models.vision_model import VisionModel
from ..progress import Progress, Stage, follow
from .batchnorm_folding import fold_batchnorms
from .precision import in_precision, warn_if_slower
from .targets import Target, score_of, wants_output
from .trace import Trace

__all__ = [
    "at_input",
    "batch_size",
    "from_layer",
    "gather_probabilities",
    "in_batches",
    "rerun",
    "rerun_probabilities",
    "rerun_scores",
]

R = TypeVar("R")

#: (start, stop) to the module's inputs (stop - start, C, H, W) of that part of a series.
Make: TypeAlias = Callable[[int, int], torch.Tensor]
#: (where to begin in a series, how many at once at most) to what the module returns, and the logits in it.
Series: TypeAlias = Callable[[int, int], Iterator[tuple[Any, torch.Tensor]]]

#: So many passes pay for a copy of the model that is faster to run.
_WORTH = 64
#: More at once than any machine takes.
_MANY = 1 << 30

#: Pixels a pass. Measured on ResNet-50 at 224²: on a CPU 4 to 8 pictures stay in cache, and 32 take twice as long
#: each; a GPU wants many.
_PIXELS = {"cpu": 8 * 224 * 224, "cuda": 128 * 224 * 224}


def batch_size(model: VisionModel, height: int, width: int) -> int:
    """How many pictures of a size to run at once."""
    if model.mixes_pictures:
        return 1
    pixels = _PIXELS.get(model.device.type, _PIXELS["cpu"])
    return max(1, min(pixels // (height * width), 256))


def rerun(
    model: VisionModel,
    total: int,
    make: Make,
    *,
    start: int = 0,
    most: int = _MANY,
    precision: str = "fp32",
) -> Iterator[tuple[Any, torch.Tensor]]:
    """What the module returns, and the logits in it, batch by batch of a series of inputs.

    Args:
        model: whose module to run.
        total: the length of the series.
        make: gives the inputs of a part of it.
        start: where in the series to begin.
        most: how many to run at once at most.
        precision: as in ``Trace``.

    Raises:
        ModelError: if not even one picture fits into memory.
    """
    if start >= total:
        return
    first = make(start, start + 1)
    warn_if_slower(model, first, precision)
    if total - start >= _WORTH:
        model = fold_batchnorms(model, first)
    size = min(most, batch_size(model, *first.shape[-2:]))

    def run(begin: int, end: int) -> tuple[Any, torch.Tensor]:
        returned = _run(model, make(begin, end), precision)
        return returned, model.logits_of(returned, end - begin)

    for _, (returned, logits) in in_batches(model, start, total, size, run):
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
        ModelError: if not even one picture fits into memory.
    """
    for _, logits in rerun(model, total, make, precision=precision):
        yield model.probabilities(logits.float()).cpu()


def gather_probabilities(
    model: VisionModel, total: int, make: Make, label: str, progress: Progress | None = None
) -> torch.Tensor:
    """Probabilities (total, classes), or quantities, of a series of inputs: float32 on the CPU.

    Args:
        model: whose module to run.
        total: the length of the series.
        make: gives the inputs of a part of it.
        label: what a bar is called.
        progress: called with (done, total); a bar appears after a second if None.

    Raises:
        ModelError: if not even one picture fits into memory.
    """
    # Put together once: joining each to those before it takes the square of the time.
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
    model: VisionModel, start: int, total: int, size: int, work: Callable[[int, int], R]
) -> Iterator[tuple[int, R]]:
    """The end and the result of ``work(begin, end)`` for batches of a series.

    A batch that does not fit into memory is halved, and the rest go in batches of that size.

    Raises:
        ModelError: if not even one fits.
    """
    while start < total:
        stop = min(start + size, total)
        try:
            result = work(start, stop)
        except (MemoryError, RuntimeError) as error:
            if not is_want_of_memory(error):
                raise
            if stop - start == 1:
                raise ModelError(
                    f"{model.name} does not fit into the memory of {model.device} for one picture: use a smaller "
                    "picture, precision='bf16', or device='cpu'."
                ) from error
            size = (stop - start) // 2
            if model.device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        yield stop, result
        start = stop


def _run(model: VisionModel, inputs: torch.Tensor, precision: str) -> Any:
    with (
        model.undisturbed() as held,
        torch.no_grad(),
        in_precision(precision, inputs.device),
    ):
        if model.takes_channels_last:
            try:
                return held.run(inputs.contiguous(memory_format=torch.channels_last))
            except RuntimeError as error:
                if not wants_rows(error):
                    raise
                model.takes_channels_last = False
        return held.run(inputs.contiguous())


@dataclass
class _Answers:
    """The answers to a series so far: logits, or one target's scores."""

    rows: list[torch.Tensor] = field(default_factory=list)
    done: int = 0

    def add(self, rows: torch.Tensor) -> None:
        self.rows.append(rows)
        self.done += len(rows)

    def joined(self) -> torch.Tensor:
        self.rows = [torch.cat(self.rows)]
        return self.rows[0]


def rerun_scores(
    trace: Trace,
    target: Target,
    key: tuple[Any, ...],
    total: int,
    series: Series,
) -> Iterator[torch.Tensor]:
    """A target's scores (done,) for a series of changed pictures, growing batch by batch.

    The answers are remembered in the trace: another class asks nothing of the model, and a series that was left
    in the middle goes on from there.

    Args:
        trace: of the unchanged picture.
        target: one target, no ``EachTarget``.
        key: names the series.
        total: its length.
        series: ``at_input`` or ``from_layer``.
    """
    # Of a module with an output of its own, only the score is kept: the output may be large.
    whole = wants_output(target) and not trace.is_plain
    answers: _Answers = trace.memory.setdefault((*key, target if whole else None), _Answers())

    def scores() -> torch.Tensor:
        rows = answers.joined()
        return rows if whole else score_of(target, rows, rows)

    if answers.done:
        yield scores()
    if answers.done == total:
        return
    # A function of such an output need not know of batches: out[0]["scores"].sum(), say.
    for returned, logits in series(answers.done, 1 if whole else _MANY):
        rows = score_of(target, returned, logits) if whole else logits
        answers.add(rows.to(trace.logits.dtype))
        yield scores()


def at_input(trace: Trace, picture: int, total: int, make: Make) -> Series:
    """Reruns on changed inputs of one picture of a trace; see ``rerun``."""
    model = trace.model.given_of(picture)
    return lambda start, most: rerun(
        model, total, make, start=start, most=most, precision=trace.precision
    )


def from_layer(trace: Trace, layer: str, picture: int, total: int, change: Make) -> Series:
    """Reruns that differ only from a layer on: what comes before it is computed once a batch, not once a row.

    Args:
        trace: of the unchanged picture.
        layer: where the change is made.
        picture: its number in the trace.
        total: the length of the series.
        change: gives the layer's outputs (stop - start, …) of a part of the series; its first one must be unchanged.
    """
    model = trace.model.given_of(picture)
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    height, width = trace.activation(layer).shape[-2:]
    # The fewer cells, the less is left to compute, and the more rows may share the way to the layer.
    size = max(8, min(8 * 28 * 28 // (height * width), 256))
    expected = trace.logits[picture]

    def run(rows: torch.Tensor, shared: bool) -> tuple[Any, torch.Tensor]:
        batch = inputs if shared else inputs.expand(len(rows), -1, -1, -1)
        with (
            model.undisturbed() as held,
            torch.no_grad(),
            in_precision(trace.precision, inputs.device),
            hooked({held.module.get_submodule(layer): lambda *_: rows.clone()}),
        ):
            returned = held.run(batch.clone())
        return returned, model.logits_of(returned, len(rows))

    def is_right(rows: torch.Tensor) -> bool:
        """Whether a batch behind the layer goes with a single picture before it."""
        try:
            logits = run(rows, shared=True)[1]
        except (RuntimeError, ModelError, IndexError):
            return False  # a branch around the layer is joined to it later on
        if not len(expected):
            return False  # without logits nothing tells
        return are_close(logits[0], expected, 1e-3 if trace.precision == "fp32" else 0.1, 1)

    def series(start: int, most: int) -> Iterator[tuple[Any, torch.Tensor]]:
        # Two rows tell a batch from a single picture.
        shared = is_right(change(0, min(2, total)))
        step = min(most, size if shared else batch_size(model, *inputs.shape[-2:]))

        def work(begin: int, end: int) -> tuple[Any, torch.Tensor]:
            return run(change(begin, end), shared)

        for _, (returned, logits) in in_batches(model, start, total, step, work):
            model.check_finite(logits)
            yield returned, logits

    return series
