"""Copies of results to the host that a GPU makes while the host goes on.

A GPU works through its queue while the host prepares what follows; to read a result is to wait until the queue is
empty. A result is therefore copied as soon as it is queued, and looked at when the work behind it is queued too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

__all__ = ["HostCopies", "copied_to_host"]


class HostCopies:
    """Copies of tensors to the CPU, begun behind the work that their device has queued.

    Args:
        tensors: at least one; all of one device.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._event: torch.cuda.Event | None = None
        device = tensors[0].device
        if device.type != "cuda":
            self._copies = [tensor.cpu() for tensor in tensors]
            return
        # Only a copy to pinned memory does not wait.
        self._copies = [
            torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(
                t.detach(), non_blocking=True
            )
            for t in tensors
        ]
        self._event = torch.cuda.Event()
        self._event.record(torch.cuda.current_stream(device))

    @property
    def is_pending(self) -> bool:
        """Whether ``read`` may have to wait."""
        return self._event is not None

    def read(self) -> list[torch.Tensor]:
        """Return the copies, when they are complete."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return self._copies


def copied_to_host(batches: Iterator[Sequence[torch.Tensor]]) -> Iterator[list[torch.Tensor]]:
    """Copy the tensors of each batch to the CPU.

    Args:
        batches: queues a batch's work, and gives its results. On a CUDA device, the work of the next batch is queued
            before a batch's results are waited for; elsewhere each batch is given at once.

    Yields:
        The tensors of a batch, on the CPU.
    """
    last: HostCopies | None = None
    for batch in batches:
        copies = HostCopies(batch)
        if last is not None:
            yield last.read()
        last = copies
        if not copies.is_pending:
            yield copies.read()
            last = None
    if last is not None:
        yield last.read()
