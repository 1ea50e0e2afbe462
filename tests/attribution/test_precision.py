"""Precisions: a warning where a lower one is slower than fp32. No test reads a real clock."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution import precision as precisions
from camwidget.attribution.precision import compare_times
from camwidget.errors import CamwidgetWarning


class Clock:
    """A clock that goes on only by what is run: passes in float32 take a second, others as long as is said."""

    def __init__(self, slower: float) -> None:
        self.now = 0.0
        self.slower = slower

    def __call__(self) -> float:
        return self.now

    def tick(self, module: nn.Module, inputs: object) -> None:
        lower = torch.is_autocast_enabled("cpu")
        self.now += (self.slower if lower else 1.0) / 100


def model(clock: Clock) -> cw.VisionModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )  # fmt: skip
    module.register_forward_pre_hook(clock.tick)
    return cw.wrap(module, cw.Preprocess(32))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Clock:
    made = Clock(request.param)
    monkeypatch.setattr(precisions.compare_times, "__defaults__", (made,))
    return made


PIXELS = torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("clock", [7.6], indirect=True)
def test_a_slower_precision_is_said_once_and_used(clock: Clock) -> None:
    net = model(clock)
    warning = r"7.6 times as long with precision='bf16'.*in this precision anyway"
    with pytest.warns(CamwidgetWarning, match=warning) as caught:
        slow = cw.explain(net, PIXELS, 0, "scorecam", precision="bf16")
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cw.explain(net, PIXELS, 1, ["occlusion", "gradcam"], precision="bf16")
        exact = cw.explain(net, PIXELS, 0, "scorecam")
    assert not np.array_equal(slow.raw, exact.raw), "what is asked for is what is run"
    with pytest.warns(CamwidgetWarning, match="bf16"):  # of another model nothing is known yet
        cw.explain(model(clock), PIXELS, 0, precision="bf16")


@pytest.mark.parametrize("clock", [7.6], indirect=True)
@pytest.mark.parametrize("way", ["gradcam", "measure", "evaluate"])
def test_whatever_takes_a_precision_says_it(way: str, clock: Clock) -> None:
    net = model(clock)
    exact = cw.explain(net, PIXELS, 0)
    ways: dict[str, Callable[[], object]] = {
        "gradcam": lambda: cw.explain(net, PIXELS, 0, precision="bf16"),
        "measure": lambda: cw.measure(net, PIXELS, exact, ["drop"], precision="bf16"),
        "evaluate": lambda: cw.evaluate(
            net, [(PIXELS, 0)], methods=["gradcam"], metrics=["drop"], precision="bf16"
        ),
    }
    with pytest.warns(CamwidgetWarning, match="7.6 times as long") as caught:
        ways[way]()
    assert len([w for w in caught if w.category is CamwidgetWarning]) == 1


@pytest.mark.parametrize("clock", [0.3, 1.0, 1.1], indirect=True)
def test_a_precision_that_is_as_fast_says_nothing(clock: Clock) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cw.explain(model(clock), PIXELS, 0, "scorecam", precision="bf16")


@pytest.mark.parametrize("clock", [7.6], indirect=True)
def test_nothing_is_timed_in_fp32_and_no_model_is_kept(clock: Clock) -> None:
    net = model(clock)
    before = len(precisions._ratios)
    cw.explain(net, PIXELS, 0, "scorecam")
    assert len(precisions._ratios) == before
    with pytest.warns(CamwidgetWarning):
        cw.explain(net, PIXELS, 0, precision="bf16")
    assert net.module in precisions._ratios
    del net
    gc.collect()
    assert len(precisions._ratios) <= before


def test_precisions_take_turns_and_the_least_time_counts() -> None:
    now, calls = [0.0], []
    times = {"usual": iter([0.2, 0.1, 0.2]), "other": iter([0.2, 0.4, 0.3])}

    def call(which: str) -> None:
        calls.append(which)
        now[0] += next(times[which])

    ratio = compare_times(lambda: call("usual"), lambda: call("other"), lambda: now[0])
    assert calls == ["usual", "other"] * 2, "a third turn would take more than a second"
    assert ratio == pytest.approx(2.0)


def test_a_model_that_is_timed_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was timed under the lock of all models, so that a thread with the model's own lock, which asked, hung."""
    slow, quick = (model(Clock(1.0)) for _ in range(2))
    begun, go_on = threading.Event(), threading.Event()

    def ratio(model: cw.VisionModel, inputs: torch.Tensor, precision: str) -> float:
        if model is slow:
            begun.set()
            assert go_on.wait(60)
        return 1.0

    monkeypatch.setattr(precisions, "_ratio", ratio)
    ask = precisions.warn_if_slower
    first = threading.Thread(target=ask, args=(slow, PIXELS[None], "bf16"))
    second = threading.Thread(target=ask, args=(quick, PIXELS[None], "bf16"), daemon=True)
    first.start()
    assert begun.wait(60)
    second.start()
    second.join(10)
    waited = second.is_alive()
    go_on.set()
    for thread in (first, second):
        thread.join(60)
    assert not waited


@pytest.mark.parametrize(("mixes", "most"), [(True, 1), (False, 4)])
@pytest.mark.parametrize("clock", [1.0], indirect=True)
def test_a_model_that_mixes_pictures_is_timed_with_one(
    clock: Clock, mixes: bool, most: int
) -> None:
    """With several, its passes would be others than those that follow; of others, several say more."""
    net = model(clock)
    net.mixes_pictures = mixes
    sizes: list[int] = []
    net.module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    precisions.warn_if_slower(net, net.inputs(PIXELS[None]), "bf16")
    assert max(sizes) == most
