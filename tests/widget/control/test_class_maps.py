"""The listed classes' evidence, sent after a map for the browser to read where a person points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from explorer_internals import display_of, view_of

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.methods import Method
from camwidget.widget.control.cache import ModelCache, Picture
from camwidget.widget.control.class_maps import on_one_scale

SAMPLES = [s.image for s in zoo.samples("zoo/textures")[:2]]


@pytest.fixture
def explorer(textures: cw.VisionModel) -> Iterator[cw.Explorer]:
    shown = cw.Explorer(textures, SAMPLES)
    shown.wait(60)
    yield shown
    shown.close()


def sent(explorer: cw.Explorer) -> dict[str, Any]:
    explorer.wait(60)
    return view_of(explorer).class_maps


def cells_of(entry: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(entry["cells"], "<f4").reshape(entry["rows"], entry["columns"])


@pytest.mark.parametrize(("method", "layer"), [("gradcam", "stage4"), ("gradcam++", "stage2")])
def test_it_is_what_explain_gives_on_one_scale(
    explorer: cw.Explorer, method: str, layer: str
) -> None:
    explorer.method, explorer.layer = method, layer
    found = sent(explorer)
    scene = view_of(explorer).scene["id"]
    assert [found[key] for key in ("scene", "method", "layer", "text")] == [
        scene,
        method,
        layer,
        "",
    ]
    rows = view_of(explorer).rows
    assert [(c["index"], c["name"]) for c in found["classes"]] == [
        (row["index"], row["name"]) for row in rows
    ]
    raw = [
        np.maximum(cw.explain(explorer.model, SAMPLES[0], row["index"], method, layer=layer).raw, 0)
        for row in rows
    ]
    for entry, expected in zip(found["classes"], raw, strict=True):
        np.testing.assert_allclose(cells_of(entry), expected / np.max(raw), rtol=1e-3, atol=1e-6)
    assert max(cells_of(entry).max() for entry in found["classes"]) == 1


def test_it_goes_with_what_it_belongs_to(explorer: cw.Explorer) -> None:
    first = sent(explorer)
    explorer.target = view_of(explorer).rows[1]["name"]
    assert sent(explorer) is first, "another of the classes that are there already"
    explorer.target = next(
        name
        for i, name in enumerate(explorer.model.classes)
        if i not in display_of(explorer).row_classes
    )
    assert [c["index"] for c in sent(explorer)["classes"]] == display_of(explorer).row_classes
    explorer.layer = "stage3"
    assert sent(explorer)["layer"] == "stage3"
    explorer.picture = 1
    assert sent(explorer)["scene"] == view_of(explorer).scene["id"] != first["scene"]
    explorer.method = "saliency"  # of the picture itself
    assert sent(explorer) == {}
    explorer.method = "gradcam"
    assert sent(explorer)["classes"]
    explorer.method = "eigencam"  # the same for every class
    assert sent(explorer) == {}


def test_it_comes_back_when_another_map_came_to_nothing(explorer: cw.Explorer) -> None:
    first = sent(explorer)
    explorer.method = "scorecam"
    explorer.cancel()
    assert sent(explorer) == first


def test_classes_share_the_largest_value() -> None:
    found = on_one_scale([(0, np.float32([[0, 1]])), (2, np.float32([[0, 4]]))], ["a", "b", "c"])
    assert [(c["index"], c["name"]) for c in found] == [(0, "a"), (2, "c")]
    assert [cells_of(c).tolist() for c in found] == [[[0, 0.25]], [[0, 1]]]


def test_evidence_for_none_of_them_is_zeros() -> None:
    none = np.float32([[0, 0]])
    found = on_one_scale([(0, none), (1, none)], ["a", "b"])
    assert [cells_of(c).tolist() for c in found] == [[[0, 0]], [[0, 0]]]


def test_what_is_the_same_for_every_class_is_no_class_s() -> None:
    same = np.float32([[1, 2]])
    assert on_one_scale([(0, same), (1, same)], ["a", "b"]) == []
    assert len(on_one_scale([(0, same)], ["a"])) == 1


def test_it_costs_no_pass(textures: cw.VisionModel) -> None:
    bench, picture = ModelCache(textures), Picture(SAMPLES[0], "one")
    passes: list[int] = []
    with textures.module.register_forward_pre_hook(lambda *_: passes.append(1)):
        bench.explanation(picture, 0, "gradcam", "stage4")
        list(bench.layer_maps(picture, 0, "gradcam"))
        passes.clear()
        found = dict(bench.cells(picture, [0, 1, 2], "gradcam", "stage2"))
    assert (list(found), passes) == ([0, 1, 2], [])


def test_a_class_without_a_finite_map_is_left_out(
    textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, picture = ModelCache(textures), Picture(SAMPLES[0], "one")
    made = Method.compute

    def partly(self: Method, trace: Any, target: Any, layer: str) -> Any:
        return made(self, trace, target, layer) / (target.index != 1)

    monkeypatch.setattr(Method, "compute", partly)
    assert [i for i, _ in bench.cells(picture, [0, 1, 2], "gradcam", "stage4")] == [0, 2]
