"""Clusters of a survey: the daisy of the biased net comes out by itself, and the method's parts are as published."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import camwidget as cw
from camwidget.errors import CamwidgetError
from camwidget.survey import SurveyResult, find_clusters, lay_out, survey_pictures
from camwidget.survey.clusters import count_by_gap, spectral_vectors
from camwidget.zoo import bias


def groups(sizes: tuple[int, ...], spread: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around directions of their own, and the number of each one's group."""
    rng = np.random.default_rng(5)
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    return (np.eye(8)[numbers] + spread * rng.standard_normal((len(numbers), 8))).astype(
        np.float32
    ), numbers


def survey_of(features: np.ndarray, maps: np.ndarray | None = None) -> SurveyResult:
    """A survey with one predicted class, in which every second picture is right."""
    n = len(features)
    table = pd.DataFrame(
        {
            "picture": range(n),
            "name": [f"p{i}" for i in range(n)],
            "truth": ["a", "b"] * (n // 2) + ["a"] * (n % 2),
            "prediction": ["a"] * n,
            "confidence": np.linspace(0.5, 1, n),
        }
    )
    table["correct"] = (table["truth"] == table["prediction"]).astype("boolean")
    maps = np.zeros((n, 16, 16), np.uint8) if maps is None else maps
    empty = pd.DataFrame(index=range(n))
    return SurveyResult(
        "m", ("a", "b"), (), table, maps, features, features, [b""] * n, empty, empty, {}
    )


def test_separate_groups_are_found_and_counted():
    vectors, truth = groups((40, 30, 20))
    clusters = find_clusters(survey_of(vectors))
    assert [len(c) for c in clusters] == [40, 30, 20]
    for cluster in clusters:
        assert len(set(truth[cluster.members])) == 1
        assert (clusters.numbers[cluster.members] == cluster.number).all()
        assert cluster.accuracy == pytest.approx(0.5, abs=0.06)
    assert clusters.table["pictures"].sum() == 90


def test_one_group_is_not_divided():
    vectors, _ = groups((60,), spread=0.2)
    assert len(find_clusters(survey_of(vectors))) == 1
    assert len(find_clusters(survey_of(vectors), count=3)) == 3
    assert len(find_clusters(survey_of(vectors[:5]))) == 1


def test_the_eigenvalues_are_those_of_the_normalized_laplacian():
    """Equations of von Luxburg 2007, section 3.2, written out densely."""
    vectors, _ = groups((20, 15))
    values, points = spectral_vectors(vectors)
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    count = max(10, int(3 * np.log(len(vectors))))
    graph = np.zeros_like(distance)
    np.put_along_axis(graph, np.argsort(distance, 1)[:, :count], 1.0, 1)
    graph = (graph + graph.T) / 2
    scale = 1 / np.sqrt(graph.sum(1))
    laplacian = np.eye(len(graph)) - scale[:, None] * graph * scale
    np.testing.assert_allclose(values, np.linalg.eigvalsh(laplacian)[:9], atol=1e-6)
    np.testing.assert_allclose(laplacian @ points, points * values, atol=1e-6)


def test_as_many_clusters_as_eigenvalues_before_the_gap():
    assert count_by_gap(np.array([0, 0, 0, 0.3, 0.4])) == 3
    assert count_by_gap(np.array([0, 0.2, 0.3])) == 1
    assert count_by_gap(np.zeros(1)) == 1


def test_maps_tell_places_apart_and_shapes_do_not():
    rng = np.random.default_rng(1)
    maps = np.zeros((80, 16, 16), np.uint8)
    for n in range(80):
        row, column = (2, 2) if n % 2 else (9, 9)
        height, width = (5, 2) if n % 4 < 2 else (2, 5)
        maps[n, row : row + height, column : column + width] = rng.integers(180, 255)
    survey = survey_of(np.ones((80, 2), np.float32), maps)
    by_place = find_clusters(survey, "maps", count=4)
    by_shape = find_clusters(survey, "shapes", count=2)
    assert sorted(map(len, by_place)) == [20, 20, 20, 20]
    for cluster in by_shape:
        assert len({int(m) % 4 < 2 for m in cluster.members}) == 1
        assert len({int(m) % 2 for m in cluster.members}) == 2


def test_layouts_keep_groups_together():
    vectors, truth = groups((40, 30))
    for layout in ("pca", "spectral"):
        points = lay_out(survey_of(vectors), layout=layout)
        assert points.shape == (70, 2) and np.abs(points).max() == pytest.approx(1)
        centers = np.stack([points[truth == k].mean(0) for k in (0, 1)])
        near = np.linalg.norm(points[:, None] - centers, axis=2).argmin(1)
        assert (near == truth).all()
    assert lay_out(survey_of(vectors[:1])).tolist() == [[0, 0]]


def test_names_that_do_not_exist_are_refused():
    survey = survey_of(groups((20,))[0])
    with pytest.raises(CamwidgetError, match="by is one of 'features'"):
        find_clusters(survey, "colors")
    with pytest.raises(CamwidgetError, match="layout is one of"):
        lay_out(survey, layout="circle")
    with pytest.raises(CamwidgetError, match="from 1 to 8"):
        find_clusters(survey, count=9)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(CamwidgetError, match=r"camwidget\[survey\]"):
        find_clusters(survey_of(groups((20,))[0]))


@pytest.mark.full
def test_the_daisy_is_a_cluster_by_itself():
    """The biased net calls beetles with a daisy weevils, and nothing tells the survey of daisies or classes."""
    samples = list(bias.unseen(5_000_000, 160, "balanced"))
    images = [sample.image for sample in samples]
    found = survey_pictures(cw.load("zoo/biased", device="cpu"), images, metrics="complexity")
    assert found.concepts.empty and not found.has_truth
    clusters = find_clusters(found)
    flower = np.array([sample.flower for sample in samples])
    # Pictures without a flower, or of which the map leaves the flower out, must not be among them.
    lit = flower & (found.table["prediction"] == "weevil").to_numpy()
    best = max(clusters, key=lambda c: lit[c.members].sum())
    purity = lit[best.members].mean()
    recall = lit[best.members].sum() / lit.sum()
    assert purity >= 0.97 and recall >= 0.95, (purity, recall)
    assert any(
        c.prediction == "weevil" and flower[c.members].mean() < 0.05
        for c in clusters
        if c is not best
    ), "weevils without a flower are apart"
