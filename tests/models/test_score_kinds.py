"""Kinds of scores: detected at wrapping, and used consistently by all results and displays."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, view_of
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.errors import DataError, ModelError, TargetError

SIDE = 24
PICTURE = (np.random.default_rng(0).random((SIDE, SIDE, 3)) * 255).astype(np.uint8)


class Net(nn.Module):
    """A small net with what ``end`` makes of its logits and pooled features."""

    def __init__(
        self,
        columns: int = 3,
        end: Callable[[torch.Tensor, torch.Tensor], Any] = lambda y, f: y,
        bias: float = 0.0,
        scale: float = 3.0,
    ) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU()
        )
        self.linear = nn.Linear(8, columns)
        with torch.no_grad():
            self.linear.weight.mul_(scale)
            self.linear.bias.add_(bias)
        self.end = end

    def forward(self, x: torch.Tensor) -> Any:
        features = self.body(x).mean((2, 3))
        return self.end(self.linear(features), features)


def wrapped(module: nn.Module, **how: Any) -> cw.VisionModel:
    return cw.wrap(module, cw.Preprocess(SIDE), **how)


# -- an ending that is already inside ------------------------------------------------------------

ENDINGS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "softmax": (lambda y, f: y.softmax(1), {}),
    "functional": (lambda y, f: nnF.softmax(y, dim=-1), {}),
    "module": (lambda y, f: nn.Softmax(1)(y), {}),
    "declared": (lambda y, f: y.softmax(1), {"scores": "softmax"}),
    "probability": (lambda y, f: y.softmax(1), {"scores": "probability"}),
    "named": (lambda y, f: {"probs": y.softmax(1), "features": f}, {}),
    "log": (lambda y, f: y.log_softmax(1), {}),
    "saturated": (lambda y, f: (60 * y).softmax(1), {}),
    "sigmoid": (lambda y, f: torch.sigmoid(y), {}),
    "in place": (lambda y, f: y.sigmoid_(), {}),
    "squeezed": (lambda y, f: torch.sigmoid(y)[:, :, None, None], {}),
}
METHODS = [
    "gradcam",
    "cam",
    "layercam",
    "scorecam",
    "ablationcam",
    "rise",
    "lrp",
    "c-mwp",
    "finercam",
]


@pytest.mark.parametrize("name", ENDINGS)
def test_a_module_that_ends_in_probabilities_is_read_as_if_it_did_not(name: str) -> None:
    end, how = ENDINGS[name]
    labels = "sigmoid" in name or name in ("in place", "squeezed")
    scale = 60 if name == "saturated" else 1
    plain = wrapped(Net(end=lambda y, f: scale * y), scores="sigmoid" if labels else "softmax")
    ended = wrapped(Net(end=end), **how)
    assert ended.scores == plain.scores
    assert ended.gap_head == plain.gap_head or scale > 1
    methods = [m for m in METHODS if m != "cam" or scale == 1]
    methods = [cw.get_method("rise", masks=60) if m == "rise" else m for m in methods]
    for target in (None, 2):
        expected = cw.explain(plain, PICTURE, target, methods)
        found = cw.explain(ended, PICTURE, target, methods)
        for one, other in zip(found, expected, strict=True):
            assert one.target == other.target
            np.testing.assert_allclose(one.raw, other.raw, rtol=1e-4, atol=1e-6, err_msg=one.method)
            np.testing.assert_allclose(one.prediction.probabilities, other.prediction.probabilities)
    exp = cw.explain(plain, PICTURE, 1)
    curves = [cw.mask_curve(m, PICTURE, exp, 1, steps=70) for m in (ended, plain)]
    np.testing.assert_allclose(*(c.probabilities for c in curves), rtol=1e-5, atol=1e-7)
    log_p = cw.LogProbability(1)
    np.testing.assert_allclose(
        cw.explain(ended, PICTURE, log_p).raw,
        cw.explain(plain, PICTURE, log_p).raw,
        rtol=1e-3,
        atol=1e-6,
    )


def test_a_softmax_of_ones_own_is_undone_by_the_logarithm() -> None:
    def own(y: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        return y.exp() / y.exp().sum(1, keepdim=True)

    plain, ended = wrapped(Net()), wrapped(Net(end=own))
    np.testing.assert_allclose(
        ended.predict(PICTURE).probabilities, plain.predict(PICTURE).probabilities, rtol=1e-5
    )
    np.testing.assert_allclose(
        cw.explain(ended, PICTURE, 1).raw,
        cw.explain(plain, PICTURE, cw.LogProbability(1)).raw,
        rtol=1e-3,
        atol=1e-6,
    )
    # A sigmoid of one's own is told from logits between 0 and 1 by its owner only.
    hand = Net(end=lambda y, f: 1 / (1 + (-y).exp()))
    labels = wrapped(Net(), scores="sigmoid")
    assert wrapped(hand, scores="probability").scores == "sigmoid"
    np.testing.assert_allclose(
        wrapped(hand, scores="probability").predict(PICTURE).probabilities,
        labels.predict(PICTURE).probabilities,
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        cw.explain(wrapped(hand, scores="probability"), PICTURE, 1).raw,
        cw.explain(labels, PICTURE, 1).raw,
        rtol=1e-3,
        atol=1e-6,
    )


def test_a_function_gets_the_probabilities_that_the_module_returns() -> None:
    ended = wrapped(Net(end=lambda y, f: y.softmax(1)))
    seen: list[torch.Tensor] = []

    def second(out: torch.Tensor) -> torch.Tensor:
        seen.append(out)
        return out[:, 1]

    for method in ("gradcam", "scorecam", "occlusion"):
        cw.explain(ended, PICTURE, second, method)
        assert all(bool(((out >= 0) & (out <= 1)).all()) for out in seen)


def test_what_contradicts_the_ending_is_refused() -> None:
    with pytest.raises(ModelError, match=r"ends in a softmax, which scores='sigmoid' contradicts"):
        wrapped(Net(end=lambda y, f: y.softmax(1)), scores="sigmoid")
    with pytest.raises(ModelError, match="not probabilities"):
        wrapped(Net(), scores="probability")
    with pytest.raises(ModelError, match="no scores='soft'"):
        wrapped(Net(), scores="soft")
    with pytest.raises(ModelError, match="has no unit"):
        wrapped(Net(), scores="softmax", unit="years")


# -- one output --------------------------------------------------------------------------------


def test_one_logit_decides_between_two_classes() -> None:
    module = Net(1)
    model = wrapped(module, classes=["benign", "malignant"])
    label = wrapped(module, scores="sigmoid")
    p = label.predict(PICTURE).probabilities[0]
    np.testing.assert_allclose(
        sorted(model.predict(PICTURE).probabilities), sorted([p, 1 - p]), rtol=1e-5
    )
    methods = ["gradcam", "cam", "hirescam", "lrp", "occlusion", "integrated-gradients"]
    one = cw.explain(label, PICTURE, 0, methods)
    malignant = cw.explain(model, PICTURE, "malignant", methods)
    benign = cw.explain(model, PICTURE, "benign", methods)
    against = cw.explain(label, PICTURE, cw.Counterfactual(0), methods[:1])
    for a, b, c in zip(one, malignant, benign, strict=True):
        np.testing.assert_allclose(b.raw, a.raw, rtol=1e-4, atol=1e-6, err_msg=a.method)
        if a.method not in ("gradcam", "lrp"):
            np.testing.assert_allclose(c.raw, -a.raw, rtol=1e-4, atol=1e-6, err_msg=a.method)
    np.testing.assert_allclose(benign[0].raw, against[0].raw, rtol=1e-4, atol=1e-7)
    up, down = (cw.mask_curve(model, PICTURE, malignant[0], t, steps=5) for t in (1, 0))
    np.testing.assert_allclose(up.probability + down.probability, 1, rtol=1e-6)
    ended = wrapped(Net(1, lambda y, f: y.sigmoid()[:, 0]), classes=["benign", "malignant"])
    np.testing.assert_allclose(
        ended.predict(PICTURE).probabilities, model.predict(PICTURE).probabilities, rtol=1e-5
    )
    np.testing.assert_allclose(
        cw.explain(ended, PICTURE, 0).raw, benign[0].raw, rtol=1e-4, atol=1e-7
    )
    # A function of the output still gets what the module returns.
    assert not np.allclose(cw.explain(model, PICTURE, lambda out: out[:, 0]).raw, benign[0].raw)


@pytest.mark.parametrize("how", [{}, {"classes": ["age"]}])
def test_a_single_output_is_asked_about(how: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"meaning is not clear.*scores='value'.*scores='sigmoid'"):
        wrapped(Net(1), **how)
    assert wrapped(Net(1), scores="sigmoid", **how).scores == "sigmoid"
    assert wrapped(Net(1), unit="years", **how).scores == "value"
    # A probability says itself what it is.
    assert wrapped(Net(1, lambda y, f: y.sigmoid()), **how).scores == "sigmoid"


def test_a_quantity_is_itself() -> None:
    module = Net(1, bias=58)
    model = wrapped(module, classes=["age"], unit="years")
    with torch.no_grad():
        expected = float(module(model.inputs(model.pixels(PICTURE))))
    prediction = model.predict(PICTURE)
    assert prediction.probabilities == pytest.approx((expected,), rel=1e-6)
    assert str(prediction) == f"age {expected:.1f} years"
    exp = cw.explain(model, PICTURE)
    assert exp.target.label == "age"
    curve = cw.mask_curve(model, PICTURE, exp, steps=5)
    assert curve.probability[0] == pytest.approx(expected, rel=1e-6)
    assert np.ptp(curve.probability) > 0.01
    with pytest.raises(TargetError, match="quantity has no probability"):
        cw.explain(model, PICTURE, cw.LogProbability(0))
    # Of several quantities the first is explained, and they are listed as they come.
    several = wrapped(Net(3), scores="value", classes=["width", "height", "depth"])
    assert several.predict(PICTURE).names == ("width", "height", "depth")
    assert cw.explain(several, PICTURE).target.label == "width"


# -- which output ------------------------------------------------------------------------------


def test_which_output_it_is_can_be_said() -> None:
    plain = cw.explain(wrapped(Net()), PICTURE, 1)
    for end, output in [
        (lambda y, f: (f, y), 1),
        (lambda y, f: {"embedding": f, "class": y, "other": -y}, "class"),
        (lambda y, f: [f, {"head": (f, y)}], (1, "head", 1)),
        (lambda y, f: {"maps": y[:, :, None, None].expand(-1, -1, 5, 5)}, lambda o: o["maps"].mean((2, 3))),
        (lambda y, f: (f, y), (1, lambda y: y * 1)),
    ]:  # fmt: skip
        model = wrapped(Net(end=end), output=output)
        assert len(model.classes) == 3
        np.testing.assert_allclose(cw.explain(model, PICTURE, 1).raw, plain.raw, rtol=1e-5)
    for output, words in [
        (7, r"output=7 is not in what Net returns, a tuple of 2 \(IndexError"),
        (lambda out: out[0][:, :, None].expand(-1, -1, 2), r"class scores are \(N, classes\)"),
        (1.5, "a key, an index or an attribute"),
    ]:
        with pytest.raises(ModelError, match=words):
            wrapped(Net(end=lambda y, f: (f, y)), output=output)


def test_two_heads_are_not_chosen_between() -> None:
    for end, listed in [
        (lambda y, f: (f, y), r"0 \(1, 8\), 1 \(1, 3\).*output=1"),
        (lambda y, f: {"a": y, "b": -y}, r"'a' \(1, 3\), 'b' \(1, 3\).*output='b'"),
    ]:
        with pytest.raises(ModelError, match=listed):
            wrapped(Net(end=end))
    # Of logits and their probabilities the logits are meant, and what is there twice is one.
    for end in (lambda y, f: (y.softmax(1), y), lambda y, f: [y, y.sigmoid()], lambda y, f: (y, y)):
        model = wrapped(Net(end=end))
        np.testing.assert_allclose(
            cw.explain(model, PICTURE, 1).raw, cw.explain(wrapped(Net()), PICTURE, 1).raw
        )
    # What is called features is none of them, and the names may tell.
    assert len(wrapped(Net(end=lambda y, f: {"embedding": f, "classes": y})).classes) == 3
    assert wrapped(Net(end=lambda y, f: (f, y)), classes=["a", "b", "c"]).classes == ("a", "b", "c")


def first_number(out: Any) -> torch.Tensor:
    return next(iter(out.values())).sum().reshape(1) if isinstance(out, dict) else out[:, 0]


def test_features_and_pixels_are_no_classes() -> None:
    headless = Net(end=lambda y, f: f)
    headless.head = nn.Identity()
    zero = Net(end=lambda y, f: f)
    zero.num_classes = 0  # type: ignore[assignment]
    unit = Net(end=lambda y, f: nnF.normalize(f, dim=1))
    hidden = Net(end=lambda y, f: {"last_hidden_state": f[:, None], "pooler_output": f})
    pixels = Net(end=lambda y, f: {"out": y[:, :, None, None].expand(-1, -1, 4, 4)})
    for module, words in [
        (headless, "'head' is an Identity"),
        (zero, "num_classes=0"),
        (unit, "length 1"),
        (hidden, "features only"),
        (pixels, r"output=lambda out: out\['out'\].mean\(\(2, 3\)\)"),
    ]:
        model = wrapped(module)
        assert model.classes == ()
        with pytest.raises(TargetError, match=words):
            cw.explain(model, PICTURE)
        with pytest.raises(cw.CamwidgetError, match=words):
            cw.Explorer(model, PICTURE)
        with pytest.raises(cw.CamwidgetError, match=words):
            cw.save_page(model, PICTURE, "never.html")
        with pytest.raises(cw.CamwidgetError, match=words):
            cw.evaluate(model, [PICTURE])
        exp = cw.explain(model, PICTURE, first_number)
        assert exp.prediction.names == ()
    with pytest.raises(ModelError, match=r"2 class names were given, and Net has no classes"):
        wrapped(pixels, classes=["a", "b"])
    # Whoever names them is believed.
    assert len(wrapped(headless, classes=[f"c{i}" for i in range(8)]).classes) == 8


# -- how a module is called, and what it calls its classes -------------------------------------


class Config:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_names_and_problems_of_a_configuration() -> None:
    module = Net()
    module.config = Config(id2label={0: "cat", 1: "dog", 2: "owl"}, problem_type=None)  # type: ignore[assignment]
    assert wrapped(module).classes == ("cat", "dog", "owl")
    assert wrapped(module, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    module.config.id2label = {i: f"LABEL_{i}" for i in range(3)}
    module.config.problem_type = "multi_label_classification"
    assert wrapped(module).classes == ("class 0", "class 1", "class 2")
    assert wrapped(module).scores == "sigmoid"
    module.config.problem_type = "regression"
    assert wrapped(module).scores == "value"
    module.config.id2label = {0: "cat"}
    assert wrapped(module).classes[0] == "output 0"


@pytest.mark.parametrize(
    "end",
    [
        lambda y, f: y.squeeze(),
        lambda y, f: y.squeeze(0),
        lambda y, f: {"logits": y.squeeze()},
        lambda y, f: y.squeeze().softmax(-1),
    ],
)
@pytest.mark.parametrize("columns", [1, 3])
def test_a_module_may_squeeze(end: Callable[..., Any], columns: int) -> None:
    how: dict[str, Any] = {} if columns == 3 else {"classes": ["no", "yes"]}
    if columns == 1 and "softmax" in end.__code__.co_names:
        pytest.skip("a softmax of one number")
    plain, model = wrapped(Net(columns), **how), wrapped(Net(columns, end), **how)
    batch = torch.stack([plain.pixels(PICTURE)[0], plain.pixels(PICTURE[::-1].copy())[0]])
    for target in (0, 1):
        for pictures in (PICTURE, batch):
            expected = cw.explain(plain, pictures, [target])
            for one, other in zip(cw.explain(model, pictures, [target]), expected, strict=True):
                np.testing.assert_allclose(one.raw, other.raw, rtol=1e-5, atol=1e-7)
    assert len(model.classes) == max(2, columns)


@pytest.mark.parametrize(
    "end",
    [
        lambda y, f: y[:, None, None],  # channels last
        lambda y, f: y[:, :, None],
        lambda y, f: {"maps": y[:, None, :, None]},
        lambda y, f: y[:, None, None].softmax(-1),
    ],
)
@pytest.mark.parametrize("columns", [1, 3])
def test_axes_of_length_one_are_no_pixels(end: Callable[..., Any], columns: int) -> None:
    how: dict[str, Any] = {} if columns == 3 else {"classes": ["no", "yes"]}
    if columns == 1 and "softmax" in end.__code__.co_names:
        pytest.skip("a softmax of one number")
    plain, model = wrapped(Net(columns), **how), wrapped(Net(columns, end), **how)
    batch = torch.stack([plain.pixels(PICTURE)[0], plain.pixels(PICTURE[::-1].copy())[0]])
    assert torch.allclose(plain.logits(batch), model.logits(batch), atol=1e-6)
    expected = cw.explain(plain, batch, 1)
    for one, other in zip(cw.explain(model, batch, 1), expected, strict=True):
        np.testing.assert_allclose(one.raw, other.raw, rtol=1e-5, atol=1e-7)


def test_pixels_that_come_last_are_averaged_over_the_first_axes() -> None:
    last = wrapped(Net(3, lambda y, f: y[:, None, None].expand(-1, 4, 4, -1)))
    assert "out.mean((1, 2))" in last.no_classes and "(1, 4, 4, 3)" in last.no_classes
    first = wrapped(Net(3, lambda y, f: y[:, :, None, None].expand(-1, -1, 4, 4)))
    assert "out.mean((2, 3))" in first.no_classes


def test_a_module_may_want_the_picture_by_name() -> None:
    class Named(Net):
        def forward(self, *, pixel_values: torch.Tensor, extra: Any = None) -> Any:
            return super().forward(pixel_values)

    class Asked(Net):
        def forward(self, *, frame: torch.Tensor) -> Any:
            return super().forward(frame)

    class Second(Net):
        def forward(self, words: torch.Tensor | None = None, pixel_values: Any = None) -> Any:
            return super().forward(pixel_values)

    class After(Net):
        def forward(self, question: torch.Tensor, picture: torch.Tensor) -> Any:
            return super().forward(picture) + question.sum()

    class Unclear(Net):
        def forward(self, *, left: torch.Tensor, right: torch.Tensor) -> Any:
            return super().forward(left)

    expected = cw.explain(wrapped(Net()), PICTURE, 1, ["gradcam", "lrp"])
    for kind, how in [
        (Named, {}),
        (Asked, {}),
        (Second, {}),
        (After, {"inputs": {"question": torch.zeros(1, 2)}}),
    ]:
        model = wrapped(kind(), **how)
        methods = ["gradcam"] if how else ["gradcam", "lrp"]
        for one, other in zip(cw.explain(model, PICTURE, 1, methods), expected, strict=False):
            np.testing.assert_allclose(one.raw, other.raw, rtol=1e-5)
    with pytest.raises(ModelError, match="not clear by which: left, right"):
        wrapped(Unclear())


def test_equals_are_taken_in_their_order() -> None:
    module = Net(5, scale=0)
    with torch.no_grad():
        module.linear.bias.copy_(torch.tensor([1.0, 7, 7, 0, 7]))
    for how in ({}, {"scores": "sigmoid"}):
        model = wrapped(module, **how)
        exp = cw.explain(model, PICTURE, method="random")
        assert (exp.target.index, exp.prediction.indices) == (1, (1, 2, 4, 0, 3))
    with torch.no_grad():  # in single precision the probabilities are equal, the logits are not
        module.linear.bias.copy_(torch.tensor([1.0, 40, 50, 0, 60]))
    exp = cw.explain(wrapped(module, scores="sigmoid"), PICTURE, method="random")
    assert exp.target.index == exp.prediction.indices[0] == 1


# -- one rule, from the module to the page -----------------------------------------------------

KINDS: dict[str, tuple[Net, dict[str, Any]]] = {
    "softmax": (Net(), {}),
    "softmax inside": (Net(end=lambda y, f: y.softmax(1)), {}),
    "sigmoid inside": (Net(end=lambda y, f: y.sigmoid()), {}),
    "log": (Net(end=lambda y, f: y.log_softmax(1)), {"scores": "log"}),
    "labels": (Net(), {"scores": "sigmoid"}),
    "one logit": (Net(1), {"classes": ["benign", "malignant"]}),
    "output": (Net(end=lambda y, f: (f, y)), {"output": 1}),
    "age": (Net(1, bias=58), {"classes": ["age"], "unit": "years"}),
    "negative": (Net(2, bias=-58), {"classes": ["x", "y"], "scores": "value"}),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_answer_goes_through_everything(kind: str, tmp_path: Path) -> None:
    module, how = KINDS[kind]
    model = wrapped(module, **how)
    is_quantity = model.scores == "value"
    exp = cw.explain(model, PICTURE, method="eigencam")  # of every class the same, and never empty
    assert exp.target.index is not None
    number = dict(zip(exp.prediction.indices, exp.prediction.probabilities, strict=True))
    before = number[exp.target.index]
    assert 0 <= before <= 1 or is_quantity
    curve = cw.mask_curve(model, PICTURE, exp, steps=5)
    assert curve.probability[0] == pytest.approx(before, rel=1e-5)
    assert curve.target == exp.target.index
    low, high = curve.span
    assert ((curve.probability >= low) & (curve.probability <= high)).all()
    assert (curve.scores, curve.unit) == (model.scores, how.get("unit", ""))
    curve.plot()
    change = cw.confidence_change(model, PICTURE, exp, change="remove", baseline="mean")
    assert change.before == pytest.approx(before, rel=1e-5)
    assert change.drop == pytest.approx(max(0, before - change.after) / abs(before), rel=1e-6)
    metrics = ["drop", "increase", "gain", "remove25", "deletion", "insertion", "morf", "road"]
    scores = cw.measure(model, PICTURE, exp, metrics)
    assert scores["remove25"].value == pytest.approx(change.drop, rel=1e-4, abs=1e-6)
    whole = scores["deletion"].curve[0]  # type: ignore[index]
    assert whole == pytest.approx(np.sign(before) if is_quantity else before, rel=1e-5)
    assert ("no certainty" in scores["gain"].note) == is_quantity
    assert all(np.isfinite(s.value) for m, s in scores.items() if m != "gain" or not is_quantity)
    table = cw.evaluate(
        model, [PICTURE], methods=["eigencam"], metrics=["drop", "gain"], target="predicted",
        progress=lambda done, total: None,
    )  # fmt: skip
    assert table.rows.iloc[0]["confidence"] == pytest.approx(before, rel=1e-5)

    ex = cw.Explorer(model, PICTURE, method="eigencam", fraction=0.5, baseline="mean")
    ex.wait()
    view = view_of(ex)
    assert ex.target == exp.target.label
    assert view.quantity == ({"unit": model.unit} if is_quantity else {})
    assert [row["index"] for row in view.rows] == list(exp.prediction.indices)
    row = exp.prediction.indices.index(exp.target.index)
    assert view.rows[row]["unmasked"] == pytest.approx(before, rel=1e-5)
    after = view.masked[row]
    half = cw.mask_curve(model, PICTURE, exp, baseline="mean", steps=3).probability[1]
    assert after == pytest.approx(half, rel=1e-4)
    if kind == "age":
        assert f"from {before:.1f} to {after:.1f} years." in view.sentence
        assert view.status and ex.figure() is not None
    elif is_quantity:
        assert f"{before:.1f}" in view.sentence
    else:
        assert f"{before:.2f}" in view.sentence
    chart = display_of(ex).chart
    assert (
        chart.y_scale.min <= min(chart.target_line.y)
        and max(chart.target_line.y) <= chart.y_scale.max
    )
    bars = display_of(ex).bars
    assert bars.scales["y"].min <= min(bars.masked_bars.y)
    assert max(bars.masked_bars.y) <= bars.scales["y"].max
    assert (bars.scales["y"].max == 1 and bars.scales["y"].min == 0) or is_quantity
    ex.close()

    page = cw.save_page(
        model, PICTURE, tmp_path / "page.html", method="eigencam", methods=["eigencam"], steps=3,
        progress=lambda done, total: None,
    )  # fmt: skip
    assert page.probability == pytest.approx(before, rel=1e-5)
    data = json.loads(page.path.read_text().split('id="camwidget-data">')[1].split("<")[0])
    assert data["quantity"] == view.quantity
    place = data["grids"][0]["curves"]["remove blur"]
    raw = zlib.decompress(base64.b64decode(data["archive"]))[place[0] : sum(place)]
    planes = np.frombuffer(raw, np.uint8).reshape(4 if is_quantity else 2, -1).T.copy()
    values = planes.view(np.float32 if is_quantity else np.uint16).reshape(3, len(data["classes"]))
    first = [c["index"] for c in data["classes"]].index(exp.target.index)
    kept = values[0, first] if is_quantity else values[0, first] / 10_000
    assert kept == pytest.approx(before, rel=1e-6 if is_quantity else 1e-2, abs=1e-4)


def test_what_is_said_of_one_output_and_of_quantities() -> None:
    age = wrapped(Net(1, bias=58), classes=["age"], unit="years")
    two = wrapped(Net(2, bias=58), classes=["age", "tilt"], scores="value")
    label = wrapped(Net(1), classes=["malign"], scores="sigmoid")
    assert (
        "1 quantity, " in repr(age) and "2 quantities, " in repr(two) and "1 class, " in repr(label)
    )
    with pytest.raises(TargetError, match="There is no class 7: Net has class 0 only"):
        cw.explain(age, PICTURE, 7)
    for model in (age, label):
        with pytest.raises(TargetError, match="against itself is 0"):
            cw.explain(model, PICTURE, cw.Contrast(0, model.classes[0]))
    exp = cw.explain(two, PICTURE, "tilt", "eigencam")
    assert exp.plot().axes[0].get_title() == "\n".join(exp.prediction.lines), (
        "of what is explained too"
    )
    with pytest.raises(DataError, match=r"58\.2.*quantities.*target='predicted'"):
        cw.evaluate(age, [(PICTURE, 58.2)], "eigencam", ["drop"])
    with pytest.raises(DataError, match="several labels"):
        cw.evaluate(label, [(PICTURE, [1, 0, 1])], "eigencam", ["drop"])
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:8] = True
    score = cw.measure(age, PICTURE, exp_of(age), ["top1-localization"], mask=mask, label=0)
    assert score["top1-localization"].note == "quantities are not ranked"


def exp_of(model: cw.VisionModel) -> cw.Explanation:
    return cw.explain(model, PICTURE, method="eigencam")


def test_what_a_quantity_cannot_be_asked() -> None:
    model = wrapped(Net(2), scores="value")
    with pytest.raises(TargetError, match="quantities"):
        cw.attack(model, PICTURE, 1)
    zero = Net(1, scale=0)
    with torch.no_grad():
        zero.linear.bias.zero_()
    nothing = wrapped(zero, unit="m")
    exp = cw.explain(nothing, PICTURE, method="eigencam")
    score = cw.measure(nothing, PICTURE, exp, "drop")["drop"]
    assert np.isnan(score.value) and "quantity is 0" in score.note


def test_scores_that_only_looked_like_probabilities_are_refused() -> None:
    """Rectified scores beside a constant add up to 1 for noise, and to anything for a picture."""

    class Rectified(nn.Module):
        def __init__(self, least: float) -> None:
            super().__init__()
            self.conv, self.least = nn.Conv2d(3, 2, 1, bias=False), least
            with torch.no_grad():
                self.conv.weight.fill_(1.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = self.conv(x).relu().mean((2, 3)) - 2.5
            rest = torch.ones_like(bright[:, :1])
            return torch.cat([bright.clamp(min=self.least), rest - 2 * self.least], 1)

    white = np.full((16, 16, 3), 255, np.uint8)
    plain = cw.wrap(Rectified(0.0).eval(), cw.Preprocess(16), scores=None)
    shown = cw.explain(plain, white, 0).prediction
    assert shown.probabilities[0] == pytest.approx(
        float(torch.tensor([0.5, 0.5, 1.0]).softmax(0).max()), abs=1e-4
    )
    odd = cw.wrap(Rectified(0.2).eval(), cw.Preprocess(16))
    with pytest.raises(ModelError, match="not probabilities, although its first outputs"):
        cw.explain(odd, white, 0)


# -- classes that are masked out -----------------------------------------------------------------


def masking(value: float = -math.inf, columns: tuple[int, ...] = (2,)) -> Net:
    """Four classes, of which some cannot be."""
    mask = torch.zeros(4).index_fill(0, torch.tensor(columns), value)
    return Net(4, lambda y, f: y + mask)


def test_a_class_that_is_masked_out_spoils_no_other() -> None:
    model, plain = wrapped(masking()), wrapped(Net(4))
    assert model.predict(PICTURE).probabilities[-1] == 0 and not model.randomness_note
    for method in ("gradcam", "layercam", "scorecam", "ablationcam", "occlusion", "saliency"):
        found, expected = (cw.explain(m, PICTURE, 1, method).raw for m in (model, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    finer = cw.explain(model, PICTURE, 1, "finercam").raw
    np.testing.assert_allclose(
        finer,
        np.asarray(cw.explain(model, PICTURE, 1, cw.get_method("finercam", references=2)).raw),
    )
    exp = cw.explain(model, PICTURE)
    for seed in range(4):
        scores = cw.measure(model, PICTURE, exp, ["drop", "deletion", "random-logit"], seed=seed)
        assert all(np.isfinite(score.value) for score in scores.values())
    assert not cw.mask_curve(model, PICTURE, exp, 2, steps=3).probability.any()


@pytest.mark.parametrize("method", ["gradcam", "scorecam", "rise", "eigencam", "random"])
def test_the_masked_class_itself_is_refused(method: str) -> None:
    model = wrapped(masking())
    for target in (2, cw.Contrast(0, 2), cw.LogProbability(2), cw.Counterfactual(2)):
        with pytest.raises(TargetError, match="is infinite for this picture: the model masks"):
            cw.explain(model, PICTURE, target, method)
    assert np.isfinite(cw.explain(model, PICTURE, cw.LogProbability(0)).saliency).all()


@pytest.mark.parametrize(
    "net",
    [masking(math.inf), masking(math.nan), masking(-math.inf, (0, 1, 2, 3))],
    ids=["infinity", "NaN", "all"],
)
def test_other_answers_that_are_not_finite_are_refused(net: Net) -> None:
    with pytest.raises(ModelError, match="gives NaN or infinity"):
        wrapped(net)
    with pytest.raises(ModelError, match="gives NaN or infinity"):
        wrapped(masking(-math.inf, (0,)), scores="value")
