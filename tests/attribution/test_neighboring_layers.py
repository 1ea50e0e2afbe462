"""How much maps change from layer to layer (Selvaraju et al. 2017, for a net of questions with co-attention).

The paper finds small changes between neighbors, and larger ones where the feature maps shrink.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from numpy.typing import NDArray

import camwidget as cw
from camwidget.loading.checkpoints import read_weights
from camwidget.zoo import vqa

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_thread")]


def changes(maps: list[cw.Explanation]) -> NDArray[np.float64]:
    """1 − the correlation of each map with that of the next layer; NaN beside an empty map."""
    return np.array([
        np.nan if a.is_empty or b.is_empty else 1 - np.corrcoef(a.saliency.flat, b.saliency.flat)[0, 1]
        for a, b in itertools.pairwise(maps)
    ])  # fmt: skip


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The bootstrap interval of a mean."""
    known = differences[np.isfinite(differences)]
    drawn = np.random.default_rng(0).choice(known, (4000, len(known))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def where_maps_shrink(rows: list[NDArray[np.float64]], maps: list[cw.Explanation]) -> Any:
    """The change where the maps shrink, minus that between other neighbors, of each picture."""
    table, sizes = np.array(rows), [e.raw.shape[0] for e in maps]
    shrinks = np.array([a != b for a, b in itertools.pairwise(sizes)])
    return np.nanmean(table[:, shrinks], 1) - np.nanmean(table[:, ~shrinks], 1)


@pytest.mark.parametrize("start", [72_000, 572_000])
def test_of_questions_with_co_attention(start: int) -> None:
    """The four blocks and the map after co-attention of zoo/vqa-attention, LayerCAM."""
    model = cw.load("zoo/vqa-attention", device="cpu")
    blocks = ["encoder.stem", "encoder.stage1", "encoder.stage2", "encoder.stage3"]
    rows = []
    for seed in range(start, start + 40):
        scene = vqa.draw(seed)
        question = next((q for q in scene.questions if vqa.answer(scene, q).about), None)
        if question is None:
            continue
        asked = model.given(question=question)
        maps = list(cw.explain(asked, scene.image, method="layercam", layer=blocks))
        rows.append(changes(maps))
    low, _ = interval(where_maps_shrink(rows, maps))
    assert len(rows) >= 30 and low > 0


@pytest.mark.real
def test_of_seventeen_blocks_with_real_weights(
    real_folder: Path, real_labels: dict[str, Any]
) -> None:
    """MobileNet V2 on photographs, Grad-CAM of the true class."""
    network = torchvision.models.mobilenet_v2(weights=None).eval()
    weights = read_weights(real_folder / "weights" / "mobilenet_v2_imagenet_tf.safetensors")
    network.load_state_dict(weights)
    model = cw.wrap(network, cw.Preprocess(224, mean=(0.5,) * 3, std=(0.5,) * 3))
    blocks = [f"features.{n}" for n in range(1, 18)]
    rows = []
    for name, label in [(n, k["label"]) for n, k in real_labels.items() if "label" in k][:16]:
        maps = list(cw.explain(model, real_folder / "images" / name, label, layer=blocks))
        rows.append(changes(maps))
    low, high = interval(where_maps_shrink(rows, maps))
    assert 0.15 < low < high < 0.45
