"""The explorer without a browser: its traits, what it shows, and what it refuses."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, parts_of, send_from_page, view_of, worker_of
from PIL import Image
from shared_state import SharedState
from torch import nn
from waiting import until

import camwidget as cw
from camwidget import zoo
from camwidget.masking.baselines import baseline_pixels
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels
from camwidget.widget.control.worker import Worker


@pytest.fixture(scope="module")
def samples() -> list[zoo.Sample]:
    return zoo.samples("zoo/textures")


@pytest.fixture
def ex(textures: cw.VisionModel, samples: list[zoo.Sample]) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, samples).wait(60)
    yield explorer
    explorer.close()


def test_starts_with_the_predicted_class(
    ex: cw.Explorer, textures: cw.VisionModel, samples: list
) -> None:
    assert ex.target == textures.predict(samples[0].image).names[0]
    assert ex.explanation.target.label == ex.target
    assert ex.method == "gradcam" and ex.layer == "stage4" and ex.picture == 0
    assert ex.curve.fraction.shape == (21,)
    assert not view_of(ex).busy and view_of(ex).error == ""
    assert view_of(ex).rows[0]["index"] == ex.explanation.target.index
    assert len(view_of(ex).rows) == 6 and view_of(ex).masked == []


def test_default_is_the_embedded_model() -> None:
    explorer = cw.Explorer().wait(60)
    assert explorer.model.name == "zoo/textures" and len(explorer.pictures) == 8
    explorer.close()


@pytest.mark.parametrize("top", [0, 10, -1, 2.5, True, "6", None, float("nan")])
def test_how_many_classes_are_listed_is_not_changed_without_a_word(
    textures: cw.VisionModel, top: Any
) -> None:
    with pytest.raises(cw.CamwidgetError, match=r"a whole number from 1 to 9, not .*their names"):
        cw.Explorer(textures, top=top)


def test_traits_move_the_view(ex: cw.Explorer) -> None:
    ex.target = "Waffled"
    ex.wait(30)
    assert ex.target == "waffled" and ex.explanation.target.label == "waffled"
    assert view_of(ex).target == ex.model.class_index("waffled")
    ex.target = 3
    ex.method, ex.layer = "gradcam++", "stage3"
    ex.wait(30)
    assert (ex.explanation.method, ex.explanation.layer) == ("gradcam++", "stage3")
    assert ex.explanation.target.index == 3
    assert (view_of(ex).method, view_of(ex).layer) == ("gradcam++", "stage3")
    ex.target = None
    ex.wait(30)
    assert ex.target == ex.explanation.prediction.names[0]


def test_the_view_moves_the_traits(ex: cw.Explorer) -> None:
    view_of(ex).target = 8
    view_of(ex).method = "cam"
    view_of(ex).fraction = 0.25
    view_of(ex).mode = "keep"
    view_of(ex).baseline = "mean"
    view_of(ex).picture = 2
    ex.wait(30)
    assert (ex.method, ex.fraction, ex.mode, ex.baseline, ex.picture) == (
        "cam",
        0.25,
        "keep",
        "mean",
        2,
    )
    assert ex.target == ex.explanation.prediction.names[0], (
        "another picture starts with its own class"
    )
    assert len(view_of(ex).masked) == 6


def test_the_answer_is_the_models_own(ex: cw.Explorer, samples: list) -> None:
    ex.fraction = 0.25
    ex.wait(30)
    picture, saliency = samples[0].image, ex.explanation.saliency
    curve = cw.mask_curve(ex.model, picture, saliency, ex.target, spacing="quadratic")
    assert curve.fraction[10] == 0.25
    assert view_of(ex).masked[0] == pytest.approx(curve.probability[10], abs=1e-5)
    np.testing.assert_allclose(ex.curve.probability, curve.probability, atol=1e-5)
    before, after = view_of(ex).rows[0]["unmasked"], view_of(ex).masked[0]
    assert f"({before:.2f} → {after:.2f})" in view_of(ex).sentence
    assert "25 %" in view_of(ex).sentence and ex.target in view_of(ex).sentence


def test_the_class_shown_is_no_request(ex: cw.Explorer) -> None:
    told: list[str] = []
    ex.observe(lambda change: told.append(change["new"]), "target")
    ex.target = str(ex.target)
    assert not told and ex.wait(30).target == ex.explanation.target.label


def test_what_is_set_is_in_the_view_at_once(ex: cw.Explorer) -> None:
    ex.fraction, ex.baseline, ex.layer = 0.3, "black", "stage2"
    assert (view_of(ex).fraction, view_of(ex).baseline, view_of(ex).layer) == (
        0.3, "black", "stage2",
    )  # fmt: skip
    ex.compare = {"method": "layercam"}
    assert view_of(ex).compare == {"method": "layercam"}


def test_multiply_is_the_models_own(ex: cw.Explorer, samples: list) -> None:
    ex.mode = "multiply"
    ex.wait(30)
    change = cw.confidence_change(ex.model, samples[0].image, ex.explanation.saliency, ex.target)
    assert view_of(ex).masked[0] == pytest.approx(change.after, abs=1e-5)
    assert ex.curve is None and "Multiplying" in view_of(ex).sentence


def test_the_browser_gets_what_the_model_gets(ex: cw.Explorer, samples: list) -> None:
    scene, shown = view_of(ex).scene, view_of(ex).explanation
    pixels = ex.model.preprocess.pixels(samples[0].image)
    assert scene["picture"] == samples[0].image.tobytes()
    assert scene["id"] == shown["scene"]
    blur = baseline_pixels(pixels, "blur").mul(255).round().byte().permute(1, 2, 0).numpy()
    assert scene["fills"]["blur"] == blur.tobytes()
    assert scene["fills"]["black"] == b"\0\0\0" and len(scene["fills"]["mean"]) == 3
    assert shown["levels"] == rank_levels(ex.explanation.saliency).astype("<u2").tobytes()
    assert shown["cells_shape"] == [12, 12] and max(shown["cells"]) == 255


def test_picking_a_point_names_the_classes_there(ex: cw.Explorer, samples: list) -> None:
    sample = samples[0]
    for label, mask in zip(sample.labels, sample.masks, strict=True):
        ys, xs = np.nonzero(mask)
        middle = int(np.argmin((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2))
        send_from_page(
            view_of(ex), {"type": "pick", "x": int(xs[middle]), "y": int(ys[middle])}, []
        )
        ex.wait(30)
        assert ex.target == ex.model.classes[label]
        entries = view_of(ex).class_probe["classes"]
        assert entries[0]["index"] == label
        assert [e["value"] for e in entries] == sorted((e["value"] for e in entries), reverse=True)
        assert all(0 < e["value"] <= 1 for e in entries)


@pytest.mark.parametrize(
    "message",
    [None, 3, "pick", {}, {"type": "pick"}, {"type": "pick", "x": "1", "y": None}, {"type": "no"}],
)
def test_malformed_messages_are_ignored(ex: cw.Explorer, message: Any) -> None:
    before = (ex.target, view_of(ex).class_probe)
    send_from_page(view_of(ex), message, [])
    ex.wait(30)
    assert (ex.target, view_of(ex).class_probe) == before


def test_a_pick_outside_is_moved_inside(ex: cw.Explorer) -> None:
    send_from_page(view_of(ex), {"type": "pick", "x": 10**6, "y": -5}, [])
    ex.wait(30)
    assert (view_of(ex).class_probe["x"], view_of(ex).class_probe["y"]) == (191, 0)


# -- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("target", "corduroy", "no class named 'corduroy'"),
        ("target", 99, "classes 0 to 9"),
        ("method", "magic", "no method 'magic'"),
        ("layer", "stage9", "no layer 'stage9'.*stage4"),
        ("fraction", 1.5, "between 0 and 1"),
        ("picture", 77, "no picture 77"),
    ],
)
def test_wrong_values_raise_in_python_and_change_nothing(
    ex: cw.Explorer, name: str, value: Any, message: str
) -> None:
    before = getattr(ex, name)
    with pytest.raises(cw.CamwidgetError, match=message):
        setattr(ex, name, value)
    assert getattr(ex, name) == before
    ex.fraction = 0.5
    ex.wait(30)
    assert view_of(ex).masked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "magic"),
        ("layer", "stage9"),
        ("fraction", 7.0),
        ("picture", -3),
        ("mode", "hide"),
        ("target", 999),
    ],
)
def test_wrong_values_from_the_browser_become_text(ex: cw.Explorer, name: str, value: Any) -> None:
    setattr(view_of(ex), name, value)
    ex.wait(30)
    assert view_of(ex).error
    if name != "target":
        assert getattr(view_of(ex), name) == getattr(ex, name), "the control goes back"
    view_of(ex).target = 5
    ex.wait(30)
    assert view_of(ex).error == "" and ex.explanation.target.index == 5


def test_a_method_that_does_not_apply_is_listed_with_its_reason(ex: cw.Explorer) -> None:
    reasons = {m["name"]: m["reason"] for m in view_of(ex).methods}
    assert reasons["cam"] is None
    ex.layer = "stage2"
    reasons = {m["name"]: m["reason"] for m in view_of(ex).methods}
    assert "stage4" in reasons["cam"] and reasons["gradcam"] is None
    with pytest.raises(cw.CamwidgetError, match="CAM does not apply"):
        ex.method = "cam"
    ex.wait(30)


def test_a_broken_picture_is_told_and_the_last_one_stays(
    textures: cw.VisionModel, samples: list, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not much of a picture")
    ex = cw.Explorer(textures, [samples[0].image, broken]).wait(60)
    target = ex.target
    ex.picture = 1
    ex.wait(30)
    assert "broken.jpg" in view_of(ex).error
    assert ex.picture == 0 and ex.target == target and not view_of(ex).busy
    ex.target = "lined"
    ex.wait(30)
    assert ex.explanation.target.label == "lined" and view_of(ex).error == ""
    ex.close()


def test_uploads(ex: cw.Explorer) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (50, 40), "orange").save(stream, "PNG")
    facts = {"type": "image/png", "size": 100, "last_modified": datetime.now(UTC)}
    good = {"name": "mine.png", "content": memoryview(stream.getvalue()), **facts}
    bad = {"name": "<b>bad</b>.png", "content": memoryview(b"nothing"), **facts}
    display_of(ex).thumbnails.upload.value = (good, bad)
    ex.wait(30)
    assert len(ex.pictures) == 9 and ex.picture == 8 and view_of(ex).pictures[8] == "mine.png"
    assert "<b>bad</b>.png" in view_of(ex).error, "as text: the view never takes it for markup"
    assert display_of(ex).thumbnails.upload.value == ()
    assert view_of(ex).scene["width"] == 192


def test_no_picture_yet(textures: cw.VisionModel) -> None:
    ex = cw.Explorer(textures, []).wait(30)
    assert ex.explanation is None and view_of(ex).scene == {} and not view_of(ex).busy
    ex.target = "lined"
    ex.add(np.zeros((30, 30), np.uint8))
    ex.wait(30)
    assert ex.explanation is not None
    ex.close()


@pytest.mark.parametrize("kind", ["one", "mapping", "folder", "batch"])
def test_kinds_of_pictures(
    kind: str, textures: cw.VisionModel, samples: list, tmp_path: Path
) -> None:
    image = samples[0].image
    Image.fromarray(image).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    source, names = {
        "one": (image, ["picture 1"]),
        "mapping": ({"first": image, "second": image}, ["first", "second"]),
        "folder": (tmp_path, ["a.png"]),
        "batch": (torch.rand(2, 3, 192, 192), ["picture 1", "picture 2"]),
    }[kind]
    ex = cw.Explorer(textures, source).wait(30)
    assert [p.name for p in ex.pictures] == names
    ex.close()


def test_other_arguments_are_refused(textures: cw.VisionModel, tmp_path: Path) -> None:
    with pytest.raises(
        cw.CamwidgetError, match=r"takes a model from camwidget.load.*camwidget.load\('resnet50'\)"
    ):
        cw.Explorer("resnet50")  # type: ignore[arg-type]
    with pytest.raises(cw.CamwidgetError, match="has no picture"):
        cw.Explorer(textures, tmp_path)
    with pytest.raises(cw.CamwidgetError, match="no trait mthod"):
        cw.Explorer(textures, mthod="cam")


def test_two_classes_and_one() -> None:
    for count in (1, 2):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, count),
        )
        model = cw.wrap(module, scores="sigmoid" if count == 1 else None)
        ex = cw.Explorer(model, np.zeros((40, 40, 3), np.uint8)).wait(30)
        assert len(view_of(ex).rows) == count and view_of(ex).error == ""
        ex.close()


def test_an_empty_map_says_so_and_masks_nothing() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    nn.init.constant_(module[4].weight, -1.0)
    ex = cw.Explorer(
        cw.wrap(module, classes=["yes", "no"]), np.full((40, 40, 3), 90, np.uint8)
    ).wait(30)
    assert (
        view_of(ex).explanation["empty"]
        and "No positive evidence" in view_of(ex).explanation["note"]
    )
    ex.fraction = 0.5
    ex.wait(30)
    assert view_of(ex).masked == [] and "No positive evidence" in view_of(ex).sentence
    ex.close()


def test_a_model_that_breaks_later_is_told(textures: cw.VisionModel) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    model = cw.wrap(module)
    ex = cw.Explorer(model, torch.rand(2, 3, 64, 64)).wait(30)
    with torch.no_grad():
        module[4].weight.fill_(torch.nan)
    ex.picture = 1
    ex.wait(30)
    assert "NaN" in view_of(ex).error and ex.picture == 0 and not view_of(ex).busy
    ex.close()


# -- many hands -----------------------------------------------------------------------------


def test_a_flood_of_slider_events_leaves_no_backlog(ex: cw.Explorer) -> None:
    runs: list[int] = []
    begun, through, is_held = threading.Event(), threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        if not is_held.is_set():
            return
        runs.append(1)
        begun.set()
        assert through.wait(60)

    handle = ex.model.module.register_forward_pre_hook(hold)
    try:
        view_of(ex).fraction = 0.4
        ex.wait(60)  # of the module with its hook, the map is computed anew
        is_held.set()
        view_of(ex).fraction = 0.5
        assert begun.wait(60)
        for i in range(300):
            view_of(ex).fraction = (i % 100) / 100
        view_of(ex).fraction = 0.3
        through.set()
        ex.wait(60)
    finally:
        through.set()
        handle.remove()
    assert len(runs) == 2, "the pass that was under way, and the newest"
    assert ex.fraction == 0.3 and "30 %" in view_of(ex).sentence


def test_setting_from_many_threads_ends_in_a_state_that_was_asked_for(ex: cw.Explorer) -> None:
    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(40):
            view_of(ex).target = int(rng.integers(10))
            view_of(ex).fraction = float(rng.random())
            view_of(ex).method = ["cam", "gradcam", "gradcam++"][rng.integers(3)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ex.wait(60)
    ex.target, ex.method, ex.fraction = "veined", "gradcam", 0.4
    ex.wait(30)
    assert ex.explanation.target.label == "veined" and ex.explanation.method == "gradcam"
    assert "40 %" in view_of(ex).sentence and view_of(ex).error == ""
    assert all(not m._forward_hooks for m in ex.model.module.modules())


def test_a_map_and_the_slider_at_once_do_not_lock_each_other(ex: cw.Explorer) -> None:
    """The worker delivers a map while the slider goes back to nothing, again and again."""
    done = threading.Event()

    def slide() -> None:
        while not done.is_set():
            view_of(ex).fraction = 0.3
            view_of(ex).fraction = 0.0
            time.sleep(0.002)

    thread = threading.Thread(target=slide, daemon=True)
    thread.start()
    for number in range(40):
        view_of(ex).target = number % 10
        until(lambda index=number % 10: ex.explanation.target.index == index)
    done.set()
    thread.join(20)
    assert not thread.is_alive()
    ex.wait(30)


def test_telling_the_view_waits_for_no_request(ex: cw.Explorer) -> None:
    """Or two threads, one asking and one telling, could each wait for what the other holds."""
    other = 1 if view_of(ex).target != 1 else 2
    with parts_of(ex).requests.main.lock:
        thread = threading.Thread(
            target=lambda: display_of(ex).publish(target=other, fraction=0.2), daemon=True
        )
        thread.start()
        thread.join(5)
        assert not thread.is_alive()


def test_two_explorers_on_one_model(textures: cw.VisionModel, samples: list) -> None:
    both = [cw.Explorer(textures, [s]) for s in samples[:2]]
    for explorer, sample in zip(both, samples, strict=False):
        explorer.wait(30)
        assert explorer.target == textures.predict(sample.image).names[0]
        explorer.close()


def test_observers_hear_of_maps(ex: cw.Explorer) -> None:
    heard: list[str] = []
    ex.observe(lambda change: heard.append(change["new"].target.label), "explanation")
    ex.target = "lined"
    ex.wait(30)
    assert heard == ["lined"]


def test_methods_share_a_forward_pass(ex: cw.Explorer) -> None:
    runs: list[int] = []
    handle = ex.model.module.register_forward_hook(lambda *args: runs.append(len(args[1][0])))
    try:
        ex.mode = "multiply"  # no curve
        ex.wait(30)
        runs.clear()
        for target in ("lined", "knitted"):
            for method in ("cam", "gradcam", "gradcam++"):
                ex.target, ex.method = target, method
                ex.wait(30)
    finally:
        handle.remove()
    # Each of the states asks once what the model says of picture × map; no map needs a pass of its own.
    assert set(runs) == {1} and len(runs) <= 8


# -- a slow or failing model: what is shown must belong together ----------------------------


class Slow(SharedState):
    """A model that takes its time, and can be made to fail."""

    def __init__(self, seconds: float = 0.05) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.seconds = seconds
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 4),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        time.sleep(self.seconds)
        if self.fails:
            raise RuntimeError("the device is gone")
        return self.body(x)


@pytest.fixture
def slow() -> Iterator[cw.Explorer]:
    generator = torch.Generator().manual_seed(1)
    explorer = cw.Explorer(cw.wrap(Slow()), torch.rand((3, 3, 64, 64), generator=generator))
    explorer.wait(60)
    yield explorer
    explorer.model.module.fails = False
    explorer.close()


def test_an_answer_that_is_no_longer_asked_for_is_not_shown(slow: cw.Explorer) -> None:
    passes = slow.model.module.passes
    slow.fraction = 0.3
    until(lambda: slow.model.module.passes > passes)
    slow.fraction = 0.0
    slow.wait(30)
    assert view_of(slow).masked == [] and "Nothing is removed" in view_of(slow).sentence
    assert not view_of(slow).pending


def test_a_curve_that_is_no_longer_asked_for_is_not_drawn(slow: cw.Explorer) -> None:
    passes = slow.model.module.passes
    slow.baseline = "mean"
    until(lambda: slow.model.module.passes > passes)
    slow.mode = "multiply"
    slow.wait(30)
    assert slow.curve is None
    assert not display_of(slow).chart.target_line.visible
    assert not display_of(slow).chart.position_line.visible


def test_a_new_picture_keeps_its_own_class_when_the_method_changes_at_once(
    slow: cw.Explorer,
) -> None:
    slow.target = 3
    slow.wait(30)
    slow.picture = 1
    slow.method = "gradcam++"
    slow.wait(30)
    assert slow.target == slow.explanation.prediction.names[0]
    assert slow.explanation.method == "gradcam++"


def test_after_a_failure_the_controls_say_what_is_shown(slow: cw.Explorer) -> None:
    slow.method = "cam"
    slow.wait(30)
    shown = slow.explanation
    slow.model.module.fails = True
    other = slow.model.classes[0 if shown.target.index != 0 else 1]
    # Together: Grad-CAM at the layer before needs no pass, and would not fail.
    slow.state = {**slow.state, "method": "gradcam", "layer": "body.0", "target": other}
    slow.wait(30)
    assert "the device is gone" in view_of(slow).error and not view_of(slow).busy
    assert (slow.method, slow.layer, slow.target) == ("cam", shown.layer, shown.target.label)
    assert (view_of(slow).method, view_of(slow).target) == ("cam", shown.target.index)
    slow.model.module.fails = False
    slow.target = 0 if shown.target.index != 0 else 1
    slow.wait(30)
    assert slow.explanation.target.label == slow.target and view_of(slow).error == ""


def test_a_broken_picture_does_not_change_the_class(
    textures: cw.VisionModel, samples: list, tmp_path: Path
) -> None:
    ex = cw.Explorer(textures, [samples[0].image, tmp_path / "none.png"]).wait(60)
    ex.target = "veined"
    ex.wait(30)
    ex.picture = 1
    ex.wait(30)
    assert (ex.picture, ex.target, ex.explanation.target.label) == (0, "veined", "veined")
    assert (view_of(ex).picture, "none.png" in view_of(ex).error) == (0, True)
    ex.close()


def test_a_failed_mask_leaves_no_old_answer_and_no_other_picture(slow: cw.Explorer) -> None:
    slow.fraction = 0.2
    slow.wait(30)
    slow.model.module.fails = True
    slow.fraction = 0.5
    slow.wait(30)
    assert "the device is gone" in view_of(slow).error
    assert view_of(slow).masked == [] and "20 %" not in view_of(slow).sentence
    slow.model.module.fails = False
    slow.picture = 2
    slow.wait(30)
    assert slow.picture == 2 and view_of(slow).error == "" and view_of(slow).masked


def test_an_observer_that_raises_stops_nothing_else(slow: cw.Explorer) -> None:
    def raises(change: Any) -> None:
        slow.wait()
        raise ValueError("mine")

    slow.observe(raises, "explanation")
    target = 0 if slow.explanation.target.index != 0 else 1
    slow.target = target
    slow.wait(30)
    assert "An observer of 'explanation' raised ValueError: mine" in view_of(slow).error
    assert slow.curve is not None and slow.curve.target == target
    assert view_of(slow).target == target


def test_the_slider_need_not_wait_for_the_curve(
    slow: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two pieces of the curve a slow model is free for the slider."""
    monkeypatch.setenv("CAMWIDGET_BATCHES", "measured")  # set batches do not go by the clock
    passes: list[int] = []
    slow.model.module.body.register_forward_hook(lambda m, args, out: passes.append(len(out)))
    slow.fraction = 0.2
    slow.wait(60)  # of the module with its hook, the map is computed anew
    passes.clear()
    slow.baseline = "black"
    slow.wait(60)
    assert max(passes[1:6]) == 1, "pieces of a slow model are single pictures"


def test_closing_ends_the_work(slow: cw.Explorer) -> None:
    slow.picture = 1
    slow.close()
    worker_of(slow).wait(5)
    passes: list[int] = []
    slow.model.module.register_forward_hook(lambda *args: passes.append(1))
    slow.fraction = 0.7
    assert worker_of(slow).wait(5)
    assert passes == []


@pytest.mark.parametrize("target", [1.5, [1], object()])
def test_odd_targets_are_refused_by_name(ex: cw.Explorer, target: Any) -> None:
    with pytest.raises(cw.CamwidgetError, match="index or a name"):
        ex.target = target


def test_sentences_add_up_and_claim_no_more_than_is_so(ex: cw.Explorer) -> None:
    from camwidget.widget.view.mask_settings import MaskSettings
    from camwidget.widget.view.sentences import sentence

    exp = ex.explanation
    assert "lowers it by 0.31 (1.00 → 0.69)" in sentence(
        exp, MaskSettings("remove", "blur", 0.1), 0.9963, 0.6889
    )
    assert "20.5 %" in sentence(exp, MaskSettings("remove", "blur", 0.205), 0.9, 0.5)
    assert "leaves it below 0.01" in sentence(exp, MaskSettings("remove", "blur", 0.1), 1e-9, 4e-8)
    assert (
        "reading order" in sentence(exp, MaskSettings("remove", "blur", 1.0), 0.9, 0.1)
        or (exp.saliency > 0).all()
    )
    ex.method = "random"
    ex.wait(30)
    said = sentence(ex.explanation, MaskSettings("remove", "blur", 0.1), 0.9, 0.5)
    assert "a random 10 %" in said and "most evidence" not in said


def test_a_closed_one_is_let_go(
    textures: cw.VisionModel, samples: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its pictures, passes and maps."""
    monkeypatch.setattr(Worker, "LINGER", 0.01)
    explorer = cw.Explorer(textures, samples, fraction=0.3).wait(60)
    thread, gone = worker_of(explorer).thread, weakref.ref(explorer)
    explorer.close()
    if thread is not None:
        thread.join(20)
    del explorer
    gc.collect()
    assert gone() is None


def test_the_class_that_is_first_now_is_named(textures: cw.VisionModel) -> None:
    """Also when it is none of those listed for the whole picture; in the list, in the sentence and on the curve."""
    ex = cw.Explorer(textures, zoo.samples("zoo/textures")[0].image, top=1).wait(60)
    view = view_of(ex)
    assert view.most_probable == {} and len(view.rows) == 1
    ex.fraction = 0.35
    ex.wait(60)
    shown = textures.probabilities(
        textures.logits(
            mask_pixels(
                textures.preprocess.pixels(zoo.samples("zoo/textures")[0].image),
                rank_levels(ex.explanation.saliency),
                [0.35],
            )
        )
    )[0]
    first = int(shown.argmax())
    name = textures.classes[first]
    assert name != ex.target
    assert view.most_probable["index"] == first and view.most_probable["name"] == name
    assert view.most_probable["masked"] == pytest.approx(float(shown[first]), abs=1e-4)
    assert view.sentence.endswith(f"Now first: {name}.")
    assert name in [line["name"] for line in view.curve_names]
    ex.fraction = 0.0
    ex.wait(60)
    assert view.most_probable == {} and "Now first" not in view.sentence
    ex.close()


def test_quantities_have_no_first() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    model = cw.wrap(net, cw.Preprocess(32), ["age", "weight"], unit="units")
    ex = cw.Explorer(model, torch.rand(3, 32, 32), fraction=0.3).wait(60)
    assert view_of(ex).most_probable == {} and view_of(ex).masked
    ex.close()
