"""Models that find boxes: a detection is a class, and is followed by score × overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from explorer_internals import view_of
from torch import nn

import camwidget as cw
from camwidget.errors import LayerError, MetricError, ModelError, TargetError
from camwidget.models.detection_model import DetectionModel

SIDE, CELL = 48, 8
NAMES = ("nothing", "red", "green")


class Lamps(nn.Module):
    """Finds a red and a green box: the cells with the most of each color; none below a brightness of a half."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Sequential(nn.AvgPool2d(CELL), nn.Conv2d(3, 3, 1, bias=False), nn.ReLU())
        with torch.no_grad():
            self.cells[1].weight[:] = torch.eye(3)[..., None, None]

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        found = []
        for colors in self.cells(x):
            at = [divmod(int(c.argmax()), c.shape[1]) for c in colors[:2]]
            scores = torch.stack([c.max() for c in colors[:2]])
            boxes = torch.tensor(
                [[CELL * k, CELL * r, CELL * (k + 1), CELL * (r + 1)] for r, k in at]
            ).float()
            keep = scores > 0.5
            labels = torch.tensor([1, 2])
            found.append({"boxes": boxes[keep], "labels": labels[keep], "scores": scores[keep]})
        return found


@pytest.fixture(scope="module")
def model() -> DetectionModel:
    found = cw.wrap(Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert isinstance(found, DetectionModel)
    return found


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """A red cell at row 1, column 4, and a green one at row 3, column 0."""
    pixels = torch.full((3, SIDE, SIDE), 0.1)
    pixels[0, CELL : 2 * CELL, 4 * CELL : 5 * CELL] = 0.9
    pixels[1, 3 * CELL : 4 * CELL, :CELL] = 0.8
    return pixels


def test_detections_have_names_and_pixels(model: DetectionModel, picture: torch.Tensor) -> None:
    red, green = model.detections(picture)
    assert (red.name, red.label, red.box) == ("red", 1, (32, 8, 40, 16))
    assert (green.name, green.label, green.box) == ("green", 2, (0, 24, 8, 32))
    assert (red.score, green.score) == pytest.approx((0.9, 0.8))
    assert [d.name for d in model.detections(picture, 0.85)] == ["red"]
    assert model.detections(torch.zeros(3, SIDE, SIDE)) == []
    assert repr(model).startswith("DetectionModel('Lamps', boxes of 3 labels, default layer")
    asked = repr(model.given(detections=[red], about="left"))
    assert "boxes of 3 labels, 1 of them chosen, asked about 'left', default" in asked


def test_before_a_choice_each_picture_has_its_own(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    assert model.classes == () and "model.given(detections=" in model.no_classes
    first = cw.explain(model, picture, method="layercam", layer="cells.2")
    chosen = model.given(detections=model.detections(picture))
    assert np.array_equal(cw.explain(chosen, picture, "red", "layercam", "cells.2").raw, first.raw)
    both = cw.explain(model, [picture, picture[[1, 0, 2]]], method="layercam", layer="cells.2")
    assert [e.target.label for e in both] == ["red", "green"]
    with pytest.raises(cw.CamwidgetError, match="none of them is chosen"):
        cw.explain(model, torch.zeros_like(picture))


def test_detections_are_measured_and_evaluated(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    own = np.zeros((SIDE, SIDE), bool)
    own[8:16, 32:40] = True
    maps = cw.explain(model, picture, ["red", "green"], "layercam", layer="cells.2")
    red, green = cw.measure(model, picture, list(maps), ["pointing", "energy"], mask=own)
    assert (red["pointing"].value, green["pointing"].value) == (1, 0)
    assert red["energy"].value > 0.4 > 0.1 > green["energy"].value
    curve = cw.mask_curve(model, picture, maps[0], "red", baseline="black")
    assert curve.probability[0] == pytest.approx(0.9) and curve.probability[-1] < 0.01
    found = cw.evaluate(
        model,
        [picture, torch.zeros_like(picture)],
        methods=["layercam"],
        metrics=["pointing"],
        layers="cells.2",
        target="predicted",
        truth=lambda number, element: own,
    )
    (row,) = found.rows.to_dict("records")
    assert (row["target_name"], row["pointing"]) == ("red", 1)
    assert "none in this picture" in found.skipped["reason"].iloc[0]


def test_an_evaluation_goes_by_the_boxes_of_the_chosen_detections(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    """The same numbers as ``measure``; each detection is measured at its own box, without truth in the data."""
    chosen = model.given(detections=model.detections(picture))
    metrics = ["pointing", "energy", "inside-outside", "deletion", "insertion"]
    found = cw.evaluate(
        chosen,
        [(picture, "red"), (picture, "green")],
        methods=["layercam", "saliency"],
        metrics=metrics,
        layers="cells.2",
    )
    assert found.skipped.empty and len(found.rows) == 4
    for row in found.rows.to_dict("records"):
        e = cw.explain(chosen, picture, row["target_name"], row["method"], layer="cells.2")
        one = cw.measure(chosen, picture, e, metrics)
        assert {m: row[m] for m in metrics} == pytest.approx({m: one[m].value for m in metrics})
    layercam = found.rows[found.rows["method"] == "layercam"]
    assert (layercam["pointing"] == 1).all() and (layercam["energy"] > 0.4).all()
    # Before a choice, each picture's best detection is explained, at its box.
    own = cw.evaluate(
        model,
        [picture, picture[[1, 0, 2]]],
        methods=["layercam"],
        metrics=["pointing"],
        layers="cells.2",
        target="predicted",
    )
    assert own.rows["target_name"].tolist() == ["red", "green"]
    assert own.rows["pointing"].tolist() == [1, 1]
    for detection in range(2):
        e = cw.explain(chosen, picture, detection, "layercam", layer="cells.2")
        curve = cw.mask_curve(chosen, picture, e, detection, baseline="black", steps=5)
        other = cw.mask_curve(chosen, picture, e, 1 - detection, baseline="black", steps=5)
        assert curve.probability[1] < 0.1 < other.probability[1], "only the asked box is gone"


def test_a_detection_is_followed(model: DetectionModel, picture: torch.Tensor) -> None:
    chosen = model.given(detections=model.detections(picture))
    assert chosen.classes == ("red", "green")
    assert chosen.predict(picture).probabilities == pytest.approx((0.9, 0.8), abs=1e-5)
    dark = picture.clone()
    dark[0] = 0.1  # the red lamp is off
    found = dict(
        zip(*[chosen.predict(dark).names, chosen.predict(dark).probabilities], strict=True)
    )
    assert found["red"] == pytest.approx(0, abs=1e-5) and found["green"] == pytest.approx(0.8)
    # Half of the box moves out of it: intersection 4 × 8, union 12 × 8.
    d = model.detections(picture)[0]
    left, top, right, bottom = d.box
    shifted = type(d)((left + 4, top, right + 4, bottom), d.label, d.name, d.score, d.size)
    assert model.given(detections=shifted).predict(picture).probabilities[0] == pytest.approx(
        0.9 / 3
    )


class Moving(nn.Module):
    """Finds one box, whose right edge lies where the left half of the picture is bright, and its left one otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Sequential(nn.AvgPool2d(CELL), nn.Conv2d(3, 1, 1, bias=False))
        with torch.no_grad():
            self.cells[1].weight[:] = 1 / 3

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        found = []
        for cells in self.cells(x)[:, 0]:
            right, left = 20 + 20 * cells[:, :3].mean(), 20 * cells[:, 3:].mean()
            box = torch.stack([left, left * 0 + 10, right, left * 0 + 30])[None]
            found.append(
                {"boxes": box, "labels": torch.tensor([1]), "scores": 0.9 + 0 * left[None]}
            )
        return found


def test_an_edge_of_a_box_is_asked_about(picture: torch.Tensor) -> None:
    model = cw.wrap(Moving(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert isinstance(model, DetectionModel)
    bright = torch.full((3, SIDE, SIDE), 0.5)
    found = model.detections(bright)
    right, left = (model.given(detections=found, about=edge) for edge in ("right", "left"))
    assert (right.scores, right.unit, right.classes) == ("value", "px at the right edge", ("red",))
    assert right.predict(bright).probabilities[0] == pytest.approx(30)
    assert left.predict(bright).probabilities[0] == pytest.approx(10)
    # The right edge hangs on the left half, and the left edge on the right one.
    half = SIDE // 2
    for asked, inside in ((right, np.s_[:, :half]), (left, np.s_[:, half:])):
        for method in ("saliency", "occlusion"):
            e = cw.explain(asked, bright, "red", method)
            assert e.saliency[inside].sum() > 0.95 * e.saliency.sum(), method
    e = cw.explain(right, bright, "red", "layercam", layer="cells.1")
    curve = cw.mask_curve(right, bright, e, "red", baseline="black", steps=3)
    assert curve.probability == pytest.approx([30, 20, 20], abs=0.1)
    # Before a choice, and back to the score.
    assert cw.explain(model.given(about="right"), bright).prediction.probabilities[0] == 30
    assert right.given(about="score").predict(bright).probabilities[0] == pytest.approx(0.9)
    ex = cw.Explorer(model.given(about="left"), [bright], method="saliency").wait(30)
    try:
        view = view_of(ex)
        assert view.error == "" and view.quantity == {"unit": "px at the left edge"}
        assert [(row["name"], row["unmasked"]) for row in view.rows] == [("red", 10)]
        assert 'given(about="left")' in ex.code
    finally:
        ex.close()
    far = replace(found[0], box=(40.0, 32.0, 44.0, 40.0))
    with pytest.raises(ModelError, match="No box of the same class overlaps"):
        model.given(detections=far, about="top").predict(bright)
    with pytest.raises(TargetError, match="A detection is asked about 'score', 'class', 'left'"):
        model.given(about="middle")


class Rivals(nn.Module):
    """Finds one box, which is red by the left half of the picture, and green by the right one."""

    def __init__(self) -> None:
        super().__init__()
        self.gray = nn.Conv2d(3, 1, 1, bias=False)
        with torch.no_grad():
            self.gray.weight[:] = 1

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        gray = self.gray(x)[:, 0]
        half = SIDE // 2
        logits = torch.stack(
            [
                -4 + 0 * gray.mean((1, 2)),
                gray[..., :half].mean((1, 2)),
                gray[..., half:].mean((1, 2)) - 1,
            ],
            1,
        )
        boxes = torch.tensor([0.5, 0.5, 0.5, 0.5]).expand(len(x), 1, 4)
        return {"logits": logits[:, None], "pred_boxes": boxes}


def test_a_class_is_asked_about_rather_than_any_other_there(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    rivals = cw.wrap(Rivals(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert isinstance(rivals, DetectionModel)
    even = torch.full((3, SIDE, SIDE), 0.5)
    found = rivals.detections(even)
    red, green = torch.tensor([1.5, 0.5]).sigmoid().tolist()
    assert [d.name for d in found] == ["red"] and found[0].score == pytest.approx(red)
    asked = rivals.given(detections=found, about="class")
    assert asked.predict(even).probabilities[0] == pytest.approx(red / (red + green))
    halves = cw.Parts(np.arange(SIDE)[None].repeat(SIDE, 0) // (SIDE // 2))
    method = cw.get_method("part-occlusion", parts=halves)
    for about, right in (("score", 0.0), ("class", -1.0)):
        e = cw.explain(rivals.given(detections=found, about=about), even, "red", method)
        assert e.parts is not None and e.parts.values[0] > 0.1
        assert np.sign(e.parts.values[1].round(5)) == right, about
    # The same by the gradient.
    pixels = even.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(asked.logits_of(asked.run(pixels[None]), 1).sum(), pixels)
    assert gradient[:, :, 0].min() > 0 > gradient[:, :, -1].max()
    # Without a box of another class nothing can be taken for it; without any, neither.
    alone = model.given(detections=model.detections(picture)[0], about="class")
    assert alone.predict(picture).probabilities[0] == pytest.approx(1, abs=1e-5)
    assert alone.predict(torch.zeros_like(picture)).probabilities[0] == pytest.approx(0.5)
    # The boxes of another class are single ones here, that of red is at the same place.
    both = rivals.given(
        detections=[found[0], replace(found[0], label=2, name="green")], about="class"
    )
    assert sum(both.predict(even).probabilities) == pytest.approx(1)


def test_a_detection_that_is_lost_has_no_edge(model: DetectionModel, picture: torch.Tensor) -> None:
    asked = model.given(detections=model.detections(picture), about="left")
    first = np.zeros((SIDE, SIDE), np.float32)
    first[CELL : 2 * CELL, 4 * CELL : 5 * CELL] = 1  # the red lamp
    curve = cw.mask_curve(asked, picture, first, "red", baseline="black", steps=3)
    assert curve.probability[0] == 32 and np.isnan(curve.probability[1:]).all()
    assert curve.probabilities[1, 1] == 0, "the other one is still there"
    assert np.isfinite(curve.span).all() and curve.plot().axes
    with pytest.raises(ModelError, match="No box of the same class overlaps"):
        asked.predict(torch.zeros_like(picture))


def test_the_least_score_of_detections_is_a_setting(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    strict = model.given(least_score=0.85)
    assert [d.name for d in strict.detections(picture)] == ["red"]
    assert [d.name for d in strict.detections(picture, 0.5)] == ["red", "green"]
    assert strict.with_text_for(picture).classes == ("red",)
    with pytest.raises(cw.CamwidgetError, match="has a score of 0.95"):
        cw.explain(model.given(least_score=0.95), picture)
    for wrong in (-0.1, 1.5, "high", float("nan")):
        with pytest.raises(TargetError, match="least_score is a number between 0 and 1"):
            model.given(least_score=wrong)
        with pytest.raises(TargetError, match="threshold is a number between 0 and 1"):
            model.detections(picture, wrong)
    ex = cw.Explorer(strict, [picture], method="layercam", layer="cells.2").wait(30)
    try:
        assert view_of(ex).class_names == ["red"] and "given(least_score=0.85)" in ex.code
    finally:
        ex.close()


def test_a_map_is_of_its_own_box(model: DetectionModel, picture: torch.Tensor) -> None:
    chosen = model.given(detections=model.detections(picture))
    red, green = cw.explain(chosen, picture, ["red", "green"], "layercam", layer="cells.2")
    assert np.unravel_index(red.raw.argmax(), red.raw.shape) == (1, 4)
    assert np.unravel_index(green.raw.argmax(), green.raw.shape) == (3, 0)
    # d logit(s) / d s = 1 / (s (1 - s)), and the cell's value is the score.
    assert red.raw.max() == pytest.approx(0.9 / (0.9 * 0.1), rel=1e-4)
    covered = cw.explain(chosen, picture, "green", "occlusion").saliency
    assert covered[28, 4] > 5 * covered[12, 36]


def test_metrics_measure_each_detection_at_its_own_box(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    chosen = model.given(detections=model.detections(picture))
    maps = cw.explain(chosen, picture, ["red", "green"], "layercam", layer="cells.2")
    names = ["pointing", "energy", "inside-outside"]
    rows = cw.measure(chosen, picture, list(maps), names)
    for each, row, (left, top) in zip(maps, rows, [(32, 8), (0, 24)], strict=True):
        box = np.zeros((SIDE, SIDE), bool)
        box[top : top + CELL, left : left + CELL] = True
        inside = each.saliency[box].sum() / each.saliency.sum()
        assert row["pointing"].value == 1
        assert row["energy"].value == pytest.approx(inside, rel=1e-4)
        assert row["inside-outside"].value > 5
    # A map of the other detection misses this one's box.
    other = cw.measure(chosen, picture, replace(maps[0], target=maps[1].target), names)
    assert other["pointing"].value == 0 and other["energy"].value < 0.01
    mask = np.ones((SIDE, SIDE), bool)
    assert cw.measure(chosen, picture, maps[0], "energy", mask=mask)["energy"].value == 1


def test_rise_of_detections_is_d_rise(model: DetectionModel, picture: torch.Tensor) -> None:
    """Petsiuk et al. 2021, eqs. 1 to 5, pair by pair, with masks made one by one."""
    found = model.detections(picture)
    count, cells, keep = 40, 3, 0.6
    generator = torch.Generator().manual_seed(2)
    grids = (torch.rand((count, 1, cells, cells), generator=generator) < keep).float()
    side = -(-SIDE // cells)
    down, right = (torch.randint(side, (count,), generator=generator).tolist() for _ in range(2))
    total = torch.zeros(len(found), SIDE, SIDE)
    inputs = model.inputs(model.pixels(picture))
    for grid, y, x in zip(grids, down, right, strict=True):
        large = nn.functional.interpolate(grid[None], size=(cells + 1) * side, mode="bilinear")
        mask = large[0, 0, y : y + SIDE, x : x + SIDE]
        with torch.no_grad():
            (proposals,) = model.module(inputs * mask)
        for k, detection in enumerate(found):
            similarity = 0.0
            for box, label, score in zip(*proposals.values(), strict=True):
                overlap = torchvision.ops.box_iou(torch.tensor([detection.box]), box[None])
                same = float(label == detection.label)
                similarity = max(similarity, float(overlap) * same * float(score))
            total[k] += similarity * mask
    expected = total / (keep * count)
    rise = cw.get_method("rise", masks=count, cells=cells, keep=keep, seed=2)
    maps = cw.explain(model.given(detections=found), picture, [0, 1], rise)
    assert expected.flatten(1).amax(1).min() > 0.01
    for k in range(2):
        np.testing.assert_allclose(maps[k].raw, expected[k].numpy(), atol=2e-6)


def test_two_of_a_kind_are_told_apart() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [20, 20, 30, 31]])

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
            brightness = self.net(x).mean((1, 2, 3)).sigmoid()
            return [
                {
                    "boxes": boxes,
                    "labels": torch.tensor([1, 1, 2]),
                    "scores": b * torch.tensor([1.0, 0.5, 0.9]),
                }
                for b in brightness
            ]

    model = cw.wrap(Fixed(), cw.Preprocess(32), NAMES, kind="boxes")
    assert isinstance(model, DetectionModel)
    picture = torch.rand(3, 32, 32)
    chosen = model.given(detections=model.detections(picture, 0.0))
    assert chosen.classes == ("red #0", "green", "red #2")
    scores = {d.label * 10 + d.box[0]: d.score for d in model.detections(picture, 0.0)}
    found = chosen.predict(picture, 3)
    values = dict(zip(found.names, found.probabilities, strict=True))
    assert values["red #0"] == pytest.approx(scores[10], rel=1e-5)
    assert values["red #2"] == pytest.approx(scores[30], rel=1e-5), (
        "its own box, not the green one there"
    )


@pytest.mark.parametrize("extra", [0, 1])
def test_logits_and_boxes_of_queries(extra: int) -> None:
    """As DETR returns them: with one logit more, that of no object; without, each is independent."""

    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU())
            self.head = nn.Linear(4, 3 + extra)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            tokens = self.net(x).flatten(2).transpose(1, 2)[:, :5]
            boxes = torch.tensor([[0.5, 0.25, 0.5, 0.5]]).expand(len(x), 5, 4)
            return {"logits": self.head(tokens), "pred_boxes": boxes}

    module = Queries()
    model = cw.wrap(module, cw.Preprocess(32), NAMES, kind="boxes")
    assert isinstance(model, DetectionModel)
    picture = torch.rand(3, 32, 32)
    with torch.no_grad():
        logits = module(model.inputs(model.pixels(picture)))["logits"][0]
    expected = logits.softmax(-1)[:, :-1] if extra else logits.sigmoid()
    found = model.detections(picture, 0.0)
    assert found[0].score == pytest.approx(float(expected.max()), rel=1e-5)
    assert found[0].box == pytest.approx((8, 0, 24, 16))
    value = model.given(detections=found[0]).predict(picture).probabilities[0]
    assert value == pytest.approx(float(expected[:, found[0].label].max()), rel=1e-5)
    with pytest.raises(ModelError, match=r"pass the names of all as classes"):
        cw.wrap(module, cw.Preprocess(32), kind="boxes")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [([], "threshold"), ("red", "not str"), ([1, 2], "not list"), (None, None)],
)
def test_what_is_no_detection_is_refused(
    model: DetectionModel, chosen: Any, words: str | None
) -> None:
    if words is None:
        assert model.given(detections=None).classes == ()
        return
    with pytest.raises(TargetError, match=words):
        model.given(detections=chosen)


def test_pictures_of_other_sizes_are_refused(model: DetectionModel, picture: torch.Tensor) -> None:
    chosen = model.given(detections=model.detections(picture))
    with pytest.raises(TargetError, match="48×48 .*48×64"):
        chosen.predict(torch.rand(3, SIDE, 64))


def test_an_explorer_lists_detections(model: DetectionModel, picture: torch.Tensor) -> None:
    array = (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    chosen = model.given(detections=model.detections(array))
    ex = cw.Explorer(chosen, [array])
    try:
        ex.wait(60)
        ex.target, ex.method = "green", "layercam"
        ex.fraction = 0.05
        ex.wait(60)
        sentence = view_of(ex).sentence
        assert "for green lowers it by" in sentence and "(0.80 → " in sentence, sentence
        assert "given(detections=...)  # of model.detections(picture)" in ex.code
    finally:
        ex.close()


def test_a_classifier_finds_no_boxes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ModelError, match="boxes, labels and scores"):
        cw.wrap(net, cw.Preprocess(SIDE), kind="boxes")
    with pytest.raises(ModelError, match="kind='boxes'"):
        cw.wrap(Lamps(), cw.Preprocess(SIDE), kind="boxes", scores="softmax")


class TwoScales(nn.Module):
    """Finds a box at each of two scales, by convolutions whose names say nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4, padding=1), nn.ReLU())
        self.two = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.three = nn.Sequential(nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.ReLU())
        self.four = nn.Conv2d(4, 5, 1)
        self.five = nn.Conv2d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        fine = self.two(self.one(x))
        each = torch.cat([self.four(fine).flatten(2), self.five(self.three(fine)).flatten(2)], 2)
        return [
            {
                "boxes": torch.cat([o[:2], o[:2] + 4 + o[2:4].exp()]).T,
                "labels": torch.ones(len(o.T), dtype=torch.long),
                "scores": o[4].sigmoid(),
            }
            for o in each
        ]


def test_the_default_layer_is_the_last_that_all_boxes_are_computed_from() -> None:
    """Not the boxes and classes themselves, nor the features of one scale, whatever the parts are called."""
    model = cw.wrap(TwoScales(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert model.layers[-1].name == "five", "the second head, which is offered"
    assert model.default_layer == "two"


@pytest.mark.parametrize("tokens", [3, 7, 40])
def test_yolos_has_layers(tokens: int) -> None:
    """Its detection tokens come after the patches, and are no grid of their own."""
    transformers = pytest.importorskip("transformers")
    config = transformers.YolosConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=[64, 64],
        patch_size=8, num_detection_tokens=tokens, num_labels=3,
    )  # fmt: skip
    torch.manual_seed(0)
    module = transformers.YolosForObjectDetection(config).eval()
    model = cw.wrap(module, cw.Preprocess(64), kind="boxes")
    assert isinstance(model, DetectionModel)
    assert model.default_layer == "vit.encoder.layer.1.layernorm_before"
    assert "vit.encoder.layer.0" in [x.name for x in model.layers]
    assert not any(x.name.startswith("class_labels") for x in model.layers)
    # A cell of the map is the patch there: behind the class token, before the detection tokens.
    sequence = torch.arange(1 + 64 + tokens).float()[None, :, None]
    maps = model.maps(sequence, (64, 64))
    assert maps is not None and torch.equal(maps[0, 0], torch.arange(1.0, 65).reshape(8, 8))
    picture = torch.rand(3, 64, 64)
    chosen = model.given(detections=model.detections(picture, 0.0)[0])
    assert np.abs(cw.explain(chosen, picture, 0).raw).max() > 0
    wide = model.pixels(torch.rand(3, 64, 96))
    assert model.maps(torch.zeros(1, 1 + 96 + tokens, 1), wide.shape[-2:]) is not None


def test_queries_of_detr_are_no_grid() -> None:
    transformers = pytest.importorskip("transformers")
    backbone = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 4, 8, 8], depths=[1] * 4, out_features=["stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False, backbone_config=backbone, use_pretrained_backbone=False, d_model=16,
        encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2,
        decoder_attention_heads=2, num_queries=4, num_labels=3,
    )  # fmt: skip
    torch.manual_seed(0)
    model = cw.wrap(
        transformers.DetrForObjectDetection(config).eval(), cw.Preprocess(96), kind="boxes"
    )
    assert model.default_layer == "model.encoder.layers.0" and model.layer().shape == (16, 3, 3)
    for name in ("class_labels_classifier", "model.decoder.layers.0"):
        with pytest.raises(LayerError, match="queries"):
            model.layer(name)


@pytest.mark.full
def test_a_detector_is_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, not even for the classifier inside."""
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("it fetched weights")
    )
    model = cw.load("ssdlite320_mobilenet_v3_large", pretrained=False, device="cpu")
    assert isinstance(model, DetectionModel) and model.labels[:2] == ("__background__", "person")
    assert model.default_layer == "backbone.features.0.13", "the finest head sees no layer behind"
    photograph = np.random.default_rng(0).integers(0, 255, (100, 140, 3), np.uint8)
    assert model.pixels(photograph).shape == (1, 3, 100, 140), "the module resizes by itself"
    assert model.detections(photograph, 0.0)[0].size == (100, 140)


@pytest.mark.full
def test_a_detector_of_torchvision() -> None:
    torch.manual_seed(0)
    detector = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=4, box_score_thresh=0.0
    )
    model = cw.wrap(detector, cw.Preprocess(160), ["background", "a", "b", "c"], kind="boxes")
    assert isinstance(model, DetectionModel) and model.default_layer == "backbone.body.16"
    picture = torch.rand(3, 160, 160)
    found = model.detections(picture, 0.0)
    detector.eval()
    with torch.no_grad():
        (theirs,) = detector([model.inputs(model.pixels(picture))[0]])
    assert [d.score for d in found] == pytest.approx(theirs["scores"].tolist())
    chosen = model.given(detections=found[:2])
    assert chosen.predict(picture).probabilities[0] == pytest.approx(found[0].score, rel=1e-4)
    assert np.abs(cw.explain(chosen, picture, 0).raw).max() > 0
    left = chosen.given(about="left")
    assert left.predict(picture).probabilities[0] == pytest.approx(found[0].box[0], abs=1e-3)
    for asked in (left, chosen.given(about="class")):
        assert np.abs(cw.explain(asked, picture, 0).raw).max() > 0
    # The levels of the pyramid as one map.
    levels = [f"backbone.fpn.layer_blocks.{n}.0" for n in range(2)]
    both = cw.explain(chosen, picture, 0, "layercam", layer=levels).average()
    assert both.saliency.shape == (160, 160) and both.layer == " + ".join(levels)


class Array(nn.Module):
    """Center, size and the scores of two classes of each cell, (N, 4 + 2, cells), as in many one-stage detectors."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = Lamps().cells

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.cells(x)[:, :2].flatten(2)
        at = torch.arange(scores.shape[-1])
        side = SIDE // CELL
        places = torch.stack(
            [CELL * (at % side) + 4, CELL * (at // side) + 4, at * 0 + 8, at * 0 + 8]
        )
        return torch.cat([places.float().expand(len(x), -1, -1), scores], 1)


def boxes_of_array(output: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """The layout of ``Array``, as a user states it."""
    return [
        {
            "boxes": torchvision.ops.box_convert(one[:4].T, "cxcywh", "xyxy"),
            "scores": one[4:].amax(0),
            "labels": one[4:].argmax(0) + 1,
        }
        for one in output
    ]


def test_an_array_of_boxes_has_a_stated_layout(
    model: DetectionModel, picture: torch.Tensor
) -> None:
    with pytest.raises(ModelError, match="a callable that makes such a list"):
        cw.wrap(Array(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    found = cw.wrap(Array(), cw.Preprocess(SIDE), NAMES, kind="boxes", output=boxes_of_array)
    assert isinstance(found, DetectionModel)
    assert found.detections(picture) == model.detections(picture)
    e, same = (cw.explain(m, picture, "red", "layercam", "cells.2") for m in (found, model))
    np.testing.assert_array_equal(e.raw, same.raw)


class Strict(Lamps):
    """Refuses to find anything in training mode, as torchvision's detectors do; one box lies beyond the picture."""

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        if self.training:
            raise ValueError("targets should not be None when in training mode")
        found = super().forward(x)
        for one in found:
            beyond = torch.tensor([[-10.0, -10.0, 6.0, 6.0], [60.0, 50.0, 80.0, 70.0]])
            one["boxes"] = torch.cat([beyond, one["boxes"]])
            one["labels"] = torch.cat([torch.tensor([1, 2]), one["labels"]])
            one["scores"] = torch.cat([(0.5 + 0.1 * one["scores"].sum()).expand(2), one["scores"]])
        return found


def test_a_detector_in_training_mode_with_boxes_outside_the_picture(picture: torch.Tensor) -> None:
    module = Strict().train()
    model = cw.wrap(module, cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert isinstance(model, DetectionModel)
    found = sorted(model.detections(picture), key=lambda d: d.box)
    assert [d.box[0] for d in found] == [-10, 0, 32, 60] and module.training
    chosen = model.given(detections=found)
    assert isinstance(chosen, DetectionModel)
    partly, wholly = chosen.place_of(0), chosen.place_of(3)
    assert partly is not None and wholly is not None
    assert partly.sum() == 36 and partly[:6, :6].all() and not wholly.any()
    inside, outside = (
        cw.explain(chosen, picture, target, "layercam", layer="cells.2") for target in (0, 3)
    )
    assert cw.measure(chosen, picture, inside, "pointing")["pointing"].value == 0
    with pytest.raises(MetricError, match="location of the object unknown"):
        cw.measure(chosen, picture, outside, "pointing")
    ex = cw.Explorer(chosen, [picture], method="layercam", layer="cells.2").wait(30)
    try:
        drawn = {tuple(one["box"]) for one in view_of(ex).found["boxes"]}
        assert drawn == {d.box for d in found} and view_of(ex).error == "" and module.training
    finally:
        ex.close()
