"""Models with scores of every pixel: the region's mean logit is explained, as Seg-Grad-CAM does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.errors import MetricError, ModelError, TargetError
from camwidget.models.segmentation_model import SegmentationModel

SIDE = 24
NAMES = ("sky", "tree", "lake")


class Net(nn.Module):
    """Scores of every pixel, at a third of the picture's resolution, as part of a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=3), nn.ReLU())
        self.mix = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(6, len(NAMES), 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.features(x)
        return {"out": self.head(self.mix(found)), "aux": self.head(found)}


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(3)
    return Net().double().eval()


@pytest.fixture(scope="module")
def model(module: nn.Module) -> SegmentationModel:
    found = cw.wrap(module, cw.Preprocess(SIDE), classes=NAMES, kind="segments")
    assert isinstance(found, SegmentationModel)
    return found


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))


def corner(rows: int, columns: int) -> np.ndarray:
    region = np.zeros((SIDE, SIDE), bool)
    region[:rows, :columns] = True
    return region


def test_a_logit_is_the_mean_over_the_region(
    model: SegmentationModel, module: nn.Module, picture: torch.Tensor
) -> None:
    assert "classes of every pixel, asked about the picture, default" in repr(model)
    pixels = model.pixels(picture)
    with torch.no_grad():
        scores = module(model.inputs(pixels))["out"]  # (1, 3, 8, 8)
    torch.testing.assert_close(
        model.logits(pixels).double(), scores.mean((2, 3)), rtol=1e-6, atol=1e-6
    )
    part = model.given(region=corner(6, 12)).logits(pixels).double()
    torch.testing.assert_close(part, scores[..., :2, :4].mean((2, 3)), rtol=1e-6, atol=1e-6)
    # A cell counts by its share in the region.
    part = model.given(region=corner(3, 4)).logits(pixels).double()
    torch.testing.assert_close(
        part, (3 * scores[..., 0, 0] + scores[..., 0, 1]) / 4, rtol=1e-6, atol=1e-6
    )


def test_probabilities_are_the_geometric_mean_of_the_pixels(
    model: SegmentationModel, module: nn.Module, picture: torch.Tensor
) -> None:
    region = corner(9, 9)
    with torch.no_grad():
        logs = module(model.inputs(model.pixels(picture)))["out"].log_softmax(1)[0, :, :3, :3]
    expected = logs.mean((1, 2)).softmax(0)
    found = model.given(region=region).predict(picture)
    for index, probability in zip(found.indices, found.probabilities, strict=True):
        assert probability == pytest.approx(float(expected[index]), rel=1e-5)


def test_a_softmax_at_the_end_is_recognized(
    model: SegmentationModel, module: nn.Module, picture: torch.Tensor
) -> None:
    """Then the mean of the pixels' probabilities is shown, and its logarithm explained."""

    class Softmax(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.net(x)["out"].softmax(1)
            return found

    ends = cw.wrap(Softmax(), model.preprocess, NAMES, kind="segments")
    assert isinstance(ends, SegmentationModel)
    with torch.no_grad():
        pixels = ends.module(ends.inputs(ends.pixels(picture)))
    found = ends.given(region=corner(9, 9)).predict(picture)
    for index, probability in zip(found.indices, found.probabilities, strict=True):
        assert probability == pytest.approx(float(pixels[0, index, :3, :3].mean()), rel=1e-5)
    assert (ends.segments(picture) == model.segments(picture)).mean() > 0.95


def test_gradcam_is_seg_gradcam(
    model: SegmentationModel, module: Any, picture: torch.Tensor
) -> None:
    """Vinogradova 2020: the weights are the mean gradients of the summed scores of the region."""
    region = corner(12, 6)
    with torch.enable_grad():
        maps = module.features(model.inputs(model.pixels(picture))).detach().requires_grad_()
        scores = module.head(module.mix(maps))[0, 1, :4, :2].sum()
        (gradient,) = torch.autograd.grad(scores, maps)
    weights = gradient.mean((2, 3), keepdim=True)
    expected = (weights * maps).sum(1).relu()[0].detach()
    found = cw.explain(model.given(region=region), picture, "tree", layer="features").raw
    count = 8  # pixels in the region: ours is the mean
    np.testing.assert_allclose(np.maximum(found, 0) * count, expected.numpy(), rtol=1e-4, atol=1e-7)
    elsewhere = cw.explain(
        model.given(region=corner(12, 6)[::-1]), picture, "tree", layer="features"
    ).raw
    assert not np.allclose(found, elsewhere)


@pytest.mark.parametrize("method", ["gradcam++", "layercam", "saliency", "scorecam", "occlusion"])
def test_other_methods_ask_the_same(
    model: SegmentationModel, picture: torch.Tensor, method: str
) -> None:
    """As with a module that computes the region's mean itself."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = model.module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.net(x)["out"][..., :2, :4].mean((2, 3))
            return scores

    plain = cw.wrap(Mean(), model.preprocess, NAMES)
    expected = cw.explain(plain, picture, "lake", method, layer="net.mix")
    found = cw.explain(model.given(region=corner(6, 12)), picture, "lake", method, layer="mix")
    np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-4, atol=1e-6)


def test_segments_are_the_most_probable_classes(
    model: SegmentationModel, module: nn.Module, picture: torch.Tensor
) -> None:
    with torch.no_grad():
        scores = module(model.inputs(model.pixels(picture)))["out"].float()
    fine = nnF.interpolate(scores, (SIDE, SIDE), mode="bilinear", align_corners=False)
    found = model.segments(picture)
    np.testing.assert_array_equal(found, fine[0].argmax(0).numpy())
    present = int(found[0, 0])
    region = model.region_of(picture, NAMES[present])
    np.testing.assert_array_equal(region, found == present)
    assert model.given(region=region).predict(picture).indices[0] == present
    with pytest.raises(cw.CamwidgetError, match="not a batch of 2"):
        model.segments([picture, picture])


def test_a_class_that_is_nowhere_has_no_region(picture: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    with torch.no_grad():
        net[2].bias[:] = torch.tensor([0.0, 9.0, 0.0])
    model = cw.wrap(net, cw.Preprocess(SIDE), NAMES, kind="segments")
    assert isinstance(model, SegmentationModel)
    with pytest.raises(TargetError, match="No pixel of the picture is 'lake': there is tree"):
        model.region_of(picture, "lake")


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (np.zeros((SIDE, SIDE), bool), "no pixel"),
        (np.full((SIDE, SIDE), 0.5), "a mask"),
        (np.ones((3, SIDE, SIDE), bool), "a mask"),
        (np.full((SIDE, SIDE), np.nan), "a mask"),
        ("sky", "a mask"),
    ],
)
def test_what_is_no_region_is_refused(model: SegmentationModel, region: Any, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        model.given(region=region)


def test_a_region_of_another_size_is_refused(
    model: SegmentationModel, picture: torch.Tensor
) -> None:
    smaller = model.given(region=np.ones((8, 8), bool))
    for call in (lambda: cw.explain(smaller, picture, 0), lambda: smaller.predict(picture)):
        with pytest.raises(TargetError, match=f"8×8 .*{SIDE}×{SIDE}"):
            call()


def test_regions_of_one_model_do_not_mix(model: SegmentationModel, picture: torch.Tensor) -> None:
    one, other = model.given(region=corner(6, 6)), model.given(region=torch.ones(SIDE, SIDE))
    assert one.output_path != other.output_path and model.region is None
    pixels = model.pixels(picture)
    assert not torch.equal(one.logits(pixels), other.logits(pixels))
    torch.testing.assert_close(other.logits(pixels), model.logits(pixels))
    torch.testing.assert_close(one.given(region=None).logits(pixels), model.logits(pixels))


def test_an_explorer_follows_the_region(model: SegmentationModel, picture: torch.Tensor) -> None:
    array = (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    ex = cw.Explorer(model.given(region=corner(6, 12)), [array])
    try:
        ex.wait(60)
        ex.target, ex.fraction = "sky", 0.3
        ex.wait(60)
        assert ex.explanation.target.label == "sky"
        assert "model = model.given(region=...)  # your mask" in ex.code
    finally:
        ex.close()


def test_what_has_no_pixels_is_refused(model: SegmentationModel) -> None:
    classifier = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ModelError, match=r"\(N, classes, height, width\)"):
        cw.wrap(classifier, cw.Preprocess(SIDE), kind="segments")
    with pytest.raises(ModelError, match="kind='segments'"):
        cw.wrap(model.module, cw.Preprocess(SIDE), kind="segments", unit="m")
    with pytest.raises(TargetError, match="kind='segments'"):
        cw.explain(cw.wrap(model.module, cw.Preprocess(SIDE)), torch.rand(3, SIDE, SIDE))


@pytest.mark.full
@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_torchvision_segmenters_are_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, not even for the classifier inside; the preprocessing resizes and does not crop."""
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("it fetched weights")
    )
    torch.manual_seed(0)
    model = cw.load(name, pretrained=False, device="cpu")
    assert isinstance(model, SegmentationModel) and model.classes[1] == "aeroplane"
    from PIL import Image

    photograph = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8))
    weights = torchvision.models.get_model_weights(name).DEFAULT
    pixels = model.pixels(photograph)
    assert pixels.shape == (1, 3, 520, 780)
    torch.testing.assert_close(
        model.inputs(pixels)[0], weights.transforms()(photograph), rtol=0, atol=1e-5
    )
    small = torch.rand(3, 64, 96)
    region = np.zeros((64, 96), bool)
    region[:32, :48] = True
    asked = model.given(region=region)
    found = cw.explain(asked, small, "cat", ["gradcam", "layercam"])
    assert all(np.isfinite(e.raw).all() and np.abs(e.raw).max() > 0 for e in found)
    assert model.segments(small).shape == (64, 96)


def test_metrics_measure_at_the_region(model: SegmentationModel, picture: torch.Tensor) -> None:
    region = corner(12, 8)
    chosen = model.given(region=region)
    e = cw.explain(chosen, picture, "tree", "saliency")
    row = cw.measure(chosen, picture, e, ["energy", "inside-outside"])
    inside = float(e.saliency[region].sum() / e.saliency.sum())
    assert row["energy"].value == pytest.approx(inside, rel=1e-4) and inside > 0.5
    ratio = float(e.saliency[region].mean() / max(e.saliency[~region].mean(), 1e-3))
    assert row["inside-outside"].value == pytest.approx(ratio, rel=1e-4)
    with pytest.raises(MetricError, match="mask"):
        cw.measure(model, picture, cw.explain(model, picture, "tree"), "energy")


def test_an_evaluation_goes_by_the_region(model: SegmentationModel, picture: torch.Tensor) -> None:
    metrics = ["pointing", "energy", "deletion"]
    data = [(picture, "tree")]
    for region in (corner(12, 8), corner(8, 20)):
        chosen = model.given(region=region)
        found = cw.evaluate(chosen, data, methods=["saliency"], metrics=metrics)
        e = cw.explain(chosen, picture, "tree", "saliency")
        one = cw.measure(chosen, picture, e, metrics)
        (row,) = found.rows.to_dict("records")
        assert {m: row[m] for m in metrics} == pytest.approx({m: one[m].value for m in metrics})
        # The data's own truth goes first.
        whole = np.ones((SIDE, SIDE), bool)
        given = cw.evaluate(
            chosen, [(picture, "tree", whole)], methods=["saliency"], metrics=["energy"]
        )
        assert given.rows["energy"].tolist() == [1]
        curve = cw.mask_curve(chosen, picture, e, "tree", steps=3, baseline="black")
        assert curve.probability[0] == pytest.approx(
            float(chosen.probabilities(chosen.logits(chosen.pixels(picture)))[0, 1])
        )
    with pytest.raises(MetricError, match="needs to know where the objects are"):
        cw.evaluate(model, data, methods=["saliency"], metrics=["pointing"])
