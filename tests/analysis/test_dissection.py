"""Network dissection, compared with the paper's formulas, and textual explanations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from scipy.ndimage import map_coordinates
from torch import nn

import camwidget as cw
from camwidget.attribution.targets import ClassTarget
from camwidget.attribution.trace import Trace
from camwidget.errors import LayerError, MethodError, ModelError, PictureError, TargetError
from camwidget.zoo import textures as drawn

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
KINDS = {"red": "color", "green": "color", "blue": "color", "square": "shape", "bar": "shape"}


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """Everything here is small."""


def quiet(done: int, total: int) -> None:
    """Progress that shows nothing."""


def dissect(model: cw.VisionModel, samples: Any, layer: str | None = None, **options: Any) -> Any:
    return cw.dissect(model, samples, layer, **{"progress": quiet, **options})


@dataclass
class Scene:
    """A drawn picture, and what is where in it."""

    image: np.ndarray
    where: dict[str, np.ndarray]

    def concepts(self) -> dict[str, np.ndarray]:
        return self.where


def scene(seed: int, side: int = 24) -> Scene:
    """A square and a bar of two colors on gray, which may overlap."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), 128, np.uint8)
    where: dict[str, np.ndarray] = {}
    names = rng.permutation(list(COLORS))[:2]
    for shape, color, (height, width) in zip(
        ("square", "bar"), names, ((6, 6), (3, 12)), strict=True
    ):
        top, left = rng.integers(side - height), rng.integers(side - width)
        mask = np.zeros((side, side), bool)
        mask[top : top + height, left : left + width] = True
        image[mask] = COLORS[color]
        for other in where.values():
            other &= ~mask
        where[shape], where[color] = mask.copy(), mask.copy()
    return Scene(image, where)


class Colors(nn.Module):
    """Three filters that find red, green and blue exactly, one that is constant, and one that is dead."""

    def __init__(self) -> None:
        super().__init__()
        self.find = nn.Conv2d(3, 5, 1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(5, 3)
        with torch.no_grad():
            weight = torch.full((5, 3), -1.0)
            weight[range(3), range(3)] = 1.0
            weight[3:] = 0
            self.find.weight.copy_(weight[:, :, None, None])
            self.find.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.7, -1.0]))
            self.head.weight.copy_(
                torch.tensor([[3.0, -2, -1, 0, 0], [-1, 3, -2, 0, 0], [0, 0, 3, 1, 0]])
            )
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.find(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def colors() -> cw.VisionModel:
    return cw.wrap(Colors(), cw.Preprocess(24), list(COLORS))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene(seed) for seed in range(12)]


class Coarse(nn.Module):
    """Random maps at a quarter of the picture, for the formulas."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Conv2d(3, 7, 4, stride=4)
        self.head = nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


# -- the formulas --------------------------------------------------------------------------


def slowly(
    maps: np.ndarray, scenes: list[Scene], quantile: float, categories: dict[str, str]
) -> tuple[np.ndarray, dict[tuple[int, str], float]]:
    """Bau et al. 2017, section 2.2: maps (N, K, h, w) to T_k, and IoU by unit and concept. Assumes no ties."""
    height, width = scenes[0].image.shape[:2]
    rows = (np.arange(height) + 0.5) * maps.shape[2] / height - 0.5
    columns = (np.arange(width) + 0.5) * maps.shape[3] / width - 0.5
    at = np.meshgrid(rows, columns, indexing="ij")
    names = sorted({c for s in scenes for c in s.concepts()})
    levels, iou = [], {}
    for k in range(maps.shape[1]):
        values = sorted(maps[:, k].ravel().tolist())
        level = next(t for t in values if np.mean(np.array(values) > t) <= 1 - quantile)
        levels.append(level)
        for name in names:
            both = either = 0
            for n, s in enumerate(scenes):
                category = {categories.get(c, "") for c in s.concepts()}
                if categories.get(name, "") not in category:
                    continue
                answer = map_coordinates(maps[n, k], at, order=1, mode="nearest") >= level
                mask = s.concepts().get(name, np.zeros((height, width), bool))
                for y in range(height):
                    for x in range(width):
                        both += bool(answer[y, x] and mask[y, x])
                        either += bool(answer[y, x] or mask[y, x])
            iou[k, name] = both / either if either else 0.0
    return np.array(levels), iou


@pytest.mark.parametrize("categories", [{}, KINDS])
def test_as_the_formulas_say(categories: dict[str, str]) -> None:
    scenes = [scene(seed) for seed in range(5)]
    for name in ("square", "bar"):
        del scenes[3].where[name]  # in this picture no shape is named
    for n, s in enumerate(scenes):  # no two places are alike
        s.image += np.random.default_rng(n).integers(0, 60, s.image.shape, np.uint8)
    model = cw.wrap(Coarse(), cw.Preprocess(24), list("abc"), layers=["body"])
    found = dissect(model, scenes, quantile=0.88, concept_categories=categories)
    maps = Trace(model, model.pixels([s.image for s in scenes]), ["body"]).activation("body")
    levels, iou = slowly(maps.double().numpy(), scenes, 0.88, categories)
    np.testing.assert_allclose(found.thresholds, levels, rtol=1e-6)
    for k in range(7):
        for c, name in enumerate(found.concepts):
            assert found.iou[k, c] == pytest.approx(iou[k, name], abs=2e-3), (k, name)
    assert (found.iou > 0.05).any()


def test_with_a_category_a_concept_counts_only_where_its_category_is_named(
    colors: cw.VisionModel,
) -> None:
    scenes = [scene(seed) for seed in range(6)]
    plain = dissect(colors, scenes, "relu")
    bare = [*scenes, Scene(scenes[0].image, {"square": scenes[0].where["square"]})]
    found = dissect(colors, bare, "relu", concept_categories=KINDS)
    for name in COLORS:
        c, p = found.concepts.index(name), plain.concepts.index(name)
        np.testing.assert_allclose(found.iou[:3, c], plain.iou[:3, p])


# -- planted units -------------------------------------------------------------------------


def test_units_that_find_a_color_are_named_by_it(
    colors: cw.VisionModel, scenes: list[Scene]
) -> None:
    found = dissect(colors, scenes, "relu", concept_categories=KINDS)
    assert [u.concept for u in found.units] == ["red", "green", "blue", None, None]
    assert [u.category for u in found.units] == ["color"] * 3 + [""] * 2
    assert all(u.iou == pytest.approx(1) for u in found.units[:3])
    assert found.detectors == {"blue": (2,), "green": (1,), "red": (0,)}
    assert found.concepts == ("blue", "green", "red", "bar", "square")
    assert {u.unit for u in found.named} == {0, 1, 2}
    assert repr(found).endswith("at 'relu': 3 of 5 units named, 3 of 5 concepts)")
    assert found.units[3].name == "unit 3"


def test_constant_and_dead_units_have_no_name_and_no_nan(
    colors: cw.VisionModel, scenes: list[Scene]
) -> None:
    found = dissect(colors, scenes, "relu")
    assert np.isfinite(found.iou).all() and np.isfinite(found.thresholds).all()
    assert (found.iou[3:] == 0).all()


def test_a_unit_silent_nearly_everywhere_answers_where_it_is_not(colors: cw.VisionModel) -> None:
    """Its threshold is 0, which would have it answer everywhere."""
    scenes = [scene(seed) for seed in range(3)]
    gray = np.full((24, 24, 3), 128, np.uint8)
    rare = [*scenes, *(Scene(gray, {"square": np.zeros((24, 24), bool)}) for _ in range(60))]
    found = dissect(colors, rare, "relu", quantile=0.9)
    assert (found.thresholds[:3] == 0).all()
    assert [u.concept for u in found.units[:3]] == ["red", "green", "blue"]


def test_equal_concepts_give_the_first_by_name(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    twice = [
        Scene(s.image, {**s.where, "alike": s.where["red"]}) for s in scenes if "red" in s.where
    ]
    assert dissect(colors, twice, "relu").units[0].concept == "alike"


def test_masks_go_the_way_of_their_pictures(scenes: list[Scene]) -> None:
    """The net sees the middle, enlarged; a mask that stayed behind would not fit."""
    model = cw.wrap(Colors(), cw.Preprocess(24, resize=48), list(COLORS))
    found = dissect(model, scenes, "relu", quantile=0.9)
    assert [u.concept for u in found.units[:3]] == ["red", "green", "blue"]
    assert min(u.iou for u in found.units[:3]) > 0.75


class Tokens(nn.Module):
    """Maps as (N, H, W, C), or as tokens behind a class token."""

    def __init__(self, tokens: bool) -> None:
        super().__init__()
        self.tokens = tokens
        self.colors = Colors()
        self.shape = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.colors.relu(self.colors.find(x)).permute(0, 2, 3, 1)
        if self.tokens:
            x = x.flatten(1, 2)
            x = torch.cat([x.mean(1, keepdim=True), x], 1)
        x = self.shape(x)
        return self.colors.head(x[:, 1:].mean(1) if self.tokens else x.mean((1, 2)))


@pytest.mark.parametrize("tokens", [False, True])
def test_maps_of_other_shapes(tokens: bool, scenes: list[Scene], colors: cw.VisionModel) -> None:
    def reshape(x: torch.Tensor) -> torch.Tensor:
        grid = x[:, 1:].unflatten(1, (24, 24)) if tokens else x
        return grid.permute(0, 3, 1, 2)

    model = cw.wrap(Tokens(tokens), cw.Preprocess(24), list(COLORS), reshape=reshape)
    found, plain = dissect(model, scenes, "shape"), dissect(colors, scenes, "relu")
    np.testing.assert_allclose(found.iou, plain.iou)
    explanation = cw.describe_decision(model, scenes[0].image, found, "red")
    assert [r.name for r in explanation.reasons] == ["red"]


# -- what it leaves, and what it refuses ---------------------------------------------------


def test_the_model_is_left_as_it_was_also_when_canceled(scenes: list[Scene]) -> None:
    module = Colors().train()
    module.find.weight.requires_grad_(False)
    model = cw.wrap(module, cw.Preprocess(24), list(COLORS))
    before = fingerprint(model.module)
    found = dissect(model, scenes, "relu")
    cw.describe_decision(model, scenes[0].image, found)
    assert fingerprint(model.module) == before

    def cancel(done: int, total: int) -> None:
        assert total == 2 * len(scenes)
        if done > len(scenes):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.dissect(model, scenes, "relu", progress=cancel)
    assert fingerprint(model.module) == before


def test_what_makes_no_sense_is_refused(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    def lazily() -> Iterator[Scene]:
        yield from scenes

    with pytest.raises(cw.CamwidgetError, match="list"):
        dissect(colors, lazily())
    with pytest.raises(cw.CamwidgetError, match="empty"):
        dissect(colors, [])
    with pytest.raises(cw.CamwidgetError, match="quantile"):
        dissect(colors, scenes, quantile=1.0)
    with pytest.raises(cw.CamwidgetError, match="min_iou"):
        dissect(colors, scenes, min_iou=float("nan"))
    with pytest.raises(cw.CamwidgetError, match="no concept"):
        dissect(colors, [Scene(scenes[0].image, {})])
    with pytest.raises(cw.CamwidgetError, match="concepts"):
        dissect(colors, [scenes[0].image])
    with pytest.raises(PictureError, match="mask"):
        dissect(colors, [Scene(scenes[0].image, {"red": np.ones((3, 3), bool)})])
    with pytest.raises(LayerError):
        dissect(colors, scenes, "nowhere")
    with pytest.raises(ModelError):
        dissect(Colors(), scenes)  # type: ignore[arg-type]


# -- a decision in words -------------------------------------------------------------------


def test_a_decision_is_told_by_alpha(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    found = dissect(colors, scenes, "relu")
    explanation = cw.describe_decision(colors, scenes[0].image, found, "red", top=2)
    pixels = colors.pixels(scenes[0].image)
    gradient = Trace(colors, pixels, ["relu"]).gradient(ClassTarget(0, "red"), "relu")
    alpha = gradient[0].mean((1, 2))
    assert [(r.name, r.importance) for r in explanation.reasons] == [
        ("red", pytest.approx(float(alpha[0])))
    ]
    assert [r.name for r in explanation.counter_reasons] == ["green", "blue"]
    probability = colors.probabilities(colors.logits(pixels))[0, 0]
    assert explanation.probability == pytest.approx(float(probability))
    assert str(explanation) == (
        f"red ({probability:.2f}): mostly because of a unit for red; against it: units for green and blue."
    )
    assert [r.is_active for r in explanation.counter_reasons] == [
        name in scenes[0].where for name in ("green", "blue")
    ]


def test_nameless_units_go_by_their_number(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    found = dissect(colors, scenes, "relu")
    explanation = cw.describe_decision(colors, scenes[0].image, found, "blue")
    assert "because of a unit for blue, and unit 3; against it: no unit." in explanation.text
    other = cw.describe_decision(colors, scenes[0].image, found, cw.Contrast("blue", "red"), top=1)
    assert other.probability is None
    assert other.label == "blue rather than red" and other.text.startswith("blue rather than red:")


def test_decisions_that_cannot_be_told(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    found = dissect(colors, scenes, "relu")
    with pytest.raises(TargetError):
        cw.describe_decision(colors, scenes[0].image, found, "mauve")
    with pytest.raises(MethodError, match="top"):
        cw.describe_decision(colors, scenes[0].image, found, top=0)
    other = Colors()
    other.find, other.head = nn.Conv2d(3, 6, 1), nn.Linear(6, 3)
    with pytest.raises(LayerError, match="6 units"):
        cw.describe_decision(cw.wrap(other, cw.Preprocess(24)), scenes[0].image, found)


def test_the_table_and_the_figures(colors: cw.VisionModel, scenes: list[Scene]) -> None:
    found = dissect(colors, scenes, "relu", concept_categories=KINDS)
    rows = found.table()
    assert [row["unit"] for row in rows] == list(range(5))
    assert rows[0]["concept"] == "red" and rows[3]["concept"] is None
    assert len(found.plot().axes[0].patches) == 5
    figure = found.plot_unit(0, pictures=3)
    assert len(figure.axes) == 3
    best = int(figure.axes[0].get_title().split()[1])
    assert "red" in scenes[best].where
    with pytest.raises(LayerError, match="0 to 4"):
        found.plot_unit(5)


# -- the net that ships --------------------------------------------------------------------


@pytest.mark.full
def test_units_of_the_zoo_answer_to_its_textures(textures: cw.VisionModel) -> None:
    samples = [drawn.draw(60_000 + n) for n in range(60)]
    assert set(samples[0].concepts()) == set(samples[0].names)
    found = dissect(textures, samples)
    # 93 of 96 on 300 pictures.
    assert len(found.named) > 70
    others = [
        Scene(s.image, o.concepts())
        for s, o in zip(samples, samples[7:] + samples[:7], strict=True)
    ]
    # With the masks of other pictures, none on 300.
    assert len(dissect(textures, others).named) < 15
    assert len(found.detectors) == 10
    explanation = cw.describe_decision(textures, drawn.draw(60_003).image, found, "fibrous")
    assert "fibrous" in {r.name for r in explanation.reasons}
    assert "fibrous" not in {r.name for r in explanation.counter_reasons}
