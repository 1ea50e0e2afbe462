"""Where a change of an input can reach in a layer: spans along one axis, and regions of two spans."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ChangedRegion", "SlidingWindow", "Span", "joined"]


@dataclass(frozen=True)
class Span:
    """Cells along one axis, for each row of a batch: equally many, at a place of its own.

    Attributes:
        starts: first cell of each row; negative where the span begins in the padding.
        length: number of cells.
    """

    starts: tuple[int, ...]
    length: int

    def shifted(self, by: int) -> Span:
        """Return the span with every start moved by a number of cells."""
        return Span(tuple(start + by for start in self.starts), self.length)


@dataclass(frozen=True)
class ChangedRegion:
    """The part of a tensor (N, C, H, W) in which the rows of a batch may differ from the base.

    Attributes:
        rows: cells along H.
        columns: cells along W.
    """

    rows: Span
    columns: Span

    @property
    def area(self) -> int:
        """Number of cells."""
        return self.rows.length * self.columns.length


@dataclass(frozen=True)
class SlidingWindow:
    """Geometry of a convolution or a pooling along one axis.

    Attributes:
        kernel: number of cells that one output reads.
        stride: distance between the windows of neighboring outputs.
        padding: cells before the first one.
        dilation: distance between the cells that one output reads.
    """

    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def is_pointwise(self) -> bool:
        """Whether each output reads the one cell at its own place."""
        return self.kernel == 1 and self.stride == 1 and self.padding == 0

    def outputs(self, changed: Span, size: int) -> Span:
        """Return the outputs that changed cells can reach.

        The spans of all rows are as long as the longest; one that would pass the end is moved back, which adds outputs
        that are computed again without having changed.

        Args:
            changed: cells of the input.
            size: number of outputs.
        """
        reach = (self.kernel - 1) * self.dilation
        bounds = []
        for start in changed.starts:
            first = -(-(start + self.padding - reach) // self.stride)
            last = (start + changed.length - 1 + self.padding) // self.stride
            first = min(max(first, 0), size - 1)
            bounds.append((first, max(min(last, size - 1), first)))
        length = max(last - first + 1 for first, last in bounds)
        return Span(tuple(min(first, size - length) for first, _ in bounds), length)

    def inputs(self, outputs: Span) -> Span:
        """Return the cells that outputs read, some of them in the padding."""
        starts = tuple(start * self.stride - self.padding for start in outputs.starts)
        reach = (self.kernel - 1) * self.dilation
        return Span(starts, (outputs.length - 1) * self.stride + reach + 1)


def joined(spans: list[Span], size: int) -> Span:
    """Return the shortest span that covers several spans in each row.

    Args:
        spans: spans of the same batch.
        size: number of cells along the axis.
    """
    firsts = [min(starts) for starts in zip(*(s.starts for s in spans), strict=True)]
    ends = [
        max(start + span.length for start, span in zip(starts, spans, strict=True))
        for starts in zip(*(s.starts for s in spans), strict=True)
    ]
    length = max(end - first for first, end in zip(firsts, ends, strict=True))
    return Span(tuple(min(first, size - length) for first in firsts), length)
