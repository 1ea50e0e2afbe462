"""Copies of results to the host. What a GPU does meanwhile is tested in ``tests/test_gpu.py``."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from camwidget.execution.host_copies import copied_to_host


def test_a_computers_batches_are_given_at_once() -> None:
    """Nothing is gained by beginning the next batch, and a cancelled series would have computed it for nothing."""
    begun: list[int] = []

    def batches() -> Iterator[list[torch.Tensor]]:
        for number in range(3):
            begun.append(number)
            yield [torch.tensor([number]), torch.tensor([10 * number])]

    for number, (one, ten) in enumerate(copied_to_host(batches())):
        assert begun == list(range(number + 1))
        assert (int(one), int(ten)) == (number, 10 * number)
    assert begun == [0, 1, 2]
