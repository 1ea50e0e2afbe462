"""The explorer of models that take a text, and of pictures whose truth is known; without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from explorer_internals import panels_of, parts_of, view_of, worker_of
from prompt_models import Caption, caption_model, question_model, squares

import camwidget as cw
from camwidget.errors import PromptError, TargetError
from camwidget.images.ground_truth import share_inside

pytestmark = pytest.mark.usefixtures("one_thread")


def pictures() -> list:
    return [squares("red", "blue"), squares("green")]


@pytest.fixture
def asked() -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(question_model(), pictures()).wait(30)
    yield explorer
    explorer.close()


@pytest.fixture
def captioned() -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(caption_model(), pictures()).wait(30)
    yield explorer
    explorer.close()


def say(explorer: cw.Explorer, **content: object) -> None:
    parts_of(explorer).events.receive(None, content, None)
    explorer.wait(30)


def chips(explorer: cw.Explorer) -> list[tuple[str, int]]:
    return [(w["text"], w["target"]) for w in view_of(explorer).prompt["words"]]


# -- questions ------------------------------------------------------------------------------


def test_a_question_model_starts_with_an_example(asked: cw.Explorer) -> None:
    assert asked.text == "is there a red square" and asked.target == "yes"
    assert asked.model.text == asked.text
    prompt = view_of(asked).prompt
    assert (prompt["name"], prompt["text"]) == ("question", asked.text)
    assert prompt["examples"] == ["is there a red square", "anything blue"]
    assert not prompt["proposes"] and prompt["captions"] == []
    assert {target for _, target in chips(asked)} == {-1}
    assert view_of(asked).class_names == ["yes", "no"]


def test_another_question_another_answer_and_it_stays(asked: cw.Explorer) -> None:
    asked.text = "anything  green"
    asked.wait(30)
    assert (asked.text, asked.target) == ("anything green", "no")
    assert asked.explanation.text == "anything green" == view_of(asked).prompt["text"]
    assert view_of(asked).rows[0]["name"] == "no"
    asked.picture = 1
    asked.wait(30)
    assert (asked.text, asked.target) == ("anything green", "yes")
    asked.text = "anything red"
    asked.picture = 0
    asked.wait(30)
    assert (asked.text, asked.target) == ("anything red", "yes")


def test_what_cannot_be_read_is_said_and_nothing_changes(asked: cw.Explorer) -> None:
    before = asked.explanation
    for text, message in (("is there a zebra", "'zebra'"), ("  ", "empty")):
        with pytest.raises(PromptError, match=message):
            asked.text = text
        say(asked, type="text", text=text)
        assert message in view_of(asked).text_error
        assert asked.explanation is before and asked.text == "is there a red square"
        assert view_of(asked).prompt["text"] == asked.text
    say(asked, type="text", text="Anything blue?")
    assert asked.text == "Anything blue?" and view_of(asked).text_error == ""
    say(asked, type="propose")
    assert "cannot propose one" in view_of(asked).text_error


def test_a_model_without_a_prompt_takes_no_text() -> None:
    model = cw.wrap(
        caption_model().module.eye, cw.Preprocess(48), output=lambda maps: maps.mean((2, 3))
    )
    explorer = cw.Explorer(model, pictures()).wait(30)
    assert view_of(explorer).prompt == {} and explorer.text == ""
    with pytest.raises(PromptError, match="takes no text"):
        explorer.text = "a red"
    with pytest.raises(PromptError, match="takes no text"):
        explorer.propose()
    explorer.close()


# -- captions -------------------------------------------------------------------------------


def test_a_captioner_has_its_own_caption_for_each_picture(captioned: cw.Explorer) -> None:
    assert captioned.text == "a red and a blue" and captioned.target == "the whole caption"
    assert chips(captioned) == [("a", 1), ("red", 2), ("and", -1), ("a", 4), ("blue", 5)]
    assert view_of(captioned).prompt["captions"] == [{"text": "the whole caption", "target": 0}]
    assert view_of(captioned).prompt["own"] and view_of(captioned).prompt["proposes"]
    assert len(view_of(captioned).class_names) == 6
    captioned.picture = 1
    captioned.wait(30)
    assert captioned.text == "a green" and captioned.target == "the whole caption"
    assert view_of(captioned).class_names == ["the whole caption", "a", "green"]
    assert len(view_of(captioned).rows) == 3
    assert captioned.curve.probabilities.shape == (21, 3)


def test_a_word_is_a_target(captioned: cw.Explorer) -> None:
    view_of(captioned).target = 5
    captioned.wait(30)
    assert captioned.target == "blue" and captioned.explanation.target.label == "blue"
    captioned.target = "red"
    captioned.wait(30)
    assert view_of(captioned).target == 2


def test_a_caption_that_was_written_belongs_to_its_picture(captioned: cw.Explorer) -> None:
    captioned.text = "a blue"
    captioned.target = "blue"  # at once, among the classes under the new text
    captioned.wait(30)
    assert (captioned.text, captioned.target) == ("a blue", "blue")
    assert not view_of(captioned).prompt["own"]
    captioned.picture = 1
    assert captioned.text == ""  # nobody knows it yet
    captioned.wait(30)
    assert captioned.text == "a green"
    captioned.picture = 0
    captioned.wait(30)
    assert captioned.text == "a blue"
    say(captioned, type="propose")
    assert captioned.text == "a red and a blue" and view_of(captioned).prompt["own"]


def test_text_and_target_from_the_start() -> None:
    given = cw.Explorer(caption_model(), pictures(), text="a  green", target="green").wait(30)
    assert (given.text, given.target) == ("a green", "green")
    given.close()
    own = cw.Explorer(caption_model(), pictures(), target="blue").wait(30)
    assert (own.text, own.target) == ("a red and a blue", "blue")
    own.close()
    with pytest.raises(TargetError, match="green"):
        cw.Explorer(caption_model(), pictures(), target="green")
    with pytest.raises(PromptError, match="zebra"):
        cw.Explorer(caption_model(), pictures(), text="zebra")


def test_a_slow_map_under_a_text_comes_back_when_canceled(captioned: cw.Explorer) -> None:
    captioned.method = "gradcam++"
    captioned.target = "red"
    captioned.wait(30)
    before = captioned.explanation
    captioned.set_trait("method", "rise")
    captioned.text = "a blue"
    captioned.cancel()
    captioned.wait(30)
    assert captioned.explanation is before
    assert (captioned.text, captioned.target, captioned.method) == (
        "a red and a blue",
        "red",
        "gradcam++",
    )
    assert view_of(captioned).prompt["text"] == captioned.text
    assert view_of(captioned).class_names == list(captioned.model.classes)


def test_answers_of_an_old_text_are_never_shown(captioned: cw.Explorer) -> None:
    """Texts, pictures and masks set faster than they are answered: whatever is shown fits together."""
    wrong: list[str] = []
    seen = threading.Event()

    def check(change: dict) -> None:
        exp = change["new"]
        view = view_of(captioned)
        names = [r["name"] for r in view.rows]
        fits = (
            view.prompt["text"] == exp.text
            and names[0] in view.class_names
            and view.class_names[view.target] == exp.target.label
        )
        if not fits:
            wrong.append(f"{exp.text}: {view.prompt['text']}, {names}")
        seen.set()

    captioned.observe(check, "explanation")
    for number in range(30):
        captioned.text = ("a blue", "a red and a blue", "blue and red")[number % 3]
        captioned.fraction = (number % 10) / 10
        if number % 4 == 0:
            captioned.picture = 1 - captioned.picture
        if number % 5 == 0 and view_of(captioned).rows:
            parts_of(captioned).events.pick_row(0)
    captioned.wait(60)
    assert seen.is_set() and not wrong
    assert captioned.text == view_of(captioned).prompt["text"] == captioned.explanation.text
    assert view_of(captioned).error == ""


def test_a_click_in_a_list_of_another_text_is_no_choice(captioned: cw.Explorer) -> None:
    started, go = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        go.wait(10)

    worker_of(captioned).submit("map", block)
    started.wait(10)
    captioned.text = "a blue"
    view_of(captioned).target = 5  # "blue" in the caption that is still on the screen
    go.set()
    captioned.wait(30)
    assert (captioned.text, captioned.target) == ("a blue", "the whole caption")
    assert view_of(captioned).target == 0 and view_of(captioned).error == ""


def test_a_proposal_that_fails_is_said() -> None:
    class Broken(Caption):
        def propose(self, model: cw.VisionModel, pixels: object) -> str:
            raise PromptError("No caption for this picture: write one.")

    model = cw.wrap(caption_model().module, cw.Preprocess(48), prompt=Broken(), scores="log")
    explorer = cw.Explorer(model, pictures()).wait(30)
    assert "No caption" in view_of(explorer).error and explorer.explanation is None
    explorer.text = "a red"
    explorer.wait(30)
    assert explorer.explanation.text == "a red" and view_of(explorer).error == ""
    explorer.close()


def test_the_panel_below_follows_the_text(captioned: cw.Explorer) -> None:
    panels_of(captioned).box.selected_index = 0
    first = panels_of(captioned).deepvis
    captioned.text = "a blue"
    captioned.wait(30)
    assert panels_of(captioned).deepvis is not first
    assert panels_of(captioned).deepvis.model.classes == ("the whole caption", "a", "blue")


# -- truth ----------------------------------------------------------------------------------


def test_outlines_and_what_lies_in_them() -> None:
    model = cw.wrap(
        caption_model().module.eye,
        cw.Preprocess(48),
        ["red", "green", "blue"],
        scores="sigmoid",
        output=lambda out: out.mean((2, 3)),
    )
    sample = squares("red", "blue")
    explorer = cw.Explorer(model, [sample, sample.image], target="blue").wait(30)
    view = view_of(explorer)
    assert view.has_ground_truth and not view.outlines
    assert view.ground_truth["objects"] == ["M4 4L20 4L20 20L4 20Z", "M16 28L32 28L32 44L16 44Z"]
    assert view.ground_truth["evidence"] == view.ground_truth["objects"][1]
    share = share_inside(explorer.explanation.saliency, sample.masks[1])
    assert f"In the object: {100 * share:.0f}\u00a0% of saliency" in view.ground_truth["summary"]
    assert share > 0.5
    explorer.target = "green"
    explorer.wait(30)
    assert (
        view.ground_truth["summary"] == "No green in this picture."
        and view.ground_truth["evidence"] == ""
    )
    explorer.outlines = True
    assert view.outlines
    explorer.picture = 1
    explorer.wait(30)
    assert view.ground_truth == {} and view.has_ground_truth and explorer.outlines
    view.outlines = False
    assert not explorer.outlines
    explorer.close()


def test_truth_that_does_not_know_a_class_says_nothing(captioned: cw.Explorer) -> None:
    truth = view_of(captioned).ground_truth
    assert len(truth["objects"]) == 2 and truth["summary"] == "" and truth["evidence"] == ""
    captioned.target = "red"
    captioned.wait(30)
    assert view_of(captioned).ground_truth["summary"].startswith("In the object: ")
