"""``measure``: forms of pictures, masks, texts and labels, and invalid arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from PIL import Image
from prompt_models import SIDE, caption_model, question_model, squares

import camwidget as cw
from camwidget import zoo
from camwidget.errors import MethodError, MetricError, ModelError, PictureError, PromptError
from camwidget.images.ground_truth import fit_mask, share_inside
from camwidget.metrics import Score

SAMPLE = zoo.samples("zoo/scenes")[0]
EVERY = [m.name for m in cw.list_metrics()]


def quiet(done: int, total: int) -> None:
    """No bar."""


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


def value(
    model: cw.VisionModel, picture: Any, e: Any, metric: Any = "energy", **more: Any
) -> float:
    (score,) = cw.measure(model, picture, e, metric, progress=quiet, **more).values()
    assert isinstance(score, Score) and not score.note
    return score.value


def one(*args: Any, **more: Any) -> cw.Explanation:
    e = cw.explain(*args, progress=quiet, **more)
    assert isinstance(e, cw.Explanation)
    return e


@pytest.mark.parametrize(
    "method",
    [
        "gradcam",
        pytest.param("saliency", marks=pytest.mark.full),
        # Coarse ones: continuity and the like make the map again and again.
        pytest.param(cw.get_method("occlusion", window=32, stride=32), marks=pytest.mark.full),
        pytest.param("lrp", marks=pytest.mark.full),
        pytest.param(cw.get_method("smoothgrad(gradcam)", samples=3), marks=pytest.mark.full),
    ],
    ids=lambda method: getattr(method, "name", method),
)
def test_every_metric_of_one_map(scenes: cw.VisionModel, method: Any) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label, method)
    before = fingerprint(scenes.module)
    row = cw.measure(scenes, SAMPLE, e, EVERY, label=SAMPLE.label, progress=quiet)
    assert fingerprint(scenes.module) == before
    assert list(row) == EVERY
    for name, score in row.items():
        low, high = cw.get_metric(name).range
        if name == "agreement":
            assert "no other map" in score.note
        else:
            assert low - 1e-9 <= score.value <= high + 1e-9 and not score.note, (name, score)


def test_three_metrics_unless_told(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label)
    assert set(cw.measure(scenes, SAMPLE, e, progress=quiet)) == {"drop", "increase", "deletion"}


def test_several_maps_share_and_come_in_their_order(scenes: cw.VisionModel) -> None:
    maps = cw.explain(
        scenes, SAMPLE.image, [0, SAMPLE.label], ["gradcam", "saliency"], ["stage2", "stage3"]
    )
    names = ["energy", "max-sensitivity", "random-logit", "parameter-randomization", "drop"]
    rows = cw.measure(scenes, SAMPLE, maps, names, progress=quiet)  # type: ignore[arg-type]
    assert len(rows) == len(maps) == 8  # type: ignore[arg-type]
    for e, row in zip(maps, rows, strict=True):  # type: ignore[arg-type]
        alone = cw.measure(scenes, SAMPLE, e, names, progress=quiet)
        for name in names:
            assert row[name].note == alone[name].note
            assert row[name].value == pytest.approx(alone[name].value, abs=1e-5, nan_ok=True)


def test_a_list_of_one_is_a_list(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label)
    assert [dict(r) for r in cw.measure(scenes, SAMPLE, [e], "energy")] == [
        dict(cw.measure(scenes, SAMPLE, e, "energy"))
    ]


def test_what_makes_no_sense_is_refused(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image)
    bare: Any = e.saliency
    nothing: Any = None
    for explanation, metrics, options, error, message in (
        (bare, "drop", {}, MetricError, "ndarray"),
        ([e, bare], "drop", {}, MetricError, "ndarray"),
        (nothing, "drop", {}, MetricError, "NoneType"),
        (e, nothing, {}, MetricError, "no metric None"),
        (e, [["drop"]], {}, MetricError, "no metric"),
        (e, "drop", {"seed": "one"}, MetricError, "seed"),
        (e, "drop", {"precision": "fp8"}, MethodError, "precision"),
        (e, "energy", {"mask": np.full((8, 8), np.nan)}, PictureError, "no numbers"),
        (e, "energy", {"mask": [[1, 0], [1]]}, PictureError, "no numbers"),
        (e, "energy", {"mask": "mask.png"}, PictureError, "type str"),
        (e, cw.get_metric("road", percentiles=99.999), {}, MetricError, "lower percentiles"),
    ):
        with pytest.raises(error, match=message):
            cw.measure(scenes, SAMPLE, explanation, metrics, progress=quiet, **options)
    module: Any = scenes.module
    with pytest.raises(ModelError, match=r"camwidget\.wrap"):
        cw.measure(module, SAMPLE, e)


@pytest.mark.parametrize("stop", [0, 8])
def test_canceled_it_leaves_the_model_alone(scenes: cw.VisionModel, stop: int) -> None:
    maps = cw.explain(scenes, SAMPLE.image, SAMPLE.label, ["gradcam", "occlusion"], progress=quiet)
    before = fingerprint(scenes.module)
    calls: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.measure(scenes, SAMPLE, maps, EVERY, label=0, progress=cancel)  # type: ignore[arg-type]
    assert fingerprint(scenes.module) == before
    assert len(calls) == stop + 1


def test_progress_counts_up_to_its_total(scenes: cw.VisionModel) -> None:
    maps = cw.explain(scenes, SAMPLE.image, SAMPLE.label, ["gradcam", "occlusion"], progress=quiet)
    seen: list[tuple[int, int]] = []
    cw.measure(
        scenes,
        SAMPLE,
        maps,
        [cw.get_metric("max-sensitivity", samples=2), "random-logit", "deletion"],
        progress=lambda *s: seen.append(s),
    )  # type: ignore[arg-type]
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert all(0 <= d <= t and t > 0 for d, t in seen)
    # The total grows when a metric asks again, but is not reached before the end.
    assert seen[-1][0] == seen[-1][1] and all(d < t for d, t in seen[:-3])


# -- pictures and masks -----------------------------------------------------------------------


def test_masks_of_either_size(scenes: cw.VisionModel) -> None:
    large = Image.fromarray(SAMPLE.image).resize((300, 200))
    e = one(scenes, large, SAMPLE.label)
    mask = np.zeros((200, 300), bool)
    mask[40:160, 60:220] = True
    fitted = fit_mask(mask, scenes.preprocess)
    expected = share_inside(e.saliency, fitted)
    assert 0 < expected < 1
    assert value(scenes, large, e, mask=mask) == expected
    assert value(scenes, large, e, mask=mask.astype(np.uint8) * 255) == expected
    assert value(scenes, large, e, mask=fitted) == expected
    assert value(scenes, large, e, mask=np.stack([mask, mask])) == expected
    for wrong in (mask[1:], mask.T, mask[0], np.zeros((2, 2, 200, 300))):
        with pytest.raises(PictureError, match="mask"):
            cw.measure(scenes, large, e, "energy", mask=wrong)
    empty = cw.measure(scenes, large, e, "energy", mask=np.zeros_like(mask))["energy"]
    assert math.isnan(empty.value) and "not in the picture" in empty.note


def test_each_of_several_masks_has_a_box(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label)
    box = cw.localize(e).box  # type: ignore[union-attr]
    first, second = np.zeros((2, 128, 128), bool)
    first[box[1] : box[3], box[0] : box[2]] = True
    second[0, 0] = second[127, 127] = True
    assert value(scenes, SAMPLE.image, e, "localization", mask=np.stack([second, first])) == 1
    assert value(scenes, SAMPLE.image, e, "localization", mask=second | first) < 0.9


def test_a_tensor_is_what_the_model_gets_and_so_is_its_mask(scenes: cw.VisionModel) -> None:
    pixels = torch.rand((3, 96, 160), generator=torch.Generator().manual_seed(1))
    e = one(scenes, pixels, 0, "saliency")
    mask = np.zeros((96, 160), bool)
    mask[10:50, 30:90] = True
    for picture in (pixels, pixels[None]):
        assert value(scenes, picture, e, mask=mask) == share_inside(e.saliency, mask)
    assert value(scenes, pixels, e, "max-sensitivity") > 0
    with pytest.raises(PictureError, match="mask"):
        cw.measure(scenes, pixels, e, "energy", mask=mask[:, :96])


def test_a_sample_brings_its_truth(scenes: cw.VisionModel) -> None:
    for label in sorted(set(SAMPLE.labels)):
        e = one(scenes, SAMPLE.image, label)
        expected = share_inside(e.saliency, SAMPLE.mask_of(label))
        assert value(scenes, SAMPLE, e) == expected
        assert value(scenes, SAMPLE.image, e, mask=SAMPLE.mask_of(label)) == expected
    with pytest.raises(MetricError, match="mask"):
        cw.measure(scenes, SAMPLE.image, e, "energy")


def test_the_label_by_name_or_number(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label)
    name = "top5-localization"
    values = [
        value(scenes, SAMPLE, e, name, label=x)
        for x in (SAMPLE.label, scenes.classes[SAMPLE.label])
    ]
    assert values[0] == values[1] == 0
    other = cw.measure(scenes, SAMPLE, e, name, label=(SAMPLE.label + 1) % 48)[name]
    assert math.isnan(other.value) and "the picture of" in other.note
    with pytest.raises(MetricError, match="label"):
        cw.measure(scenes, SAMPLE, e, name)


def test_a_map_of_another_picture_is_refused(scenes: cw.VisionModel) -> None:
    other = one(scenes, zoo.samples("zoo/scenes")[1].image, 0)
    with pytest.raises(PictureError, match="another picture"):
        cw.measure(scenes, SAMPLE, other, "energy")
    small = one(scenes, torch.rand(3, 64, 64), 0)
    with pytest.raises(PictureError, match="input"):
        cw.measure(scenes, SAMPLE, small, "energy")


def test_what_cannot_be_measured(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, cw.Contrast(0, 1))
    with pytest.raises(MetricError, match="not a class"):
        cw.measure(scenes, SAMPLE, e, "energy")
    e = one(scenes, SAMPLE.image, 0)
    for maps, metrics in (([], "energy"), (e, [])):
        with pytest.raises(MetricError, match="Nothing to measure"):
            cw.measure(scenes, SAMPLE, maps, metrics)  # type: ignore[call-overload]
    with pytest.raises(MetricError, match="twice"):
        cw.measure(scenes, SAMPLE, e, ["pointing", cw.get_metric("pointing", tolerance=3)])
    with pytest.raises(MetricError, match="'energy'"):
        cw.measure(scenes, SAMPLE, e, "enregy")


def test_an_average_is_scored_but_not_made_anew(scenes: cw.VisionModel) -> None:
    maps = cw.explain(
        scenes, SAMPLE.image, SAMPLE.label, ["gradcam", "layercam"], ["stage2", "stage3"]
    )
    assert isinstance(maps, cw.Explanations)
    for mean in (maps.average(), maps.select(method="gradcam").average()):
        assert value(scenes, SAMPLE, mean) == share_inside(
            mean.saliency, SAMPLE.mask_of(SAMPLE.label)
        )
        assert -1 <= value(scenes, SAMPLE, mean, "occlusion-correlation") <= 1
        with pytest.raises(MetricError, match="method unknown"):
            cw.measure(scenes, SAMPLE, mean, "max-sensitivity")


def test_half_precision(scenes: cw.VisionModel) -> None:
    e = one(scenes, SAMPLE.image, SAMPLE.label, precision="bf16")
    for name in ("max-sensitivity", "drop", "random-logit"):
        full, half = (value(scenes, SAMPLE, e, name, precision=p) for p in ("fp32", "bf16"))
        assert half == pytest.approx(full, abs=0.15)


# -- models that take a text ------------------------------------------------------------------

ANEW = [
    "drop",
    "max-sensitivity",
    "parameter-randomization",
    "random-logit",
    "occlusion-correlation",
]


@pytest.mark.parametrize("method", ["gradcam", "integrated-gradients"])
def test_a_model_is_measured_under_the_explanations_question(method: str) -> None:
    model, sample = question_model(), squares("red", "blue")
    prompted = model.given(question="is there a red square")
    e = one(prompted, sample.image, "yes", method)
    before = fingerprint(model.module)
    own, given = (cw.measure(m, sample.image, e, ANEW, progress=quiet) for m in (prompted, model))
    assert own == given
    assert own["max-sensitivity"].value < 1
    # A window of a seventh of the picture hides no square.
    assert "constant" in own["occlusion-correlation"].note
    metric = cw.get_metric("occlusion-correlation", window=20)
    assert value(model, sample.image, e, metric) > 0.2
    assert fingerprint(model.module) == before
    other = model.given(question="anything blue")
    with pytest.raises(MetricError, match=r"question=…"):
        cw.measure(other, sample.image, e, ANEW)
    both = [e, one(other, sample.image, "yes", method)]
    with pytest.raises(MetricError, match=r"question=…"):
        cw.measure(model, sample.image, both, ANEW)


def test_a_caption_that_the_model_proposed() -> None:
    model, sample = caption_model(), squares("red", "green")
    e = one(model, sample.image)
    assert e.text == "a red and a green"
    row = cw.measure(model, sample.image, e, ANEW, progress=quiet)
    assert all(not math.isnan(row[n].value) for n in ("drop", "max-sensitivity"))
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:24] = True
    assert value(model, sample.image, e, mask=mask) == share_inside(e.saliency, mask)
    given = one(model.given(caption="a green"), sample.image, "green")
    assert value(model, sample.image, given, "max-sensitivity") < 1


@pytest.mark.parametrize(
    ("name", "text"), [("zoo/vqa", "what color is the disc"), ("zoo/captions", None)]
)
def test_the_zoos_models_that_take_a_text(name: str, text: str | None) -> None:
    model, sample = cw.load(name, device="cpu"), zoo.samples(name)[0]
    assert model.prompt is not None
    if text is not None:
        with pytest.raises(PromptError):
            cw.explain(model, sample.image)
        text = model.prompt.examples[0]
        model = model.given(**{model.prompt.name: text})
    maps = cw.explain(model, sample.image, None, ["gradcam", "saliency"], progress=quiet)
    for row in cw.measure(
        model, sample, maps, ["drop", "max-sensitivity", "random-logit"], progress=quiet
    ):  # type: ignore[arg-type]
        assert all(not math.isnan(s.value) for s in row.values())


def test_the_inputs_of_a_model_of_several() -> None:
    model, sample = question_model(), squares("red")
    picture = {"picture": sample.image, "question": "is there a red square"}
    e = one(model, picture, "yes")
    assert value(model, picture, e, "max-sensitivity") < 1
