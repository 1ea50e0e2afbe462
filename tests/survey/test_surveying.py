"""Surveys: one row for each picture, whatever interrupts them, and what is kept is what the model gave."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from module_fingerprint import fingerprint
from small_models import CLASSES, SIDE, labeled, picture, seen, small_model
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.errors import CamwidgetError, DataError, ModelError
from camwidget.survey import SurveyResult, survey_columns, survey_pictures


class EnoughError(Exception):
    """Somebody cancels."""


def run(count: int = 10, **options) -> SurveyResult:
    return survey_pictures(small_model(), labeled(count), **{"batch": 4, **options})


def assert_same(one: SurveyResult, other: SurveyResult) -> None:
    """To the bit."""
    for name in ("table", "skipped", "concepts"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    for name in ("maps", "features", "embeddings"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert list(one.thumbnails) == list(other.thumbnails)


def test_a_row_has_what_the_model_and_the_method_gave():
    model = small_model()
    before = fingerprint(model.module)
    found = survey_pictures(model, labeled(5), batch=2)
    assert fingerprint(model.module) == before
    assert found.table["picture"].tolist() == list(range(5))
    for n, (image, truth) in enumerate(labeled(5)):
        row = found.table.iloc[n]
        explanation = cw.explain(model, image)
        probabilities = cw.probabilities(model, [image])[0]
        assert row["prediction"] == CLASSES[probabilities.argmax()]
        assert row["confidence"] == pytest.approx(probabilities.max(), abs=1e-6)
        assert row["truth"] == truth
        assert row["truth_confidence"] == pytest.approx(
            probabilities[CLASSES.index(truth)], abs=1e-6
        )
        assert row["correct"] == (row["prediction"] == truth)
        assert row["drop"] == pytest.approx(
            cw.measure(model, image, explanation, ["drop"])["drop"].value, abs=1e-5
        )
        small = nnF.adaptive_avg_pool2d(torch.from_numpy(explanation.saliency)[None], 16)[0].numpy()
        peak = small.max() or 1.0
        np.testing.assert_allclose(found.maps[n] / 255, small / peak, atol=0.5 / 255 + 1e-5)


def test_features_are_the_activation_averaged_under_the_map():
    model = small_model()
    found = survey_pictures(model, labeled(3), batch=3)
    layer = model.layer(None).name
    for n, (image, _) in enumerate(labeled(3)):
        activations: list[torch.Tensor] = []
        handle = model.module.get_submodule(layer).register_forward_hook(
            lambda module, args, output, kept=activations: kept.append(output)
        )
        cw.probabilities(model, [image])
        handle.remove()
        activation = activations[0][0].detach()
        saliency = torch.from_numpy(cw.explain(model, image).saliency)
        weight = nnF.adaptive_avg_pool2d(saliency[None], activation.shape[-2:])[0]
        for vectors, expected in (
            (found.features, (activation * weight).sum((1, 2)) / weight.sum()),
            (found.embeddings, activation.mean((1, 2))),
        ):
            expected = expected / expected.norm()
            np.testing.assert_allclose(vectors[n], expected.numpy(), atol=2e-3)


def test_many_features_are_projected_and_distances_stay():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.rand((6, 3000), generator=generator) ** 4
    kept = [
        survey_columns.read_vector(survey_columns.write_vector(v)).astype(float) for v in vectors
    ]
    assert {len(v) for v in kept} == {512}
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    for i in range(6):
        for j in range(i):
            true = float((unit[i] - unit[j]).norm())
            assert np.linalg.norm(kept[i] - kept[j]) == pytest.approx(true, rel=0.15)


def test_an_interrupted_survey_goes_on_and_gives_the_same(tmp_path):
    path = tmp_path / "survey.jsonl"

    def cancel(done: int, total: int) -> None:
        if done >= 4:
            raise EnoughError

    with pytest.raises(EnoughError):
        run(results=path, progress=cancel)
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    assert "survey" in json.loads(lines[0])["facts"]
    model = small_model()
    seen(model)
    resumed = survey_pictures(model, labeled(10), batch=4, results=path)
    assert_same(resumed, run())
    finished = seen(model)
    survey_pictures(model, labeled(10), batch=4, results=path)
    assert seen(model) == 0 < finished


def test_a_file_of_another_survey_is_refused(tmp_path):
    path = tmp_path / "survey.jsonl"
    run(4, results=path)
    with pytest.raises(DataError, match="another evaluation"):
        run(4, results=path, layer="first")
    with pytest.raises(DataError, match="another evaluation"):
        cw.evaluate(small_model(), labeled(4), "gradcam", ("drop", "energy"), results=path)


def test_pictures_that_cannot_be_read_are_skipped():
    data = [*labeled(3), (b"no picture", CLASSES[0])]
    found = survey_pictures(small_model(), data)
    assert len(found) == 3 and found.skipped["picture"].tolist() == [3]
    with pytest.raises(DataError, match="None of the 1 pictures can be surveyed"):
        survey_pictures(small_model(), [b"no picture"])


def test_the_share_in_the_mask_is_there_where_masks_are_known():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[: SIDE // 2] = True
    found = survey_pictures(small_model(), [(picture(n), None, mask) for n in range(3)])
    for n in range(3):
        saliency = cw.explain(small_model(), picture(n)).saliency
        if saliency.any():
            share = saliency[mask].sum() / saliency.sum()
            assert found.table["energy"][n] == pytest.approx(share, abs=1e-4)
    assert "energy" not in run(3).table.columns
    assert not found.has_truth and np.isnan(found.accuracy)
    with pytest.raises(DataError, match="true classes are not known"):
        _ = found.mistakes


def test_mistakes_are_the_wrong_predictions_by_confidence():
    wrong = cw.mistakes(small_model(), labeled(12))
    rows = run(12).table
    assert len(wrong) == int((rows["truth"] != rows["prediction"]).sum()) > 0
    assert (wrong["truth"] != wrong["prediction"]).all()
    assert wrong["confidence"].is_monotonic_decreasing
    confusion = run(12).confusion
    assert confusion.to_numpy().sum() == 12
    assert np.trace(confusion.to_numpy()) == 12 - len(wrong)


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError):
        survey_pictures(torch.nn.Linear(2, 2), labeled(2))
    with pytest.raises(CamwidgetError):
        run(2, method="nope")


@pytest.mark.full
def test_a_cluster_computes_the_same():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(run(9, client=client), run(9))
