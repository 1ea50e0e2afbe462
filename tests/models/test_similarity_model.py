"""Models whose classes are references: typed texts of a two-tower model, pictures of an embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hub_folders
import numpy as np
import pytest
import torch
from explorer_internals import view_of
from module_fingerprint import fingerprint
from PIL import Image
from prompt_models import SIDE, Eye, squares
from torch import nn
from torch.nn import functional as nnF
from two_tower_models import Colors, Tokenizer

import camwidget as cw
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace
from camwidget.errors import ModelError, PictureError, PromptError, TargetError
from camwidget.models.similarity_model import SimilarityModel

pytestmark = pytest.mark.usefixtures("one_thread")

RED, GREEN, BLUE = (squares(color).image for color in ("red", "green", "blue"))
BOTH = squares("red", "blue").image


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.fixture
def colors(tokenizer: Tokenizer) -> cw.VisionModel:
    return cw.wrap(Colors().eval(), cw.Preprocess(SIDE), tokenizer=tokenizer)


@pytest.fixture
def alike() -> cw.VisionModel:
    return cw.wrap(Colors().eval(), cw.Preprocess(SIDE), kind="embedding")


# -- texts ----------------------------------------------------------------------------------


def test_each_text_is_a_class(colors: cw.VisionModel) -> None:
    model = colors.given(texts=["a red  square", "something blue"])
    assert model.classes == ("a red square", "something blue")
    assert model.scores == "softmax"
    pixels = model.pixels(RED)
    expected = Colors()(model.inputs(pixels), torch.tensor([[0], [2]]))
    torch.testing.assert_close(model.logits(pixels), expected.detach())
    assert model.predict(RED).names[0] == "a red square"
    assert model.predict(BLUE).names[0] == "something blue"
    assert [layer.name.partition(".")[0] for layer in model.layers] == ["visual"] * len(
        model.layers
    )


@pytest.mark.parametrize(
    "method", ["gradcam", "gradcam++", "layercam", "hirescam", "scorecam", "ablationcam"]
)
def test_a_map_is_of_the_text(colors: cw.VisionModel, method: str) -> None:
    """Of a red and a blue square, each text's evidence is in its own."""
    model = colors.given(texts=["red", "blue"])
    sample = squares("red", "blue")
    for text, mask in zip(("red", "blue"), sample.masks, strict=True):
        saliency = cw.explain(model, sample.image, text, method).saliency
        assert mask[np.unravel_index(saliency.argmax(), saliency.shape)]
        assert saliency[mask].sum() > 0.8 * saliency.sum()


def test_contrasts_counterfactuals_and_curves(colors: cw.VisionModel) -> None:
    model = colors.given(texts=["red", "blue"])
    exp = cw.explain(model, BOTH, cw.Contrast("red", "blue"))
    red = squares("red", "blue").masks[0]
    assert exp.saliency[red].sum() > 0.8 * exp.saliency.sum()
    masked = cw.mask_picture(model, BOTH, by=cw.explain(model, BOTH, "red"), fraction=0.2)
    assert model.predict(masked).names[0] == "blue"


def test_texts_are_encoded_once(colors: cw.VisionModel, tokenizer: Tokenizer) -> None:
    first = colors.given(texts=["red", "blue"])
    assert tokenizer.texts == ["red", "blue"]
    more = first.given(texts=[*first.classes, "green"])
    fewer = more.given(texts=["green"])
    assert tokenizer.texts == ["red", "blue", "green"]
    assert (more.classes, fewer.classes) == (("red", "blue", "green"), ("green",))
    assert first.module is more.module is fewer.module is colors.module
    # What was made before is as it was.
    assert first.classes == ("red", "blue") and colors.classes == ()
    pixels = colors.pixels(BOTH)
    torch.testing.assert_close(more.logits(pixels)[:, 2:], fewer.logits(pixels), rtol=0, atol=0)


def test_an_embedding_does_not_depend_on_the_other_texts(colors: cw.VisionModel) -> None:
    pixels = colors.pixels(BOTH)
    one, two = colors.given(texts=["red"]), colors.given(texts=["blue", "red", "green"])
    assert torch.equal(one.logits(pixels)[0, 0], two.logits(pixels)[0, 1])


def test_names_for_texts(colors: cw.VisionModel) -> None:
    model = colors.given(texts={"R": "a red square", "B": "blue"})
    assert model.classes == ("R", "B")
    assert model.predict(RED).names[0] == "R"


def test_only_the_picture_tower_runs_and_is_shared(colors: cw.VisionModel) -> None:
    assert not any("embedding" in name for name, _ in colors.module.named_modules())
    module = Colors().eval()
    module.requires_grad_(True)
    before = fingerprint(module)
    model = cw.wrap(module, cw.Preprocess(SIDE), tokenizer=Tokenizer()).given(texts=["red", "blue"])
    cw.explain(model, BOTH, ["red", "blue"], ["gradcam", "saliency", "scorecam"])
    assert fingerprint(module) == before
    with torch.no_grad():  # the tower is the module's own
        module.visual[0].look.weight.neg_()
    assert model.predict(RED).names[0] == "blue"


def test_a_bias_judges_each_text_for_itself() -> None:
    module = Colors().eval()
    module.logit_bias = nn.Parameter(torch.tensor(-3.0))
    model = cw.wrap(module, cw.Preprocess(SIDE), tokenizer=Tokenizer()).given(
        texts=["red", "red red", "blue"]
    )
    assert model.scores == "sigmoid"
    logits = model.logits(model.pixels(RED))[0]
    assert logits[0] == pytest.approx(np.exp(2) - 3, abs=0.1)
    assert model.predict(RED).probabilities[0] == pytest.approx(model.predict(RED).probabilities[1])


def test_without_texts_there_are_no_classes(colors: cw.VisionModel) -> None:
    assert colors.classes == ()
    for call in (
        lambda: cw.explain(colors, RED),
        lambda: cw.evaluate(colors, [RED]),
    ):
        with pytest.raises(
            cw.CamwidgetError, match=r"has none yet: model.given\(texts=\['a cat', 'a dog'\]\)"
        ):
            call()
    # A callable needs no classes, and gets the embedding, also where there are as many texts as numbers in it.
    for model in (colors, colors.given(texts=["blue", "red", "green"])):
        assert not cw.explain(model, RED, lambda output: output[:, 0]).is_empty
        assert cw.explain(model, RED, lambda output: output[:, 2]).is_empty


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("red", "list of texts"),
        (3, "list of texts"),
        ([], "no text"),
        (["red", " "], "empty"),
        (["red", "blue", "red "], "'red' is given twice"),
        (["red", 3], "string"),
    ],
)
def test_texts_that_are_refused(colors: cw.VisionModel, texts: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        colors.given(texts=texts)


def test_other_inputs_are_refused(colors: cw.VisionModel, alike: cw.VisionModel) -> None:
    with pytest.raises(ModelError, match="takes no input 'pictures'.*'texts'"):
        colors.given(pictures=[RED])
    with pytest.raises(ModelError, match="takes no input 'texts'.*'pictures'"):
        alike.given(texts=["red"])
    with pytest.raises(ModelError, match="takes no input 'texts'"):
        cw.load().given(texts=["red"])


def test_a_tokenizer_that_fails_is_named() -> None:
    model = cw.wrap(
        Colors().eval(), cw.Preprocess(SIDE), tokenizer=lambda text: torch.tensor([[99]])
    )
    with pytest.raises(PromptError, match="'red' cannot be encoded.*token numbers"):
        model.given(texts=["red"])


# -- likeness -------------------------------------------------------------------------------


def test_a_reference_is_a_class_with_its_cosine(alike: cw.VisionModel, tmp_path: Path) -> None:
    Image.fromarray(GREEN).save(tmp_path / "meadow.png")
    model = alike.given(pictures=[RED, tmp_path / "meadow.png", BLUE])
    assert model.classes == ("picture 0", "meadow", "picture 2")
    assert model.scores == "value"
    module = Colors()
    with torch.no_grad():
        rows = [
            module.encode_image(model.inputs(model.pixels(p))) for p in (RED, GREEN, BLUE, BOTH)
        ]
    expected = [float(nnF.cosine_similarity(rows[3], row)) for row in rows[:3]]
    np.testing.assert_allclose(model.predict(BOTH, top=3).probabilities, expected, atol=1e-5)
    assert model.given(pictures=[BOTH]).predict(BOTH).probabilities[0] == pytest.approx(1)


@pytest.mark.parametrize("method", ["gradcam", "layercam", "occlusion"])
def test_a_map_shows_what_makes_two_pictures_alike(alike: cw.VisionModel, method: str) -> None:
    model = alike.given(pictures={"red": RED, "blue": BLUE})
    sample = squares("red", "blue")
    for name, mask in zip(("red", "blue"), sample.masks, strict=True):
        saliency = cw.explain(model, sample.image, name, method).saliency
        assert mask[np.unravel_index(saliency.argmax(), saliency.shape)]


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        ([], PictureError, "no picture"),
        ({" ": RED}, PictureError, "empty name"),
        (["none.png"], PictureError, "none.png"),
    ],
)
def test_pictures_that_are_refused(
    alike: cw.VisionModel, pictures: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        alike.given(pictures=pictures)


class Features(nn.Module):
    def __init__(self, returned: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        self.eye = Eye()
        self.returned = returned

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.eye(x)
        return self.returned(maps, maps.mean((2, 3)))


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        (lambda maps, row: row, None),
        (lambda maps, row: row[:, :, None, None], None),
        (lambda maps, row: {"pooler_output": row, "last_hidden_state": maps}, None),
        (lambda maps, row: {"pooler_output": row + 1, "image_embeds": row}, None),
        (lambda maps, row: (maps, row), None),
        (lambda maps, row: {"one": row, "two": 1 - row}, "one"),
        (lambda maps, row: maps, lambda maps: maps.mean((2, 3))),
    ],
)
def test_where_the_embedding_is(returned: Any, output: Any) -> None:
    model = cw.wrap(Features(returned).eval(), cw.Preprocess(SIDE), kind="embedding", output=output)
    found = model.given(pictures=[RED, BLUE]).predict(BOTH).probabilities
    expected = cw.wrap(Colors().eval(), cw.Preprocess(SIDE), kind="embedding").given(
        pictures=[RED, BLUE]
    )
    np.testing.assert_allclose(found, expected.predict(BOTH).probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            lambda maps, row: {"one": row, "two": 1 - row},
            r"several that could be one \(one, two\).*output=",
        ),
        (lambda maps, row: {"last_hidden_state": maps}, "there is none in it.*output="),
    ],
)
def test_an_embedding_that_is_not_found_is_asked_about(returned: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        cw.wrap(Features(returned).eval(), cw.Preprocess(SIDE), kind="embedding")


# -- wrap -----------------------------------------------------------------------------------


def test_what_wrap_refuses() -> None:
    with pytest.raises(ModelError, match="tokenizer is not known.*AutoProcessor"):
        cw.wrap(Colors(), cw.Preprocess(SIDE))
    with pytest.raises(ModelError, match="kind='texts', where classes= has no meaning.*texts="):
        cw.wrap(Colors(), cw.Preprocess(SIDE), ["red"], tokenizer=Tokenizer())
    with pytest.raises(
        ModelError, match="kind='embedding', where scores= has no meaning.*pictures="
    ):
        cw.wrap(Colors(), cw.Preprocess(SIDE), kind="embedding", scores="sigmoid")
    with pytest.raises(ModelError, match="There is no kind='masks'"):
        cw.wrap(Colors(), cw.Preprocess(SIDE), kind="masks")
    with pytest.raises(ModelError, match="does not compare pictures with texts"):
        cw.wrap(Eye(), cw.Preprocess(SIDE), kind="texts")


def test_a_processor_has_the_tokenizer() -> None:
    transformers = pytest.importorskip("transformers")
    module = hub_folders.made("clip")
    processor = transformers.CLIPProcessor(hub_folders.processor("clip"), hub_folders.tokenizer())
    model = cw.wrap(module, processor).given(texts=["a photo of a cat", "two dog"])
    inputs = processor(
        text=list(model.classes), images=Image.fromarray(BOTH), return_tensors="pt", padding=True
    )
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        expected = module(**inputs).logits_per_image
    torch.testing.assert_close(model.logits(model.pixels(BOTH)), expected, rtol=1e-4, atol=1e-4)
    assert model.default_layer == "vision_model.encoder.layers.2.layer_norm1"
    assert model.module.vision_model is module.vision_model
    with pytest.raises(PromptError, match="has 12 tokens, and the model takes at most 10"):
        model.given(texts=["a " * 10])


# -- measured, saved, evaluated -------------------------------------------------------------


def test_it_is_measured_and_saved_as_any_classifier(colors: cw.VisionModel, tmp_path: Path) -> None:
    model = colors.given(texts=["red", "blue"])
    exp = cw.explain(model, BOTH, "red")
    assert cw.measure(model, BOTH, exp, ["deletion"])["deletion"].value < 0.2
    cw.save_page(model, BOTH, tmp_path / "page.html", target=["red", "blue"])
    assert (tmp_path / "page.html").stat().st_size > 10_000
    pairs = [(RED, "red"), (BLUE, "blue")]
    rows = cw.evaluate(model, pairs, methods=["gradcam"], metrics=["deletion"]).rows
    assert list(rows["target_name"]) == list(rows["prediction_name"]) == ["red", "blue"]


def test_it_travels_to_another_process(colors: cw.VisionModel) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    model = colors.given(texts=["red", "blue"])
    other = cloudpickle.loads(cloudpickle.dumps(model))
    pixels = model.pixels(BOTH)
    assert torch.equal(other.logits(pixels), model.logits(pixels))
    assert other.given(texts=["green"]).classes == ("green",)


# -- the explorer ---------------------------------------------------------------------------


@pytest.fixture
def explorer(colors: cw.VisionModel) -> Iterator[cw.Explorer]:
    ex = cw.Explorer(colors.given(texts=["red", "blue"]), [BOTH, RED])
    ex.wait(30)
    yield ex
    ex.close()


def test_an_explorer_shows_texts_as_classes(explorer: cw.Explorer) -> None:
    assert explorer.model.classes == ("red", "blue")
    for text in ("red", "blue"):
        explorer.target = text
        explorer.wait(30)
        assert explorer.explanation is not None and explorer.explanation.target.label == text
        assert not explorer.explanation.is_empty
    explorer.fraction = 0.3
    explorer.wait(30)
    assert view_of(explorer).masked


def test_an_explorers_code_gives_the_texts(explorer: cw.Explorer) -> None:
    assert 'model = model.given(texts=["red", "blue"])' in explorer.code


def test_an_explorers_code_loads_the_model_again(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = hub_folders.saved("clip", tmp_path)
    loaded = cw.load(f"hf/{folder}", pretrained=False, device="cpu")
    ex = cw.Explorer(loaded.given(texts={"cat": "a photo of a cat", "dog": "two dog"}), [BOTH])
    ex.wait(30)
    lines = ex.code.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("model = "))
    stop = next(n for n, line in enumerate(lines) if "image" in line)
    found: dict[str, Any] = {"cw": cw}
    exec("\n".join(lines[start:stop]), found)
    assert found["model"].classes == ("cat", "dog")
    assert found["model"].origin == ex.model.origin
    ex.close()


def test_an_explorer_shows_cosines(alike: cw.VisionModel) -> None:
    ex = cw.Explorer(alike.given(pictures={"red": RED, "blue": BLUE}), [BOTH])
    ex.wait(30)
    assert ex.explanation is not None and ex.explanation.target.label == "red"
    assert "given(pictures=...)  # pictures in memory: red, blue" in ex.code
    ex.close()


def test_an_evaluation_knows_the_references(alike: cw.VisionModel) -> None:
    """By them, a results file of other references is not resumed."""
    one, other = (alike.given(pictures={"it": p}) for p in (RED, BLUE))
    assert one.classes == other.classes
    assert one.output_path != other.output_path
    assert one.output_path == alike.given(pictures={"it": Image.fromarray(RED)}).output_path


def test_a_picture_that_is_its_own_reference_has_no_map_of_gradients(
    alike: cw.VisionModel,
) -> None:
    """A cosine of 1 is a maximum: its gradient is rounding, which a map would scale up to 1."""
    model = alike.given(pictures={"one": BOTH, "two": RED})
    for method in ("gradcam", "layercam", "saliency", "guided-backprop"):
        for target in ("one", cw.Counterfactual("one")):
            with pytest.raises(TargetError, match="the picture is 'one' itself"):
                cw.explain(model, BOTH, target, method)
        assert not cw.explain(model, BOTH, "two", method).is_empty
    trace = Trace(model, model.pixels(BOTH), [])
    slopes = [trace.has_slope(resolve_target(model, name)) for name in ("one", "two")]
    assert slopes == [False, True]
    assert not cw.explain(model, BOTH, cw.Contrast("two", "one")).is_empty
    assert not cw.explain(model, BOTH, "one", "occlusion").is_empty
    # Unless another one is requested, the first that it is not itself is explained.
    assert cw.explain(model, BOTH).target.label == "two"
    assert cw.explain(model, BLUE).target.label == "one"


def test_references_are_checked_without_running_the_module(
    colors: cw.VisionModel, tokenizer: Tokenizer
) -> None:
    assert isinstance(colors, SimilarityModel)
    assert colors.check_references(["a  red square", "blue"]) == ("a red square", "blue")
    assert colors.module is colors.outline(["x"]).module and colors.outline(["x"]).classes == ("x",)
    assert colors.given(texts={"r": "red"}).references == {"r": "red"} and colors.references == {}
    with pytest.raises(PromptError, match="empty"):
        colors.check_references(["red", " "])
