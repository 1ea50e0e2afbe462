"""The random logit test and the parameter randomization test."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from scipy.stats import spearmanr
from torch import nn

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.randomization import randomized_copy
from camwidget.metrics import MetricContext, ScoredPicture, measuring, score_steps

SAMPLE = zoo.samples("zoo/scenes")[0]


def quiet(done: int, total: int) -> None:
    """No bar."""


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


@pytest.mark.parametrize("method", ["gradcam", "layercam", "saliency"])
def test_random_logit_as_quantus_has_it(method: str) -> None:
    """Of two classes the other one is always the same."""
    quantus = pytest.importorskip("quantus")
    from quantus.functions.similarity_func import correlation_spearman

    model, sample = cw.load("zoo/biased", device="cpu"), zoo.samples("zoo/biased")[0]

    def explained(target: int) -> np.ndarray:
        e = cw.explain(model, sample.image, target, method)
        assert isinstance(e, cw.Explanation)
        return e.saliency[None, None].copy()

    metric = quantus.RandomLogit(
        similarity_func=correlation_spearman,
        num_classes=2,
        abs=False,
        normalise=False,
        disable_warnings=True,
    )
    for target in (0, 1):
        (expected,) = metric(
            model=model.module,
            x_batch=model.preprocess.pixels(sample.image)[None].numpy(),
            y_batch=np.array([target]),
            a_batch=explained(target),
            explain_func=lambda model, inputs, targets, **_: explained(int(targets[0])),
            device="cpu",
        )
        e = cw.explain(model, sample.image, target, method)
        score = cw.measure(model, sample, e, "random-logit", progress=quiet)["random-logit"]
        if math.isnan(float(expected)):
            assert math.isnan(score.value) and "constant" in score.note
        else:
            assert score.value == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.full
def test_all_maps_of_a_class_meet_the_same_other_class(scenes: cw.VisionModel) -> None:
    maps = cw.explain(scenes, SAMPLE.image, SAMPLE.label, ["gradcam", "layercam"])
    others: list[set[int]] = []
    for seed in range(6):
        values = [
            r["random-logit"].value
            for r in cw.measure(scenes, SAMPLE, maps, "random-logit", seed=seed)
        ]  # type: ignore[arg-type]
        found = []
        for e, value in zip(maps, values, strict=True):  # type: ignore[arg-type]
            each = cw.explain(scenes, SAMPLE.image, list(range(len(scenes.classes))), e.method)
            near = {
                o.target.index
                for o in each  # type: ignore[union-attr]
                if o.target.index != SAMPLE.label
                and abs(spearmanr(e.saliency.ravel(), o.saliency.ravel())[0] - value) < 1e-9
            }
            found.append(near)
        assert found[0] & found[1]
        others.append(found[0] & found[1])
    assert len(set().union(*others)) > 2, "another seed, another class"


def test_a_net_of_one_class_has_no_other() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)
    )
    model = cw.wrap(module, cw.Preprocess(32), scores="sigmoid")
    picture = torch.rand(3, 32, 32)
    e = cw.explain(model, picture, 0, "layercam")
    score = cw.measure(model, picture, e, "random-logit", progress=quiet)["random-logit"]
    assert math.isnan(score.value) and "no other class" in score.note


def test_another_quantity_may_be_below_0() -> None:
    """A class of probability 0 has no map; a quantity of −1 has one."""
    torch.manual_seed(0)
    head = nn.Linear(4, 2)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )
    nn.init.constant_(head.bias, -9)
    model = cw.wrap(module, cw.Preprocess(32), classes=["warmth", "height"], scores="value")
    picture = torch.rand(3, 32, 32)
    e = cw.explain(model, picture, 0, "layercam")
    other = cw.explain(model, picture, 1, "layercam")
    score = cw.measure(model, picture, e, "random-logit", progress=quiet)["random-logit"]
    expected = spearmanr(e.saliency.ravel(), other.saliency.ravel())[0]
    assert score.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("method", "layer"),
    [("gradcam", "stage3"), ("layercam", "stage2"), ("saliency", None), ("cam", None)],
)
def test_the_map_of_a_net_with_random_weights(
    scenes: cw.VisionModel, method: str, layer: str | None
) -> None:
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, method, layer)
    name = "parameter-randomization"
    values = {}
    for seed in (0, 5):
        random = cw.wrap(randomized_copy(scenes, seed), scenes.preprocess, scenes.classes)
        other = cw.explain(random, SAMPLE.image, SAMPLE.label, method, layer)
        assert isinstance(e, cw.Explanation) and isinstance(other, cw.Explanation)
        expected = spearmanr(e.saliency.ravel(), other.saliency.ravel())[0]
        score = cw.measure(scenes, SAMPLE, e, name, seed=seed, progress=quiet)[name]
        assert score.value == pytest.approx(expected, abs=1e-9)
        values[seed] = score.value
    assert values[0] != values[5]


def test_what_heeds_nothing_is_found_out(scenes: cw.VisionModel) -> None:
    names = ["random-logit", "parameter-randomization"]
    e = cw.explain(scenes, SAMPLE.image, SAMPLE.label, "random")
    row = cw.measure(scenes, SAMPLE, e, names, progress=quiet)
    assert [row[n].value for n in names] == pytest.approx([1, 1])


def test_one_net_with_random_weights_serves_all_maps(
    scenes: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from camwidget.metrics import randomization_metrics

    made = []
    monkeypatch.setattr(
        randomization_metrics, "randomized_copy", lambda *a: made.append(a) or randomized_copy(*a)
    )
    before = fingerprint(scenes.module)
    maps = cw.explain(
        scenes, SAMPLE.image, [0, 1, 2], ["gradcam", "saliency"], ["stage2", "stage3"]
    )
    rows = cw.measure(scenes, SAMPLE, maps, "parameter-randomization", progress=quiet)  # type: ignore[arg-type]
    assert len(rows) == 12 and len(made) == 1
    assert fingerprint(scenes.module) == before
    context = MetricContext()
    cases = []
    for number, sample in enumerate(zoo.samples("zoo/scenes")[:3]):
        pixels = scenes.preprocess.pixels(sample.image)
        probabilities = scenes.probabilities(scenes.logits(pixels[None]))[0].double()
        subject = ScoredPicture(scenes, pixels, probabilities, context, number)
        e = cw.explain(scenes, pixels, sample.label)
        cases.append(measuring.case_of(subject, e))  # type: ignore[arg-type]
    *_, last = score_steps(cases, [cw.get_metric("parameter-randomization")])
    assert len(last.scores) == 3 and len(made) == 2, "one for all pictures of a context"


class Breakable(nn.Module):
    """Answers NaN unless its first weight is as it was, or the same map everywhere."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        self.how = how
        self.register_buffer("known", self.look.weight.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_known = torch.equal(self.look.weight, self.known)
        found = self.look(x).relu()
        if not is_known:
            found = found * (math.nan if self.how == "NaN" else 0)
        return self.head(found.amax((2, 3)))


@pytest.mark.parametrize(("how", "note"), [("NaN", "NaN or infinity"), ("zero", "is constant")])
def test_random_weights_may_say_nothing(how: str, note: str) -> None:
    torch.manual_seed(1)
    model = cw.wrap(Breakable(how), cw.Preprocess(32))
    picture = torch.rand(3, 32, 32)
    e = cw.explain(model, picture, 0, "layercam", "look")
    score = cw.measure(model, picture, e, "parameter-randomization", progress=quiet)
    value = score["parameter-randomization"]
    assert math.isnan(value.value) and note in value.note
