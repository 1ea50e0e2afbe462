"""The explorer of models whose classes are references: typed texts, or pictures of the strip; without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_folders
import numpy as np
import pytest
import torch
import torchvision
from explorer_internals import parts_of, view_of
from prompt_models import SIDE, squares
from two_tower_models import Colors, Tokenizer

import camwidget as cw
from camwidget.errors import PictureError, PromptError, StateError, TargetError

pytestmark = pytest.mark.usefixtures("one_thread")

BOTH, RED, GREEN, BLUE = (
    squares(*colors).image for colors in (("red", "blue"), ("red",), ("green",), ("blue",))
)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.fixture
def texts(tokenizer: Tokenizer) -> Iterator[cw.Explorer]:
    model = cw.wrap(Colors().eval(), cw.Preprocess(SIDE), tokenizer=tokenizer)
    explorer = cw.Explorer(model, {"both": BOTH, "red": RED}).wait(30)
    yield explorer
    explorer.close()


@pytest.fixture
def alike() -> Iterator[cw.Explorer]:
    model = cw.wrap(Colors().eval(), cw.Preprocess(SIDE), kind="embedding")
    explorer = cw.Explorer(model, {"both": BOTH, "red": RED, "blue": BLUE}).wait(30)
    yield explorer
    explorer.close()


def say(explorer: cw.Explorer, **content: object) -> None:
    """What a person does in the browser."""
    parts_of(explorer).events.receive(None, {"type": "reference", **content}, None)
    explorer.wait(30)


def listed(explorer: cw.Explorer) -> dict[str, float]:
    return {row["name"]: row["unmasked"] for row in view_of(explorer).rows}


def items(explorer: cw.Explorer) -> list[str]:
    return [item["name"] for item in view_of(explorer).references["items"]]


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(code, names)
    return names


# -- texts ----------------------------------------------------------------------------------


def test_without_a_text_the_picture_stands_alone_with_a_hint(texts: cw.Explorer) -> None:
    view = view_of(texts)
    assert view.scene["id"] and view.explanation == {} and view.rows == []
    assert view.error == "" and not view.busy
    assert view.references == {
        "kind": "texts",
        "hint": "Write what the picture may show: each text is a class.",
        "items": [],
    }
    assert texts.references == () and texts.target is None and texts.explanation is None
    assert not texts.can_undo
    texts.picture = 1
    texts.wait(30)
    assert view.scene["id"] == texts.pictures[1].id and view.error == ""
    with pytest.raises(TargetError):
        texts.target = "red"


def test_each_text_becomes_a_class_and_is_encoded_once(
    texts: cw.Explorer, tokenizer: Tokenizer
) -> None:
    module = parts_of(texts).context.prompt.model.module
    tower = Colors.encode_text
    encoded: list[int] = []

    def counted(self: Colors, text: torch.Tensor) -> torch.Tensor:
        encoded.append(threading.get_ident())
        return tower(self, text)

    Colors.encode_text = counted  # type: ignore[method-assign]
    try:
        say(texts, add="red")
        say(texts, add="  something   blue ")
        say(texts, add="green")
    finally:
        Colors.encode_text = tower  # type: ignore[method-assign]
    assert len(encoded) == 3 and threading.get_ident() not in encoded
    assert texts.references == ("red", "something blue", "green") == texts.model.classes
    assert texts.model.module is module
    # What was added last is explained.
    assert texts.target == "green" and texts.explanation is not None
    expected = texts.model.predict(BOTH, top=3)
    assert listed(texts) == pytest.approx(
        dict(zip(expected.names, expected.probabilities, strict=True)), abs=1e-6
    )
    assert sum(listed(texts).values()) == pytest.approx(1)
    assert view_of(texts).references["hint"] == "" and items(texts) == list(texts.references)


def test_map_curve_and_sentence_follow_the_texts(texts: cw.Explorer) -> None:
    texts.references = ["red", "blue"]
    texts.wait(30)
    red, blue = squares("red", "blue").masks
    assert texts.target == "red" and texts.explanation is not None and texts.curve is not None
    assert texts.explanation.saliency[red].sum() > 0.8 * texts.explanation.saliency.sum()
    texts.fraction = 0.1
    texts.wait(30)
    assert "red" in texts.sentence and texts.curve.name == "red"
    say(texts, remove="red", add="a blue square")
    assert texts.references == ("a blue square", "blue") and texts.target == "a blue square"
    assert texts.explanation.saliency[blue].sum() > 0.8 * texts.explanation.saliency.sum()
    assert texts.curve.name == "a blue square" and "a blue square" in texts.sentence
    # A class that goes takes its map with it, and another's stays.
    texts.target = "blue"
    say(texts, remove="a blue square")
    assert texts.target == "blue" and list(listed(texts)) == ["blue"]
    say(texts, remove="blue")
    assert (texts.references, texts.target, texts.explanation) == ((), None, None)
    assert view_of(texts).explanation == {} and view_of(texts).rows == [] and texts.curve is None


def test_what_cannot_be_a_text_is_said_and_nothing_changes(texts: cw.Explorer) -> None:
    texts.references = ["red", "blue"]
    texts.wait(30)
    before = texts.explanation
    for added, message in (
        ("red", "“red” is a class already."),
        ("  ", "no text to add"),
        (7, "no text to add"),
    ):
        say(texts, add=added)
        assert message in view_of(texts).text_error
        assert texts.references == ("red", "blue") and texts.explanation is before
    say(texts, add="green")
    assert view_of(texts).text_error == ""
    for wrong, message in (
        (["red", "red"], "given twice"),
        ([""], "empty"),
        ("red", "a list of texts"),
        ([1], "is a string"),
    ):
        with pytest.raises(PromptError, match=message):
            texts.references = wrong
    with pytest.raises(PromptError, match="takes no text"):
        texts.text = "red"
    assert texts.references == ("red", "blue", "green")


def test_a_text_that_cannot_be_encoded_leaves_what_was_there(texts: cw.Explorer) -> None:
    def failing(self: Colors, text: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such token")

    tower = Colors.encode_text
    Colors.encode_text = failing  # type: ignore[method-assign]
    try:
        say(texts, add="red")
        assert "cannot be encoded" in view_of(texts).error and texts.references == ()
        Colors.encode_text = tower  # type: ignore[method-assign]
        say(texts, add="blue")
        assert view_of(texts).error == "" and texts.target == "blue"
        Colors.encode_text = failing  # type: ignore[method-assign]
        say(texts, add="red")
    finally:
        Colors.encode_text = tower  # type: ignore[method-assign]
    assert "cannot be encoded" in view_of(texts).error
    assert texts.references == ("blue",) and texts.target == "blue" and items(texts) == ["blue"]


def test_undo_state_and_code_have_the_texts(texts: cw.Explorer) -> None:
    say(texts, add="red")
    say(texts, add="blue")
    texts.undo()
    texts.wait(30)
    assert (texts.references, texts.target) == (("red",), "red") and items(texts) == ["red"]
    texts.undo()
    texts.wait(30)
    assert texts.references == () and view_of(texts).explanation == {} and not texts.can_undo
    texts.redo()
    texts.redo()
    texts.wait(30)
    assert (texts.references, texts.target) == (("red", "blue"), "blue")
    state = texts.state
    assert state["references"] == ["red", "blue"] and state["text"] == ""
    texts.state = {"references": ["green", "blue"]}
    texts.wait(30)
    assert texts.target == "blue" and texts.model.classes == ("green", "blue")
    texts.state = state
    texts.wait(30)
    assert texts.state == state
    with pytest.raises(StateError, match="references.*given twice"):
        texts.state = {"references": ["red", "red"]}
    code = texts.code
    assert "references=['red', 'blue']" in code.replace('"', "'")
    made = run(
        code.split("# The same without the widget:")[1],
        cw=cw,
        model=parts_of(texts).context.prompt.model,
        images={"both": BOTH},
    )
    np.testing.assert_allclose(made["exp"].saliency, texts.explanation.saliency, atol=1e-6)


def test_texts_that_the_model_was_given_are_there_at_once(tokenizer: Tokenizer) -> None:
    model = cw.wrap(Colors().eval(), cw.Preprocess(SIDE), tokenizer=tokenizer).given(
        texts={"warm": "red", "cold": "blue"}
    )
    explorer = cw.Explorer(model, [BOTH], target="cold").wait(30)
    assert explorer.references == ("warm", "cold") and explorer.target == "cold"
    say(explorer, add="green")
    assert explorer.model.references == {"warm": "red", "cold": "blue", "green": "green"}
    say(explorer, remove="green")
    say(explorer, remove="cold")
    assert "texts={'warm': 'red'}" in explorer.code.replace('"', "'")
    explorer.close()


def test_a_page_has_the_texts(texts: cw.Explorer, tmp_path: Any) -> None:
    texts.references = ["red", "<b>blue</b>"]
    texts.wait(30)
    page = texts.save(tmp_path / "page", methods=["gradcam"]).read_text()
    assert '"red"' in page and "<b>blue" not in page


@pytest.mark.full
def test_a_text_may_be_too_long_for_clip(tmp_path: Path) -> None:
    model = cw.load(f"hf/{hub_folders.saved('clip', tmp_path)}", device="cpu")
    explorer = cw.Explorer(model, [BOTH], references=["a cat", "a dog"]).wait(60)
    assert explorer.model.classes == ("a cat", "a dog") and not explorer.explanation.is_empty
    say(explorer, add="a photo of the cat " * 5)
    assert "27 tokens, and the model takes at most 10. Shorten it." in view_of(explorer).text_error
    assert explorer.references == ("a cat", "a dog")
    explorer.close()


# -- pictures -------------------------------------------------------------------------------


def test_pictures_of_the_strip_are_classes(alike: cw.Explorer) -> None:
    view = view_of(alike)
    assert "compare with" in view.references["hint"] and alike.explanation is None
    say(alike, add=1)
    assert alike.references == (1,) and alike.target == "red" and list(listed(alike)) == ["red"]
    say(alike, add=2)
    assert alike.references == (1, 2) and alike.target == "blue"
    rows = alike.model.embedding(alike.model.pixels([BOTH, RED, BLUE]))
    expected = {"red": float(rows[0] @ rows[1]), "blue": float(rows[0] @ rows[2])}
    assert listed(alike) == pytest.approx(expected, abs=1e-6)
    blue = squares("red", "blue").masks[1]
    assert alike.explanation.saliency[blue].sum() > 0.8 * alike.explanation.saliency.sum()
    first = view.references["items"][0]
    assert first["picture"] == 1 and len(first["tile"]) == 72 * 72 * 3
    say(alike, remove="blue")
    assert alike.target == "red"


def test_a_picture_that_is_the_only_reference_waits_for_another(alike: cw.Explorer) -> None:
    say(alike, add=0)
    assert "only reference" in view_of(alike).references["hint"] and alike.explanation is None
    assert view_of(alike).error == "" and alike.references == (0,)
    alike.picture = 1
    alike.wait(30)
    assert alike.target == "both" and view_of(alike).references["hint"] == ""
    say(alike, add=2)
    # The picture shown becomes a reference for the others, and what is explained stays.
    say(alike, add=1)
    assert alike.references == (0, 2, 1) and view_of(alike).error == "" and alike.target == "blue"
    say(alike, remove="red")
    alike.picture = 2
    alike.wait(30)
    assert alike.target == "both"
    alike.target = "blue"
    alike.wait(30)
    assert "the picture is 'blue' itself" in view_of(alike).error and alike.target == "both"


def test_what_cannot_be_a_reference_is_said(alike: cw.Explorer) -> None:
    say(alike, add=1)
    for wrong in (7, -1, "nobody", True, 1.5):
        say(alike, add=wrong)
        assert view_of(alike).text_error != "" and alike.references == (1,)
    with pytest.raises(PictureError, match="twice"):
        alike.references = [1, 1]
    with pytest.raises(PromptError, match="numbers of pictures"):
        alike.references = 1


def test_undo_state_and_code_have_the_pictures(alike: cw.Explorer) -> None:
    say(alike, add=1)
    say(alike, add=2)
    alike.undo()
    alike.wait(30)
    assert alike.references == (1,) and alike.target == "red"
    alike.redo()
    alike.wait(30)
    assert alike.state["references"] == [1, 2] and alike.target == "blue"
    code = alike.code
    assert "references=[1, 2]" in code
    made = run(
        code.split("# The same without the widget:")[1],
        cw=cw,
        model=parts_of(alike).context.prompt.model,
        images={"both": BOTH, "red": RED, "blue": BLUE},
    )
    np.testing.assert_allclose(made["exp"].saliency, alike.explanation.saliency, atol=1e-6)


def test_compare_links_a_picture_and_its_reference(alike: cw.Explorer) -> None:
    say(alike, add=2)
    alike.compare = {"picture": "reference"}
    alike.wait(30)
    other = alike.other
    assert other is not None and other.target.label == "both"
    # A cosine is the same from both sides.
    (number,) = other.prediction.probabilities
    assert number == pytest.approx(listed(alike)["blue"], abs=1e-6)
    expected = cw.explain(parts_of(alike).context.prompt.model.given(pictures={"both": BOTH}), BLUE)
    np.testing.assert_allclose(other.saliency, expected.saliency, atol=1e-6)
    assert view_of(alike).compared_explanation["label"]["picture"] == "blue"
    say(alike, add=1)
    assert alike.other.target.label == "both" and (alike.other.pixels != other.pixels).any()
    assert alike.state["compare"] == {"picture": "reference"}
    for wrong in ({"picture": "reference", "target": "red"}, {"picture": "nonsense"}):
        with pytest.raises(PictureError):
            alike.compare = wrong


def test_only_an_embedding_has_a_reference_to_compare_with(texts: cw.Explorer) -> None:
    with pytest.raises(PictureError, match="compares pictures with pictures"):
        texts.compare = {"picture": "reference"}


def test_a_model_with_classes_takes_no_references(textures: cw.VisionModel) -> None:
    explorer = cw.Explorer(textures).wait(60)
    with pytest.raises(PromptError, match="classes of its own"):
        explorer.references = ["a cat"]
    explorer.references = []
    say(explorer, add="a cat")
    assert explorer.state["references"] == [] and view_of(explorer).references == {}
    explorer.close()


@pytest.mark.full
def test_a_trunk_of_torchvision_with_two_pictures_of_one_name() -> None:
    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None, num_classes=16).eval()
    model = cw.wrap(net, cw.Preprocess(64), kind="embedding").given(pictures={"red": RED})
    explorer = cw.Explorer(model, {"both": BOTH, "red": GREEN}).wait(60)
    assert explorer.references == ("red",)
    say(explorer, add=1)
    assert explorer.references == ("red", 1) and explorer.target == "red #1"
    say(explorer, remove="red")
    assert explorer.references == (1,) and explorer.target == "red #1"
    explorer.close()
