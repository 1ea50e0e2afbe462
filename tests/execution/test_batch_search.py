"""The search for the fastest batches, by given times, and what it changes in results. No test reads a clock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution import batched_inference
from camwidget.attribution.batched_inference import search_for
from camwidget.errors import CamwidgetError, CamwidgetWarning
from camwidget.execution.batch_search import VARIABLE, Batches, BatchSearch, BatchSeries

Cost = Callable[[Batches], float]


def searched(search: BatchSearch, cost: Cost, total: int = 10_000) -> list[Batches]:
    """What a series runs, one entry a batch, if a picture takes ``cost`` seconds."""
    series = BatchSeries(search, total)
    done: list[Batches] = []
    while total:
        size = series.next_size(total)
        done.append(Batches(size, series.channels_last))
        if series.is_timed:
            series.record(size, size * cost(done[-1]))
        total -= size
    return done


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "measured")


@pytest.mark.parametrize("best", [1, 4, 8, 16, 32])
@pytest.mark.parametrize("last", [True, False])
def test_the_fastest_batches_are_found(best: int, last: bool) -> None:
    def cost(batches: Batches) -> float:
        distance = abs(np.log2(batches.size / best))
        return 1e-3 * (1 + 0.2 * distance) * (1 if batches.channels_last == last else 1.5)

    search = BatchSearch(Batches(8), 32, formats=True)
    ran = searched(search, cost)
    assert search.best == Batches(best, last) == ran[-2]
    assert search.trial() is None and len(set(ran[:-1])) <= 6
    again = searched(search, cost, 1000)
    assert set(again[:-1]) == {search.best}, "what was found is remembered"


def test_what_is_hardly_faster_changes_nothing() -> None:
    search = BatchSearch(Batches(8), 32, formats=True)
    searched(search, lambda batches: 1e-3 * (1 if batches.size == 8 else 0.97))
    assert search.best == Batches(8)


def test_slow_batches_end_the_search() -> None:
    """Each picture of other batches takes a second more: after one kind of them it is over."""
    search = BatchSearch(Batches(8), 32, formats=True)
    ran = searched(search, lambda batches: 0.1 if batches == Batches(8) else 1.1)
    assert search.best == Batches(8)
    assert len([b for b in ran if b != Batches(8)]) <= 2


def test_a_short_series_is_not_searched() -> None:
    search = BatchSearch(Batches(8), 32, formats=True)
    assert searched(search, lambda batches: 1.0, 63)[0] == Batches(8)
    assert search.trial() == Batches(8), "nothing was timed"


def test_what_does_not_fit_into_memory_is_not_taken() -> None:
    search = BatchSearch(Batches(8), 32)
    for _ in range(2):
        search.record(Batches(8), 8, 0.8)
    assert search.trial() == Batches(16)
    search.record(Batches(16), 16, float("inf"))
    assert search.best == Batches(8) and search.trial() == Batches(4)


def test_if_the_first_does_not_fit_the_largest_that_does_is_found() -> None:
    search = BatchSearch(Batches(8), 32)
    while (trial := search.trial()) is not None:
        search.record(trial, trial.size, float("inf") if trial.size > 2 else 1e-3 / trial.size)
    assert search.best == Batches(2)


def test_the_last_trial_is_compared_too() -> None:
    search = BatchSearch(Batches(8), 32)
    for seconds in (0.8, 0.8, 3.0, 0.4):  # the first run of 16 includes its setup
        trial = search.trial()
        assert trial is not None
        search.record(trial, trial.size, seconds)
    assert search.best == Batches(16) and search.trial() is None


class Dropping(nn.Module):
    """Draws random numbers in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu().mean((2, 3))
        return self.head(nn.functional.dropout(x, training=True))


def test_a_module_that_draws_random_numbers_has_the_same_batches_always() -> None:
    with pytest.warns(CamwidgetWarning, match="random"):
        model = cw.wrap(Dropping().eval(), cw.Preprocess(32))
    search = search_for(model, "pictures", 32, 32, formats=True)
    assert search.trial() is None and search.best == search.first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed", Batches(8)),
        ("Fixed", Batches(8)),
        ("5, contiguous", Batches(5, False)),
        ("3", Batches(3)),
        ("5,contiguous", Batches(5, False)),
        ("5,channels_last", Batches(5)),
    ],
)
def test_batches_can_be_set(text: str, expected: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    ran = searched(BatchSearch(Batches(8), 32, formats=True), lambda batches: 1.0, 500)
    assert set(ran[:-1]) == {expected}


def test_deterministic_algorithms_are_not_measured() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        ran = searched(BatchSearch(Batches(8), 32), lambda batches: 1 / batches.size, 500)
    finally:
        torch.use_deterministic_algorithms(False)
    assert set(ran[:-1]) == {Batches(8)}


@pytest.mark.parametrize("text", ["fast", "0", "8,nchw"])
def test_a_setting_that_there_is_not(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(CamwidgetError, match="CAMWIDGET_BATCHES.*set it to 'measured'"):
        BatchSeries(BatchSearch(Batches(8), 32), 10)


def net() -> cw.VisionModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip
    return cw.wrap(module.eval(), cw.Preprocess(64))


@pytest.mark.parametrize("method", ["smoothgrad", "integrated-gradients"])
def test_no_batch_is_tried_whose_graph_is_too_large(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batched_inference._PIXELS, "cpu", 64 * 64)
    pixels = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))
    largest = []
    for most_bytes in (2**30, 1):
        monkeypatch.setattr(batched_inference, "_MOST_GRAPH_BYTES", most_bytes)
        model, sizes = net(), []
        model.module.register_forward_pre_hook(
            lambda _, args, seen=sizes: seen.append(len(args[0]))
        )
        cw.explain(model, pixels, 1, method)
        largest.append(max(sizes))
    assert largest == [2, 1] or largest == [4, 1]


METHODS = [
    cw.get_method("occlusion", window=16, stride=8),
    cw.get_method("rise", masks=64),
    cw.get_method("integrated-gradients", steps=8),
    cw.get_method("smoothgrad", samples=8),
    "scorecam",
]


@pytest.mark.parametrize("text", ["1", "7,contiguous", "measured"])
def test_batches_change_results_by_rounding_only(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A series of this net would be searched from 784 pictures on.
    monkeypatch.setitem(batched_inference._PIXELS, "cpu", 4 * 64 * 64)
    pixels = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))
    monkeypatch.setenv(VARIABLE, "fixed")
    expected = [cw.explain(net(), pixels, 1, method).raw for method in METHODS]
    monkeypatch.setenv(VARIABLE, text)
    model = net()
    for _ in range(2):
        for method, usual in zip(METHODS, expected, strict=True):
            found = cw.explain(model, pixels, 1, method).raw
            np.testing.assert_allclose(
                found, usual, rtol=0, atol=1e-3 * np.abs(usual).max(), err_msg=str(method)
            )
    search = search_for(model, "pictures", 64, 64, formats=True)
    assert (search.trial() != search.first) == (text == "measured"), "RISE was searched"
