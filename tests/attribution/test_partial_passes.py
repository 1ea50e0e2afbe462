"""Partial passes: their logits are those of whole passes, wherever the square is, and they are taken where they pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from module_fingerprint import fingerprint
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.attribution.partial import windows
from camwidget.attribution.partial.geometry import ChangedRegion, SlidingWindow, Span
from camwidget.attribution.partial.recording import UnrecordableError
from camwidget.attribution.partial.replay import RecordedPass
from camwidget.attribution.trace import Trace

#: Numbers that no two layers share: what is off by one cell shows.
SIZE = 67


class Odd(nn.Module):
    """Strides, paddings, dilation, groups, ceil_mode and branches that no usual network has together."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, (5, 3), stride=(2, 1), padding=(0, 2))
        self.norm = nn.BatchNorm2d(6)
        self.dilated = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3)
        self.strided = nn.Conv2d(12, 8, 2, stride=3, padding=1)
        self.skipping = nn.Conv2d(8, 8, 1, stride=2)
        self.main = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 5)
        with torch.no_grad():
            self.norm.running_mean.uniform_(-1, 1)
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nnF.pad(x, (0, 1, 0, 1), value=0.5)
        x = nnF.relu(self.norm(self.first(x)), inplace=True)
        x = nnF.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        left, right = x.chunk(2, 1)
        x = torch.cat([x, 2 * torch.sigmoid(self.dilated(x))], 1)
        x = nnF.avg_pool2d(x, 3, 1, 1, count_include_pad=True)
        x = self.strided(x - 0.1)
        short = self.skipping(x)
        out = self.main(nnF.leaky_relu(x))
        out += short
        both = nnF.avg_pool2d(torch.cat([left, right], 1) * 0.5, 2, 2, 1, count_include_pad=False)
        return self.head(out.relu_().mean((2, 3))) + both.mean((1, 2, 3))[:, None]


class Gated(nn.Module):
    """A squeeze-and-excitation block: a change anywhere changes everything behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.gate = nn.Conv2d(6, 6, 1)
        self.second = nn.Conv2d(6, 4, 3, padding="same", padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = x * torch.sigmoid(self.gate(nnF.adaptive_avg_pool2d(x, 1)))
        return nnF.adaptive_max_pool2d(self.second(x), 1).flatten(1)


CORNERS = [(0, 0), (0, 54), (54, 0), (54, 54), (17, 31), (30, 22), (53, 1), (8, 40)]


def check_logits(module: nn.Module, size: int, side: int, corners: list[tuple[int, int]]) -> None:
    """Compare partial and whole passes in float64, where only an error of the geometry shows."""
    module = module.double().eval()
    generator = torch.Generator().manual_seed(1)
    picture = torch.rand((1, 3, size, size), generator=generator, dtype=torch.float64)
    for form in (torch.contiguous_format, torch.channels_last):
        recorded = RecordedPass(module, picture.contiguous(memory_format=form))
        ys, xs = zip(*corners, strict=True)
        changed = torch.rand((len(ys), 3, side, side), generator=generator, dtype=torch.float64)
        batch = picture.repeat(len(ys), 1, 1, 1)
        for row, (y, x) in enumerate(corners):
            batch[row, :, y : y + side, x : x + side] = changed[row]
        with torch.no_grad():
            expected = module(batch)
        plan = recorded.plan(ChangedRegion(Span(ys, side), Span(xs, side)))
        found = recorded.run(changed.clone(), plan)
        assert (expected - recorded.logits).abs().amax(1).min() > 1e-9  # each square matters
        torch.testing.assert_close(
            found, expected, rtol=0, atol=1e-12 * float(expected.abs().max())
        )


@pytest.mark.parametrize("side", [1, 5, 13])
def test_unusual_layers(side: int) -> None:
    torch.manual_seed(0)
    check_logits(Odd(), SIZE, side, CORNERS)
    check_logits(Gated(), SIZE, side, CORNERS)


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet1_1",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("vgg16", "resnet18", "resnet50")),
    ],
)
def test_known_networks(name: str) -> None:
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None)
    check_logits(module, 96, 16, [(0, 0), (80, 80), (37, 22), (16, 64)])


def test_a_recording_is_replayed_more_than_once() -> None:
    """Operations in place must not write into what is kept."""
    torch.manual_seed(0)
    module = Odd().double().eval()
    picture = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64)
    recorded = RecordedPass(module, picture)
    plan = recorded.plan(ChangedRegion(Span((4, 30), 9), Span((50, 0), 9)))
    patches = torch.rand(2, 3, 9, 9, dtype=torch.float64)
    first = recorded.run(patches.clone(), plan)
    assert torch.equal(recorded.run(patches.clone(), plan), first)


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_reach_of_a_window(kernel: int, stride: int, padding: int, dilation: int) -> None:
    """Every output that reads a changed cell is in the span, which is inside the layer."""
    window, length = SlidingWindow(kernel, stride, padding, dilation), 11
    size = (length + 2 * padding - (kernel - 1) * dilation - 1) // stride + 1
    spans = [(start, cells) for cells in (1, 2, 4) for start in range(length - cells + 1)]
    for start, cells in spans:
        found = window.outputs(Span((start, 0), cells), size)
        reads = window.inputs(found)
        for first, input_start in zip(found.starts, reads.starts, strict=True):
            assert first >= 0 and first + found.length <= size
            assert input_start == first * stride - padding
        reached = {
            o
            for o in range(size)
            for k in range(kernel)
            if start <= o * stride - padding + k * dilation < start + cells
        }
        assert reached <= set(range(found.starts[0], found.starts[0] + found.length))


# -- what cannot be recorded ------------------------------------------------------------------


class Asking(nn.Module):
    """Decides by a value what it does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) if float(x.sum()) > 0 else x.amax((2, 3))


class Writing(nn.Module):
    """Writes into a part of a tensor that it uses afterwards."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 2
        x[:, :, :4] = 0
        return x.mean((2, 3))


class Constant(nn.Module):
    """Gives the same for every picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(1, 3)


class Mirrored(nn.Module):
    """Reads its values outside PyTorch, where no recording sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return (
            self.head(x.mean((2, 3))) + torch.from_numpy(x.detach().numpy().max((1, 2, 3)))[:, None]
        )


@pytest.mark.parametrize(
    "module", [Asking(), Writing(), Constant(), nn.Dropout2d().train(), Mirrored()]
)
def test_what_cannot_be_repeated_is_refused(module: nn.Module) -> None:
    with pytest.raises(UnrecordableError):
        RecordedPass(module, torch.rand(1, 3, 8, 8))


# -- occlusion ----------------------------------------------------------------------------------


def deep(seed: int = 0) -> nn.Sequential:
    """Convolutions whose cost is far above that of the head: squares of an eighth pay."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()


def occluded(model: cw.VisionModel, picture: torch.Tensor, side: int = 8, stride: int = 7) -> Any:
    method = cw.get_method("occlusion", window=side, stride=stride)
    return cw.explain(model, picture, 1, method, progress=lambda done, total: None).raw


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of rows of the partial passes."""
    seen: list[int] = []
    run = RecordedPass.run

    def counted(self: RecordedPass, patches: torch.Tensor, plan: Any) -> torch.Tensor:
        seen.append(len(patches))
        return run(self, patches, plan)

    monkeypatch.setattr(RecordedPass, "run", counted)
    return seen


def whole(monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Any]) -> Any:
    """What whole passes give."""
    with monkeypatch.context() as patch:
        patch.setattr(windows, "can_record", lambda model: False)
        return compute()


def test_occlusion_is_that_of_whole_passes(
    monkeypatch: pytest.MonkeyPatch, rows: list[int]
) -> None:
    """fp32: equal up to the order of additions; the model is left to the bit, and in training mode."""
    module = deep()
    module.train()
    before = fingerprint(module)
    model = cw.wrap(module, cw.Preprocess(64))
    picture = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))
    expected = whole(monkeypatch, lambda: occluded(model, picture))
    assert not rows
    found = occluded(model, picture)
    assert rows[:2] == [1, 2] and sum(rows) == 3 + 81  # those of the check first
    assert fingerprint(module) == before
    scale = abs(expected).max()
    assert scale > 0
    torch.testing.assert_close(
        torch.as_tensor(found), torch.as_tensor(expected), rtol=0, atol=1e-4 * float(scale)
    )


def test_a_square_that_passes_the_edge(monkeypatch: pytest.MonkeyPatch, rows: list[int]) -> None:
    model = cw.wrap(deep(), cw.Preprocess(61))
    picture = torch.rand((3, 61, 61), generator=torch.Generator().manual_seed(0))
    found = occluded(model, picture, 9, 8)
    assert rows
    expected = whole(monkeypatch, lambda: occluded(model, picture, 9, 8))
    torch.testing.assert_close(
        torch.as_tensor(found),
        torch.as_tensor(expected),
        rtol=0,
        atol=1e-4 * float(abs(expected).max()),
    )


def test_a_large_square_takes_whole_passes(rows: list[int]) -> None:
    """By arithmetic: a square of half the side reaches nearly everything."""
    model = cw.wrap(deep(), cw.Preprocess(64))
    occluded(model, torch.rand(3, 64, 64), 60, 1)
    assert not rows


def test_a_module_that_computes_outside_pytorch(
    monkeypatch: pytest.MonkeyPatch, rows: list[int]
) -> None:
    """It is run as a whole, and the map is the same to the bit."""
    torch.manual_seed(0)
    model = cw.wrap(Mirrored().eval(), cw.Preprocess(48), layers=["conv"])
    picture = torch.rand(3, 48, 48)
    expected = whole(monkeypatch, lambda: occluded(model, picture, 6, 6))
    assert (occluded(model, picture, 6, 6) == expected).all()
    assert not rows


def off_by_one(self: SlidingWindow, changed: Span, size: int) -> Span:
    """A wrong span."""
    length = min(size, changed.length)
    return Span(tuple(min(start // self.stride, size - length) for start in changed.starts), length)


def test_a_wrong_partial_pass_is_found(monkeypatch: pytest.MonkeyPatch, rows: list[int]) -> None:
    """A square alone, and two in a batch, are checked against whole passes first."""
    model = cw.wrap(deep(), cw.Preprocess(64))
    picture = torch.rand(3, 64, 64)
    expected = whole(monkeypatch, lambda: occluded(model, picture))
    monkeypatch.setattr(SlidingWindow, "outputs", off_by_one)
    assert (occluded(model, picture) == expected).all()
    assert rows == [1, 2]


class Fixed(nn.Module):
    """A module that finds out how many pictures there are in Python: a replay has as many as were recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.net = deep()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).sum(0, keepdim=True) if len(x) == 1 else self.net(x)


def test_a_recording_that_is_for_one_picture_is_found(
    monkeypatch: pytest.MonkeyPatch, rows: list[int]
) -> None:
    torch.manual_seed(0)
    model = cw.wrap(Fixed().eval(), cw.Preprocess(64))
    picture = torch.rand(3, 64, 64)
    expected = whole(monkeypatch, lambda: occluded(model, picture))
    assert (occluded(model, picture) == expected).all()


def test_a_recording_keeps_to_what_it_needs() -> None:
    """Activations around which nothing is put together are dropped."""
    module = deep()
    picture = torch.rand(1, 3, 64, 64)
    kept = RecordedPass(module, picture).nbytes
    every = 4 * (3 * 64**2 + 2 * 8 * 64**2 + 4 * 8 * 32**2)
    assert kept < every * 0.6


def test_a_caller_s_autocast_does_not_matter() -> None:
    model = cw.wrap(deep(), cw.Preprocess(64))
    picture = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))
    expected = occluded(model, picture)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = occluded(model, picture)
    with torch.inference_mode():
        inferred = occluded(model, picture)
    assert (found == expected).all() and (inferred == expected).all()


def test_an_interrupted_series_goes_on(rows: list[int]) -> None:
    model = cw.wrap(deep(), cw.Preprocess(64))
    pixels = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    trace = Trace(model, pixels, [])
    corners = [(y, x) for y in range(0, 56, 8) for x in range(0, 56, 8)]
    series = windows.rerun_hidden_squares(trace, 0, corners, 8)
    every = torch.cat([logits for _, logits in series(0, 1 << 30)])
    later = torch.cat([logits for _, logits in series(20, 1 << 30)])
    assert len(every) == 50 and rows
    torch.testing.assert_close(later, every[20:], rtol=1e-5, atol=1e-6)
