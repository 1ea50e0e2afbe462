"""Series of pictures in which a square is hidden at one place after another, by partial passes where they pay."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ...errors import CamwidgetError
from ...execution.batch_search import BatchSeries
from ...execution.isolated_pass import autocast_off
from ...models.scores import are_close
from ...models.vision_model import VisionModel
from ...runtime.error_reports import log_error
from ..batched_inference import (
    Series,
    batch_size,
    in_batches,
    rerun_from_input,
    search_for,
)
from ..batchnorm_folding import fold_batchnorms
from ..trace import Trace
from .geometry import ChangedRegion, Span
from .patches import cut
from .recording import UnrecordableError
from .replay import RecordedPass

__all__ = [
    "TOLERANCE",
    "WORTH",
    "can_record",
    "record_pass",
    "rerun_hidden_squares",
]

#: Cost of a whole pass divided by that of a partial one from which on partial passes are taken. What arithmetic does
#: not count (a smaller product is slower for each multiplication) is less than this.
WORTH = 1.25

#: Largest number of rows in a partial pass.
_MOST_ROWS = 64

#: Length of a series from which partial passes pay for their recording and their check.
_SHORTEST = 16

#: Largest difference of logits by partial and whole passes, as a share of the largest logit.
TOLERANCE = 1e-4


def can_record(model: VisionModel) -> bool:
    """Return whether a model's passes can be recorded: they depend on one picture, no clip, and the weights only.

    On a GPU a partial pass starts several kernels for each row and layer, and saves nothing.
    """
    isolation = model.isolation
    return (
        model.device.type == "cpu"
        and bool(model.classes)
        and not model.mixes_pictures
        and model.frames is None
        and not isolation.draws_random_numbers
        and not isolation.restores_generators
        and not isolation.written_tensors
    )


def record_pass(
    model: VisionModel, inputs: torch.Tensor, *, prepare_within: int = 0
) -> RecordedPass:
    """Record the pass of one picture.

    Args:
        model: left unchanged.
        inputs: input of the module (1, C, H, W), in the memory format in which the replays are to run.
        prepare_within: as of ``RecordedPass``.

    Raises:
        UnrecordableError: if the pass cannot be repeated from its operations.
    """

    def run(x: torch.Tensor) -> torch.Tensor:
        return isolated.logits_of(isolated.run(x), 1)

    try:
        with model.isolated() as isolated:
            return RecordedPass(run, inputs, prepare_within=prepare_within)
    except (CamwidgetError, RuntimeError) as error:
        # The model reports an error of its own in a whole pass.
        raise UnrecordableError(str(error)) from error


def rerun_hidden_squares(
    trace: Trace, picture: int, corners: Sequence[tuple[int, int]], side: int
) -> Series:
    """Return the series of a picture as it is, and then with a square of zeros at each of several places.

    Where the arithmetic of the network says that it pays, and memory does not come first (``Trace.trims``), only what a
    square can reach is computed again; the logits are those of whole passes up to the order of floating-point
    additions.

    Args:
        trace: recorded forward pass of the unmodified picture.
        picture: index of the picture in the trace.
        corners: (row, column) of the first cell of each square, at its input; a square may pass the edge.
        side: side of the squares in pixels.
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    total = len(corners) + 1

    def make(start: int, stop: int) -> torch.Tensor:
        # The unchanged picture comes first: its square lies outside.
        places = torch.tensor([(-side, -side), *corners][start:stop], device=inputs.device)
        rows, columns = (
            _within(places[:, axis], side, length) for axis, length in enumerate(inputs.shape[-2:])
        )
        hidden = rows[:, None, :, None] & columns[:, None, None]
        return inputs.masked_fill(hidden, 0)

    whole = rerun_from_input(trace, picture, total, make)

    def series(start: int, max_batch: int) -> Iterator[tuple[Any, torch.Tensor]]:
        model = trace.model.with_inputs_of(picture)
        found: _HiddenSquares | None = None
        is_long = total - start >= _SHORTEST and max_batch >= _SHORTEST
        # A recorded pass keeps all activations: of a large picture more than the caches together.
        if is_long and not trace.trims and trace.precision == "fp32" and can_record(model):
            found = _recorded_squares(model, inputs, corners, side)
        if found is None or not found.is_right(make):
            yield from whole(start, max_batch)
            return
        if start == 0:
            yield found.recorded.logits, found.recorded.logits
        search = search_for(model, f"squares of {side}", *inputs.shape[-2:], size=found.rows)
        batches = BatchSeries(search, total - start, _MOST_ROWS)
        for _, logits in in_batches(model, max(start, 1), total, batches, found.logits):
            model.check_finite(logits)
            yield logits, logits

    return series


def _within(starts: torch.Tensor, side: int, length: int) -> torch.Tensor:
    """Return which of ``length`` cells lie in each of several squares that begin at ``starts``: bool (n, length)."""
    cells = torch.arange(length, device=starts.device)
    return (cells >= starts[:, None]) & (cells < starts[:, None] + side)


def _recorded_squares(
    model: VisionModel, inputs: torch.Tensor, corners: Sequence[tuple[int, int]], side: int
) -> _HiddenSquares | None:
    """Return partial passes of a series; None if whole passes are at most a little slower, or the only way."""
    folded = fold_batchnorms(model, inputs)
    inputs = _placed(model, inputs)
    try:
        squares = _HiddenSquares(
            folded,
            record_pass(folded, inputs),
            inputs,
            corners,
            side,
        )
    except UnrecordableError:
        return None
    return squares if squares.gain >= WORTH else None


class _HiddenSquares:
    """Partial passes of a picture with a square hidden.

    Attributes:
        recorded: the pass of the picture.
        gain: cost of a whole pass divided by that of a partial one.
        rows: how many squares to compute at once.
    """

    def __init__(
        self,
        model: VisionModel,
        recorded: RecordedPass,
        inputs: torch.Tensor,
        corners: Sequence[tuple[int, int]],
        side: int,
    ) -> None:
        self.recorded = recorded
        self._model = model
        self._corners = corners
        self._inputs = inputs
        self._side = side
        self.gain = recorded.cost / max(1, recorded.plan(self._region(corners)).cost)
        # As much work for each batch as a batch of whole pictures has.
        whole = batch_size(model, *inputs.shape[-2:])
        self.rows = max(1, min(_MOST_ROWS, int(whole * self.gain)))

    def logits(self, start: int, stop: int) -> torch.Tensor:
        """Return the logits of a part of the series, from 1 on."""
        corners = self._corners[start - 1 : stop - 1]
        region = self._region(corners)
        with torch.inference_mode(False), autocast_off(self._model.device):
            patches = cut(self._inputs, region, 0.0)
            for row, (y, x) in enumerate(corners):
                top, left = y - region.rows.starts[row], x - region.columns.starts[row]
                patches[row, :, top:, left:] = 0
            return self.recorded.run(patches, self.recorded.plan(region))

    def is_right(self, make: Any) -> bool:
        """Return whether partial passes give the logits of whole ones, for a square alone and two in a batch."""
        middle = 1 + len(self._corners) // 2
        try:
            found = torch.cat([self.logits(1, 2), self.logits(middle, middle + 2)])
            with self._model.isolated() as isolated, torch.no_grad():
                inputs = torch.cat([make(1, 2), make(middle, middle + 2)])
                expected = isolated.logits_of(isolated.run(inputs), 3)
        except (CamwidgetError, RuntimeError, AssertionError) as error:
            # This is no failure: whole passes run, more slowly.
            message = f"{self._model.name} is run as a whole, without partial passes."
            log_error(error, message, self._model.module, level=logging.INFO)
            return False
        tiny = torch.finfo(expected.dtype).tiny
        return found.shape == expected.shape and are_close(found, expected, TOLERANCE, tiny)

    def _region(self, corners: Sequence[tuple[int, int]]) -> ChangedRegion:
        """Return a region of the squares' size around each; at the edge it has cells beside it too."""
        height, width = self._inputs.shape[-2:]
        rows = tuple(min(y, height - self._side) for y, _ in corners)
        columns = tuple(min(x, width - self._side) for _, x in corners)
        return ChangedRegion(Span(rows, self._side), Span(columns, self._side))


def _placed(model: VisionModel, inputs: torch.Tensor) -> torch.Tensor:
    """Return the input in the memory format in which the model's whole passes are fastest, as far as that is known."""
    search = search_for(model, "pictures", *inputs.shape[-2:], formats=True)
    series = BatchSeries(search, 0)
    series.next_size(1)
    last = series.channels_last and model.takes_channels_last
    return inputs.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
