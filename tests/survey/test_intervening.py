"""Interventions: what is hidden in all pictures is what ``mask_picture`` hides, and changes come with a control."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_models import CLASSES, SIDE, labeled, picture, small_model

import camwidget as cw
from camwidget.errors import CamwidgetError
from camwidget.survey import find_clusters, intervene, survey_pictures

COUNT = 10


def predictions(model: cw.VisionModel, masked: list) -> list[str]:
    return [CLASSES[n] for n in cw.probabilities(model, masked).argmax(1)]


def expected(model: cw.VisionModel, **hide) -> list:
    """The pictures masked one by one."""
    return [cw.mask_picture(model, image, **hide) for image, _ in labeled(COUNT)]


def test_each_pictures_evidence_is_hidden():
    model = small_model()
    found = intervene(model, labeled(COUNT), fraction=0.3, batch=4).table
    masked = []
    for image, _ in labeled(COUNT):
        explanation = cw.explain(model, image)
        by = explanation if explanation.saliency.any() else None
        hide = None if by is not None else np.zeros((SIDE, SIDE), bool)
        masked.append(cw.mask_picture(model, image, hide, by=by, fraction=0.3))
    assert found["hidden_prediction"].tolist() == predictions(model, masked)
    after = cw.probabilities(model, masked)
    for n, name in enumerate(found["prediction"]):
        assert found["hidden_confidence"][n] == pytest.approx(
            after[n, CLASSES.index(name)], abs=1e-5
        )
    table = survey_pictures(model, labeled(COUNT)).table
    for column in ("picture", "name", "truth", "prediction"):
        assert found[column].tolist() == table[column].tolist()


def test_the_evidence_for_a_class_is_hidden():
    model, name = small_model(), CLASSES[1]
    found = intervene(model, labeled(COUNT), name, fraction=0.2, baseline="mean").table
    masked = []
    for image, _ in labeled(COUNT):
        explanation = cw.explain(model, image, target=name)
        by = explanation if explanation.saliency.any() else None
        hide = None if by is not None else np.zeros((SIDE, SIDE), bool)
        masked.append(cw.mask_picture(model, image, hide, by=by, fraction=0.2, baseline="mean"))
    assert found["hidden_prediction"].tolist() == predictions(model, masked)


def test_a_painted_region_and_a_cluster_are_hidden_everywhere():
    model = small_model()
    mask = np.zeros((SIDE, SIDE), bool)
    mask[: SIDE // 3] = True
    found = intervene(model, labeled(COUNT), mask, baseline="black").table
    assert found["hidden_prediction"].tolist() == predictions(
        model, expected(model, hide=mask, baseline="black")
    )
    (cluster, *_) = find_clusters(survey_pictures(model, labeled(COUNT)))
    changed = intervene(model, labeled(COUNT), cluster, fraction=0.25)
    assert f"cluster 0 ({cluster.prediction})" in str(changed)


def test_hiding_nothing_and_all_change_what_they_must():
    model = small_model()
    nothing = intervene(model, labeled(COUNT), fraction=0).summary
    assert (nothing[["change", "low", "high", "control"]].to_numpy() == 0).all()
    everything = np.ones((SIDE, SIDE), bool)
    found = intervene(model, labeled(COUNT), everything, baseline="black").table
    # Moved, the full mask is the same.
    assert found["hidden_prediction"].tolist() == found["control_prediction"].tolist()
    assert found["hidden_prediction"].nunique() == 1


def test_changes_are_means_with_paired_intervals():
    changed = intervene(small_model(), labeled(24), fraction=0.4)
    table, summary = changed.table, changed.summary
    right = (table["prediction"] == table["truth"]).astype(float)
    after = (table["hidden_prediction"] == table["truth"]).astype(float)
    row = summary.loc["accuracy"]
    assert row["before"] == pytest.approx(right.mean())
    assert row["change"] == pytest.approx((after - right).mean())
    assert row["low"] <= row["change"] <= row["high"]
    # An independent bootstrap.
    rng = np.random.default_rng(7)
    difference = (after - right).to_numpy()
    drawn = difference[rng.integers(0, 24, (4000, 24))].mean(1)
    np.testing.assert_allclose(
        [row["low"], row["high"]], np.percentile(drawn, [2.5, 97.5]), atol=0.06
    )
    wrong = np.flatnonzero(right.to_numpy() == 0)
    assert changed.of(wrong).summary.loc["accuracy", "before"] == 0
    unlabeled = intervene(small_model(), [picture(n) for n in range(3)])
    assert unlabeled.summary.index.tolist() == ["same prediction", "confidence"]


def test_an_interrupted_intervention_goes_on(tmp_path):
    path = tmp_path / "hidden.jsonl"

    def cancel(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        intervene(small_model(), labeled(8), results=path, batch=2, progress=cancel)
    resumed = intervene(small_model(), labeled(8), results=path, batch=2)
    pd.testing.assert_frame_equal(
        resumed.table, intervene(small_model(), labeled(8), batch=2).table
    )
    with pytest.raises(CamwidgetError, match="another evaluation"):
        intervene(small_model(), labeled(8), results=path, batch=2, fraction=0.2)


def test_what_cannot_be_hidden_is_refused():
    for wrong in ("nothing of the kind", np.zeros(3), np.full((4, 4), 7)):
        with pytest.raises(CamwidgetError, match="hide is"):
            intervene(small_model(), labeled(2), wrong)
    with pytest.raises(CamwidgetError, match="share of pixels"):
        intervene(small_model(), labeled(2), fraction=2)
    with pytest.raises(CamwidgetError):
        intervene(small_model(), labeled(2), baseline="fog")
