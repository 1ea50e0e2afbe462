"""The four scene classifiers: accuracy, location of their maps, and comparison."""

import numpy as np
import pytest

import camwidget as cw
from camwidget.training.gradcam_evaluation import MapFigures, class_maps
from camwidget.zoo.scenes import draw

FRESH = 50_000
NETS = ("zoo/scenes", "zoo/scenes-max", "zoo/scenes-fc", "zoo/scenes-weak")


@pytest.fixture(scope="module")
def models():
    return {name: cw.load(name) for name in NETS}


@pytest.fixture(scope="module")
def samples():
    return [draw(FRESH + n, 1 + n % 5) for n in range(100)]


@pytest.fixture(scope="module")
def answers(models, samples):
    """Scores and maps of every net on the same pictures."""
    return {name: class_maps(model, samples) for name, model in models.items()}


@pytest.fixture(scope="module")
def figures(answers, samples):
    found = {}
    for name, (scores, maps) in answers.items():
        found[name] = figure = MapFigures()
        for sample, row, by_label in zip(samples, scores, maps, strict=True):
            figure.right.append(int(row.argmax()) in sample.labels)
            figure.found.append(1.0)
            for label, saliency in by_label.items():
                figure.add_map(saliency, sample.mask_of(label))
    return {name: figure.means() for name, figure in found.items()}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("zoo/scenes", 0.95),
        ("zoo/scenes-max", 0.94),
        ("zoo/scenes-fc", 0.78),
        ("zoo/scenes-weak", 0.83),
    ],
)
def test_accuracy_on_unseen_pictures(figures, models, name, least):
    assert figures[name]["accuracy"] >= least
    stated = cw.zoo.build(name).card["unseen"]["all"]["accuracy"]
    assert (
        abs(figures[name]["accuracy"] - stated) < 0.09
    )  # three standard errors of a hundred pictures


def test_one_thing_alone_is_named_rightly(answers, samples):
    alone = [n for n, s in enumerate(samples) if len(s.labels) == 1]
    for name in NETS:
        scores = answers[name][0]
        assert np.mean([scores[n].argmax() == samples[n].label for n in alone]) >= 0.9, name


def test_cam_applies_where_there_is_an_average_and_nowhere_else(models):
    image = draw(1).image
    for name in ("zoo/scenes", "zoo/scenes-weak"):
        cam, gradcam = cw.explain(models[name], image, method=["cam", "gradcam"])
        np.testing.assert_allclose(cam.saliency, gradcam.saliency, atol=1e-4)
    for name in ("zoo/scenes-fc", "zoo/scenes-max"):
        with pytest.raises(cw.CamwidgetError, match="average"):
            cw.explain(models[name], image, method="cam")
        assert not cw.explain(models[name], image).is_empty


def test_maps_lie_on_the_things_they_are_for(figures):
    for name in NETS:
        assert figures[name]["peak_in_object"] >= 0.65, name
        # The things of one class cover about a fourteenth of the picture.
        assert figures[name]["saliency_in_object"] >= 0.2, name


def test_the_strong_net_and_the_weak_one_agree_on_single_things_but_not_on_where_they_are(
    answers, samples
):
    alone = [n for n, s in enumerate(samples) if len(s.labels) == 1]
    strong, weak = (answers[name] for name in ("zoo/scenes", "zoo/scenes-weak"))
    same = [n for n in alone if strong[0][n].argmax() == weak[0][n].argmax()]
    assert len(same) >= 0.9 * len(alone)
    share = []
    for _, maps in (strong, weak):
        values = []
        for n in same:
            mask = samples[n].masks[0]
            saliency = maps[n][samples[n].label]
            values.append(saliency[mask].sum() / max(saliency.sum(), 1e-9))
        share.append(np.mean(values))
    assert share[0] > share[1] + 0.1
