"""A real ImageNet network on real photographs, if they are available."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.masking.baselines import baseline_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.real, pytest.mark.full]


def truths(label: dict[str, Any]) -> set[int]:
    """The ImageNet classes that count as right for a photograph."""
    found = label.get("imagenet_ids", [])
    return {*found, *([label["label"]] if "label" in label else [])}


@pytest.fixture(scope="module")
def right(
    real_model: cw.VisionModel, real_folder: Path, real_labels: dict[str, Any]
) -> list[tuple[torch.Tensor, int]]:
    """Pixels and predicted class of the photographs that the net gets right."""
    found = []
    for name, label in real_labels.items():
        pixels = real_model.preprocess.pixels(real_folder / "images" / name)
        top = int(real_model.logits(pixels[None])[0].argmax())
        if top in truths(label):
            found.append((pixels, top))
    return found


def test_the_net_is_real(right: list) -> None:
    assert len(right) >= 25


def test_explain_on_every_photograph(real_model: cw.VisionModel, real_folder: Path) -> None:
    for path in sorted((real_folder / "images").glob("*.jpg")):
        exp = cw.explain(real_model, path)
        assert exp.saliency.shape == (224, 224) and exp.saliency.max() == pytest.approx(1)
        assert exp.target.label == exp.prediction.names[0]


def test_gradcam_equals_cam(real_model: cw.VisionModel, real_folder: Path) -> None:
    """As section 3 of the Grad-CAM paper proves."""
    for path in sorted((real_folder / "images").glob("*.jpg"))[::4]:
        cam, gradcam = cw.explain(real_model, path, target=[None, 281], method=["cam", "gradcam"])[
            :2
        ]
        assert np.corrcoef(cam.saliency.ravel(), gradcam.saliency.ravel())[0, 1] >= 0.9999


def test_dog_and_cat_have_maps_of_their_own(real_model: cw.VisionModel, real_folder: Path) -> None:
    picture = real_folder / "images" / "misc_both.jpg"
    dog, cat = cw.explain(real_model, picture, target=["bull mastiff", "tiger cat"])
    assert np.corrcoef(dog.saliency.ravel(), cat.saliency.ravel())[0, 1] < 0.9

    def share_below(exp: cw.Explanation) -> float:
        """The part of the saliency in the lower half, where the cat lies; the dog's head is above."""
        return float(exp.saliency[112:].sum() / exp.saliency.sum())

    assert share_below(cat) > 2 * share_below(dog)


def random_quarters(count: int) -> Iterator[np.ndarray]:
    """Random masks as coarse as the map's own cells, so that only the place differs."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        coarse = torch.from_numpy(rng.random((1, 1, 13, 13), dtype=np.float32))
        yield torch.nn.functional.interpolate(
            coarse, size=(224, 224), mode="bilinear", align_corners=False
        )[0, 0].numpy()


def test_removing_the_top_quarter_tells_more_than_a_random_one(
    real_model: cw.VisionModel, right: list
) -> None:
    """On at least 80 % of the photographs that the net gets right."""
    wins = 0
    for pixels, top in right:
        exp = cw.explain(real_model, pixels, target=top)
        fill = baseline_pixels(pixels, "blur")
        maps = [exp.saliency, *random_quarters(5)]
        masked = [
            torch.where(torch.from_numpy(rank_levels(m).astype(np.int32)) < 16384, fill, pixels)
            for m in maps
        ]
        ours, *controls = real_model.logits(torch.stack(masked)).softmax(1)[:, top].tolist()
        wins += ours < float(np.mean(controls))
    assert wins >= 0.8 * len(right), f"{wins} of {len(right)}"


def test_the_map_finds_the_object(
    real_model: cw.VisionModel, real_folder: Path, real_labels: dict[str, Any]
) -> None:
    """The map's peak lies in a box of the object, far more often than a random point would."""
    hits = chance = total = 0.0
    for name, label in real_labels.items():
        if not label.get("boxes_xyxy") or "label" not in label:
            continue
        width, height = label["size"]
        exp = cw.explain(real_model, real_folder / "images" / name, target=label["label"])
        if exp.is_empty:
            continue
        y, x = np.unravel_index(exp.saliency.argmax(), exp.saliency.shape)
        # Back through the crop of 224 from a short side of 256.
        scale = min(width, height) / 256
        px = (x + 0.5 - 112) * scale + width / 2
        py = (y + 0.5 - 112) * scale + height / 2
        boxes = label["boxes_xyxy"]
        hits += any(x0 <= px <= x1 and y0 <= py <= y1 for x0, y0, x1, y1 in boxes)
        chance += max((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) / (width * height)
        total += 1
    if total < 5:
        pytest.skip("too few photographs with a class and boxes")
    assert hits > chance + 0.2 * total
