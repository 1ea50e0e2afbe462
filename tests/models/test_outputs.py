"""Outputs of any structure, additional inputs, and wrapped modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetError, MethodError, ModelError, TargetError
from camwidget.models.output_tensors import as_scores, locate_scores, value_at


def net(classes: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes),
    )  # fmt: skip


class Returning(nn.Module):
    """The logits, packed."""

    def __init__(self, pack: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        self.body, self.pack = net(), pack

    def forward(self, x: torch.Tensor) -> Any:
        return self.pack(self.body(x), x)


class Answer:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


PACKS: list[Callable[[torch.Tensor, torch.Tensor], Any]] = [
    lambda y, x: (y, x),
    lambda y, x: [y],
    lambda y, x: {"features": x, "logits": y, "aux": y * 0},
    lambda y, x: {"y": y},
    lambda y, x: Answer(y),
    lambda y, x: y[:, :, None, None],
    lambda y, x: (x, {"inside": [y]}),
]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    "method", ["cam", "gradcam", "scorecam", "ablationcam", "occlusion", "saliency"]
)
def test_logits_are_found_where_they_are(
    pack: Callable[..., Any], method: str, noise: torch.Tensor
) -> None:
    plain, packed = cw.wrap(net()), cw.wrap(Returning(pack))
    assert len(packed.classes) == 3
    picture = noise[:, :48, :48]
    expected = cw.explain(plain, picture, 1, method)
    found = cw.explain(packed, picture, 1, method)
    np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        found.prediction.probabilities, expected.prediction.probabilities, rtol=1e-5
    )
    curve = cw.mask_curve(packed, picture, found, 1, steps=3)
    same = cw.mask_curve(plain, picture, found.saliency, 1, steps=3)
    np.testing.assert_allclose(curve.probability, same.probability, rtol=1e-5)


def test_a_function_gets_the_modules_own_output(noise: torch.Tensor) -> None:
    model = cw.wrap(Returning(lambda y, x: {"logits": y, "twice": 2 * y}))
    seen: list[Any] = []

    def twice(output: Any) -> torch.Tensor:
        seen.append(output)
        return output["twice"][:, 2]

    picture = noise[:, :48, :48]
    for method in ("gradcam", "scorecam", "occlusion", "ablationcam"):
        by_function = cw.explain(model, picture, twice, method)
        by_class = cw.explain(model, picture, 2, method)
        assert set(seen[-1]) == {"logits", "twice"}
        assert np.corrcoef(by_function.raw.ravel(), by_class.raw.ravel())[0, 1] > 0.99, method
    contrast = cw.explain(model, picture, cw.Counterfactual(twice))
    np.testing.assert_allclose(
        contrast.raw, 2 * cw.explain(model, picture, cw.Counterfactual(2)).raw, rtol=1e-4, atol=1e-7
    )


def test_a_model_without_logits_is_explained_by_functions(noise: torch.Tensor) -> None:
    module = Returning(lambda y, x: [{"boxes": x.sum((1, 2, 3)), "scores": y[0]} for _ in x])
    model = cw.wrap(module)
    assert model.classes == ()
    picture = noise[:, :48, :48]
    with pytest.raises(TargetError, match="no predicted class"):
        cw.explain(model, picture)
    with pytest.raises(TargetError, match="There is no class 0"):
        cw.explain(model, picture, 0)
    exp = cw.explain(model, picture, lambda out: out[0]["scores"][1], ["gradcam", "occlusion"])
    expected = cw.explain(cw.wrap(net()), picture, 1, ["gradcam", "occlusion"])
    for mine, theirs in zip(exp, expected, strict=True):
        np.testing.assert_allclose(mine.raw, theirs.raw, rtol=1e-4, atol=1e-6)
    assert exp[0].prediction.names == ()
    exp[0].plot()
    with pytest.raises(TargetError, match="KeyError"):
        cw.explain(model, picture, lambda out: out[0]["score"])
    with pytest.raises(cw.CamwidgetError, match="no classes"):
        cw.Explorer(model, picture)


@pytest.mark.full
def test_a_detector_and_a_segmenter_of_torchvision(noise: torch.Tensor) -> None:
    torch.manual_seed(0)
    detector = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=5, box_score_thresh=0.0
    ).eval()
    model = cw.wrap(detector, cw.Preprocess(160), name="detector")
    exp = cw.explain(model, noise, lambda out: out[0]["scores"].sum(), layer="backbone.body.16")
    assert np.abs(exp.raw).max() > 0
    segmenter = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=4
    ).eval()
    with pytest.raises(TargetError, match=r"score for every pixel.*out\['out'\].mean"):
        cw.explain(cw.wrap(segmenter, cw.Preprocess(96)), noise)
    model = cw.wrap(segmenter, cw.Preprocess(96), output=lambda out: out["out"].mean((2, 3)))
    assert len(model.classes) == 4
    place = cw.explain(
        model, noise, lambda out: out["out"][:, 1, 40:50, 40:50].mean((1, 2)), "hirescam"
    )
    whole = cw.explain(model, noise, 1, "hirescam")
    assert place.raw.shape == whole.raw.shape
    assert not np.allclose(place.saliency, whole.saliency)


def test_scores_are_located_by_name_then_by_shape() -> None:
    features, logits, maps = torch.zeros(2, 7, 4, 4), torch.zeros(2, 5), torch.zeros(2, 3, 4)
    for output, place in [
        (logits, ()),
        ((features, logits), (1,)),
        ({"features": features, "y": logits}, ("y",)),
        ({"y": logits, "out": features}, ("y",)),
        ([maps, features], None),
        ((torch.zeros(4, 9), logits), (1,)),
        (torch.zeros(2), ()),
        (torch.zeros(3, 5), None),
        ((maps,), None),
        ("text", None),
    ]:
        assert locate_scores(output, 2).path == place
    two = (torch.zeros(2, 9), logits)
    with pytest.raises(ModelError, match=r"0 \(2, 9\), 1 \(2, 5\).*output=1"):
        locate_scores(two, 2)
    assert locate_scores(two, 2, 5).path == (1,), "the number of classes decides"
    assert as_scores(value_at(two, (1,)), 2).shape == (2, 5)
    assert as_scores(torch.zeros(2, dtype=torch.long), 2) is None


def test_logits_stay_where_they_were_found_whatever_the_batch() -> None:
    prototypes = torch.zeros(4, 3)
    model = cw.wrap(Returning(lambda y, x: (prototypes, y)), classes=["a", "b", "c"])
    assert not cw.explain(model, torch.rand(4, 3, 32, 32), 1)[0].is_empty


def test_a_function_may_write_into_what_it_gets(noise: torch.Tensor) -> None:
    model = cw.wrap(net())
    together = cw.explain(model, noise, [lambda y: y.mul_(2)[:, 0], 1])
    np.testing.assert_array_equal(together[1].raw, cw.explain(model, noise, 1).raw)


def test_each_side_of_a_contrast_gets_what_it_wants(noise: torch.Tensor) -> None:
    model = cw.wrap(Returning(lambda y, x: {"logits": y, "twice": 2 * y}))
    mixed = cw.explain(model, noise, cw.Contrast(lambda out: out["twice"][:, 0] / 2, 1))
    plain = cw.explain(model, noise, cw.Contrast(0, 1))
    np.testing.assert_allclose(mixed.raw, plain.raw, rtol=1e-5, atol=1e-9)


def test_a_bare_number_is_enough_for_one_picture(noise: torch.Tensor) -> None:
    model = cw.wrap(Returning(lambda y, x: {"logits": y}))
    picture = noise[:, :32, :32]
    for method in ("integrated-gradients", "smoothgrad", "scorecam", "gradcam"):
        bare = cw.explain(
            model,
            picture,
            lambda out: out["logits"][0, 1] if isinstance(out, dict) else out[0, 1],
            method,
        )
        np.testing.assert_allclose(
            bare.raw, cw.explain(model, picture, 1, method).raw, rtol=1e-3, atol=1e-6
        )


def test_pictures_that_mix_are_explained_one_by_one() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()]
    model = cw.wrap(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)))
    pictures = torch.rand(3, 3, 24, 24) ** torch.tensor([0.2, 1, 5])[:, None, None, None]
    for method in ("gradcam", "scorecam", "smoothgrad"):
        together = cw.explain(model, pictures, 1, method)
        assert [e.picture for e in together] == [0, 1, 2]
        for exp, picture in zip(together, pictures, strict=True):
            alone = cw.explain(model, picture, 1, method)
            np.testing.assert_allclose(exp.raw, alone.raw, rtol=1e-4, atol=1e-7)


def test_a_module_that_fails_is_named(noise: torch.Tensor) -> None:
    fixed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 3))
    model = cw.wrap(fixed, cw.Preprocess(32), layers=["0"])
    with pytest.raises(ModelError, match=r"fails on inputs of shape \(1, 3, 64, 64\).*Preprocess"):
        cw.explain(model, torch.rand(3, 64, 64))
    with pytest.raises(ModelError, match="fails on inputs"):
        model.predict(torch.rand(3, 64, 64))


# -- other inputs ----------------------------------------------------------------------------


class Asked(nn.Module):
    """A picture, and a question that says which features count."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU()
        )
        self.words = nn.Embedding(4, 6)
        self.head = nn.Linear(6, 3)

    def forward(
        self, picture: torch.Tensor, question: torch.Tensor, scale: torch.Tensor
    ) -> torch.Tensor:
        features = self.body(picture).mean((2, 3))
        return self.head(features * self.words(question).mean(1) * scale)


QUESTIONS = torch.tensor([[0, 1], [2, 3]])


@pytest.fixture
def answerer() -> cw.VisionModel:
    return cw.wrap(Asked(), inputs={"question": QUESTIONS[:1], "scale": torch.ones(1, 1)})


@pytest.mark.parametrize(
    "method", ["gradcam", "scorecam", "ablationcam", "rise", "integrated-gradients", "smoothgrad"]
)
def test_other_inputs_go_along_everywhere(
    answerer: cw.VisionModel, noise: torch.Tensor, method: str
) -> None:
    chosen = cw.get_method(method, masks=30) if method == "rise" else cw.get_method(method)
    picture = noise[:, :32, :32]
    first = cw.explain(answerer, picture, 1, chosen)
    second = cw.explain(answerer.given(question=QUESTIONS[1:]), picture, 1, chosen)
    assert not np.allclose(first.raw, second.raw)
    by_name = cw.explain(answerer, {"picture": picture, "question": QUESTIONS[1:]}, 1, chosen)
    np.testing.assert_array_equal(by_name.raw, second.raw)
    both = cw.explain(
        answerer.given(question=QUESTIONS), torch.stack([picture, picture]), 1, chosen
    )
    np.testing.assert_allclose(both[0].raw, first.raw, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(both[1].raw, second.raw, rtol=1e-3, atol=1e-6)


def test_other_inputs_reach_the_mask_curve_and_the_widget(
    answerer: cw.VisionModel, noise: torch.Tensor
) -> None:
    picture = noise[:, :32, :32]
    other = answerer.given(question=QUESTIONS[1:])
    curves = [
        cw.mask_curve(m, picture, np.eye(32, dtype=np.float32), 1, steps=4)
        for m in (answerer, other)
    ]
    assert not np.allclose(curves[0].probability, curves[1].probability)
    explorer = cw.Explorer(other, picture)
    try:
        explorer.wait(60)
        assert explorer.explanation.prediction.probabilities == pytest.approx(
            other.predict(picture).probabilities, rel=1e-5
        )
    finally:
        explorer.close()


def test_other_inputs_that_do_not_fit_are_refused(
    answerer: cw.VisionModel, noise: torch.Tensor
) -> None:
    with pytest.raises(ModelError, match="takes no input 'answer'"):
        answerer.given(answer=QUESTIONS)
    with pytest.raises(ModelError, match="2 rows for 3 pictures"):
        cw.explain(answerer.given(question=QUESTIONS), torch.rand(3, 3, 32, 32))
    with pytest.raises(ModelError, match="has 0 other inputs"):
        cw.explain(answerer, {"question": QUESTIONS[:1]})
    with pytest.raises(ModelError, match="inputs="):
        cw.wrap(Asked())
    for wrong in ([QUESTIONS], {"question": 3}, {"question": torch.tensor(1.0)}):
        with pytest.raises(ModelError, match=r"names to tensors|one row"):
            cw.wrap(Asked(), inputs=wrong)  # type: ignore[arg-type]


# -- wrappers --------------------------------------------------------------------------------


def test_data_parallel_is_explained_by_what_it_holds(noise: torch.Tensor) -> None:
    inner = net()
    model = cw.wrap(nn.DataParallel(inner))
    assert model.module is inner
    np.testing.assert_array_equal(
        cw.explain(model, noise).raw, cw.explain(cw.wrap(inner), noise).raw
    )


def test_torchscript_is_refused_with_a_remedy(noise: torch.Tensor) -> None:
    scripted = torch.jit.trace(net(), noise[None])
    with pytest.raises(ModelError, match=r"wrap the nn\.Module"):
        cw.wrap(scripted)


def test_cam_asks_for_a_class(noise: torch.Tensor) -> None:
    for method in ("cam", "finercam"):
        with pytest.raises(MethodError, match="explains classes"):
            cw.explain(cw.wrap(net()), noise, cw.Counterfactual(1), method)


@pytest.mark.parametrize(
    ("pack", "what"),
    [
        (lambda y, x: (v for v in [y]), r"a generator, which can be read only once"),
        (lambda y, x: iter([y, y]), r"an iterator \(list_iterator\), which can be read only once"),
        (lambda y, x: map(torch.clone, [y]), r"an iterator \(map\), which can be read only once"),
    ],
)
def test_what_can_be_read_only_once_is_refused(pack: Any, what: str) -> None:
    with pytest.raises(ModelError, match=f"Returning returns {what}.* or a list of what it yields"):
        cw.wrap(Returning(pack))
    with pytest.raises(ModelError, match="read only once"):
        cw.wrap(Returning(pack), output=next)


def test_an_output_without_a_tensor_is_named(noise: torch.Tensor) -> None:
    for pack, what in (
        (lambda y, x: None, "it returns None, without a tensor"),
        (lambda y, x: y.detach().numpy(), "it returns an object of type ndarray, without a tensor"),
        (lambda y, x: {"a": 1}, "it returns a mapping with 'a', without a tensor"),
    ):
        with pytest.raises(CamwidgetError, match=what):
            cw.explain(cw.wrap(Returning(pack)), noise)
