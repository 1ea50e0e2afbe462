"""Slow maps grow, are canceled, superseded and remembered; maps at all layers follow a quick one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import panels_of, parts_of, send_from_page, view_of, worker_of
from waiting import until

import camwidget as cw
from camwidget import zoo
from camwidget.errors import ModelError

SAMPLES = [s.image for s in zoo.samples("zoo/textures")[:3]]


class Gate:
    """Lets a model's forward passes through one by one, or all, and counts them."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.passes = 0
        self.pause = 0.0
        self.fail: Exception | None = None
        module.register_forward_pre_hook(self)

    def __call__(self, *_: object) -> None:
        self.passes += 1
        time.sleep(self.pause)
        if self.fail is not None:
            raise self.fail


@pytest.fixture
def gated() -> Iterator[tuple[cw.Explorer, Gate]]:
    model = cw.load(device="cpu")
    gate = Gate(model.module)
    explorer = cw.Explorer(model, SAMPLES)
    explorer.wait(60)
    yield explorer, gate
    gate.pause = 0
    explorer.close()


def watch(explorer: cw.Explorer, *names: str) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []
    view_of(explorer).observe(
        lambda change: seen.append((change["name"], change["new"])), list(names)
    )
    return seen


def test_a_slow_map_grows_and_is_then_as_explain_gives_it(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    seen = watch(explorer, "partial", "progress", "explanation", "busy", "can_cancel")
    gate.pause = 0.05
    explorer.method = "scorecam"
    assert view_of(explorer).busy and view_of(explorer).can_cancel
    explorer.wait(60)
    shares = [v for n, v in seen if n == "progress" and v >= 0]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 5
    maps = [v for n, v in seen if n == "explanation"]
    assert len(maps) >= 2, "at least one partial map before the finished one"
    assert maps[0]["saliency"] != maps[-1]["saliency"]
    assert ("partial", True) in seen
    view = view_of(explorer)
    assert (view.partial, view.busy, view.can_cancel) == (False, False, False)
    direct = cw.explain(
        explorer.model, SAMPLES[0], explorer.target, "scorecam", progress=lambda *_: None
    )
    np.testing.assert_allclose(explorer.explanation.saliency, direct.saliency, atol=1e-5)
    assert explorer.curve is not None


def test_after_a_slow_map_another_class_is_at_once(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    for method in ("scorecam", "occlusion"):
        explorer.method = method
        explorer.mode = "multiply"  # no curve: the picture times its map is the one pass left
        explorer.wait(60)
        gate.passes = 0
        explorer.target = (explorer.model.class_index(explorer.target) + 1) % 10
        explorer.wait(60)
        assert gate.passes == 1
        assert explorer.explanation.method == method
        explorer.mode = "remove"


def test_cancel_brings_back_what_was_shown(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    before, wire = explorer.explanation, dict(view_of(explorer).explanation)
    gate.pause = 0.05
    explorer.method = "rise"
    until(lambda: view_of(explorer).partial)
    assert view_of(explorer).explanation["saliency"] != wire["saliency"]
    send_from_page(view_of(explorer), {"type": "cancel"}, [])
    view = view_of(explorer)
    assert explorer.method == view.method == "gradcam"
    assert (view.partial, view.busy, view.can_cancel) == (False, False, False)
    assert view.explanation["saliency"] == wire["saliency"]
    assert "RISE canceled at" in view.status
    gate.pause = 0
    explorer.wait(60)
    assert explorer.explanation is before
    assert view.explanation["saliency"] == wire["saliency"], "no late partial map"
    explorer.method = "gradcam++"
    explorer.wait(60)
    assert explorer.explanation.method == "gradcam++"


def test_cancel_of_the_first_map_leaves_nothing_in_its_place() -> None:
    model = cw.load(device="cpu")
    gate = Gate(model.module)
    gate.pause = 0.05
    explorer = cw.Explorer(model, SAMPLES[:1], method="rise")
    view = view_of(explorer)
    until(lambda: view.partial)
    explorer.cancel()
    assert (view.partial, view.busy, view.can_cancel) == (False, False, False)
    assert explorer.explanation is None
    gate.pause = 0
    explorer.wait(60)
    explorer.close()


def test_cancel_from_python_and_with_nothing_to_cancel(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    explorer.cancel()
    assert explorer.explanation.method == "gradcam"
    gate.pause = 0.03
    explorer.method = "occlusion"
    explorer.cancel()
    gate.pause = 0
    explorer.wait(60)
    assert explorer.method == explorer.explanation.method == "gradcam"
    # It goes on where it was.
    explorer.method = "occlusion"
    explorer.wait(60)
    assert explorer.explanation.method == "occlusion"


def test_what_is_displayed_has_a_map_already_while_another_grows(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    gate.pause = 0.1
    explorer.method = "occlusion"
    until(lambda: view_of(explorer).partial)
    parts_of(explorer).requests.main.wait_for_result(60)
    assert view_of(explorer).busy, "it has waited for a map although there was one"


def test_another_request_takes_a_slow_ones_place(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    gate.pause = 0.05
    explorer.method = "rise"
    until(lambda: view_of(explorer).progress > 0)
    explorer.method = "layercam"
    until(lambda: explorer.explanation.method == "layercam")
    assert not view_of(explorer).partial
    gate.pause = 0
    explorer.wait(60)
    assert view_of(explorer).method == "layercam"


def test_the_slider_waits_for_a_growing_map(gated: tuple[cw.Explorer, Gate]) -> None:
    """A partial map has no numbers: those of the map before must not be shown for it."""
    explorer, gate = gated
    gate.pause = 0.03
    explorer.method = "rise"
    until(lambda: view_of(explorer).partial)
    seen = watch(explorer, "masked")
    passes = gate.passes
    explorer.fraction = 0.3
    until(lambda: gate.passes > passes + 5)  # the map grows on
    assert not seen
    explorer.cancel()
    gate.pause = 0
    explorer.wait(60)
    assert view_of(explorer).masked, "the slider's answer is for the map that came back"


def test_a_failure_in_the_middle_is_said_and_the_map_before_is_back(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    gate.pause = 0.03
    explorer.method = "rise"
    until(lambda: view_of(explorer).partial)
    gate.fail = ModelError("the device is gone")
    until(lambda: view_of(explorer).error)
    gate.fail, gate.pause = None, 0
    assert view_of(explorer).error == "the device is gone"
    assert explorer.method == "gradcam"
    assert not view_of(explorer).partial
    explorer.target = 4
    explorer.wait(60)
    assert view_of(explorer).error == ""
    assert explorer.explanation.target.index == 4


def test_closing_stops_a_slow_map(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    gate.pause = 0.02
    explorer.method = "rise"
    until(lambda: view_of(explorer).partial)
    explorer.close()
    passes = gate.passes
    until(lambda: worker_of(explorer).idle)
    assert gate.passes <= passes + 1, "no pass but the one that was under way"


def test_a_map_of_the_picture_itself_does_not_care_for_the_layer(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    explorer.mode = "multiply"  # no curve
    explorer.method = "saliency"
    explorer.wait(60)
    assert view_of(explorer).explanation["at_input"] is True
    gate.passes = 0
    explorer.layer = "stage2"
    explorer.wait(60)
    assert gate.passes == 1, "the picture times its map"
    assert explorer.explanation.layer == "input"
    explorer.method = "gradcam"
    explorer.wait(60)
    assert explorer.explanation.layer == "stage2"


# -- all layers ------------------------------------------------------------------------------


def test_the_maps_at_all_layers_follow(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, _ = gated
    stages = view_of(explorer).layer_maps
    index = explorer.model.class_index(explorer.target)
    assert (stages["scene"], stages["target"], stages["method"]) == (
        view_of(explorer).scene["id"], index, "gradcam",
    )  # fmt: skip
    assert [s["name"] for s in stages["layers"]] == [x.name for x in explorer.model.layers]
    for stage in stages["layers"]:
        raw = cw.explain(explorer.model, SAMPLES[0], index, layer=stage["name"]).raw
        cells = np.frombuffer(stage["cells"], "<f4").reshape(stage["rows"], stage["columns"])
        np.testing.assert_allclose(cells, np.maximum(raw, 0), rtol=1e-3, atol=1e-6 * raw.max())


def test_a_layer_chosen_afterwards_costs_no_pass(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, gate = gated
    explorer.mode = "multiply"
    explorer.wait(60)
    gate.passes = 0
    for layer in ("stem", "stage3", "stage1"):
        explorer.layer = layer
        explorer.wait(60)
        assert explorer.explanation.layer == layer
    assert gate.passes == 3, "the picture times its map, each time"


def test_stages_are_those_of_what_is_shown(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, _ = gated
    seen = watch(explorer, "layer_maps")
    explorer.target = 5
    explorer.wait(60)
    assert [maps.get("target") for _, maps in seen] == [5], "from one class's to the other's"
    explorer.method = "scorecam"  # which would take a slow run at every layer
    explorer.wait(60)
    assert view_of(explorer).layer_maps == {}
    explorer.method = "eigencam"
    explorer.wait(60)
    assert view_of(explorer).layer_maps["method"] == "eigencam"


# -- panels ----------------------------------------------------------------------------------


def test_the_panel_is_built_when_it_is_opened_and_follows(gated: tuple[cw.Explorer, Gate]) -> None:
    explorer, _ = gated
    panels = panels_of(explorer)
    assert panels.deepvis is None
    panels.box.selected_index = 0
    assert panels.deepvis is not None
    assert panels.deepvis.class_choice.value == explorer.target
    explorer.target = 3
    explorer.wait(60)
    assert panels.deepvis.class_choice.value == explorer.target
    panels.deepvis.steps = 4
    panels.deepvis.start()
    panels.deepvis.wait(60)
    assert panels.deepvis.visualization is not None
    explorer.close()
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("camwidget")])


def test_methods_that_need_a_run_to_judge_are_judged_in_time() -> None:
    import torchvision

    torch.manual_seed(0)
    module = torchvision.models.mobilenet_v3_small(num_classes=3).eval()
    explorer = cw.Explorer(cw.wrap(module), SAMPLES[0])
    try:
        explorer.wait(60)
        reasons = {m["name"]: m["reason"] for m in view_of(explorer).methods}
        assert "Hardswish" in reasons["guided-backprop"]
        assert "hardswish" in reasons["excitation-backprop"].lower()
        assert reasons["saliency"] is None
        assert {m["name"] for m in view_of(explorer).methods if m["slow"]} == {
            "scorecam", "ablationcam", "recipro-cam", "integrated-gradients", "smoothgrad", "occlusion", "rise",
            "part-occlusion", "kernelshap",
        }  # fmt: skip
    finally:
        explorer.close()


@pytest.mark.full
def test_a_new_pictures_classes_do_not_wait_for_its_slow_map(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    explorer.method = "occlusion"
    explorer.wait(60)
    gate.pause = 0.05
    explorer.picture = 1
    until(lambda: view_of(explorer).progress > 0)
    view, whole = view_of(explorer), explorer.model.predict(SAMPLES[1], top=1)
    assert view.rows[0]["name"] == whole.names[0]
    assert view.rows[0]["unmasked"] == pytest.approx(whole.probabilities[0], rel=1e-4)
    assert view.target == whole.indices[0]
    assert "Occlusion" in view.status and whole.names[0] in view.status and "%" in view.status
    assert whole.names[0] in view.sentence and "is being computed" in view.sentence
    gate.pause = 0
    explorer.wait(60)


def test_cancel_after_another_picture_brings_the_picture_back_too(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    scene, rows, sentence = (
        view_of(explorer).scene["id"],
        view_of(explorer).rows,
        view_of(explorer).sentence,
    )
    gate.pause = 0.05
    explorer.method = "rise"
    until(lambda: view_of(explorer).progress > 0)
    explorer.picture = 2
    until(lambda: view_of(explorer).scene["id"] != scene and view_of(explorer).progress > 0)
    explorer.cancel()
    view = view_of(explorer)
    assert explorer.picture == view.picture == 0
    assert view.scene["id"] == view.explanation["scene"] == scene
    assert view.rows == rows
    gate.pause = 0
    explorer.wait(60)
    assert view.sentence == sentence
    assert explorer.curve is not None


def test_a_picture_whose_map_fails_gives_way_to_the_one_before(
    gated: tuple[cw.Explorer, Gate],
) -> None:
    explorer, gate = gated
    scene = view_of(explorer).scene["id"]
    gate.fail = ModelError("the device is gone")
    explorer.picture = 1
    explorer.wait(60)
    gate.fail = None
    assert view_of(explorer).error == "the device is gone"
    assert explorer.picture == 0
    assert view_of(explorer).scene["id"] == view_of(explorer).explanation["scene"] == scene
