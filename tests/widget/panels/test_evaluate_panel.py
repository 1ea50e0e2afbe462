"""The panel that scores: what it computes, cancel, what is of another picture, errors as text, nothing left open."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import panels_of, parts_of, view_of, worker_of
from prompt_models import caption_model, squares
from shared_state import SharedState
from torch import nn
from waiting import until

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.errors import MethodError
from camwidget.metrics import Score, get_metric
from camwidget.widget.panels.evaluate import EvaluatePanel
from camwidget.widget.panels.radar_chart import rank_shares
from camwidget.widget.panels.score_table import metric_choice, series_colors, table_rows

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = ["plain", "<img src=x onerror=alert(1)>", "a & b"]


class Held(SharedState):
    """A small net whose passes can be held, or fail."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)
        self.gate = threading.Event()
        self.gate.set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.gate.wait(10)
        if self.fails:
            raise RuntimeError("<b>out of something</b>")
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture
def module() -> Held:
    return Held()


@pytest.fixture
def ex(module: Held) -> Iterator[cw.Explorer]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(2)]
    made = cw.Explorer(cw.wrap(module, cw.Preprocess(24), NAMES), pictures).wait(30)
    panels_of(made).box.selected_index = 1
    yield made
    module.gate.set()
    made.close()


def panel_of(explorer: cw.Explorer) -> EvaluatePanel:
    panel = panels_of(explorer).evaluate
    assert panel is not None
    return panel


def say(panel: EvaluatePanel, **content: object) -> None:
    panel._message(None, content, None)


def texts(panel: EvaluatePanel) -> dict[str, list[str]]:
    return {row["name"]: [cell["text"] for cell in row["cells"]] for row in panel.table.rows}


def test_methods_have_the_settings_of_the_explorer(module: Held, ex: cw.Explorer) -> None:
    ex.settings = {"smoothgrad": {"samples": 3}}
    ex.wait(30)
    panel = panel_of(ex)
    assert "settings" in panel.table.message
    panel.table.chosen_methods, panel.table.chosen_metrics = ["gradcam", "smoothgrad"], ["drop"]
    panel.start()
    ex.wait(60)
    rows = {row["name"]: row["label"] for row in panel.table.rows}
    assert rows == {"gradcam": "Grad-CAM", "smoothgrad": "SmoothGrad (samples 3)"}
    wanted = cw.measure(
        ex.model,
        ex.pictures[0].source,
        cw.explain(
            ex.model, ex.pictures[0].source, ex.target, cw.get_method("smoothgrad", samples=3)
        ),
        "drop",
    )
    assert panel.scores["smoothgrad", "drop"].value == pytest.approx(wanted["drop"].value, abs=1e-6)
    ex.method = "smoothgrad"
    ex.wait(30)
    assert not panel.table.stale, "of the same settings, whichever method is shown"
    ex.settings = {}
    ex.wait(30)
    assert panel.table.stale
    ex.settings = {"smoothgrad": {"samples": 3}}
    ex.wait(30)
    assert not panel.table.stale


def test_it_is_built_when_opened_and_starts_nothing(module: Held, ex: cw.Explorer) -> None:
    table = panel_of(ex).table
    assert table.ready and not table.running and table.rows == []
    assert {"gradcam", "gradcam++", "random"} <= set(table.chosen_methods)
    assert {"drop", "deletion", "complexity"} <= set(table.chosen_metrics)
    made = module.passes
    ex.wait(30)
    assert module.passes == made


def test_the_table_is_what_measure_says(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    methods, metrics = ["gradcam", "layercam", "random"], ["drop", "deletion", "complexity"]
    panel.table.chosen_methods, panel.table.chosen_metrics = methods, metrics
    say(panel, type="start")
    assert panel.table.running or panel.table.rows
    ex.wait(30)
    assert not panel.table.running and panel.table.progress > 0.5
    picture = ex.pictures[0].source
    maps = cw.explain(ex.model, picture, ex.target, methods)
    wanted = cw.measure(ex.model, picture, list(maps), metrics)
    for method, scores in zip(methods, wanted, strict=True):
        for metric in metrics:
            assert panel.scores[method, metric].value == pytest.approx(scores[metric].value)
    assert [c["name"] for c in panel.table.columns] == metrics
    assert texts(panel)["gradcam"][1] == f"{wanted[0]['deletion'].value:.3f}"
    best = min(methods, key=lambda m: wanted[methods.index(m)]["deletion"].value)
    marked = [row["name"] for row in panel.table.rows if row["cells"][1]["best"]]
    assert best in marked
    assert panel.table.caption == f"picture 1 · {ex.target} · conv"
    assert panel.radar.figure.layout.display is None
    assert panel.radar._methods.colors == series_colors(methods)


def test_a_row_clicked_shows_its_map(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    assert panel.table.method == "gradcam"
    panel.start()
    ex.wait(30)
    say(panel, type="pick", method="layercam")
    ex.wait(30)
    assert ex.method == "layercam" and panel.table.method == "layercam"
    assert ex.explanation.method == "layercam"
    assert not panel.table.stale, "another method's map is of the same picture"
    (line,) = panel.radar._chosen.colors
    assert (
        line
        == series_colors(panel.table.chosen_methods)[
            [r["name"] for r in panel.table.rows].index("layercam")
        ]
    )
    say(panel, type="pick", method="<b>none</b>")
    assert ex.method == "layercam" and "no method" in view_of(ex).error


def test_it_says_when_the_numbers_are_of_another_picture(ex: cw.Explorer) -> None:
    panel = panel_of(ex)
    panel.start()
    ex.wait(30)
    caption, rows = panel.table.caption, panel.table.rows
    ex.picture = 1
    ex.wait(30)
    assert panel.table.stale and panel.table.caption == caption and panel.table.rows == rows
    panel.start()
    ex.wait(30)
    assert not panel.table.stale and panel.table.caption.startswith("picture 2 · ")
    ex.target = "a & b" if ex.target != "a & b" else "plain"
    ex.wait(30)
    assert panel.table.stale
    panels_of(ex).box.selected_index = None
    ex.picture = 0
    ex.wait(30)
    panels_of(ex).box.selected_index = 1
    assert panel.table.stale and panel._shown.picture is ex.pictures[0], "told when opened again"


def test_start_becomes_cancel_and_the_slider_goes_first(ex: cw.Explorer, module: Held) -> None:
    panel = panel_of(ex)
    panel.table.chosen_methods = ["gradcam", "rise"]
    panel.table.chosen_metrics = ["drop", "deletion"]
    before = module.passes
    module.gate.clear()
    say(panel, type="start")
    until(lambda: module.passes > before)
    assert panel.table.running and texts(panel) == {"gradcam": ["–"] * 2, "rise": ["–"] * 2}
    assert all(cell["waits"] for row in panel.table.rows for cell in row["cells"])
    ex.fraction = 0.3
    say(panel, type="cancel")
    assert not panel.table.running
    assert panel.table.message == "Canceled: nothing was finished yet."
    assert not any(cell["waits"] for row in panel.table.rows for cell in row["cells"])
    module.gate.set()
    ex.wait(30)
    assert "Canceled" in panel.table.message and ("rise", "drop") not in panel.scores
    assert view_of(ex).masked, "the slider was answered"
    panel.start()
    ex.wait(60)
    assert ("rise", "drop") in panel.scores and not panel.table.running


def test_the_newest_start_wins(ex: cw.Explorer, module: Held) -> None:
    panel = panel_of(ex)
    panel.table.chosen_metrics = ["drop"]
    before = module.passes
    module.gate.clear()
    panel.start()
    until(lambda: module.passes > before)
    panel.table.chosen_metrics = ["deletion"]
    panel.start()
    module.gate.set()
    ex.wait(30)
    assert {metric for _, metric in panel.scores} == {"deletion"}


def test_errors_are_text_and_it_goes_on(ex: cw.Explorer, module: Held) -> None:
    panel = panel_of(ex)
    panel.table.chosen_metrics = []
    panel.start()
    assert panel.table.wrong and panel.table.message == "Choose a metric first."
    panel.table.chosen_metrics = ["drop"]
    module.fails = True
    panel.start()
    ex.wait(30)
    assert panel.table.wrong and "<b>out of something</b>" in panel.table.message
    assert not panel.table.running and view_of(ex).error == "", "said here, not above"
    module.fails = False
    panel.start()
    ex.wait(30)
    assert not panel.table.wrong and panel.scores


@pytest.mark.parametrize(
    "error", [MethodError("No rule for <b>this</b>."), ZeroDivisionError("No rule for <i>that</i>")]
)
def test_a_method_without_a_map_does_not_stop_the_others(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    panel = panel_of(ex)
    panel.table.chosen_methods, panel.table.chosen_metrics = ["gradcam", "layercam"], ["drop"]
    bench = parts_of(ex).context.prompt.base
    growing = bench.growing

    def failing(picture: Any, target: Any, method: Any, layer: str) -> Any:
        if method.name == "gradcam":
            raise error
        return growing(picture, target, method, layer)

    monkeypatch.setattr(bench, "growing", failing)
    panel.start()
    ex.wait(30)
    first, second = panel.table.rows
    assert first["cells"][0]["text"] == "–" and "No rule for" in first["cells"][0]["note"]
    assert second["cells"][0]["value"] is not None
    assert "Without a map: 1 of 2" in panel.table.message and not panel.table.wrong
    assert "Hover over" in panel.table.message


def test_a_metric_that_fails_does_not_stop_the_others(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from camwidget.metrics import registry

    def at_once(case: Any) -> float:
        raise ZeroDivisionError("<b>at once</b>")

    def later(case: Any) -> Iterator[Any]:
        yield [case.unmasked]
        raise MethodError("Later.")

    for name, function in {"at-once": at_once, "later": later}.items():
        made = registry.Metric(
            name, name, "x", "y", "faithfulness", (0, 1), "higher", function, takes_empty=True
        )
        monkeypatch.setitem(registry._metrics, name, made)
    panel = panel_of(ex)
    panel.follow_map(panel._shown)
    panel.table.chosen_methods, panel.table.chosen_metrics = (
        ["gradcam++"],
        ["drop", "at-once", "later"],
    )
    panel.start()
    ex.wait(30)
    (row,) = panel.table.rows
    cells = dict(zip([c["name"] for c in panel.table.columns], row["cells"], strict=True))
    assert cells["drop"]["value"] is not None and not panel.table.wrong
    note = cells["at-once"]["note"]
    assert note.startswith("An unexpected error (ZeroDivisionError: <b>at once</b>); its traceback")
    assert cells["later"]["note"] == "Later." and "Hover over" in panel.table.message


def test_only_what_is_offered_is_evaluated(ex: cw.Explorer) -> None:
    """Whatever a browser says that there is."""
    panel = panel_of(ex)
    panel.table.set_state(
        {
            "methods": [{}],
            "metrics": [{"name": "none", "reason": None}],
            "chosen_methods": ["gradcam", "none", {}],
            "chosen_metrics": ["none", None],
        }
    )
    panel.start()
    assert panel.table.wrong and panel.table.message == "Choose a metric first."
    panel.table.chosen_metrics = ["none", "drop"]
    panel.start()
    ex.wait(30)
    assert list(texts(panel)) == ["gradcam"] and not panel.table.wrong


def test_what_a_metric_lacks_is_said(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    from camwidget.metrics import registry

    fake = registry.Metric(
        "pointing", "Pointing", "x", "y", "truth", (0, 1), "higher", lambda case: 0.5, ("truth",)
    )
    known = registry.Metric(
        "known", "Known", "x", "y", "faithfulness", (0, 1), "higher", lambda case: 0.5, ("label",)
    )
    monkeypatch.setitem(registry._metrics, "pointing", fake)
    monkeypatch.setitem(registry._metrics, "known", known)
    panel = panel_of(ex)
    panel.follow_map(panel._shown)
    offered = {m["name"]: m["reason"] for m in panel.table.metrics}
    assert "where the object is" in offered["pointing"] and "true class" in offered["known"]
    assert "pointing" in panel.table.chosen_metrics, "for pictures that say"
    panel.start()
    ex.wait(30)
    assert "pointing" not in [c["name"] for c in panel.table.columns]
    model = cw.wrap(
        caption_model().module.eye,
        cw.Preprocess(48),
        ["red", "green", "blue"],
        scores="sigmoid",
        output=lambda out: out.mean((2, 3)),
    )
    other = cw.Explorer(model, [squares("red", "blue")], target="blue").wait(30)
    panels_of(other).box.selected_index = 1
    table = panel_of(other).table
    assert {m["name"]: m["reason"] for m in table.metrics}["pointing"] is None
    panel_of(other).start()
    other.wait(30)
    assert "pointing" in [c["name"] for c in table.columns]
    other.target = "green"
    other.wait(30)
    assert "no green" in {m["name"]: m["reason"] for m in table.metrics}["pointing"]
    other.close()


def test_under_a_text() -> None:
    explorer = cw.Explorer(caption_model(), [squares("red", "blue")]).wait(30)
    panels_of(explorer).box.selected_index = 1
    panel = panel_of(explorer)
    panel.start()
    explorer.wait(30)
    assert panel.table.caption.endswith("a red and a blue") and panel.scores
    explorer.text = "a blue"
    explorer.wait(30)
    assert panel_of(explorer) is panel and panel.table.stale
    explorer.close()


def test_cells() -> None:
    metrics = [get_metric("drop"), get_metric("increase")]
    scores = {
        ("cam", "drop"): Score(0.25),
        ("gradcam", "drop"): Score(0.25001),
        ("random", "drop"): Score(1234.5),
        ("cam", "increase"): Score(1.0),
        ("gradcam", "increase"): Score(math.nan, "constant map"),
    }
    rows = table_rows(
        [get_method(m) for m in ("cam", "gradcam", "random")], metrics, scores, {}, waits=True
    )
    cells = [row["cells"] for row in rows]
    assert [c[0]["text"] for c in cells] == ["0.250", "0.250", "1.23e+03"]
    assert [c[0]["best"] for c in cells] == [True, True, False], "but for a few pixels the same"
    assert cells[1][1] == {
        "value": None, "text": "–", "note": "constant map", "best": False, "waits": False,
    }  # fmt: skip
    assert cells[2][1]["waits"] and not cells[0][1]["best"], "alone it is no best"
    assert len({row["color"] for row in rows}) == 3
    assert "lower is better" in metric_choice(metrics[0], None)["tip"]


def test_ranks_as_radii() -> None:
    values = np.array([[0.1, 5.0, 1.0], [0.2, 5.0, math.nan], [0.3, 1.0, 2.0]])
    shares = rank_shares(values, [False, True, True])
    np.testing.assert_allclose(shares[:, 0], [1, 2 / 3, 1 / 3])
    np.testing.assert_allclose(shares[:, 1], [2.5 / 3, 2.5 / 3, 1 / 3])
    np.testing.assert_allclose(shares[:, 2], [2 / 3, 0, 1])


def test_closing_leaves_nothing_open(module: Held) -> None:
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    picture = np.zeros((24, 24, 3), np.uint8)
    explorer = cw.Explorer(cw.wrap(module, cw.Preprocess(24), NAMES), [picture]).wait(30)
    for number in range(3):
        panels_of(explorer).box.selected_index = number
    panel_of(explorer).start()
    made = panel_of(explorer)
    explorer.close()
    explorer.close()
    assert worker_of(explorer).wait(10)
    assert set(_instances) <= before and made._requested is None
