"""Evaluation of an ImageNet network on real photographs with boxes, if they are available."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import camwidget as cw

pytestmark = [pytest.mark.real, pytest.mark.full]

METRICS = ["drop", "remove25", "pointing", "energy", "localization", "top1-localization"]


@pytest.fixture(scope="module")
def found(
    real_model: cw.VisionModel, real_folder: Path, real_labels: dict[str, Any]
) -> cw.Evaluation:
    """Of every photograph with boxes, the class that the net finds most probable among those that count as right."""
    data = []
    for name, label in real_labels.items():
        right = label.get("imagenet_ids", [label["label"]] if "label" in label else [])
        if not right or "boxes_xyxy" not in label:
            continue
        path = real_folder / "images" / name
        logits = real_model.logits(real_model.pixels(path))[0]
        best = max(right, key=lambda index: float(logits[index]))
        data.append((path, best, np.array(label["boxes_xyxy"])))
    assert len(data) >= 20
    return cw.evaluate(real_model, data, ["cam", "gradcam", "gradcam++", "random"], METRICS)


def test_every_photograph_is_in_the_table(found: cw.Evaluation) -> None:
    assert not len(found.skipped)
    assert len(found.rows) == 4 * found.rows["name"].nunique()
    assert found.rows[METRICS].notna().all().all()


def mean(found: cw.Evaluation, method: str, metric: str) -> float:
    return float(found.rows.loc[found.rows["method"] == method, metric].mean())


@pytest.mark.parametrize("method", ["gradcam", "gradcam++"])
def test_a_map_knows_more_than_chance(found: cw.Evaluation, method: str) -> None:
    # Boxes tell little here: the objects are large, and the box round a third of any picture overlaps them by 0.4.
    for metric in ("pointing", "energy", "remove25"):
        assert mean(found, method, metric) > mean(found, "random", metric) + 0.05, metric
    assert mean(found, method, "drop") < mean(found, "random", "drop")
    assert mean(found, method, "pointing") > 0.7


def test_cam_and_gradcam_have_the_same_scores(found: cw.Evaluation) -> None:
    """They are one map on this net (Grad-CAM, section 3)."""
    for metric in ("remove25", "pointing", "energy", "localization"):
        assert mean(found, "cam", metric) == pytest.approx(mean(found, "gradcam", metric), abs=1e-3)


def test_the_localization_error_counts_wrong_names_and_wrong_boxes(found: cw.Evaluation) -> None:
    """ILSVRC's error is at least the share of wrong names, and of boxes that miss."""
    rows = found.rows[found.rows["method"] == "gradcam"]
    wrong_box = rows["localization"] < 0.5
    wrong_name = rows["prediction_name"] != rows["target_name"]
    assert np.array_equal(rows["top1-localization"].to_numpy() == 1, wrong_box | wrong_name)
