"""Random numbers in models: one warning, and no effect on the caller's random state."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from explorer_internals import view_of
from torch import nn
from torch.nn import functional as nnF
from torchvision import transforms
from torchvision.transforms import v2

import camwidget as cw
from camwidget.errors import CamwidgetWarning

GLOBAL = np.random.default_rng(0)


class Net(nn.Module):
    """A small net, and what is done to its features."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor], **own: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU())
        self.head = nn.Linear(8, 3)
        self.change = change
        for name, value in own.items():
            setattr(self, name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.features(x)
        maps = self.change(self, maps) if "generator" in vars(self) else self.change(maps)  # type: ignore[call-arg]
        return self.head(maps.mean((2, 3)))


def skip_rarely(maps: torch.Tensor) -> torch.Tensor:
    """Stochastic depth by hand: one pass in a hundred, which no comparison of two passes finds."""
    return maps * 0 if torch.rand(()) < 0.01 else maps


def from_a_generator_of_its_own(net: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    return maps + torch.randn(maps.shape, generator=net.generator)  # type: ignore[arg-type]


def from_numpy(net: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    return maps * float(net.generator.random())  # type: ignore[operator, union-attr]


RANDOM: dict[str, Callable[[], nn.Module]] = {
    "F.dropout": lambda: Net(nnF.dropout),
    "stochastic depth by hand": lambda: Net(skip_rarely),
    "random": lambda: Net(lambda maps: maps * (0.5 + random.random())),
    "NumPy": lambda: Net(lambda maps: maps + np.random.rand()),
    "a generator that nobody holds": lambda: Net(lambda m: m * torch.tensor(GLOBAL.random((len(m), 1, 1, 1))).float()),
    "a generator of torch's": lambda: Net(from_a_generator_of_its_own, generator=torch.Generator()),
    "a generator of NumPy's": lambda: Net(from_numpy, generator=np.random.default_rng(0)),
}  # fmt: skip


def states() -> tuple[object, ...]:
    state = np.random.get_state()
    return torch.get_rng_state().tolist(), random.getstate(), state[1].tolist(), state[2]  # type: ignore[index]


@pytest.mark.parametrize("kind", RANDOM)
def test_a_module_that_draws_random_numbers(kind: str) -> None:
    module = RANDOM[kind]()
    before = states()
    with pytest.warns(
        CamwidgetWarning, match="Net draws random numbers in evaluation mode"
    ) as caught:
        model = cw.wrap(module)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert model.randomness_note == str(caught[0].message)
    assert states() == before, "the user's random numbers are others"
    if hasattr(module, "generator") and isinstance(module.generator, torch.Generator):
        assert torch.equal(module.generator.get_state(), torch.Generator().get_state())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cw.explain(model, torch.rand(3, 224, 224), 0)


def _rolled(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.roll(random.randrange(9), 2)


TRANSFORMS: list[tuple[list[Callable[..., object]], str]] = [
    ([transforms.Resize((32, 32)), transforms.RandomHorizontalFlip(), transforms.ToTensor()], "RandomHorizontalFlip"),
    ([v2.RandomResizedCrop(32), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)], "RandomResizedCrop"),
    ([transforms.Resize((32, 32)), transforms.RandAugment(), transforms.ToTensor()], "RandAugment"),
    ([transforms.Resize((32, 32)), transforms.ToTensor(), _rolled], "random numbers: pass"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "name"), TRANSFORMS)
def test_random_transforms(steps: list[Callable[..., object]], name: str) -> None:
    kind = v2.Compose if isinstance(steps[0], v2.Transform) else transforms.Compose
    normalize = (v2 if kind is v2.Compose else transforms).Normalize([0.5] * 3, [0.5] * 3)
    module = Net(nn.Identity())
    before = states()
    with pytest.warns(CamwidgetWarning, match=f"preprocessing of Net draws.*{name}") as caught:
        model = cw.wrap(module, kind([*steps, normalize]))
    assert len(caught) == 1 and "evaluation mode" not in model.randomness_note
    assert states() == before


@pytest.mark.parametrize(
    "module", [Net(nn.Dropout()), Net(nn.Identity()), nn.Sequential(Net(nn.ReLU()), nn.Dropout(0.5))]
)  # fmt: skip
def test_what_leaves_nothing_to_chance_says_nothing(module: nn.Module) -> None:
    before = states()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = cw.wrap(
            module.train(), transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
        )
    assert model.randomness_note == "" and states() == before and module.training


def test_another_threads_draws_are_not_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's and Jupyter's threads draw from Python's generator, which is the whole process's."""
    passes = 0

    def sometimes(maps: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += 1
        if passes in drawing:
            random.random()  # as another thread, at any time during the pass
        return maps

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for drawing in ({1}, {2}, {3}, {4}, {3, 5}, {3, 4, 6}):
            passes = 0
            model = cw.wrap(Net(sometimes))
            assert not model.randomness_note and not model.mixes_pictures
            assert passes >= max(drawing)


def test_both_are_said_at_once() -> None:
    flip = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
    with pytest.warns(CamwidgetWarning, match="preprocessing of Net.*Net draws random") as caught:
        cw.wrap(Net(nnF.dropout), flip)
    assert len(caught) == 1


def test_two_passes_more_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    module = Net(lambda maps: (sizes.append(len(maps)), maps)[1])  # type: ignore[func-returns-value]
    monkeypatch.setattr("camwidget.models.vision_model.randomness_note", lambda model: "")
    cw.wrap(module)
    without = sizes.copy()
    monkeypatch.undo()
    sizes.clear()
    cw.wrap(module)
    assert sizes == [*without, 2, 1]


def test_the_widget_says_that_another_run_may_differ() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    for make, is_said in ((nnF.dropout, True), (lambda x: x, False)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ex = cw.Explorer(cw.wrap(Net(make).eval(), cw.Preprocess(32)), picture)
        ex.wait(60)
        assert ("another run may differ" in view_of(ex).status) is is_said
        ex.close()


# -- generators that are not PyTorch's own -------------------------------------------------------


def reseeded(maps: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(3)
    return maps


MOVING: dict[str, Callable[[], nn.Module]] = {
    "random": RANDOM["random"],
    "NumPy": RANDOM["NumPy"],
    "a generator of torch's": RANDOM["a generator of torch's"],
    "a generator of NumPy's": lambda: Net(from_numpy, generator=np.random.default_rng(0)),
    "torch.manual_seed": lambda: Net(reseeded),
}


@pytest.mark.filterwarnings("ignore::camwidget.errors.CamwidgetWarning")
@pytest.mark.parametrize("kind", MOVING)
def test_no_pass_moves_a_generator(kind: str) -> None:
    net = MOVING[kind]().eval()
    own = getattr(net, "generator", None)

    def state() -> str:
        mine = (
            own.get_state().tolist()
            if isinstance(own, torch.Generator)
            else own and own.bit_generator.state
        )
        theirs = torch.get_rng_state().tolist(), torch.initial_seed()
        return repr((random.getstate(), np.random.get_state()[1:3], mine, theirs))

    with np.printoptions(threshold=10_000):
        torch.manual_seed(5)
        np.random.rand()
        before = state()
        model = cw.wrap(net, cw.Preprocess(32))
        picture = np.zeros((32, 32, 3), np.uint8)
        model.predict(picture)
        exp = cw.explain(model, picture)
        cw.explain(model, picture, method="scorecam")
        cw.mask_curve(model, picture, exp, steps=3)
        cw.measure(model, picture, exp, "drop")
        assert state() == before


def test_only_what_moves_generators_has_them_put_back() -> None:
    """Putting back takes from another thread what it drew meanwhile, and time."""
    assert not cw.wrap(
        Net(lambda maps: maps).eval(), cw.Preprocess(32)
    ).isolation.restores_generators
    with pytest.warns(CamwidgetWarning):
        assert not cw.wrap(Net(nnF.dropout).eval(), cw.Preprocess(32)).isolation.restores_generators
