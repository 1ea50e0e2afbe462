"""Settings of methods: declared once, set in the widget, and kept in state, history, code, figure and page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_internals import view_of

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.methods.settings import options_text
from camwidget.errors import MethodError, StateError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ex(textures: cw.VisionModel) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, zoo.samples("zoo/textures")[:1], method="finercam").wait(60)
    yield explorer
    explorer.close()


def test_settings_are_declared_with_the_method() -> None:
    declared = {m.name: {s.name: s for s in m.settings} for m in cw.list_methods()}
    assert list(declared["rise"]) == ["masks", "cells", "keep", "seed"]
    assert declared["rise"]["masks"].default == 4000 and declared["rise"]["masks"].is_whole
    assert not declared["rise"]["keep"].is_whole and declared["rise"]["keep"].range.high == 1
    assert (
        declared["occlusion"]["window"].default is None and declared["occlusion"]["window"].is_whole
    )
    assert list(declared["smoothgrad"]) == ["samples", "noise", "seed"]
    assert list(declared["integrated-gradients"]) == ["steps"]
    assert declared["gradcam"] == {}
    smooth = cw.get_method("smoothgrad(gradcam)")
    assert [s.name for s in smooth.settings] == ["samples", "noise", "seed"]


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("rise", {"masks": 0}, "masks is an integer of at least 1, not 0"),
        ("rise", {"masks": 2.5}, "masks is an integer"),
        ("rise", {"keep": 1.5}, r"keep is a number between 0.001 and 1"),
        ("rise", {"keep": float("nan")}, "keep is a number"),
        ("smoothgrad", {"noise": -1}, "noise is a number of at least 0"),
        ("occlusion", {"window": 0}, "window is an integer"),
        ("integrated-gradients", {"steps": True}, "steps is an integer"),
        ("finercam", {"references": "3"}, "references is an integer"),
    ],
)
def test_values_out_of_range_are_refused(
    ex: cw.Explorer, method: str, options: dict[str, Any], words: str
) -> None:
    image = zoo.samples("zoo/textures")[0].image
    with pytest.raises(MethodError, match=words):
        cw.explain(ex.model, image, method=cw.get_method(method, **options))
    with pytest.raises(MethodError, match=words):
        ex.settings = {method: options}
    assert ex.settings == {}


def test_changed_settings_compute_anew_and_are_kept_for_each_method(ex: cw.Explorer) -> None:
    image = ex.pictures[0].source
    before = ex.explanation
    ex.settings = {"finercam": {"strength": 0.25, "references": 3}}
    assert ex.settings == {"finercam": {"strength": 0.25}}, "the default is none of them"
    ex.wait(60)
    assert ex.explanation.options == (("strength", 0.25),)
    wanted = cw.explain(ex.model, image, method=cw.get_method("finercam", strength=0.25))
    assert ex.explanation.saliency.tobytes() == wanted.saliency.tobytes()
    assert ex.explanation.saliency.tobytes() != before.saliency.tobytes()
    assert "Finer-CAM (strength 0.25) ·" in view_of(ex).status
    shown = ex.explanation
    ex.settings = {**ex.settings, "rise": {"masks": 16}}
    assert ex.wait(60).explanation is shown, "those of another method change nothing"
    ex.method = "rise"
    assert ex.wait(60).explanation.options == (("masks", 16),)
    ex.settings = {"finercam": {"strength": 0.25}, "rise": {"masks": 8}}
    assert ex.wait(60).explanation.options == (("masks", 8),)
    ex.method = "finercam"
    assert ex.wait(60).explanation is shown


def test_page_sets_them_and_reads_words_where_it_cannot(ex: cw.Explorer) -> None:
    methods = {m["name"]: m for m in view_of(ex).methods}
    assert methods["rise"]["settings"][0] == {
        "name": "masks",
        "default": 4000,
        "integer": True,
        "low": 1,
        "high": None,
        "usual": None,
        "help": "how many random masks",
        "words": [],
    }
    assert methods["gradcam"]["settings"] == []
    view_of(ex).set_state({"settings": {"finercam": {"strength": 0.5, "references": 3}}})
    ex.wait(60)
    assert ex.settings == view_of(ex).settings == {"finercam": {"strength": 0.5}}
    for wrong in (
        {"finercam": {"strength": -1}},
        {"finercam": 3},
        {"nothing": {}},
        {"rise": {"a": 1}},
    ):
        view_of(ex).set_state({"settings": wrong})
        ex.wait(60)
        assert view_of(ex).error
        assert ex.settings == view_of(ex).settings == {"finercam": {"strength": 0.5}}


def test_a_setting_that_does_not_fit_the_picture_gives_the_map_before_back(ex: cw.Explorer) -> None:
    ex.state = {"method": "occlusion", "settings": {"occlusion": {"window": 96, "stride": 96}}}
    ex.wait(60)
    shown = ex.explanation
    ex.settings = {"occlusion": {"window": 5000}}
    ex.wait(60)
    assert "window of 5000" in view_of(ex).error
    assert ex.explanation is shown and ex.settings == {"occlusion": {"window": 96, "stride": 96}}
    assert view_of(ex).settings == ex.settings


def test_state_history_and_code(ex: cw.Explorer) -> None:
    ex.settings = {"finercam": {"strength": 0.25}}
    ex.wait(60)
    state = json.loads(json.dumps(ex.state))
    assert state["settings"] == {"finercam": {"strength": 0.25}}
    scope: dict[str, Any] = {}
    assert 'method=cw.get_method("finercam", strength=0.25)' in ex.code
    exec(compile(ex.code, "<code>", "exec"), scope)
    again = scope["ex"].wait(60)
    try:
        assert again.state == ex.state and again.code == ex.code
        assert scope["exp"].saliency.tobytes() == ex.explanation.saliency.tobytes()
    finally:
        again.close()
    ex.undo()
    assert ex.wait(60).settings == {} and ex.explanation.options == ()
    ex.redo()
    assert ex.wait(60).explanation.options == (("strength", 0.25),)
    ex.state = {"settings": {}}
    assert ex.wait(60).explanation.options == ()
    ex.state = state
    assert ex.wait(60).explanation.options == (("strength", 0.25),)
    with pytest.raises(StateError, match=r"state\['settings'\].*strength"):
        ex.state = {"settings": {"finercam": {"strength": -1}}}
    assert ex.state == state


def test_figure_and_page_name_them(ex: cw.Explorer, tmp_path: Path) -> None:
    ex.settings = {"finercam": {"strength": 0.25}}
    titles = [" ".join(axes.get_title().split()) for axes in ex.figure().axes]
    assert any("Finer-CAM (strength 0.25)" in title for title in titles)
    page = ex.save(tmp_path / "page.html", layers=["stage4"], methods=["gradcam"], steps=2)
    text = page.read_text("utf-8")
    data = json.loads(text.split('id="camwidget-data">', 1)[1].split("</script>", 1)[0])
    assert {m["name"]: m["settings"] for m in data["methods"]} == {
        "finercam": "strength 0.25",
        "gradcam": "",
    }


def test_map_b_has_the_settings_of_its_method(ex: cw.Explorer) -> None:
    ex.state = {"method": "gradcam", "settings": {"finercam": {"strength": 0.25}}}
    ex.compare = {"method": "finercam"}
    assert ex.wait(60).other.options == (("strength", 0.25),)
    ex.settings = {"finercam": {"strength": 0.75}}
    assert ex.wait(60).other.options == (("strength", 0.75),)
    wanted = cw.explain(
        ex.model, ex.pictures[0].source, method=cw.get_method("finercam", strength=0.75)
    )
    np.testing.assert_array_equal(ex.other.saliency, wanted.saliency)


def test_in_words() -> None:
    assert options_text((("masks", 1000), ("keep", 0.3))) == "masks 1000, keep 0.3"
    assert options_text(()) == "" == options_text((("base", cw.get_method("gradcam")),))
