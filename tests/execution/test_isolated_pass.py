"""Isolated passes: a module that is trained meanwhile stays bitwise unchanged."""

from __future__ import annotations

import copy
import functools
import threading
import types
import warnings
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import view_of
from module_fingerprint import fingerprint, has_hooks
from torch import nn
from torch.nn import functional as nnF
from torch.nn.utils import parametrizations, prune

import camwidget as cw
from camwidget.attribution.randomization import randomized_copy
from camwidget.errors import CamwidgetWarning, LayerError, MethodError
from camwidget.execution.random_numbers import PrivateRandomNumbers
from camwidget.execution.shallow_module_copy import copy_structure

PICTURES = [np.random.default_rng(n).integers(0, 256, (16, 16, 3), np.uint8) for n in range(3)]
PREPROCESS = cw.Preprocess(16)


class Meeting:
    """Lets every pass of another thread than the trainer's wait until the trainer has gone a step further."""

    def __init__(self) -> None:
        self.trainer = threading.get_ident()
        self.is_on = False
        self.inside, self.stepped = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self) -> None:
        if self.is_on and threading.get_ident() != self.trainer:
            self.inside.release()
            assert self.stepped.acquire(timeout=60)

    def end(self) -> None:
        self.is_on = False
        self.stepped.release(1000)


class Net(nn.Module):
    """Dropout, batch statistics, a counter that its forward writes into, and a place where threads meet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)
        self.register_buffer("passes", torch.zeros(()))
        self.meeting = Meeting()
        self.calls = 0
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.sizes.append(len(x))
        self.passes += 1
        x = self.norm(self.first(x)).relu()
        self.meeting()
        x = self.second(x).relu()
        return self.head(self.drop(x.mean((2, 3))))


def wrapped(module: nn.Module) -> cw.VisionModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CamwidgetWarning)  # it writes into its own tensors
        return cw.wrap(module, PREPROCESS)


Record = dict[str, Any]


def trained(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    before_step: Callable[[int], None] = lambda step: None,
    after_step: Callable[[], None] = lambda: None,
    steps: int = 30,
) -> Record:
    """What a training is known by, to the bit."""
    torch.manual_seed(7)
    module.train()
    losses = []
    for step in range(steps):
        before_step(step)
        x, y = torch.rand(8, 3, 16, 16), torch.randint(4, (8,))
        optimizer.zero_grad()
        loss = nnF.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after_step()
    return {
        "losses": losses,
        "module": fingerprint(module),
        "optimizer": [
            {k: v.tolist() if isinstance(v, torch.Tensor) else v for k, v in state.items()}
            for state in optimizer.state.values()
        ],
        "random": torch.get_rng_state().tolist(),
        "calls": (module.calls, module.sizes),
    }


def without_ids(record: Record) -> Record:
    """Parameters of two runs are other objects."""
    record["module"]["flags"] = [flag[:3] for flag in record["module"]["flags"]]
    return record


def alone() -> Record:
    module = Net()
    wrapped(module)
    return without_ids(trained(module, torch.optim.Adam(module.parameters(), 0.01)))


@pytest.mark.parametrize("method", ["gradcam", "rise", "lrp", "integrated-gradients"])
def test_a_training_beside_is_what_it_would_have_been(method: str) -> None:
    """Each of 30 steps is taken while a pass of another thread is under way."""
    module = Net()
    model = wrapped(module)
    chosen = cw.get_method(method, masks=16) if method == "rise" else method
    meeting, failed = module.meeting, []

    def explain() -> None:
        number = 0
        while meeting.is_on and not failed:
            try:
                found = cw.explain(model, PICTURES[number % 3], number % 4, chosen)
                assert np.isfinite(found.saliency).all()
                cw.mask_curve(model, PICTURES[number % 3], found.saliency, steps=3)
            except Exception as error:
                if method != "lrp" or "cannot be copied" not in str(error):  # it holds a lock
                    failed.append(error)
                    meeting.inside.release(1000)
                else:
                    model.predict(PICTURES[0])
            number += 1

    meeting.is_on = True
    worker = threading.Thread(target=explain)
    worker.start()
    try:
        record = trained(
            module,
            torch.optim.Adam(module.parameters(), 0.01),
            lambda step: meeting.inside.acquire(timeout=60) or pytest.fail("no pass came"),
            meeting.stepped.release,
        )
    finally:
        meeting.end()
        worker.join(60)
    assert not failed, failed
    assert without_ids(record) == alone()


def test_a_slider_during_a_training_loop() -> None:
    module = Net()
    ex = cw.Explorer(wrapped(module), PICTURES)
    ex.wait(60)
    meeting = module.meeting
    meeting.is_on = True

    def drag(step: int) -> None:
        ex.fraction = (step + 1) / 40
        if step % 10 == 9:
            ex.target = step // 10
        assert meeting.inside.acquire(timeout=60)

    try:
        record = trained(
            module, torch.optim.Adam(module.parameters(), 0.01), drag, meeting.stepped.release
        )
    finally:
        meeting.end()
        ex.wait(60)
    assert without_ids(record) == alone()
    # What is asked now is asked of the weights as they are now, also where nothing but the slider moves.
    ex.fraction = 0.9
    ex.wait(60)
    fresh = wrapped(copied(module))
    expected = cw.explain(fresh, PICTURES[0], ex.target)
    np.testing.assert_array_equal(ex.explanation.raw, expected.raw)
    assert ex.explanation.prediction == expected.prediction and view_of(ex).error == ""
    ex.close()


def copied(module: nn.Module) -> nn.Module:
    """The same weights in a module that nobody has explained."""
    fresh = Net()
    fresh.load_state_dict(module.state_dict())
    return fresh.eval()


def change_in_place(module: Net) -> None:
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    module.train()
    nnF.cross_entropy(module(torch.rand(8, 3, 16, 16)), torch.arange(8) % 4).backward()
    optimizer.step()


def change_data(module: Net) -> None:
    module.second.weight.data = torch.randn_like(module.second.weight)


def change_head(module: Net) -> None:
    module.head = nn.Linear(8, 4)


def change_layer(module: Net) -> None:
    module.second = nn.Conv2d(6, 8, 3, padding=1)


def change_parameter(module: Net) -> None:
    module.second.bias = nn.Parameter(torch.randn(8))


def change_setting(module: Net) -> None:
    module.first.stride = (1, 1)


def change_all(module: Net) -> None:
    module.load_state_dict({k: v + 0.5 for k, v in module.state_dict().items()})


def change_hook(module: Net) -> None:
    module.second.register_forward_hook(lambda m, args, out: out.flip(1))


@pytest.mark.parametrize(
    "change",
    [
        change_in_place,
        change_data,
        change_head,
        change_layer,
        change_parameter,
        change_setting,
        change_all,
        change_hook,
    ],
)
def test_what_was_changed_since_is_explained(change: Callable[[Net], None]) -> None:
    module = Net().eval()
    model = wrapped(module)
    ex = cw.Explorer(model, PICTURES)
    ex.wait(60)
    before = cw.explain(model, PICTURES[0], 1, layer="second").raw
    torch.manual_seed(3)
    change(module)
    fresh = cw.explain(wrapped(module), PICTURES[0], 1, layer="second").raw
    np.testing.assert_array_equal(cw.explain(model, PICTURES[0], 1, layer="second").raw, fresh)
    assert fresh.shape != before.shape or abs(fresh - before).max() > 1e-6
    if change not in (change_setting, change_hook):  # the explorer looks at weights only
        ex.target, ex.layer = 1, "second"
        ex.wait(60)
        np.testing.assert_array_equal(ex.explanation.raw, fresh)
    ex.close()


def test_two_explorers_on_one_module_beside_its_training() -> None:
    module = Net()
    explorers = [cw.Explorer(wrapped(module), PICTURES) for _ in range(2)]
    for ex in explorers:
        ex.wait(60)
    meeting = module.meeting
    meeting.is_on = True

    def drag(step: int) -> None:
        for ex in explorers:
            ex.fraction = (step + 1) / 40
        assert meeting.inside.acquire(timeout=60)

    try:
        record = trained(
            module, torch.optim.Adam(module.parameters(), 0.01), drag, meeting.stepped.release
        )
    finally:
        meeting.end()
        for ex in explorers:
            ex.wait(60)
            ex.close()
    assert without_ids(record) == alone()


def test_models_do_not_wait_for_each_other() -> None:
    """A pass of one model ends while another model's is under way, on another thread."""
    slow, other = Net(), Net()
    models = [wrapped(slow), wrapped(other)]
    slow.meeting.is_on = True
    waiting = threading.Thread(target=models[0].predict, args=(PICTURES[0],))
    waiting.start()
    assert slow.meeting.inside.acquire(timeout=60)
    done = threading.Event()

    def predict() -> None:
        models[1].predict(PICTURES[0])
        done.set()

    threading.Thread(target=predict, daemon=True).start()
    is_done = done.wait(60)
    slow.meeting.end()
    waiting.join(60)
    assert is_done


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_what_fails_inside_leaves_all_as_it_was(error: type[BaseException]) -> None:
    module = Net().train()
    model = wrapped(module)
    before = fingerprint(module), module.calls, list(module.sizes)

    def fail() -> None:
        raise error("inside")

    module.meeting = fail
    for method in ("gradcam", "rise"):
        with pytest.raises((error, cw.CamwidgetError), match="inside|memory"):
            cw.explain(model, PICTURES[0], 1, method)
    assert (fingerprint(module), module.calls, module.sizes) == before


# -- structures ----------------------------------------------------------------------------------


class Around(nn.Module):
    """A head behind a part that is somehow made, with dropout on the way."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.part = part
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.part(self.stem(x)).relu().mean((2, 3))))


def conv() -> nn.Conv2d:
    return nn.Conv2d(6, 6, 3, padding=1)


class Tied(nn.Module):
    """A shared part, a shared parameter, a part that holds its owner, and parts in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = conv(), conv(), nn.Sequential(conv(), nn.BatchNorm2d(6))
        self.two.weight = self.one.weight
        self.again = self.one
        self.steps = [self.one, (self.two, {"last": self.three})]
        self.__dict__["owner"] = self
        self.known = weakref.ref(self)
        self.act = self.owner.rectify
        self.then = functools.partial(self.three.forward)

    def rectify(self, x: torch.Tensor) -> torch.Tensor:
        assert (
            self.owner is self is self.known()
            and self.again is self.steps[0]
            and self.two.weight is self.one.weight
        )
        return nnF.dropout(x, 0.5, self.training).relu()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, (second, rest) = self.steps
        assert rest["last"] is self.three
        return self.then(self.act(second(first(x))))


class Caching(nn.Module):
    """Keeps what it computes, and writes into a plain tensor and a list of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.cache: dict[str, torch.Tensor] = {}
        self.seen: list[int] = []
        self.total = torch.zeros(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if "weight" not in self.cache:
            self.cache["weight"] = self.conv.weight * 2
        self.seen.append(1)
        self.last = x
        self.total += 1
        return nnF.conv2d(x, self.cache["weight"], padding=1)


class Recurrent(nn.Module):
    """Has its weights in a list too, and weak references to them."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 3, bidirectional=True, num_layers=2, dropout=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.rnn._weights_have_changed()
        places = x.flatten(2).permute(2, 0, 1)
        return (x.flatten(2) + self.rnn(places)[0].permute(1, 2, 0)).reshape(x.shape)


class Rebound(nn.Module):
    """Its forward was put in place from outside, as libraries that move parts between devices do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = conv(), nn.BatchNorm2d(6)
        self._old_forward = self.forward
        self.forward = functools.partial(Rebound.outer, self)

    def outer(self, x: torch.Tensor) -> torch.Tensor:
        return self._old_forward(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


def pruned() -> nn.Module:
    made = conv()
    prune.l1_unstructured(made, "weight", 0.5)
    return made


def patched() -> nn.Module:
    made = nn.Sequential(conv(), nn.BatchNorm2d(6))
    made.forward = types.MethodType(lambda self, x: self[1](self[0](x)), made)
    return made


STRUCTURES: dict[str, Callable[[], nn.Module]] = {
    "tied": Tied,
    "caching": Caching,
    "recurrent": Recurrent,
    "rebound": Rebound,
    "patched": patched,
    "weight norm by hook": lambda: nn.utils.weight_norm(conv()),
    "spectral norm by hook": lambda: nn.utils.spectral_norm(conv()),
    "weight norm": lambda: parametrizations.weight_norm(conv()),
    "spectral norm": lambda: parametrizations.spectral_norm(conv()),
    "pruned": pruned,
    "compiled": lambda: torch.compile(
        nn.Sequential(conv(), nn.BatchNorm2d(6), nn.Dropout(0.5)), backend="eager"
    ),
}


def attributes(module: nn.Module) -> list[object]:
    """What the module's parts hold beside tensors and parts."""
    return [
        {k: repr(v) for k, v in vars(part).items() if k[0] != "_" and k not in ("owner", "steps")}
        for part in module.modules()
        if type(part).__name__ != "OptimizedModule"
    ]


@pytest.mark.parametrize("kind", STRUCTURES)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_a_copys_structure(kind: str) -> None:
    """What is explained of a module in training is what it computes in evaluation, and nothing of it is written."""
    torch.manual_seed(1)
    module = Around(STRUCTURES[kind]())
    model = wrapped(module.eval())
    assert model.isolation.runs_copy
    pixels = model.pixels(PICTURES[0])
    with torch.no_grad():
        expected = module(model.inputs(pixels))
    module.train()
    before, own = fingerprint(module), attributes(module)
    torch.testing.assert_close(model.logits(pixels), expected)
    cw.explain(model, PICTURES[0], 1, ["gradcam", "saliency", "cam"])
    cw.explain(model, PICTURES[0], 1, layer="all")
    cw.explain(model, PICTURES[0], 1, cw.get_method("rise", masks=80))
    assert fingerprint(module) == before and attributes(module) == own


class Helper:
    """Someone else's object that knows a part."""

    def __init__(self, part: nn.Module) -> None:
        self.part = part

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(x)


class Indirect(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv(), nn.BatchNorm2d(6), nn.Dropout(0.5))
        self.helper = Helper(self.conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.helper(x)


def closure() -> nn.Module:
    made = nn.Sequential(conv(), nn.BatchNorm2d(6), nn.Dropout(0.5))
    inner = nn.Sequential(made)
    inner.forward = lambda x: made(x)
    return inner


@pytest.mark.parametrize(
    "make",
    [closure, Indirect, lambda: torch.jit.trace(conv(), torch.rand(1, 6, 7, 7))],
    ids=["closure", "object", "TorchScript"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_cannot_be_copied_is_said_where_it_is_trained(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(1)
    module = Around(make())
    with warnings.catch_warnings():
        warnings.simplefilter("error", CamwidgetWarning)
        model = cw.wrap(module.eval(), PREPROCESS)
        assert not model.isolation.runs_copy or "jit" in str(type(module.part))
        cw.explain(model, PICTURES[0], 1)
    with torch.no_grad():
        expected = module(model.inputs(model.pixels(PICTURES[0])))
    module.train()
    before = fingerprint(module)
    pixels = model.pixels(PICTURES[0])
    with pytest.warns(
        CamwidgetWarning, match="Around is in training mode.*another thread"
    ) as caught:
        found = model.logits(pixels)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", CamwidgetWarning)
        cw.explain(model, PICTURES[0], 1)
    torch.testing.assert_close(found, expected)
    assert fingerprint(module) == before


def test_a_part_that_cannot_be_copied_may_come_later() -> None:
    module = Around(conv()).eval()
    model = cw.wrap(module, PREPROCESS)
    module.part = torch.jit.script(conv().eval())
    with torch.no_grad():
        expected = module(model.inputs(model.pixels(PICTURES[0])))
    torch.testing.assert_close(model.logits(model.pixels(PICTURES[0])), expected)


def test_a_copy_shares_its_weights_and_nothing_else() -> None:
    module = Net().train()
    twin = copy_structure(module, lambda tensor: tensor)
    assert [n for n, _ in twin.named_modules()] == [n for n, _ in module.named_modules()]
    assert not any(part.training for part in twin.modules())
    assert all(one is two for one, two in zip(twin.parameters(), module.parameters(), strict=True))
    own = {id(part) for part in module.modules()}
    assert not any(id(part) in own for part in twin.modules())
    twin.first.register_forward_hook(lambda *args: None)
    twin.new = 1
    assert not has_hooks(module.first) and not hasattr(module, "new")


# -- random numbers, and autocast ----------------------------------------------------------------


class Noisy(Around):
    def __init__(self) -> None:
        super().__init__(conv())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nnF.dropout(self.stem(x)) + torch.rand(()) + torch.randn_like(x[:, :1, :1, :1]) * 0.01
        return self.head(self.part(x).mean((2, 3)))


def test_random_numbers_of_a_pass_are_its_own() -> None:
    torch.manual_seed(0)
    with pytest.warns(CamwidgetWarning, match="draws random numbers"):
        model = cw.wrap(Noisy().eval(), PREPROCESS)
    before = torch.get_rng_state()
    first, second = (cw.explain(model, PICTURES[0], 1).prediction.probabilities for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first != second, "they are random all the same"


def test_random_weights_leave_another_threads_random_numbers_alone() -> None:
    """While they are drawn, another thread draws from the generator that all share."""
    drawn: list[float] = []

    def draw() -> None:
        drawn.append(float(torch.rand(())))

    class Drawing(nn.Linear):
        def reset_parameters(self) -> None:
            super().reset_parameters()
            if hasattr(self, "is_made"):
                thread = threading.Thread(target=draw)
                thread.start()
                thread.join(60)

    module = nn.Sequential(conv(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Drawing(6, 3))
    module[0] = nn.Conv2d(3, 6, 3)
    module[-1].is_made = True
    model = cw.wrap(module, PREPROCESS)
    torch.manual_seed(5)
    expected = [float(torch.rand(())) for _ in range(2)]
    torch.manual_seed(5)
    one, two = (randomized_copy(model, seed=1) for _ in range(2))
    assert drawn == expected
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one[0].weight, module[0].weight)


OPERATIONS: dict[str, Callable[[], torch.Tensor]] = {
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(3, dtype=torch.float64),
    "randint": lambda: torch.randint(100, (9,)),
    "randint between": lambda: torch.randint(5, 100, (9,)),
    "randperm": lambda: torch.randperm(20),
    "rand_like": lambda: torch.rand_like(torch.zeros(3)),
    "randn_like": lambda: torch.randn_like(torch.zeros(3)),
    "randint_like": lambda: torch.randint_like(torch.zeros(9), 100),
    "normal": lambda: torch.normal(torch.zeros(3), 1.0),
    "normal_": lambda: torch.empty(3).normal_(),
    "uniform_": lambda: torch.empty(3).uniform_(),
    "bernoulli": lambda: torch.bernoulli(torch.full((30,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(30), 9),
    "dropout": lambda: nnF.dropout(torch.ones(30)),
    "dropout2d": lambda: nnF.dropout2d(torch.ones(1, 30, 2, 2)),
    "native dropout": lambda: torch.native_dropout(torch.ones(30), 0.5, True)[0],
    "rrelu": lambda: nnF.rrelu(-torch.ones(9), training=True),
    "trunc_normal_": lambda: nn.init.trunc_normal_(torch.empty(3)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_that_draw(name: str) -> None:
    before = torch.get_rng_state()
    made = []
    for seed in (1, 1, 2):
        with PrivateRandomNumbers(seed) as draws:
            made.append(OPERATIONS[name]())
        assert draws.any
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


def test_what_draws_nothing_is_not_said_to() -> None:
    with PrivateRandomNumbers(0) as draws:
        q = torch.ones(1, 2, 4, 8)
        nnF.scaled_dot_product_attention(q, q, q)
        nn.Dropout().eval()(q)
    assert not draws.any


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.filterwarnings("ignore::camwidget.errors.CamwidgetWarning")
def test_a_training_under_autocast_keeps_its_casts(precision: str) -> None:
    """The cache of casts is one for all threads: a weight that is used twice has one, and one gradient."""

    def gradient(between: Callable[[], None]) -> torch.Tensor:
        torch.manual_seed(2)
        module = Net().train()
        model = wrapped(module)
        x = torch.randn(4, 6, 9, 9)
        with torch.autocast("cpu", torch.bfloat16):
            first = module.second(x)
            thread = threading.Thread(target=between, args=(model,))
            thread.start()
            thread.join(60)
            second = module.second(first[:, :6])
        second.float().square().sum().backward()
        return module.second.weight.grad

    def explain(model: cw.VisionModel) -> None:
        cw.explain(model, PICTURES[0], 1, precision=precision)

    assert torch.equal(gradient(lambda model: None), gradient(explain))


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def test_a_buffer_that_is_written_for_some_pictures_only() -> None:
    """What the first passes cannot tell: they see noise."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
            self.register_buffer("seen", torch.zeros(1, dtype=torch.long))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if bool((x == 0).all()):
                self.seen.add_(1)
            return self.head(self.conv(x).relu().mean((2, 3)))

    module = Counting().eval()
    model = cw.wrap(module, cw.Preprocess(16))
    cw.explain(model, np.zeros((16, 16, 3), np.uint8), 0, ["gradcam", "occlusion"])
    assert int(module.seen) == 0


@pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning", "ignore:`torch.jit:FutureWarning"
)
def test_a_part_that_is_torchscript() -> None:
    """It takes no hooks: what is behind it is explained, or the picture."""

    def made() -> nn.Sequential:
        torch.manual_seed(0)
        first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
        second = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU())
        return nn.Sequential(first, second, nn.Flatten(), nn.Linear(8 * 13 * 13, 4)).eval()

    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    plain = cw.wrap(made(), cw.Preprocess(32))
    behind, before = made(), made()
    behind[0] = torch.jit.script(behind[0])
    before[0], before[1] = torch.jit.script(before[0]), torch.jit.script(before[1])
    model = cw.wrap(behind, cw.Preprocess(32))
    assert model.default_layer == "1"
    expected = cw.explain(plain, picture, 1, "gradcam", "1").raw
    np.testing.assert_allclose(cw.explain(model, picture, 1).raw, expected, rtol=1e-4, atol=1e-7)
    with pytest.raises(LayerError, match="'0' .* was not seen to run"):
        cw.explain(model, picture, layer="0")
    model = cw.wrap(before, cw.Preprocess(32))
    for method in ("saliency", "occlusion"):
        found, expected = (cw.explain(m, picture, 1, method).raw for m in (model, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(MethodError, match="'0' is TorchScript, which does not show its layers"):
        cw.explain(model, picture)


# -- modules that write into themselves ------------------------------------------------------------


class Renormed(nn.Module):
    """Its weights are divided by their norm in each pass, as in EEGNet, or by ``nn.Embedding(max_norm=…)``."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.place = nn.Embedding(2, 4, max_norm=1.0)
        self.head = nn.Linear(4, 3)
        with torch.no_grad():
            self.conv.weight.fill_(5.0)
            self.place.weight.fill_(5.0 if way == "embedding" else 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.conv.weight
        if self.way == "data":
            weight.data.renorm_(2, 0, 0.5)
        elif self.way == "no_grad":
            with torch.no_grad():
                weight.copy_(weight.renorm(2, 0, 0.5))
        place = self.place(torch.zeros(len(x), dtype=torch.long))
        return self.head(self.conv(x).relu().mean((2, 3)) + place)  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["embedding", "data", "no_grad"])
@pytest.mark.parametrize("copyable", [True, False])
def test_weights_that_a_pass_writes_into_are_left_as_they_were(way: str, copyable: bool) -> None:
    torch.manual_seed(0)
    module = Renormed(way).eval()
    if not copyable:
        owner = module.head
        module.helper = lambda: owner  # a function bound to a part: the module itself runs
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.warns(CamwidgetWarning, match="writes into its own tensors"):
        model = cw.wrap(module, cw.Preprocess(16), ["a", "b", "c"])
    assert model.isolation.runs_copy == copyable
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    found = [cw.explain(model, picture, 0, layer="conv").raw for _ in range(2)]
    np.testing.assert_array_equal(*found)
    after = module.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


@pytest.mark.parametrize(
    "memory",
    [
        deque([torch.zeros(3)], maxlen=8),
        defaultdict(list),
        Counter(),
        bytearray(4),
        np.zeros(4),
    ],
    ids=lambda memory: type(memory).__name__,
)
def test_what_a_module_remembers_is_its_own(memory: Any) -> None:
    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head, self.memory = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), memory

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.conv(x).mean((2, 3)))
            if isinstance(memory, deque):
                logits = logits + sum(self.memory).detach()
                self.memory.append(logits.detach()[0])
            elif isinstance(memory, defaultdict):
                logits = logits + len(self.memory["seen"])
                self.memory["seen"].append(logits.detach())
            elif isinstance(memory, Counter):
                logits = logits + self.memory["passes"]
                self.memory["passes"] += 1
            else:
                logits = logits + float(self.memory[0])
                self.memory[0] += 1
            return logits

    torch.manual_seed(0)
    before = copy.deepcopy(memory)
    model = cw.wrap(Remembering().eval(), cw.Preprocess(16), ["a", "b", "c"])
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    values = [
        cw.explain(model, picture, 0, layer="conv").prediction.probabilities for _ in range(3)
    ]
    np.testing.assert_array_equal(values[1], values[0])
    np.testing.assert_array_equal(values[2], values[0])
    assert list(memory) == list(before) if not isinstance(memory, deque) else len(memory) == 1


@pytest.mark.parametrize("copyable", [True, False])
def test_parameters_that_are_too_large_are_not_cloned(
    copyable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camwidget.execution.isolated_pass.MOST_CLONED", 0)
    module = Renormed("no_grad").eval()
    owner = module.head
    if not copyable:
        module.helper = lambda: owner
    before = module.conv.weight.clone()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cw.wrap(module, cw.Preprocess(16), ["a", "b", "c"])
    assert not torch.equal(module.conv.weight, before)  # as docs of MOST_CLONED say
    noticed = any("writes into its own tensors" in str(one.message) for one in said)
    assert noticed == copyable
