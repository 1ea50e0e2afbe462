"""Models without maps: methods at the input work, and the others give the reason why they do not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from explorer_internals import view_of
from torch import nn
from torch.nn import functional as F

import camwidget as cw
from camwidget.errors import LayerError, MethodError

PICTURE = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))
AT_PICTURE = [m.name for m in cw.list_methods() if m.at_input and m.group != "Attention"]
AT_LAYERS = [m.name for m in cw.list_methods() if not m.at_input]


class Functional(nn.Module):
    """No modules: its parameters are its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Parameter(torch.randn(6, 3, 3, 3) / 5)
        self.last = nn.Parameter(torch.randn(4, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(F.relu(F.conv2d(x, self.first, stride=2)).mean((2, 3)), self.last)


class Listed(nn.Module):
    """Its modules lie in a plain list, of which PyTorch does not know."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = [nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.parts:
            x = part(x)
        return x


def functional() -> cw.VisionModel:
    return cw.wrap(Functional().eval(), cw.Preprocess(32))


@pytest.mark.parametrize("method", AT_PICTURE)
def test_methods_at_the_picture_explain_functions(method: str) -> None:
    options = {"rise": {"masks": 16}, "occlusion": {"window": 16, "stride": 16}}.get(method, {})
    found = cw.explain(functional(), PICTURE, 1, cw.get_method(method, **options))
    assert found.layer == "input" and found.saliency.shape == (32, 32)
    assert np.ptp(found.raw) > 0


@pytest.mark.parametrize("method", AT_LAYERS)
def test_methods_at_layers_say_why_there_is_none(method: str) -> None:
    with pytest.raises(MethodError, match=r"calls functions and no submodules.*'saliency'"):
        cw.explain(functional(), PICTURE, 1, method)
    with pytest.raises(MethodError, match="calls functions"):
        cw.explain(functional(), PICTURE, 1, method, "input")


@pytest.mark.parametrize("method", [m.name for m in cw.list_methods() if m.group == "Attention"])
def test_attention_methods_say_that_there_is_none(method: str) -> None:
    with pytest.raises(MethodError, match=r"has no attention.*functions only"):
        cw.explain(functional(), PICTURE, 1, method)


def test_the_answer_is_the_modules() -> None:
    model = functional()
    expected = F.softmax(model.module(PICTURE[None]), 1)[0]
    np.testing.assert_allclose(
        sorted(model.predict(PICTURE, 4).probabilities), sorted(expected.tolist()), atol=1e-6
    )
    assert model.default_layer == "input" and [str(x) for x in model.layers] == ["input · 32×32"]
    with pytest.raises(LayerError, match="no layer 'first'"):
        model.layer("first")


def test_all_else_that_asks_for_layers() -> None:
    model = functional()
    with pytest.raises(LayerError, match="no channel to visualize"):
        cw.visualize(model, channel=1)
    assert cw.visualize(model, 1, steps=2).pixels.shape == (32, 32, 3)
    found = cw.explain(model, PICTURE, 1, "saliency")
    assert cw.measure(model, PICTURE, found, ["deletion", "parameter-randomization"])


def test_the_explorer_and_a_page_begin_with_a_method_that_applies(tmp_path: Path) -> None:
    ex = cw.Explorer(functional(), PICTURE).wait(60)
    try:
        assert (
            view_of(ex).error == "" and ex.method == "saliency" and ex.explanation.layer == "input"
        )
        reasons = {m["name"]: m["reason"] for m in view_of(ex).methods}
        assert re.search("no submodules", reasons["gradcam"]) and reasons["occlusion"] is None
        ex.method = "integrated-gradients"
        assert view_of(ex.wait(60)).error == "" and ex.explanation.method == "integrated-gradients"
        with pytest.raises(MethodError):
            ex.method = "gradcam"
    finally:
        ex.close()
    cw.save_page(functional(), PICTURE, tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size > 1000


def test_what_else_has_no_maps() -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3)).eval()
    for module, why in ((Listed(), "nn.ModuleList"), (dense, "rows of numbers")):
        model = cw.wrap(module.eval(), cw.Preprocess(32))
        assert not cw.explain(model, PICTURE, 1, "saliency").is_empty
        with pytest.raises(MethodError, match=why):
            cw.explain(model, PICTURE, 1)


def test_layers_can_be_left_out() -> None:
    """Tokens on no grid: a person who knows that there is none says so."""

    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.patches = nn.Linear(48, 8)
            self.head = nn.Linear(8, 4)
            self.order = torch.randperm(64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            cut = (
                x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).reshape(len(x), 64, 48)
            )
            return self.head(self.patches(cut[:, self.order]).relu().mean(1))

    with pytest.raises(LayerError, match=r"layers=\[\]"):
        cw.wrap(Shuffled().eval(), cw.Preprocess(32))
    model = cw.wrap(Shuffled().eval(), cw.Preprocess(32), layers=[])
    assert not cw.explain(model, PICTURE, 1, "saliency").is_empty
    with pytest.raises(MethodError, match=r"wrapped with layers=\[\]"):
        cw.explain(model, PICTURE, 1, "gradcam")


def test_a_layer_may_be_called_input() -> None:
    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.input, self.head = nn.Conv2d(3, 6, 3, stride=2), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.input(x).relu().mean((2, 3)))

    model = cw.wrap(Called().eval(), cw.Preprocess(32))
    alone = cw.explain(model, PICTURE, 1, "saliency")
    together = cw.explain(model, PICTURE, 1, ["saliency", "gradcam"], "input")
    assert [e.raw.shape for e in together] == [(32, 32), (15, 15)]
    np.testing.assert_allclose(together[0].raw, alone.raw, rtol=1e-5, atol=1e-9)
