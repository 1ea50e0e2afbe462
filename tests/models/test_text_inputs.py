"""Models with a text input, questions and captions, and the kinds of scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from module_fingerprint import has_hooks
from prompt_models import Question, caption_model, question_model, squares
from torch import nn

import camwidget as cw
from camwidget.attribution.batched_inference import rerun
from camwidget.attribution.targets import resolve_target
from camwidget.errors import MethodError, ModelError, PromptError, TargetError
from camwidget.models.text_inputs import ParsedPrompt, words_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def answerer() -> cw.VisionModel:
    return question_model()


@pytest.fixture(scope="module")
def captions() -> cw.VisionModel:
    return caption_model()


RED, BOTH = squares("red").image, squares("red", "blue").image


# -- a text given ---------------------------------------------------------------------------


def test_a_question_is_answered(answerer: cw.VisionModel) -> None:
    for question, answer in (("is there a red square", "yes"), ("Anything  blue?", "no")):
        prompted = answerer.given(question=question)
        assert prompted.text == " ".join(question.split())
        assert prompted.classes == ("yes", "no")
        assert prompted.predict(RED).names[0] == answer
    assert answerer.text is None and answerer.parsed_prompt is None
    assert [w for w, _ in answerer.given(question="anything blue").parsed_prompt.words] == [
        "anything",
        "blue",
    ]


def test_a_caption_names_the_outputs_and_their_number(captions: cw.VisionModel) -> None:
    short, long = captions.given(caption="a red"), captions.given(caption="a red and a blue")
    assert short.classes == ("the whole caption", "a", "red")
    assert long.classes == ("the whole caption", "a #1", "red", "and", "a #4", "blue")
    pixels = short.pixels(RED)
    assert short.logits(pixels).shape == (1, 3)
    assert long.logits(pixels).shape == (1, 6)
    assert long.class_index("blue") == 5
    with pytest.raises(TargetError, match="no class named 'blue'"):
        short.class_index("blue")
    # Back and forth; the one is no part of the other.
    assert long.given(caption="a red").classes == short.classes
    assert len(long.classes) == 6
    assert long.parsed_prompt is not None and long.parsed_prompt.words[2] == ("and", None)


def test_the_map_of_a_word_lies_on_what_it_names(captions: cw.VisionModel) -> None:
    sample = squares("red", "green", "blue")
    prompted = captions.given(caption="a red and a blue")
    for word, label in (("red", 0), ("blue", 2)):
        saliency = cw.explain(prompted, sample.image, word).saliency
        assert saliency[sample.mask_of(label)].sum() > 0.8 * saliency.sum()


def test_unknown_words_are_named_with_known_ones(answerer: cw.VisionModel) -> None:
    with pytest.raises(
        PromptError, match=r"unknown words: 'zebra', 'gren'\. Did you mean 'green'\? .*anything"
    ):
        answerer.given(question="is there a zebra gren")
    with pytest.raises(PromptError, match="an unknown word: 'zebra'"):
        answerer.given(question="a zebra")
    for empty in ("", "  \n"):
        with pytest.raises(PromptError, match="The question is empty.*'is there a red square'"):
            answerer.given(question=empty)
    with pytest.raises(PromptError, match="no word in it"):
        answerer.given(question="?!")
    with pytest.raises(PromptError, match="is a text, not int"):
        answerer.given(question=3)
    with pytest.raises(ModelError, match="takes no input 'caption'.*'question'"):
        answerer.given(caption="a red")
    with pytest.raises(ModelError, match="takes no input 'tokens'"):
        answerer.given(tokens=torch.zeros(1, 2))


def test_words_of() -> None:
    assert words_of("What’s LEFT-most, then?") == ["what's", "left-most", "then"]
    many = {f"w{i:03}" for i in range(100)}
    with pytest.raises(PromptError, match=r"w000.*… \(100 in all\)"):
        words_of("nothing", many)


def test_wrong_declarations_are_refused() -> None:
    class Nameless(Question):
        name = "two words"

    class Silent(Question):
        examples = ()

    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    for prompt, message in (
        (object(), "has not all of them"),
        (Nameless(), "two words"),
        (Silent(), "at least one"),
    ):
        with pytest.raises(ModelError, match=message):
            cw.wrap(module, prompt=prompt)


def test_a_reading_of_several_rows_is_refused(answerer: cw.VisionModel) -> None:
    class Twice(Question):
        def read(self, text: str) -> ParsedPrompt:
            return ParsedPrompt({"tokens": torch.zeros(2, 3, dtype=torch.long)})

    with pytest.raises(ModelError, match="one row"):
        cw.wrap(answerer.module, cw.Preprocess(48), prompt=Twice())


# -- no text given ---------------------------------------------------------------------------


def test_a_question_has_to_come_from_a_person(answerer: cw.VisionModel) -> None:
    exp = cw.explain(answerer.given(question="anything red"), RED)
    remedy = r"model\.given\(question='is there a red square'\)"
    for call in (
        lambda: cw.explain(answerer, RED),
        lambda: answerer.predict(RED),
        lambda: answerer.propose(RED),
        lambda: cw.mask_curve(answerer, RED, exp.saliency),
        lambda: cw.confidence_change(answerer, RED, exp.saliency),
        lambda: cw.visualize(answerer, "yes"),
    ):
        with pytest.raises(PromptError, match=remedy):
            call()
    with pytest.raises(PromptError, match="takes no text"):
        cw.wrap(nn.Sequential(nn.Conv2d(3, 4, 3))).propose(RED)


def test_each_picture_is_explained_under_its_own_caption(captions: cw.VisionModel) -> None:
    assert captions.propose(BOTH) == "a red and a blue"
    red, both = cw.explain(captions, [RED, BOTH], "red")
    assert (red.text, both.text) == ("a red", "a red and a blue")
    assert (red.picture, both.picture) == (0, 1)
    alone = cw.explain(captions.given(caption="a red and a blue"), BOTH, "red")
    np.testing.assert_array_equal(both.raw, alone.raw)
    # What is explained unless something else is asked for: the whole, not its likeliest word.
    assert cw.explain(captions, BOTH).target.label == "the whole caption"
    one = cw.explain(captions.given(caption="a red"), [RED, BOTH])
    assert [e.text for e in one] == ["a red", "a red"]


def test_text_and_picture_may_come_together(answerer: cw.VisionModel) -> None:
    exp = cw.explain(answerer, {"image": RED, "question": "anything red"})
    assert (exp.text, exp.target.label) == ("anything red", "yes")


def test_curve_and_confidence_under_the_models_own_caption(captions: cw.VisionModel) -> None:
    exp = cw.explain(captions, BOTH, "blue")
    curve = cw.mask_curve(captions, BOTH, exp, "blue", steps=3, baseline="mean")
    prompted = captions.with_text_for(BOTH)
    assert curve.probability[0] == pytest.approx(
        float(prompted.logits(prompted.pixels(BOTH))[0, 5].exp()), rel=1e-5
    )
    assert curve.probability[-1] < 0.1 < 0.9 < curve.probability[0]
    assert cw.mask_curve(captions, BOTH, exp, steps=2).name == "blue", "the explanation's own"
    assert cw.mask_curve(captions, BOTH, exp.saliency, steps=2).name == "the whole caption"
    change = cw.confidence_change(captions, BOTH, exp.saliency, change="remove", fraction=0.5)
    assert change.before == pytest.approx(float(prompted.logits(prompted.pixels(BOTH))[0, 0].exp()))


# -- the model ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["a", "a red", "a red is a", "is there a red square a blue a green"])  # fmt: skip
def test_what_reads_the_text_is_no_layer(words: str) -> None:
    """Of 4 or 9 words an embedding has the shape of a grid of tokens."""

    class Starting(Question):
        examples = (words,)

    module = question_model().module
    model = cw.wrap(module, cw.Preprocess(48), prompt=Starting())
    assert [x.name for x in model.layers] == ["eye.look", "eye"]
    assert model.default_layer == "eye"
    assert not model.has_layer("words") and not model.has_layer("reader")


def test_methods_that_do_not_apply_say_why(answerer: cw.VisionModel) -> None:
    prompted = answerer.given(question="anything red")
    with pytest.raises(MethodError, match="inputs besides the picture"):
        cw.explain(prompted, RED, method="lrp")
    with pytest.raises(MethodError, match="CAM"):
        cw.explain(prompted, RED, method="cam")
    for m in cw.list_methods():
        if m.reason(prompted, prompted.default_layer) is None and not m.slow:
            assert np.isfinite(cw.explain(prompted, RED, method=m.name).saliency).all(), m.name


def test_the_model_stays_as_it_was(captions: cw.VisionModel) -> None:
    module = captions.module
    module.train()
    before = {n: v.clone() for n, v in module.state_dict().items()}
    cw.explain(captions, [RED, BOTH], method=["gradcam", "scorecam"])
    assert module.training and module.eye.training
    assert not has_hooks(module)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert captions.text is None and len(captions.classes) == 6


def test_long_reruns_keep_the_text(captions: cw.VisionModel) -> None:
    prompted = captions.given(caption="a blue")
    pixels = prompted.pixels(BOTH).expand(80, -1, -1, -1)
    rows = torch.cat([z for _, z in rerun(prompted, 80, lambda a, b: prompted.inputs(pixels[a:b]))])
    torch.testing.assert_close(rows, prompted.logits(pixels[:1]).expand(80, -1))


# -- scores ---------------------------------------------------------------------------------


def linear(scores: str, bias: float = 0.0) -> cw.VisionModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )  # fmt: skip
    with torch.no_grad():
        module[-1].bias += bias
    return cw.wrap(module, cw.Preprocess(48), list("abcd"), scores=scores)


@pytest.mark.parametrize(
    ("scores", "bias", "rule"),
    [
        ("softmax", 0.0, lambda z: z.softmax(-1)),
        ("sigmoid", 0.0, torch.sigmoid),
        ("log", -3.0, torch.exp),
    ],
)
def test_scores(scores: str, bias: float, rule: object) -> None:
    model = linear(scores, bias)
    logits = model.logits(model.pixels(RED))
    expected = rule(logits)  # type: ignore[operator]
    torch.testing.assert_close(model.probabilities(logits), expected)
    torch.testing.assert_close(model.log_probabilities(logits), expected.log())
    assert model.predict(RED).probabilities[0] == pytest.approx(float(expected.max()))
    target = resolve_target(model, cw.LogProbability("b"))
    torch.testing.assert_close(target.score(logits), expected[:, 1].log())
    curve = cw.mask_curve(model, RED, np.ones((48, 48)), steps=2)
    assert curve.probabilities[0] == pytest.approx(expected[0].numpy(), rel=1e-5)
    # RISE weights its masks by the class's probability: with everything kept, that of the whole.
    whole = cw.get_method("rise", masks=2, keep=1.0)
    assert cw.explain(model, RED, "b", whole).raw == pytest.approx(float(expected[0, 1]), rel=1e-4)


def test_wrong_scores_are_refused() -> None:
    with pytest.raises(ModelError, match="'softmax', 'sigmoid', 'log'"):
        linear("softmix")
    with pytest.raises(ModelError, match="at most 0"):
        linear("log", bias=5.0)
