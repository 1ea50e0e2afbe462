"""The panel that draws: run, cancel, follow, errors as text, nothing left open."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image
from shared_state import SharedState
from torch import nn
from waiting import until

import camwidget as cw
from camwidget.widget.panels.deepvis import CAVEAT, DeepVisPanel

NAMES = ["plain", "<img src=x onerror=alert(1)>", "a & b", "$x$"]


class Slow(SharedState):
    """A small net whose passes can be held."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.more = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 4)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=generator) * 0.5)
        self.gate = threading.Event()
        self.gate.set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.gate.wait(10)
        if self.fails:
            self.fails = False
            raise RuntimeError("out of something")
        return self.head(self.more(self.conv(x)).mean((2, 3)))


@pytest.fixture
def module() -> Slow:
    return Slow()


@pytest.fixture
def panel(module: Slow) -> Iterator[DeepVisPanel]:
    made = DeepVisPanel(cw.wrap(module, cw.Preprocess(32), NAMES), steps=12)
    module.passes = 0  # those that found its layers do not count
    yield made
    module.gate.set()
    made.close()


def shown(panel: DeepVisPanel) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(panel.image.value)))


def test_it_draws_what_visualize_draws(panel: DeepVisPanel) -> None:
    gray, layout = shown(panel), panel.image.layout.get_state()
    assert (gray == 128).all() and panel.visualization is None
    panel.class_choice.value = "a & b"
    panel.button.click()
    panel.wait(20)
    drawn = panel.visualization
    assert drawn is not None and drawn.label == "a & b"
    wanted = cw.visualize(panel.model, "a & b", steps=12, progress=lambda done, total: None)
    assert (drawn.pixels == wanted.pixels).all() and drawn.score > drawn.before
    factor = shown(panel).shape[0] // 32
    assert factor > 1 and (shown(panel)[::factor, ::factor] == drawn.pixels).all()
    assert (shown(panel)[factor - 1 :: factor, factor - 1 :: factor] == drawn.pixels).all(), "crisp"
    said = panel.message.value
    assert "the score of a &amp; b: " in said and "probability" in said and CAVEAT in said
    assert panel.button.description == "Start" and panel.bar.layout.visibility == "hidden"
    assert panel.image.layout.get_state() == layout, "nothing jumps"


def test_a_channel(panel: DeepVisPanel) -> None:
    panel.kind_choice.value = "channel"
    assert panel.class_choice.layout.display == "none" and panel.layer_choice.layout.display is None
    panel.layer_choice.value, panel.channel_choice.value = "more", 5
    panel.start()
    panel.wait(20)
    assert panel.visualization is not None
    assert panel.visualization.label == "channel 5 of more"
    assert "the mean of channel 5 of more" in panel.message.value
    panel.layer_choice.value = "conv"
    assert panel.channel_choice.max == 3 and panel.channel_choice.value == 3


def test_start_becomes_cancel(panel: DeepVisPanel, module: Slow) -> None:
    module.gate.clear()
    panel.button.click()
    until(lambda: module.passes == 1)
    assert panel.button.description == "Cancel" and panel.bar.layout.visibility == "visible"
    panel.button.click()
    assert panel.button.description == "Start" and "Canceled" in panel.message.value
    module.gate.set()
    panel.wait(20)
    made = module.passes
    assert made < 10, "it stopped at the next step"
    assert panel.visualization is None and "Canceled" in panel.message.value
    panel.button.click()
    panel.wait(20)
    assert panel.visualization is not None, "and can begin anew"


def test_the_picture_grows(panel: DeepVisPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camwidget.widget.panels.deepvis.PAUSE", 0.0)
    pictures: list[bytes] = []
    done: list[int] = []
    panel.image.observe(lambda change: pictures.append(change["new"]), "value")
    panel.bar.observe(lambda change: done.append(change["new"]), "value")
    panel.start()
    panel.wait(20)
    assert len(pictures) == len(set(pictures)) == 3, "after 4 steps, 8, and all 12"
    assert done == list(range(1, 13))


def test_the_newest_request_wins(panel: DeepVisPanel, module: Slow) -> None:
    module.gate.clear()
    panel.class_choice.value = "plain"
    panel.start()
    until(lambda: module.passes == 1)
    panel.class_choice.value = "$x$"
    panel.start()
    module.gate.set()
    panel.wait(20)
    assert panel.visualization is not None and panel.visualization.label == "$x$"
    assert panel.button.description == "Start"


def test_names_are_text(panel: DeepVisPanel) -> None:
    panel.class_choice.value = NAMES[1]
    panel.start()
    panel.wait(20)
    assert panel.visualization is not None and panel.visualization.label == NAMES[1]
    assert "<img" not in panel.message.value and "&lt;img" in panel.message.value
    panel.class_choice.value = "<b>none</b>"
    panel.start()
    assert "<b>" not in panel.message.value and "no class named" in panel.message.value
    markup = [w for w in parts(panel) if isinstance(w, ipywidgets.HTML)]
    assert markup == [panel.message], "nothing else renders markup"


def test_errors_are_text_and_it_goes_on(panel: DeepVisPanel, module: Slow) -> None:
    panel.class_choice.value = ""
    panel.start()
    assert "Choose a class" in panel.message.value and panel.button.description == "Start"
    weight = module.head.weight.detach().clone()
    with torch.no_grad():
        module.head.weight.fill_(float("nan"))
    panel.class_choice.value = "plain"
    panel.start()
    panel.wait(20)
    assert "head.weight" in panel.message.value
    assert panel.button.description == "Start" and panel.visualization is None
    with torch.no_grad():
        module.head.weight.copy_(weight)
    panel.start()
    panel.wait(20)
    assert panel.visualization is not None


def test_an_old_failure_does_not_stop_the_new(panel: DeepVisPanel, module: Slow) -> None:
    module.gate.clear()
    panel.start()
    until(lambda: module.passes == 1)
    panel.class_choice.value = "$x$"
    panel.start()
    module.fails = True  # the pass that is waiting, and no other
    module.gate.set()
    panel.wait(20)
    assert not module.fails
    assert panel.visualization is not None and panel.visualization.label == "$x$"
    assert CAVEAT in panel.message.value


def test_it_follows_until_a_person_chooses(panel: DeepVisPanel) -> None:
    panel.follow(target="a & b", layer="conv")
    assert panel.class_choice.value == "a & b" and panel.layer_choice.value == "conv"
    assert panel.channel_choice.max == 3
    panel.follow(target=0)
    assert panel.class_choice.value == "plain" and panel.layer_choice.value == "conv"
    panel.class_choice.value = "$x$"
    panel.follow(target="a & b", layer="more")
    assert panel.class_choice.value == "$x$" and panel.layer_choice.value == "more"
    panel.channel_choice.value = 2
    panel.follow(layer="conv")
    assert panel.layer_choice.value == "more" and panel.channel_choice.value == 2


def test_it_follows_to_a_layer_that_is_not_listed(textures: cw.VisionModel) -> None:
    panel = DeepVisPanel(textures)
    panel.follow(layer="stage3.conv1")
    assert panel.layer_choice.value == "stage3.conv1"
    assert "layer" not in panel._chosen and panel.channel_choice.max == 63
    panel.close()


def parts(widget: ipywidgets.Widget) -> list[Any]:
    return [widget, *(p for c in getattr(widget, "children", ()) for p in parts(c))]


def test_closing_leaves_nothing_open(module: Slow) -> None:
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    panel = DeepVisPanel(cw.wrap(module, cw.Preprocess(32), NAMES), steps=1000)
    module.passes = 0
    assert "camwidget-deepvis" in panel._dom_classes and isinstance(panel, ipywidgets.VBox)
    module.gate.clear()
    panel.start()
    until(lambda: module.passes == 1)
    panel.close()
    module.gate.set()
    panel.wait(20)
    assert module.passes < 10
    panel.close()
    panel.start()
    assert set(_instances) <= before


def test_it_takes_a_model_only() -> None:
    with pytest.raises(cw.CamwidgetError, match="takes a model"):
        DeepVisPanel("resnet50")  # type: ignore[arg-type]
