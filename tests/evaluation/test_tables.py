"""Means, intervals, ranks and their representations."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import bootstrap
from small_models import CLASSES, ODD, Small, labeled, picture, seen, small_model
from torch import nn

import camwidget as cw
from camwidget.errors import DataError, LayerError, MethodError, MetricError, ModelError
from camwidget.evaluation import radar_outline, rank_scores
from camwidget.evaluation.table import RESAMPLES, mean_curves, means, rank_rows


@pytest.fixture(scope="module")
def found() -> cw.Evaluation:
    metrics = ("drop", "increase", "deletion", "complexity")
    return cw.evaluate(small_model(), labeled(10), ["gradcam", "layercam", "random"], metrics)


# -- numbers -------------------------------------------------------------------------------


def test_intervals_are_those_of_scipy():
    values = np.random.default_rng(5).gamma(2, size=(23, 3))
    center, low, high = means(values, seed=4)
    assert np.allclose(center, values.mean(0), rtol=1e-12)
    for n in range(3):
        interval = bootstrap(
            (values[:, n],),
            np.mean,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(4),
        ).confidence_interval
        assert np.allclose([low[n], high[n]], interval, rtol=1e-12)


def test_a_comparison_is_of_the_differences_in_each_picture(found: cw.Evaluation):
    compared = found.compare("gradcam", "random")
    for metric in found.metrics:
        scores = found.rows.pivot(index="picture", columns="method", values=metric.name)
        apart = (scores["gradcam"] - scores["random"]).to_numpy()[:, None]
        row = compared.loc[metric.name]
        assert row[["mean", "low", "high"]].tolist() == pytest.approx(means(apart)[:, 0].tolist())
        assert row["n"] == 10
        sure = int(row["low"] > 0) - int(row["high"] < 0)
        assert row["better"] == (sure if metric.better == "higher" else -sure)
    opposite = found.compare("random", "gradcam")
    assert opposite["mean"].tolist() == (-compared["mean"]).tolist()
    assert set(compared["better"].abs()) == {0, 1}, "some differences are sure, and some are not"


def test_two_evaluations_of_the_same_pictures_are_compared(found: cw.Evaluation):
    metrics = (cw.get_metric("deletion", steps=3), "complexity", "drop")
    second = cw.evaluate(small_model(), labeled(10), "layercam", metrics)
    compared = found.compare("gradcam", "layercam", within=second)
    assert compared.index.tolist() == ["drop", "complexity"], "deletion has other settings"
    own = found.compare("gradcam", "layercam").loc[["drop", "complexity"]]
    assert np.allclose(compared, own, atol=1e-6)
    fewer = cw.evaluate(small_model(), labeled(9), "layercam", "drop")
    with pytest.raises(DataError, match="different pictures"):
        found.compare("gradcam", "layercam", within=fewer)
    another = cw.evaluate(small_model(), labeled(10), "layercam", "insertion")
    with pytest.raises(DataError, match="no metric with the same settings"):
        found.compare("gradcam", "layercam", within=another)


def test_a_comparison_names_the_methods_and_layers_that_there_are():
    layers = ["first", "second"]
    table = cw.evaluate(small_model(), labeled(3), ["gradcam", "saliency"], "drop", layers=layers)
    for layer, other in (("first", "second"), ("second", "first")):
        apart = table.compare("gradcam", "gradcam", layer=layer, other_layer=other)
        rows = table.rows[table.rows["method"] == "gradcam"]
        by_layer = rows.groupby("layer")["drop"].mean()
        assert apart.loc["drop", "mean"] == pytest.approx(by_layer[layer] - by_layer[other])
    table.compare("gradcam", "saliency", layer="first")  # saliency has no layer
    with pytest.raises(DataError, match="has no method 'cam'; it has gradcam, saliency"):
        table.compare("cam", "gradcam")
    with pytest.raises(DataError, match="gradcam has several layers: pass layer=… with one of fi"):
        table.compare("gradcam", "saliency")
    with pytest.raises(DataError, match="gradcam has no layer 'third'"):
        table.compare("gradcam", "saliency", layer="third")


def test_what_has_no_value_has_no_part_in_the_mean():
    values = np.random.default_rng(5).normal(size=(12, 4))
    values[3:, 1] = np.nan
    values[:, 2] = np.nan
    values[1:, 3] = np.nan
    center, low, high = means(values)
    random = np.random.default_rng(0).integers(0, 12, (RESAMPLES, 12))
    with np.errstate(invalid="ignore"):
        drawn = [m for row in random if not math.isnan(m := _mean(values[row, 1]))]
    assert center[1] == pytest.approx(values[:3, 1].mean())
    assert [low[1], high[1]] == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist())
    assert np.isnan([center[2], low[2], high[2], low[3], high[3]]).all()
    assert center[3] == pytest.approx(values[0, 3])
    assert np.isnan(means(values[:1])[1:]).all()


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else math.nan


def test_the_table_sums_up_the_rows(found):
    rows = found.rows.groupby("method", sort=False)
    for name in ("drop", "increase", "deletion", "complexity"):
        assert np.allclose(found.table[name, "mean"], rows[name].mean(), rtol=1e-12)
        assert (found.table[name, "low"] <= found.table[name, "mean"]).all()
        assert (found.table[name, "mean"] <= found.table[name, "high"]).all()
        assert (found.table[name, "n"] == 10).all()
    assert found.table.index.tolist() == ["gradcam", "layercam", "random"]


def test_rows_are_what_measure_says():
    model = small_model()
    pictures = labeled(3)
    found = cw.evaluate(model, pictures, "gradcam", ["drop", "deletion", "complexity"], batch=1)
    for (image, label), row in zip(pictures, found.rows.to_dict("records"), strict=True):
        scores = cw.measure(
            model, image, cw.explain(model, image, label), ["drop", "deletion", "complexity"]
        )
        for name, score in scores.items():
            assert row[name] == pytest.approx(score.value, rel=1e-5, abs=1e-7)


def test_a_map_may_abstain_as_in_measure():
    """Its raw peak goes along, and a map without evidence is not refused beforehand."""
    module = Small()
    with torch.no_grad():
        module.head.weight.abs_()
        module.head.weight[0].neg_()  # nothing speaks for the first class
    model = cw.wrap(module, cw.Preprocess(32), CLASSES, name="pessimist")
    image, there, nowhere = picture(0), np.ones((32, 32), bool), np.zeros((32, 32), bool)
    for label, mask, threshold, expected in (
        (0, nowhere, 0, 1),
        (0, there, 0, 0),
        (1, there, 0, 1),
        (1, there, 1e9, 0),
        (1, nowhere, 1e9, 1),
    ):
        recall = cw.get_metric("pointing-recall", threshold=threshold)
        found = cw.evaluate(model, [(image, label, mask)], "gradcam", [recall, "pointing"])
        assert found.rows["pointing-recall"].tolist() == [expected]
        explanation = cw.explain(model, image, label)
        scores = cw.measure(model, image, explanation, recall, mask=mask)
        assert scores["pointing-recall"].value == expected


def test_ranks(found):
    means_of = found.table.xs("mean", axis=1, level=1)
    for metric in found.metrics:
        rounded = means_of[metric.name].map(lambda value: float(f"{value:.4g}"))
        expected = rounded.rank(ascending=metric.better == "lower")
        assert found.ranks[metric.name].tolist() == expected.tolist()
        best = means_of[metric.name].agg("min" if metric.better == "lower" else "max")
        assert (found.ranks.loc[means_of[metric.name] == best, metric.name] < 2.5).all()
    names = [m.name for m in found.metrics]
    assert np.allclose(found.ranks["mean rank"], found.ranks[names].mean(axis=1))


def test_curves_are_those_of_the_area(found):
    assert list(found.curves) == ["deletion"]
    frame = found.curves["deletion"]
    assert frame.index[0] == 0 and frame.index[-1] == 1
    for method in found.table.index:
        area = np.trapezoid(frame[method, "mean"], frame.index)
        assert area == pytest.approx(found.table.loc[method, ("deletion", "mean")], rel=1e-9)


def test_layers_are_rows_of_their_own_but_for_what_has_none():
    found = cw.evaluate(
        small_model(), labeled(2), ["gradcam", "saliency"], "complexity", layers="all"
    )
    assert found.table.index.tolist() == [
        ("gradcam", "first"),
        ("gradcam", "second"),
        ("saliency", "input"),
    ]
    assert list(found.curves) == []
    assert found.plot().axes


def test_settings_tell_apart_what_has_one_name():
    blurred = cw.get_metric("deletion", baseline="blur")
    found = cw.evaluate(small_model(), labeled(2), "gradcam", ["deletion", blurred])
    assert found.table.columns.get_level_values(0).unique().tolist() == [
        "deletion",
        "deletion(baseline=blur)",
        "maps",
    ]
    with pytest.raises(MetricError, match="twice"):
        cw.evaluate(small_model(), labeled(2), "gradcam", ["deletion", "deletion"])


# -- maps that rank nothing ----------------------------------------------------------------


class Odd(Small):
    """Sees nothing in dark pictures, and answers NaN to gradients of bright ones."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.counted.pictures += len(x)
        light = x.mean((1, 2, 3))
        maps = self.second(self.first(x).relu()).relu()
        maps = torch.where((light < 0.1)[:, None, None, None], maps.detach() * 0 + maps * 0, maps)
        pooled = self.features(maps).mean((2, 3))
        broken = (light > 0.9)[:, None]
        # The square root of zero has a value, and no slope.
        root = torch.where(broken, pooled * 0, torch.ones_like(pooled)).sqrt()
        return self.head(pooled) + 0 * root[:, : len(CLASSES)]

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Identity()


def test_a_method_of_a_method_is_told_apart_by_its_own_settings():
    smooth = cw.get_method("smoothgrad(saliency)")
    found = cw.evaluate(
        small_model(), labeled(1), [smooth, smooth.with_options(samples=3)], "complexity"
    )
    assert list(found.table.index) == ["smoothgrad(saliency)", "smoothgrad(saliency)(samples=3)"]
    with pytest.raises(MetricError, match="twice"):
        cw.evaluate(small_model(), labeled(1), [smooth, smooth], "complexity")


def test_maps_that_rank_nothing_are_counted_and_have_no_score():
    model = cw.wrap(Odd(), cw.Preprocess(32), CLASSES, name="odd", layers=["second"])
    dark, bright = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    pictures = [*labeled(3), (dark, 0), (bright, 1)]
    found = cw.evaluate(model, pictures, "gradcam", ["deletion", "complexity"])
    assert found.rows["fault"][:3].isna().all()
    assert found.rows["fault"].tolist()[3:] == ["constant map", "NaN in the map"]
    assert (
        found.rows[["deletion", "complexity"]].isna().all(axis=1).tolist()
        == [False] * 3 + [True] * 2
    )
    (row,) = found.table["maps"].to_dict("records")
    assert row == {"all": 5, "constant": 1, "NaN": 1}
    assert found.table["deletion", "n"].tolist() == [3]
    alone = cw.evaluate(model, labeled(3), "gradcam", ["deletion", "complexity"])
    assert alone.rows["complexity"].tolist() == pytest.approx(found.rows["complexity"].tolist()[:3])
    html = found._repr_html_()
    assert "1 × constant map" in html and "1 × NaN in the map" in html


def test_scores_that_differ_by_rounding_share_a_rank():
    values = {"gradcam": 0.0801234, "cam": 0.0801233, "gradcam++": 0.0802, "random": 0.0}
    table = pd.DataFrame({("drop", "mean"): pd.Series(values)})
    found = rank_rows(table, [cw.get_metric("drop")])
    assert found["drop"].to_dict() == {"gradcam": 2.5, "cam": 2.5, "gradcam++": 4, "random": 1}


def test_a_metric_without_any_value_has_no_rank():
    found = cw.evaluate(small_model(), labeled(4), ["gradcam", "random"], [ODD, "complexity"])
    assert found.ranks["odd"].isna().all()
    assert found.ranks["mean rank"].tolist() == found.ranks["complexity"].tolist()
    assert np.isnan(found.table["odd", "low"]).all()
    assert (
        "2 maps" not in found._repr_html_()
        and "4 maps without a score (infinite)" in found._repr_html_()
    )
    assert found.radar().axes


def test_a_picture_that_the_model_cannot_answer_is_skipped():
    class Overflowing(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = super().forward(x)
            return logits.masked_fill((x.mean((1, 2, 3)) > 0.95)[:, None], math.inf)

    model = cw.wrap(Overflowing(), cw.Preprocess(32), CLASSES, name="overflowing")
    bright = np.full((32, 32, 3), 255, np.uint8)
    found = cw.evaluate(model, [*labeled(3), (bright, 0)], "gradcam", "complexity")
    assert found.skipped["picture"].tolist() == [3]
    assert "NaN or infinity" in found.skipped["reason"][0]
    with pytest.raises(ModelError, match="NaN or infinity"):
        cw.evaluate(model, [(bright, 0)] * 3, "gradcam", "complexity")
    # A whole batch of them, later on, costs nothing of what has been scored.
    found = cw.evaluate(
        model, [*labeled(2), (bright, 0), (bright, 1)], "gradcam", "complexity", batch=2
    )
    assert found.skipped["picture"].tolist() == [2, 3] and len(found.rows) == 2


def test_a_picture_that_is_too_small_for_the_layer_is_skipped():
    module = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten(2), Mean(), nn.Linear(4, 2))
    model = cw.wrap(module, cw.Preprocess(32), ["a", "b"], name="coarse")
    pictures = [(torch.rand(3, side, side), 0) for side in (32, 8, 32)]
    found = cw.evaluate(model, pictures, "gradcam", "complexity", layers="0")
    assert found.skipped["picture"].tolist() == [1]
    assert "single cell" in found.skipped["reason"][0]


def test_what_does_not_apply_is_said_before_anything_runs():
    model = small_model()
    seen(model)
    for options, error in (
        ({"methods": "gradkam"}, MethodError),
        ({"methods": []}, MetricError),
        ({"metrics": "deletio"}, MetricError),
        ({"layers": "third"}, LayerError),
        ({"target": "ant"}, DataError),
        ({"precision": "fp8"}, MethodError),
        ({"batch": 0}, DataError),
        ({"seed": "one"}, MetricError),
        ({"metrics": [["drop"]]}, MetricError),
        ({"methods": [{"gradcam"}]}, MethodError),
    ):
        with pytest.raises(error):
            cw.evaluate(model, labeled(2), **options)
    with pytest.raises(ModelError, match=r"camwidget\.wrap"):
        cw.evaluate(model.module, labeled(2))
    assert seen(model) == 0


# -- looks ---------------------------------------------------------------------------------


class Mean(nn.Module):
    """Over all places."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(2)


class Tags(HTMLParser):
    """The tags of a text, and what lies between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_names_are_text(tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    model = cw.wrap(Small(), cw.Preprocess(32), [evil, "b", "c", "d"], name=f"{evil}&amp;")
    (tmp_path / f"{evil}.png").write_text("broken")
    found = cw.evaluate(
        model,
        [(picture(0), evil), (tmp_path / f"{evil}.png", evil)],
        ["gradcam", "random"],
        ["complexity", "deletion"],
    )
    parsed = Tags(found._repr_html_())
    assert "img" not in parsed.tags
    assert evil in parsed.text and f"{evil}&amp;" in parsed.text


def test_the_table_says_which_way_is_better_and_what_is_best(found):
    parsed = Tags(found._repr_html_())
    assert "Deletion ↓" in parsed.text and "Increase in confidence ↑" in parsed.text
    best = sum(int((found.ranks[c] == found.ranks[c].min()).sum()) for c in found.ranks)
    assert parsed.tags.count("b") == best
    assert "10 pictures" in parsed.text
    assert "deletion ↓" in repr(found) and "10 pictures" in repr(found)


def test_labels_stand_above_but_where_settings_tell_apart():
    steps = [cw.get_metric("region-perturbation", regions=n) for n in (2, 3)]
    one = cw.evaluate(small_model(), labeled(1), "gradcam", ["region-perturbation"])
    assert "Region perturbation ↑" in one._repr_html_() and "1 picture;" in one._repr_html_()
    assert one.plot().axes[0].get_title() == "Region perturbation (higher is better)"
    two = cw.evaluate(small_model(), labeled(1), "gradcam", iter(steps))
    assert "region-perturbation(regions=3) ↑" in two._repr_html_()
    assert "regions=3" in two.plot().axes[1].get_title()


def test_figures(found):
    curve, radar = found.plot().axes
    assert [line.get_label() for line in curve.lines] == ["gradcam", "layercam", "random"]
    assert np.allclose(curve.lines[0].get_ydata(), found.curves["deletion"]["gradcam", "mean"])
    assert len(curve.collections) == 3
    for axes in (radar, found.radar().axes[0]):
        named = [line for line in axes.lines if not line.get_label().startswith("_")]
        assert [line.get_label() for line in named] == ["gradcam", "layercam", "random"]
        assert len({(line.get_color(), line.get_linestyle()) for line in named}) == 3
        x, y = radar_outline(rank_scores(found.ranks.drop(columns="mean rank")))
        assert all(
            np.allclose(line.get_xydata(), np.stack(corners, 1))
            for line, corners in zip(named, zip(x, y, strict=True), strict=True)
        )
        assert "Drop in\nconfidence" in [t.get_text() for t in axes.texts]
    found.plot().canvas.draw()


def test_draws_in_parts_are_those_at_once(monkeypatch):
    values = np.random.default_rng(5).gamma(2, size=(23, 3))
    at_once = means(values)
    monkeypatch.setattr("camwidget.evaluation.table._DRAWS", 23 * 300)  # the last part is smaller
    np.testing.assert_allclose(means(values), at_once, rtol=1e-12)


def test_curves_of_several_lengths_are_averaged_by_fraction():
    """As of small pictures that have fewer patches than others: the shorter one is interpolated."""
    rows = pd.DataFrame({"picture": [4, 7], "method": "gradcam", "layer": "first"})
    index = pd.MultiIndex.from_tuples([("gradcam", "first")], names=["method", "layer"])
    frame = mean_curves(rows, [{"area": [0, 1]}, {"area": [0, 1, 0]}], index)["area"]
    assert frame["gradcam", "first", "mean"].to_dict() == {0: 0, 0.5: 0.75, 1: 0.5}
    assert frame.columns.names[:2] == ["method", "layer"]


def test_the_best_rank_is_outermost():
    ranks = pd.DataFrame({"a": [1, 2, 3], "b": [3, 1.5, 1.5], "c": [1, np.nan, 2]})
    scores = rank_scores(ranks)
    assert scores[:, 0] == pytest.approx([1, 2 / 3, 1 / 3])
    assert scores[1, 2] == 0
    x, y = radar_outline(scores)
    assert x.shape == (3, 4)
    assert np.allclose(np.hypot(x, y)[:, :3], scores)
    assert (x[0, 0], y[0, 0]) == pytest.approx((0, 1))
    assert x[0, 1] > 0, "clockwise"
    assert np.array_equal(x[:, 0], x[:, -1])


def test_a_captioner_explains_each_picture_under_its_own_words():
    from prompt_models import caption_model, squares

    pictures = [Image.fromarray(squares(c).image) for c in ("red", "green")]
    found = cw.evaluate(caption_model(), pictures, "gradcam", "complexity", target="predicted")
    assert found.rows["target_name"].tolist() == ["the whole caption"] * 2
    with pytest.raises(DataError, match="no label"):
        cw.evaluate(caption_model(), pictures, "gradcam", "complexity")
