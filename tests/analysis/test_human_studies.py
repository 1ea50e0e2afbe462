"""Quiz questions, and their generation by the two studies."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.analysis.human_studies import Draft, which_class, which_model
from camwidget.errors import QuizError
from camwidget.zoo import Sample
from camwidget.zoo import textures as drawn

PAIRS = [("waffled", "bubbly"), ("knitted", "lined"), ("honeycombed", "veined")]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [drawn.draw(k, "multiple", classes=pair) for k, pair in enumerate(PAIRS)]


@pytest.fixture(scope="module")
def weak(textures: cw.VisionModel) -> cw.VisionModel:
    """The embedded model, its weights shaken so far that it still sees most."""
    module = copy.deepcopy(textures.module)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            if p.ndim > 1:
                p += 0.35 * p.std() * torch.randn(p.shape, generator=generator)
    return cw.wrap(module, textures.preprocess, textures.classes, name="shaken")


def made(drafts: list[Draft]) -> list[cw.Question]:
    return [d if isinstance(d, cw.Question) else d() for d in drafts]


def by_class(model: cw.VisionModel, images: Any, n: int, seed: int = 0) -> list[cw.Question]:
    return made(which_class(model, images, n=n, seed=seed, method="gradcam"))


def by_model(
    strong: cw.VisionModel, weak: cw.VisionModel, images: Any, n: int, seed: int = 0
) -> list[cw.Question]:
    return made(which_model(strong, weak, images, n=n, seed=seed, method="gradcam"))


# -- a question ------------------------------------------------------------------------------


def test_right_options() -> None:
    options = ["a", "b", "c"]
    assert cw.Question("?", [], options).right == ()
    assert cw.Question("?", [], options, 2).right == (2,)
    assert cw.Question("?", [], options, (0, 1)).right == (0, 1)


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        (["a"], {}, "at least two options"),
        ("ab", {}, "at least two options"),
        (["a", "a"], {}, "Two options are the same"),
        (["a", "b"], {"answer": 2}, "no option 2: answer is an index from 0 to 1"),
        (["a", "b"], {"answer": -1}, "no option -1"),
        (["a", "b"], {"answer": "b"}, "answer is the index"),
        (["a", "b"], {"answer": True}, "answer is the index"),
        (["a", "b"], {"values": [1]}, "one number an option: 2, not 1"),
        (["a", "b"], {"values": [1, 9e299]}, "from -1e9 to 1e9"),
        (["a", "b"], {"values": [1, float("nan")]}, "from -1e9 to 1e9"),
        (["a", "b"], {"pictures": ["cat.png"]}, r"a tuple \(picture, caption\)"),
    ],
)
def test_what_is_no_question(options: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(QuizError, match=message):
        cw.Question(**{"prompt": "?", "pictures": [], "options": options, **more})


# -- which class -----------------------------------------------------------------------------


def test_one_of_two_present_classes(textures: cw.VisionModel, samples: list[Sample]) -> None:
    questions = by_class(textures, samples, 3)
    assert sorted(sorted(q.options) for q in questions) == sorted(sorted(p) for p in PAIRS)
    for q in questions:
        (plain, _, outlines), (explained, _, _) = q.pictures  # type: ignore[misc]
        (right,) = q.right
        assert isinstance(explained, cw.Explanation)
        assert explained.target.label == q.options[right], "the map is of the right option"
        assert list(outlines) == [q.options[right], q.options[1 - right]], "the answer's first"
        sample = next(s for s in samples if np.array_equal(s.image, plain))
        label = sample.classes.index(q.options[right])
        np.testing.assert_array_equal(outlines[q.options[right]], sample.mask_of(label))
        on = explained.saliency[outlines[q.options[right]]].sum() / explained.saliency.sum()
        assert f"{100 * on:.0f}\u00a0% of the evidence is on {q.options[right]}" in q.reveal


def test_the_seed_decides(textures: cw.VisionModel, samples: list[Sample]) -> None:
    def requested(seed: int) -> list[tuple[Any, ...]]:
        return [(*q.options, *q.right) for q in by_class(textures, samples, 3, seed)]

    assert requested(1) == requested(1)
    assert len({tuple(requested(seed)) for seed in range(6)}) > 2
    right = [q.right[0] for seed in range(4) for q in by_class(textures, samples, 3, seed)]
    assert {0, 1} == set(right), "the place of the right option tells nothing"


def test_of_unknown_pictures_the_models_first_two(
    textures: cw.VisionModel, samples: list[Sample]
) -> None:
    array, tensor = samples[0].image, textures.pixels(samples[1].image)[0]
    for source, sample in (
        (array, samples[0]),
        (samples[0].pil(), samples[0]),
        (tensor, samples[1]),
    ):
        (q,) = by_class(textures, [source], 1)
        assert set(q.options) == set(textures.predict(sample.image, top=2).names)
        assert q.pictures[0][2:] == ({},), "no outlines are known"  # type: ignore[misc]
        assert "of the evidence is on" not in q.reveal


def test_too_few_pictures(textures: cw.VisionModel, samples: list[Sample]) -> None:
    alone = drawn.draw(0, "single", classes=["lined"])
    with pytest.raises(QuizError, match=r"3 of 4 pictures show two classes .* or n=3"):
        by_class(textures, [*samples, alone], 4)
    with pytest.raises(QuizError, match="0 of 1 pictures .* Pass other pictures"):
        by_class(textures, [alone], 1)
    with pytest.raises(QuizError, match="at least 1, not 0"):
        by_class(textures, samples, 0)
    for images in (samples[0].image, "folder"):
        with pytest.raises(QuizError, match="a list of pictures"):
            by_class(textures, images, 1)
    with pytest.raises(QuizError, match="a list of pictures, not Sample"):
        by_class(textures, samples[0], 1)
    with pytest.raises(cw.CamwidgetError, match="A quiz takes a model"):
        by_class("zoo/textures", samples, 1)  # type: ignore[arg-type]
    with pytest.raises(cw.CamwidgetError, match="gradcam"):
        which_class(textures, samples, n=1, seed=0, method="gradcamm")


# -- which model -----------------------------------------------------------------------------


def test_two_models_that_agree(
    textures: cw.VisionModel, weak: cw.VisionModel, samples: list[Sample]
) -> None:
    agreed = [
        s
        for s in [*samples, *drawn.gallery()]
        if textures.predict(s.image).names[0] == weak.predict(s.image).names[0] in s.names
    ]
    questions = [q for seed in range(4) for q in by_model(textures, weak, agreed, 2, seed)]
    firsts = set()
    for q in questions:
        (_, _, outlines), (a, _, _), (b, _, _) = q.pictures  # type: ignore[misc]
        strong_is_a = a.model == textures.name
        firsts.add(strong_is_a)
        assert a.model != b.model and a.target.label == b.target.label
        assert [a.target.label] == list(outlines)
        assert q.right == ((0, 1) if strong_is_a else (3, 4))
        assert q.values is not None and q.values[q.right[0]] > 0
        assert q.values[2] == 0 and sum(q.values) == 0
        assert f"{'A' if strong_is_a else 'B'} is the stronger model" in q.reveal
        assert a.target.label in q.prompt and textures.name not in q.prompt
        assert all(textures.name not in shown[1] for shown in q.pictures)
    assert firsts == {True, False}, "which is A is drawn by lot"


def test_only_pictures_that_both_name_rightly(
    textures: cw.VisionModel, weak: cw.VisionModel, samples: list[Sample]
) -> None:
    wrong = Sample(samples[0].image, (1,), samples[0].masks[:1], ("waffled", "no such texture"))
    with pytest.raises(QuizError, match="0 of 1 pictures are classified correctly by both models"):
        by_model(textures, weak, [wrong], 1)
    assert len(by_model(textures, textures, [samples[0].image], 1)) == 1, "unknown: they agree"


def test_models_of_other_classes(textures: cw.VisionModel, samples: list[Sample]) -> None:
    names = ["furry", *textures.classes[1:]]
    other = cw.wrap(textures.module, textures.preprocess, names, name="other")
    with pytest.raises(QuizError, match=r"different classes \(.*furry.*same classes"):
        by_model(textures, other, samples, 1)


def test_classes_in_another_order(textures: cw.VisionModel, samples: list[Sample]) -> None:
    module = copy.deepcopy(textures.module)
    head = next(m for m in module.modules() if isinstance(m, torch.nn.Linear))
    with torch.no_grad():
        head.weight.copy_(head.weight.flip(0))
        if head.bias is not None:
            head.bias.copy_(head.bias.flip(0))
    turned = cw.wrap(module, textures.preprocess, textures.classes[::-1], name="turned")
    (q,) = by_model(textures, turned, samples[:1], 1)
    a, b = (shown[0] for shown in q.pictures[1:])
    np.testing.assert_allclose(a.saliency, b.saliency, atol=1e-4)


# -- several methods -------------------------------------------------------------------------


def test_methods_are_dealt_evenly(textures: cw.VisionModel) -> None:
    pictures = [drawn.draw(k).image for k in range(8)]
    methods = ["gradcam", "random", "cam"]
    deals = set()
    for seed in range(4):
        drafts = which_class(textures, pictures, n=7, seed=seed, method=methods)
        dealt = [draft.args[2].name for draft in drafts]  # type: ignore[union-attr]
        assert sorted(map(dealt.count, methods)) == [2, 2, 3]
        deals.add(tuple(dealt))
    assert len(deals) == 4, "other people get other methods for a picture"
    with pytest.raises(QuizError, match="needs a method"):
        which_class(textures, pictures, n=1, seed=0, method=[])


def test_a_control_is_called_one(textures: cw.VisionModel, samples: list[Sample]) -> None:
    said = "Such a map is made of random numbers, as a control: nobody can read it."
    for method in ("random", "gradcam"):
        (question,) = made(which_class(textures, samples, n=1, seed=0, method=method))
        assert (said in question.reveal) == (method == "random")


def test_faithfulness_is_the_metric(textures: cw.VisionModel, samples: list[Sample]) -> None:
    (draft,) = which_class(textures, samples, n=1, seed=0, method="gradcam", faithfulness=True)
    (question,) = made([draft])
    explanation = question.pictures[1][0]
    assert question.method == "Grad-CAM" and question.study == "which class"
    scores = cw.measure(textures, explanation.pixels, explanation, ["occlusion-correlation"])
    assert question.faithfulness == pytest.approx(scores["occlusion-correlation"].value, abs=1e-4)
