"""The panel of named units: where it is, what it says, cancel, errors as text, nothing left open."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from explorer_internals import panels_of, view_of, worker_of
from PIL import Image
from shared_state import SharedState
from torch import nn
from waiting import until

import camwidget as cw
from camwidget.widget.control.cache import Picture
from camwidget.widget.panels.concept_pictures import DRAWN, concept_pictures
from camwidget.widget.panels.concepts import ConceptPanel

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 24
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "<b>blue</b>": (0, 0, 255)}


@dataclass
class Patch:
    """A square of one color on gray, and where it is."""

    image: np.ndarray
    where: dict[str, np.ndarray]

    def concepts(self) -> dict[str, np.ndarray]:
        return self.where


def patch(name: str, at: int) -> Patch:
    image = np.full((SIDE, SIDE, 3), 128, np.uint8)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[at : at + 8, at : at + 8] = True
    image[mask] = COLORS[name]
    return Patch(image, {name: mask})


class Finder(SharedState):
    """Filters that find red, green and blue exactly, whose passes can be held, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.find = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(3, 3)
        with torch.no_grad():
            self.find.weight.copy_((4 * torch.eye(3) - 2)[:, :, None, None])
            self.find.bias.zero_()
            self.head.weight.copy_(8 * torch.eye(3) - 2)
            self.head.bias.zero_()
        self.gate = threading.Event()
        self.gate.set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.gate.wait(10)
        if self.fails:
            raise RuntimeError("<b>out of something</b>")
        return self.head(self.find(x).mean((2, 3)))


@pytest.fixture
def module() -> Finder:
    return Finder()


@pytest.fixture
def ex(module: Finder) -> Iterator[cw.Explorer]:
    pictures = [patch(name, at) for at in (3, 10) for name in COLORS]
    model = cw.wrap(module, cw.Preprocess(SIDE), ["is red", "is green", "is blue"])
    made = cw.Explorer(model, pictures).wait(30)
    panels_of(made).box.selected_index = 3
    made.wait(30)
    yield made
    module.gate.set()
    made.close()


def panel_of(explorer: cw.Explorer) -> ConceptPanel:
    found = panels_of(explorer).concepts
    assert found is not None
    return found


def named(explorer: cw.Explorer) -> ConceptPanel:
    panel = panel_of(explorer)
    panel.button.click()
    explorer.wait(30)
    return panel


def rows(panel: ConceptPanel, sign: str) -> list[str]:
    return [r.description for r in panel.reasons[sign][1] if r.layout.visibility != "hidden"]


def test_the_decision_in_words_follows_class_and_stance(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    assert panel.decision is None and panel.found.layout.display == "none"
    named(ex)
    told = panel.decision
    assert told is not None and told.label == "is red"
    wanted = cw.describe_decision(
        ex.model,
        ex.pictures[0].source,
        cw.dissect(
            ex.model, [p.labeled for p in ex.pictures], ex.layer, progress=lambda d, t: None
        ),
    )
    assert told == wanted and [r.concept for r in told.reasons] == ["red"]
    assert panel.found.layout.display is None and panel.button.layout.display == "none"
    (first,) = rows(panel, "for")
    assert first.startswith("red · unit 0 · +") and "inactive" not in first
    assert all("inactive here" in row for row in rows(panel, "against"))
    ex.target = "is green"
    ex.wait(30)
    (first,) = rows(panel, "for")
    assert panel.decision.label == "is green" and first.startswith("green") and "inactive" in first
    ex.target = cw.Contrast("is red", "is green")
    ex.wait(30)
    assert [r.concept for r in panel.decision.reasons] == ["red"]
    assert panel.decision.counter_reasons[0].concept == "green"


def test_a_unit_is_shown_by_its_pictures(ex: cw.Explorer) -> None:
    panel = named(ex)
    assert panel.unit_choice.value == 0 and "Unit 0 overlaps with red best" in panel.caption.value
    before = panel.image.value
    image = np.asarray(Image.open(io.BytesIO(before)))
    assert image.shape[2] == 4 and (image[..., :3] == (255, 221, 51)).all(-1).sum() > 100
    panel.reasons["against"][1][0].click()
    ex.wait(30)
    unit = panel.decision.counter_reasons[0].unit
    assert panel.unit_choice.value == unit and f"Unit {unit} " in panel.caption.value
    assert panel.image.value != before
    ex.target = "is green"  # what a person has chosen stays
    ex.wait(30)
    assert panel.unit_choice.value == unit


def test_names_are_text(ex: cw.Explorer) -> None:
    panel = named(ex)
    ex.target = "is blue"
    ex.wait(30)
    assert "<b>blue" in panel.decision.text and "<b>" not in panel.message.value
    assert "<b>" not in panel.caption.value


def test_cancel_and_errors(ex: cw.Explorer, module: Finder) -> None:
    panel = panel_of(ex)
    module.gate.clear()
    panel.button.click()
    until(lambda: panel.button.description == "Cancel" and not worker_of(ex).idle)
    panel.button.click()
    assert panel.bar.layout.visibility == "hidden" and panel.button.description == "Start"
    module.gate.set()
    ex.wait(30)
    assert panel.decision is None
    module.fails = True
    named(ex)
    assert "out of something" in panel.message.value and "<b>out" not in panel.message.value
    assert panel.button.description == "Start" and view_of(ex).error == ""
    module.fails = False
    assert named(ex).decision is not None


def test_changed_weights_are_dissected_again(ex: cw.Explorer, module: Finder) -> None:
    panel = named(ex)
    with torch.no_grad():
        module.head.weight.mul_(2)
    ex.target = "is green"
    ex.wait(30)
    assert panel.decision is None and panel.button.layout.display is None
    assert named(ex).decision is not None


def test_where_it_applies(ex: cw.Explorer) -> None:
    unlabeled = [Picture(p.source, p.name) for p in ex.pictures]
    assert concept_pictures(ex.model, unlabeled) is None
    assert concept_pictures(ex.model, ex.pictures[:1]) is None
    plain = cw.Explorer(ex.model, [p.source for p in ex.pictures])
    assert not any(title.startswith("Concepts") for title in panels_of(plain).box.titles)
    assert panels_of(plain).concepts is None
    plain.close()


def test_embedded_models_have_drawn_pictures() -> None:
    for name in ("zoo/scenes", "zoo/captions", "zoo/biased"):
        model: Any = SimpleNamespace(name=name, no_maps=None)
        found = concept_pictures(model, [])
        assert found is not None and found.count == DRAWN
        first = next(found.steps())
        assert first == 1 and len(found.samples) == 1
        concepts = found.samples[0].concepts()
        assert concepts and (not found.categories or set(concepts) <= set(found.categories))


def test_it_leaves_nothing_open(ex: cw.Explorer) -> None:
    panel = named(ex)
    inside: list[Any] = [panel, panel.image, panel.unit_choice, *panel.reasons["for"][1]]
    ex.close()
    assert all(isinstance(w, ipywidgets.Widget) and w.comm is None for w in inside)
