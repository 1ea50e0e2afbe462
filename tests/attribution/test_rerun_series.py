"""Series of passes on modified inputs: each pass and each score is computed once, however the series are run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution import batched_inference
from camwidget.attribution.batched_inference import rerun_from_input, rerun_scores
from camwidget.attribution.target_scores import score_of
from camwidget.attribution.targets import ClassTarget, Target
from camwidget.attribution.trace import Trace

TOTAL = 40
SIDE = 8


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x).relu().mean((2, 3)))


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    monkeypatch.setenv("CAMWIDGET_BATCHES", "4")
    model = cw.wrap(Net(), cw.Preprocess(SIDE))
    return Trace(model, torch.rand(1, 3, SIDE, SIDE), ["layer"])


def series(trace: Trace, target: Target) -> Iterator[torch.Tensor]:
    brightness = torch.linspace(0, 1, TOTAL)[:, None, None, None]
    inputs = trace.model.inputs(trace.pixels)
    source = rerun_from_input(trace, 0, TOTAL, lambda start, stop: inputs * brightness[start:stop])
    return rerun_scores(trace, target, ("brightness",), TOTAL, source)


def expected(trace: Trace, class_: int) -> torch.Tensor:
    brightness = torch.linspace(0, 1, TOTAL)[:, None, None, None]
    with torch.no_grad():
        return trace.model.module(trace.model.inputs(trace.pixels) * brightness)[:, class_]


def test_every_row_is_scored_once(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows so far were scored, and joined, after each batch."""
    rows: list[int] = []

    def counted(target: Target, returned: object, logits: torch.Tensor) -> torch.Tensor:
        rows.append(len(logits))
        return score_of(target, returned, logits)

    monkeypatch.setattr(batched_inference, "score_of", counted)
    first, *_, last = list(series(trace, ClassTarget(1, "class")))
    assert len(first) == 4 and first.data_ptr() == last.data_ptr()
    torch.testing.assert_close(last, expected(trace, 1))
    assert sum(rows) == TOTAL


def test_classes_share_passes_of_a_module_that_returns_more_than_logits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only of a function of all that it returns, the scores alone are kept."""

    class More(Net):
        def forward(self, x: torch.Tensor) -> Any:
            return {"logits": super().forward(x), "mean": x.mean((1, 2, 3))}

    monkeypatch.setenv("CAMWIDGET_BATCHES", "4")
    model = cw.wrap(More(), cw.Preprocess(SIDE))
    more = Trace(model, torch.rand(1, 3, SIDE, SIDE), ["layer"])
    sizes: list[int] = []
    model.module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    for number in (1, 2):
        *_, _last = series(more, ClassTarget(number, "class"))
    assert sizes == [4] * (TOTAL // 4)


def test_two_classes_take_turns(trace: Trace) -> None:
    """As two maps of an explorer do: each continues where the other is."""
    one, other = series(trace, ClassTarget(1, "class")), series(trace, ClassTarget(2, "class"))
    lengths = [len(next(one)), len(next(one)), len(next(other))]
    assert lengths == [4, 8, 8], "the other begins with the results that there are"
    *_, all_of_other = other
    *_, all_of_one = one
    torch.testing.assert_close(all_of_other, expected(trace, 2))
    torch.testing.assert_close(all_of_one, expected(trace, 1))


def test_an_interrupted_series_continues(trace: Trace) -> None:
    begun = series(trace, ClassTarget(1, "class"))
    assert len(next(begun)) == 4
    del begun
    *_, last = series(trace, ClassTarget(3, "class"))
    torch.testing.assert_close(last, expected(trace, 3))
