"""Sharing of predictions: each is computed once, in few batches, and the model is left unchanged."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import pytest
import torch
from faithfulness_helpers import (
    SIZE,
    case_of,
    counted,
    picture,
    random_map,
    scores_of,
    small_model,
    subject_of,
)
from module_fingerprint import fingerprint
from torch import nn

import camwidget as cw
from camwidget.errors import ModelError
from camwidget.metrics import Case, ChangedPicture, get_metric, score_steps

pytestmark = pytest.mark.usefixtures("one_thread")

FAITHFUL = [m.name for m in cw.list_metrics() if m.reads_predictions]


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


def cases_of(model: cw.VisionModel, numbers: Sequence[int]) -> list[Case]:
    return [case_of(subject_of(model, picture(n), n), random_map(n), n % 4) for n in numbers]


#: With the whole picture known: picture × map; 20 steps of a curve of 21, of which one is the whole picture.
ASKED = [
    (("drop",), 1),
    (("drop", "increase", "gain", "change"), 1),
    (("remove25", "change25"), 1),
    (("deletion",), 20),
    (("deletion", "morf", "remove25"), 20),
    (("drop", "increase", "gain", "remove25", "deletion"), 1 + 20),
    (("drop", "increase", "remove25", "deletion", "morf"), 1 + 20),
    (("insertion",), 20),
    (("deletion", "lerf"), 20 + 19),  # the last picture of both is the baseline
    (("deletion", "insertion"), 20 + 20),
    (("drop", "remove25", "deletion", "insertion"), 1 + 20 + 20),
    (("region-perturbation",), 32),
    (("non-sensitivity",), 49),
    (("road",), 18),
]


@pytest.mark.parametrize(("names", "expected"), ASKED)
def test_each_thing_is_asked_once(
    model: cw.VisionModel, names: tuple[str, ...], expected: int
) -> None:
    (case,) = cases_of(model, [0])
    made: list[torch.Tensor] = []
    handle = model.module.register_forward_pre_hook(lambda _, args: made.extend(args[0].clone()))
    try:
        scores_of([case], *names)
    finally:
        handle.remove()
    assert len(made) == expected
    assert len({m.numpy().tobytes() for m in made}) == expected, "a picture was shown twice"


def test_who_asks_for_nothing_gets_nothing(model: cw.VisionModel) -> None:
    def count(case: Case) -> Generator[list[ChangedPicture], torch.Tensor, float]:
        found = yield []
        return len(found)

    metric = replace(get_metric("drop"), name="count", function=count)
    (case,) = cases_of(model, [0])
    with counted(model.module) as sizes:
        assert scores_of([case], metric)[case, "count"].value == 0
    assert not sizes


def test_lerf_shares_with_insertion(model: cw.VisionModel) -> None:
    (case,) = cases_of(model, [0])
    with counted(model.module) as sizes:
        scores_of([case], "lerf", get_metric("insertion", baseline="mean"))
    assert sum(sizes) == 20


def test_pictures_share_batches(model: cw.VisionModel) -> None:
    """One prediction for each of many pictures fills whole batches."""
    cases = cases_of(model, range(40))
    with counted(model.module) as sizes:
        scores_of(cases, "drop", "increase", "gain")
    assert sum(sizes) == 40
    assert len(sizes) == 1


def test_pictures_of_several_sizes(textures: cw.VisionModel) -> None:
    """Of a model that takes any size: pictures of different sizes are batched by size."""
    model = cw.wrap(_AnySize(), cw.Preprocess(mean=(0, 0, 0), std=(1, 1, 1)))
    cases = [
        case_of(subject_of(model, picture(n, size), n), random_map(n, size))
        for n, size in enumerate((SIZE, 20, SIZE, 44))
    ]
    together = scores_of(cases, *FAITHFUL)
    for case in cases:
        alone = scores_of([case], *FAITHFUL)
        for name in FAITHFUL:
            assert together[case, name].value == pytest.approx(alone[case, name].value, abs=1e-6)


class _AnySize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv = nn.Conv2d(3, 6, 5, stride=2)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 30 * self.head(self.conv(x).relu().amax((2, 3)))


def test_order_and_company_do_not_matter(model: cw.VisionModel) -> None:
    """Bit by bit where the batches are the same; in others a convolution may add up in another order."""
    numbers = list(range(4))
    forwards = cases_of(model, numbers)
    together = scores_of(forwards, *FAITHFUL)
    backwards = cases_of(model, numbers[::-1])[::-1]
    reversed_scores = scores_of(backwards[::-1], *reversed(FAITHFUL))
    for n in numbers:
        again, alone = cases_of(model, [n]), cases_of(model, [n])
        first, second = scores_of(again, *FAITHFUL), scores_of(alone, *FAITHFUL)
        for name in FAITHFUL:
            value = together[forwards[n], name].value
            assert first[again[0], name] == second[alone[0], name]
            assert first[again[0], name].value == pytest.approx(value, abs=1e-6)
            assert reversed_scores[backwards[n], name].value == pytest.approx(value, abs=1e-6)


class _Touchy(nn.Module):
    """Fails on its fifth pass of many; has normalizations to be folded, and is left training."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)
        self.left = 10**9

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("enough")
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


def touchy_case() -> Case:
    module = _Touchy().train()
    model = cw.wrap(module, cw.Preprocess(SIZE, mean=(0, 0, 0), std=(1, 1, 1)))
    return case_of(subject_of(model, picture()), random_map())


def test_the_model_is_left_as_it_was() -> None:
    case = touchy_case()
    before = fingerprint(case.subject.model.module)
    scores_of([case], *FAITHFUL)
    assert fingerprint(case.subject.model.module) == before


@pytest.mark.parametrize("names", [FAITHFUL, ["deletion"]])
def test_the_model_is_left_as_it_was_when_it_fails(names: list[str]) -> None:
    case = touchy_case()
    module = case.subject.model.module
    before = fingerprint(module)
    module.left = 0
    with pytest.raises(ModelError, match="enough"):
        scores_of([case], *names)
    module.left = 10**9
    assert fingerprint(module) == before


def test_the_model_is_left_as_it_was_when_someone_interrupts(textures: cw.VisionModel) -> None:
    pixels = torch.rand(3, *textures.preprocess.size, generator=torch.Generator().manual_seed(0))
    exp = cw.explain(textures, pixels, 0)
    before = fingerprint(textures.module)
    seen: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        seen.append((done, total))
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.measure(textures, pixels, exp, FAITHFUL, progress=cancel)
    assert 0 < seen[-1][0] < seen[-1][1]
    assert fingerprint(textures.module) == before


def test_progress_counts_pictures(model: cw.VisionModel) -> None:
    steps = [
        (s.done, s.total) for s in score_steps(cases_of(model, range(30)), [get_metric("deletion")])
    ]
    assert steps[-1] == (600, 600)
    assert steps == sorted(steps)
    assert len(steps) > 2
