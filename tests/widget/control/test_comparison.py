"""Another map beside the one shown: another model, picture, class, method or layer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, view_of, worker_of
from module_fingerprint import fingerprint
from prompt_models import caption_model, question_model, squares
from torch import nn
from waiting import until

import camwidget as cw
from camwidget import errors, zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels


def net(*classes: str, size: int = 32, seed: int = 0, name: str = "net") -> cw.VisionModel:
    """A small model with random weights: layers "0", "2" and "4", and 4 channels before the classes."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, len(classes)),
    )
    return cw.wrap(module, cw.Preprocess(size), classes, name=name)


def pictures(count: int = 2) -> list[np.ndarray]:
    return [
        np.random.default_rng(i).integers(0, 255, (40, 40, 3), dtype=np.uint8) for i in range(count)
    ]


@pytest.fixture(scope="module")
def samples() -> list[np.ndarray]:
    return [s.image for s in zoo.samples("zoo/textures")[:2]]


@pytest.fixture
def ex(textures: cw.VisionModel, samples: list[np.ndarray]) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, samples).wait(60)
    yield explorer
    explorer.close()


@pytest.fixture
def small() -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(net("cat", "dog", "emu"), pictures()).wait(60)
    yield explorer
    explorer.close()


def masked(ex: cw.Explorer) -> list[float | None]:
    return [row["masked"] for row in view_of(ex).compared_prediction["rows"]]


# -- two models -----------------------------------------------------------------------------


def test_two_models_of_the_zoo(textures: cw.VisionModel, samples: list[np.ndarray]) -> None:
    scenes = cw.load("zoo/scenes", device="cpu")
    before = [fingerprint(m.module) for m in (textures, scenes)]
    ex = cw.Explorer([textures, scenes], samples).wait(60)
    view = view_of(ex)
    assert ex.models == (textures, scenes) and ex.model is textures
    assert view.models == ["zoo/textures", "zoo/scenes"]
    assert ex.compare == view.compare == {"model": 1} and ex.arrangement == "side"
    direct = cw.explain(scenes, samples[0])
    np.testing.assert_allclose(ex.other.saliency, direct.saliency, atol=1e-6)
    assert ex.other.title == direct.title
    label = view.compared_explanation["label"]
    assert (label["model"], label["layer"]) == ("zoo/scenes", scenes.default_layer)
    assert label["target"] == direct.target.label
    assert (
        f"No {ex.target!r} here: its own prediction." in view.compared_explanation["substitutions"]
    )
    assert (
        f"No layer 'stage4' here: its default, {scenes.default_layer}."
        in view.compared_explanation["substitutions"]
    )
    # None of the listed classes is one of the other model's; its own class has its number.
    assert all(row["unmasked"] is None for row in view.compared_prediction["rows"])
    said = view.compared_prediction["target"]["unmasked"]
    assert said == pytest.approx(direct.prediction.probabilities[0], abs=1e-6)
    # It gets the picture at its own size, so there is no difference, and the widget says why.
    scene = view.compared_scene
    assert (scene["width"], scene["height"]) == (128, 128) and scene[
        "id"
    ] == view.compared_explanation["scene"]
    assert scene["id"] != view.scene["id"]
    assert ex.difference is None
    assert (
        view.compared_explanation["no_difference"]
        == "No difference: A sees the picture at 192×192, B at 128×128."
    )
    ex.close()
    assert [fingerprint(m.module) for m in (textures, scenes)] == before


def test_a_class_is_followed_by_its_name() -> None:
    one, two = net("cat", "dog", "emu"), net("emu", "fox", "CAT", size=48, seed=1)
    ex = cw.Explorer([one, two], pictures(), target="cat").wait(60)
    assert ex.other.target.index == 2 and view_of(ex).compared_explanation["substitutions"] == ""
    numbers = {row["index"]: row["unmasked"] for row in view_of(ex).compared_prediction["rows"]}
    whole = two.probabilities(two.logits(two.pixels(pictures()[0])))[0].tolist()
    assert numbers[0] == pytest.approx(whole[2], abs=1e-6)
    assert numbers[1] is None
    assert numbers[2] == pytest.approx(whole[0], abs=1e-6)
    ex.target = "dog"
    ex.wait(30)
    assert ex.other.target.label == ex.other.prediction.names[0]
    assert view_of(ex).compared_explanation["substitutions"] == "No 'dog' here: its own prediction."
    ex.close()


def test_two_fractions_of_one_map(ex: cw.Explorer, samples: list[np.ndarray]) -> None:
    ex.compare = {"fraction": 0.5}
    ex.wait(30)
    pixels = ex.model.pixels(samples[0])[0]
    levels = rank_levels(ex.explanation.saliency)
    half = ex.model.logits(mask_pixels(pixels, levels, [0.5]))
    wanted = ex.model.probabilities(half)[0].tolist()
    assert view_of(ex).masked == []
    rows = [row["index"] for row in view_of(ex).compared_prediction["rows"]]
    assert masked(ex) == pytest.approx([wanted[i] for i in rows], abs=1e-5)
    before = masked(ex)
    ex.fraction = 0.9
    ex.wait(30)
    assert masked(ex) == before and view_of(ex).masked != []
    for wrong in (1.5, "half", None):
        with pytest.raises(errors.CamwidgetError):
            ex.compare = {"fraction": wrong}
    assert ex.compare == {"fraction": 0.5}


def test_more_models_than_two_and_one(samples: list[np.ndarray]) -> None:
    three = [net("cat", "dog", seed=i) for i in range(3)]
    ex = cw.Explorer(three, pictures()).wait(60)
    assert view_of(ex).models == ["net #0", "net #1", "net #2"]
    ex.compare = {"model": 2}
    ex.wait(30)
    expected = cw.explain(three[2], pictures()[0], ex.target)
    np.testing.assert_allclose(ex.other.saliency, expected.saliency, atol=1e-6)
    # Both get the same pixels: the picture is not sent twice, and there is a difference.
    assert (
        view_of(ex).compared_scene == {}
        and view_of(ex).compared_explanation["scene"] == view_of(ex).scene["id"]
    )
    assert ex.difference is not None
    ex.close()
    ex = cw.Explorer([three[0]], pictures()).wait(60)
    assert ex.compare is None and ex.other is None
    ex.close()


def test_wrong_models_are_refused() -> None:
    with pytest.raises(cw.CamwidgetError, match="list of models is empty"):
        cw.Explorer([])
    with pytest.raises(cw.CamwidgetError, match="Explorer takes a model.*not a name"):
        cw.Explorer([net("cat", "dog"), "resnet50"])  # type: ignore[list-item]
    with pytest.raises(errors.ModelError, match="no model 3: there are 2"):
        cw.Explorer([net("cat", "dog")] * 2, pictures(), compare={"model": 3})


def test_models_that_cut_the_picture_otherwise() -> None:
    one, two = net("cat", "dog"), net("cat", "dog")
    two.preprocess = cw.Preprocess(32, resize=64)
    wide = np.random.default_rng(0).integers(0, 255, (40, 80, 3), dtype=np.uint8)
    ex = cw.Explorer([one, two], wide).wait(60)
    assert (
        ex.difference is None
        and "crop the picture differently" in view_of(ex).compared_explanation["no_difference"]
    )
    assert view_of(ex).compared_scene["id"] != view_of(ex).scene["id"]
    ex.close()


# -- in what B differs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "compare",
    [{"method": "gradcam++"}, {"layer": "stage3"}, {"target": "waffled"}],
    ids=["method", "layer", "target"],
)
def test_of_the_same_picture(
    ex: cw.Explorer, textures: cw.VisionModel, samples: list[np.ndarray], compare: dict
) -> None:
    seen: list[Any] = []
    ex.observe(lambda change: seen.append(change["new"]), "other")
    ex.compare = compare
    ex.wait(30)
    direct = cw.explain(textures, samples[0], **{"target": ex.target, **compare})
    assert seen == [ex.other] and ex.other.title == direct.title
    np.testing.assert_allclose(ex.other.saliency, direct.saliency, atol=1e-5)
    assert ex.difference.dtype == np.float32 and ex.difference.shape == (192, 192)
    np.testing.assert_allclose(ex.difference, ex.explanation.saliency - direct.saliency, atol=1e-5)
    assert (
        view_of(ex).compared_explanation["no_difference"] == "" and view_of(ex).compared_scene == {}
    )
    assert (
        view_of(ex).compared_explanation["saliency"]
        == np.round(ex.other.saliency * 255).astype("u1").tobytes()
    )
    ex.compare = None
    ex.wait(30)
    assert ex.other is None and ex.difference is None
    assert (
        view_of(ex).compared_explanation == view_of(ex).compare == {}
        and not display_of(ex).chart.other_line.visible
    )


def test_of_another_picture(ex: cw.Explorer, textures: cw.VisionModel, samples: list) -> None:
    ex.compare = {"picture": 1}
    ex.wait(30)
    direct = cw.explain(textures, samples[1], ex.target)
    np.testing.assert_allclose(ex.other.saliency, direct.saliency, atol=1e-5)
    assert ex.difference is None
    assert (
        view_of(ex).compared_explanation["no_difference"]
        == "No difference: A is of picture 1, B of picture 2."
    )
    assert view_of(ex).compared_scene["picture"] == samples[1].tobytes()
    ex.compare = {"picture": 1, "target": None}
    ex.wait(30)
    assert ex.other.target.label == textures.predict(samples[1]).names[0]


def test_b_follows_in_all_else(small: cw.Explorer) -> None:
    small.compare = {"method": "gradcam++"}
    small.target, small.layer = "emu", "0"
    small.wait(30)
    assert (small.other.target.label, small.other.layer) == ("emu", "0")
    small.picture = 1
    small.wait(30)
    direct = cw.explain(small.model, pictures()[1], small.target, "gradcam++", "0")
    np.testing.assert_allclose(small.other.saliency, direct.saliency, atol=1e-6)
    assert small.other.method == "gradcam++" and small.explanation.method == "gradcam"


def test_numbers_and_curve_are_of_bs_own_map(ex: cw.Explorer, samples: list) -> None:
    ex.compare, ex.fraction = {"layer": "stage2"}, 0.25
    ex.wait(60)
    answer = view_of(ex).compared_prediction["target"]
    for mode, baseline in (("remove", "blur"), ("keep", "mean")):
        ex.mode, ex.baseline = mode, baseline
        ex.wait(60)
        curve = cw.mask_curve(
            ex.model, samples[0], ex.other, ex.target, mode, baseline, spacing="quadratic"
        )
        assert masked(ex)[0] == pytest.approx(curve.probability[10], abs=1e-5)
        answer = view_of(ex).compared_prediction["target"]
        assert answer["masked"] == pytest.approx(curve.probability[10], abs=1e-5)
        line = display_of(ex).chart.other_line
        assert line.visible and display_of(ex).chart.other_name.text.tolist() == ["B"]
        np.testing.assert_allclose(line.y, curve.probability, atol=1e-5)
    ex.mode = "multiply"
    ex.wait(30)
    change = cw.confidence_change(ex.model, samples[0], ex.other, ex.target)
    assert masked(ex)[0] == pytest.approx(change.after, abs=1e-5)
    assert not display_of(ex).chart.other_line.visible
    ex.mode, ex.fraction = "remove", 0.0
    ex.wait(30)
    assert masked(ex) == [None] * 6


# -- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"metod": "cam"}, cw.CamwidgetError, "in 'metod'. Did you mean 'method'"),
        (3, cw.CamwidgetError, "compare is None, or a mapping.*not int"),
        ({"model": 1}, errors.ModelError, "no model 1: there are 1"),
        ({"model": "net"}, errors.ModelError, "a number here, not str"),
        ({"picture": -1}, errors.PictureError, "no picture -1"),
        ({"picture": True}, errors.PictureError, "no picture True"),
        ({"target": "cta"}, errors.TargetError, "Did you mean 'cat'"),
        ({"target": 3}, errors.TargetError, "classes 0 to 2"),
        ({"method": "gradcm"}, errors.MethodError, "Did you mean 'gradcam'"),
        ({"method": 1}, errors.MethodError, "a name, not int"),
        ({"layer": "9"}, errors.LayerError, "no layer '9'"),
    ],
)
def test_wrong_values_raise_and_change_nothing(
    small: cw.Explorer, value: Any, error: type[Exception], message: str
) -> None:
    small.compare = {"target": "DOG"}
    small.wait(30)
    before = small.other
    assert small.compare == {"target": "dog"}
    with pytest.raises(error, match=message):
        small.compare = value
    small.wait(30)
    assert small.compare == {"target": "dog"} and small.other is before


def test_from_the_browser(small: cw.Explorer) -> None:
    view = view_of(small)
    view.compare = {"target": "dog"}
    view.arrangement = "split"
    small.wait(30)
    assert small.compare == {"target": "dog"} and small.arrangement == "split"
    assert small.other.target.label == "dog"
    view.compare = {"layer": "<b>9</b>"}
    small.wait(30)
    assert "no layer '<b>9</b>'" in view.error and view.compare == {"target": "dog"}
    view.arrangement = "above"
    assert view.arrangement == small.arrangement == "split"
    view.compare = {}
    small.wait(30)
    assert small.compare is None and small.other is None and view.compared_explanation == {}


# -- slow, dropped, failing -----------------------------------------------------------------


class Gate:
    """Slows a model's forward passes down, or makes them fail."""

    def __init__(self, module: nn.Module) -> None:
        self.pause = 0.0
        self.passes = 0
        self.fail: Exception | None = None
        module.register_forward_pre_hook(self)

    def __call__(self, *_: object) -> None:
        self.passes += 1
        time.sleep(self.pause)
        if self.fail is not None:
            raise self.fail


def test_a_slow_b_says_how_far_it_is_and_is_dropped_with_a() -> None:
    model = net("cat", "dog", "emu")
    gate = Gate(model.module)
    ex = cw.Explorer(model, pictures()).wait(60)
    told: list[dict[str, Any]] = []
    view_of(ex).observe(lambda change: told.append(change["new"]), "compared_status")
    gate.pause = 0.05
    ex.compare = {"method": "rise"}
    until(lambda: any("RISE" in state.get("note", "") for state in told))
    assert ex.other is None and view_of(ex).compared_status["busy"]
    # The slider does not wait for it, and A's next map comes before it.
    ex.target = "emu"
    until(lambda: ex.explanation.target.label == "emu")
    assert ex.other is None
    gate.pause = 0.0
    ex.wait(120)
    assert (ex.other.method, ex.other.target.label) == ("rise", "emu")
    assert view_of(ex).compared_status == {}
    gate.pause = 0.05
    ex.target = "dog"
    until(lambda: ex.explanation.target.label == "dog")
    ex.compare = None
    gate.pause = 0.0
    gate.passes = 0
    ex.wait(60)
    assert ex.other is None and view_of(ex).compared_explanation == {} and gate.passes < 40, (
        "it was dropped"
    )
    ex.close()


def test_a_slow_a_is_canceled_and_b_comes_back() -> None:
    model = net("cat", "dog", "emu")
    gate = Gate(model.module)
    ex = cw.Explorer(model, pictures(), compare={"layer": "0"}).wait(60)
    before = ex.other
    gate.pause = 0.02
    ex.method = "rise"
    until(lambda: view_of(ex).progress > 0)
    ex.cancel()
    gate.pause = 0.0
    ex.wait(60)
    assert ex.method == "gradcam" and ex.other is before and view_of(ex).compared_status == {}
    gate.pause = 0.02
    ex.compare = {"method": "rise"}
    until(lambda: view_of(ex).compared_status.get("note"))
    ex.method = "rise"
    until(lambda: view_of(ex).progress > 0)
    assert "compared grow" not in worker_of(ex)._suspended, "it would be of a map that is gone"
    ex.cancel()
    gate.pause = 0.0
    ex.wait(60)
    assert (ex.method, ex.other.method) == ("gradcam", "rise")
    ex.close()


def test_a_failing_b_is_said_and_a_goes_on() -> None:
    one, two = net("cat", "dog"), net("cat", "dog", seed=1)
    gate = Gate(two.module)
    gate.fail = RuntimeError("<i>broken</i>")
    ex = cw.Explorer([one, two], pictures()).wait(60)
    view = view_of(ex)
    assert (
        "RuntimeError: <i>broken</i>" in view.compared_status["error"]
        and view.compared_explanation == {}
    )
    assert view.error == "" and ex.other is None and ex.curve is not None and not view.busy
    gate.fail = None
    ex.picture = 1
    ex.wait(30)
    assert ex.other is not None and view.compared_status == {}
    gate.fail = RuntimeError("later")
    ex.fraction = 0.5
    ex.wait(30)
    assert "RuntimeError: later" in view.compared_status["error"] and masked(ex) == [None, None]
    assert view.error == "" and len(view.masked) == 2
    gate.fail = None
    ex.fraction = 0.25
    ex.wait(30)
    assert view.compared_status == {} and None not in masked(ex)
    ex.close()


def test_a_method_that_does_not_apply_to_b_is_said_in_its_place(ex: cw.Explorer) -> None:
    ex.compare = {"method": "cam", "layer": "stage2"}
    ex.wait(30)
    assert "CAM does not apply" in view_of(ex).compared_status["error"]
    assert ex.other is None and view_of(ex).error == "" and ex.explanation.method == "gradcam"
    ex.compare = {"method": "cam"}
    ex.wait(30)
    assert ex.other.method == "cam" and view_of(ex).compared_status == {}


def test_an_observer_may_wait_and_set(small: cw.Explorer) -> None:
    """Also while another B is on its way: no lock is held meanwhile."""
    seen: list[str | None] = []

    def heard(change: dict[str, Any]) -> None:
        small.wait(10)
        seen.append(None if change["new"] is None else change["new"].target.label)

    small.observe(heard, "other")
    threads = [
        threading.Thread(target=lambda c=c: setattr(small, "compare", {"target": c}))
        for c in ("dog", "emu", "cat")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    small.wait(20)
    assert small.other.target.label == small.compare["target"]
    small.compare = None
    small.wait(20)
    assert small.other is None and seen[-1] is None


def test_closing_stops_b() -> None:
    model = net("cat", "dog")
    gate = Gate(model.module)
    before = fingerprint(model.module)
    ex = cw.Explorer(model, pictures()).wait(60)
    gate.pause = 0.05
    ex.compare = {"method": "rise"}
    until(lambda: view_of(ex).compared_status.get("note"))
    ex.close()
    thread = worker_of(ex).thread
    passes = gate.passes
    until(lambda: thread is None or worker_of(ex).idle)
    assert gate.passes <= passes + 4
    gate.pause = 0.0
    assert fingerprint(model.module) == before


# -- models that take a text ----------------------------------------------------------------


def test_b_gets_as_text() -> None:
    one, two = question_model(), question_model()
    ex = cw.Explorer([one, two], [squares("red", "blue")], text="anything blue").wait(60)
    assert ex.other.text == ex.explanation.text == "anything blue"
    ex.text = "is there a red square"
    ex.wait(30)
    assert ex.other.text == "is there a red square"
    ex.close()


def test_a_text_that_b_cannot_read_is_said() -> None:
    ex = cw.Explorer([question_model(), caption_model()], [squares("red")]).wait(60)
    assert "unknown words" in view_of(ex).compared_status["error"] and view_of(ex).error == ""
    assert ex.explanation is not None and ex.other is None
    ex.close()


def test_b_has_its_own_text_where_a_takes_none() -> None:
    plain = net("yes", "no", size=48)
    ex = cw.Explorer([plain, caption_model()], [squares("red", "green")]).wait(60)
    assert ex.other.text == "a red and a green" and ex.other.target.label == "the whole caption"
    ex.compare = {"model": 1, "target": "green"}
    ex.wait(30)
    assert ex.other.target.label == "green"
    ex.close()
    ex = cw.Explorer([caption_model(), plain], [squares("red", "green")]).wait(60)
    assert (
        ex.other.text is None
        and "its own prediction" in view_of(ex).compared_explanation["substitutions"]
    )
    ex.close()
