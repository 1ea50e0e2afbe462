"""``Trace``: one forward pass, in any mode of the caller, that leaves the model unchanged."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from tiny_transformers import DEPTH, PATCH, SIDE, Plain, seeded
from torch import nn

import camwidget as cw
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace


class Net(nn.Module):
    """Batch norm, dropout, in-place ReLUs both as module and as function, and a user's hook."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(nn.Conv2d(8, 12, 3, stride=4), nn.BatchNorm2d(12))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(self.first(x))
        x = nn.functional.relu(x, inplace=True)
        return self.head(self.drop(x.mean((2, 3))))


@pytest.fixture
def module() -> nn.Module:
    """A module in the middle of someone's training: mixed flags, gradients, a frozen part, a hook."""
    module = Net()
    module.train()
    module.first[1].eval()
    module.first[0].weight.requires_grad_(False)
    module(torch.rand(2, 3, 224, 224)).sum().backward()
    module.register_forward_hook(lambda *args: None)
    return module


@pytest.fixture
def picture(noise: torch.Tensor) -> torch.Tensor:
    return noise


def test_explaining_leaves_the_model_as_it_was(module: nn.Module, picture: torch.Tensor) -> None:
    model = cw.wrap(module)
    before = fingerprint(module)
    cw.explain(
        model, picture, target=[0, 1], method=["cam", "gradcam", "gradcam++"], layer=["second"]
    )
    cw.explain(model, picture, layer=["first", "second.0"])
    exp = cw.explain(model, picture)
    cw.mask_curve(model, picture, exp.saliency, steps=3)
    cw.confidence_change(model, picture, exp.saliency)
    assert fingerprint(module) == before


def test_attention_is_recorded_on_request_only(
    textures: cw.VisionModel, picture: torch.Tensor
) -> None:
    pixels = textures.pixels(picture)[:1]
    assert Trace(textures, pixels, []).attention is None
    assert Trace(textures, pixels, [], with_attention=True).attention == [], "it has none"
    small = cw.wrap(seeded(Plain()), cw.Preprocess(SIDE))
    weights = Trace(small, torch.rand(2, 3, SIDE, SIDE), [], with_attention=True).attention
    tokens = (SIDE // PATCH) ** 2 + 1
    assert weights is not None and [w.shape for w in weights] == [(2, tokens, tokens)] * DEPTH
    torch.testing.assert_close(torch.stack(weights).sum(-1), torch.ones(DEPTH, 2, tokens))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_a_failing_pass_leaves_the_model_as_it_was(
    error: type[BaseException], module: nn.Module, picture: torch.Tensor
) -> None:
    model = cw.wrap(module)
    failing = [False]

    def fail(*args: object) -> None:
        if failing[0]:
            raise error("in the middle")

    module.drop.register_forward_hook(fail)
    before = fingerprint(module)
    failing[0] = True
    for use in (lambda: cw.explain(model, picture), lambda: cw.wrap(module)):
        # A lack of memory has a text of its own.
        with pytest.raises((error, cw.CamwidgetError), match="in the middle|into the memory"):
            use()
    assert fingerprint(module) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": 99},
        {"target": "nothing"},
        {"layer": "head"},
        {"method": "gradcm"},
        {"precision": "fp8"},
    ],
)
def test_a_wrong_argument_leaves_the_model_as_it_was(
    wrong: dict[str, object], module: nn.Module, picture: torch.Tensor
) -> None:
    model = cw.wrap(module)
    before = fingerprint(module)
    with pytest.raises(cw.CamwidgetError):
        cw.explain(model, picture, **wrong)
    assert fingerprint(module) == before


def test_a_failing_backward_leaves_the_model_as_it_was(
    module: nn.Module, picture: torch.Tensor
) -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    broken = module.drop.register_forward_hook(lambda m, args, out: Broken.apply(out))
    before = fingerprint(module)
    with pytest.raises(KeyboardInterrupt):
        cw.wrap(module)
    assert fingerprint(module) == before
    broken.remove()
    model = cw.wrap(module)
    module.drop.register_forward_hook(lambda m, args, out: Broken.apply(out))
    before = fingerprint(module)
    with pytest.raises(KeyboardInterrupt):
        cw.explain(model, picture)
    assert fingerprint(module) == before


# -- any circumstances ----------------------------------------------------------------------


def plain_gradient(module: nn.Module, inputs: torch.Tensor, index: int) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    handle = module.second.register_forward_hook(lambda m, a, out: kept.append(out) or out.clone())
    module.eval()
    logits = module(inputs.requires_grad_())
    handle.remove()
    return torch.autograd.grad(logits[:, index].sum(), kept[0])[0]


@pytest.mark.parametrize(
    "circumstance", ["plain", "frozen", "no_grad", "inference_mode", "training"]
)
def test_gradients_do_not_depend_on_circumstances(circumstance: str, noise: torch.Tensor) -> None:
    module = Net().eval()
    model = cw.wrap(module)
    pixels = noise[None]
    expected = plain_gradient(module, model.inputs(pixels), 3)
    around = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}.get(
        circumstance, nullcontext
    )
    if circumstance == "frozen":
        module.requires_grad_(False)
    if circumstance == "training":
        module.train()
    with around():
        trace = Trace(model, pixels + 0, ["second"])
        ours = trace.gradient(resolve_target(model, 3), "second")
    torch.testing.assert_close(ours, expected)
    assert not ours.requires_grad


def test_a_batch_gives_each_picture_its_own_map(noise: torch.Tensor) -> None:
    model = cw.wrap(Net().eval())
    batch = torch.stack([noise, noise.flip(2), noise.roll(60, 1)])
    together = cw.explain(model, batch, method=["cam", "gradcam", "gradcam++"])
    for number, picture in enumerate(batch):
        for method in ("cam", "gradcam", "gradcam++"):
            alone = cw.explain(model, picture, method=method)
            (one,) = together.select(picture=number, method=method)
            assert one.target == alone.target
            np.testing.assert_allclose(one.raw, alone.raw, rtol=1e-4, atol=1e-6)
    fixed = cw.explain(model, list(batch), target=4)
    assert [e.target.index for e in fixed] == [4, 4, 4]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models(dtype: torch.dtype, noise: torch.Tensor) -> None:
    full = cw.explain(cw.wrap(Net().eval()), noise, target=1)
    half = cw.explain(cw.wrap(Net().eval().to(dtype)), noise, target=1)
    assert half.raw.dtype == half.saliency.dtype == np.float32
    assert np.corrcoef(full.saliency.ravel(), half.saliency.ravel())[0, 1] > 0.99


def test_precision_runs_under_autocast(noise: torch.Tensor) -> None:
    model = cw.wrap(Net().eval())
    full, fast = (cw.explain(model, noise, target=1, precision=p) for p in ("fp32", "bf16"))
    assert np.corrcoef(full.saliency.ravel(), fast.saliency.ravel())[0, 1] > 0.99
    assert not np.array_equal(full.raw, fast.raw), "bf16 changed nothing: it did not run"


def test_many_layers_from_one_pass(noise: torch.Tensor) -> None:
    module = Net().eval()
    model = cw.wrap(module)
    calls: list[int] = []
    module.register_forward_hook(lambda *args: calls.append(1))
    layers = ["first.0", "first.1", "first", "second"]
    together = cw.explain(model, noise, target=[0, 2], layer=layers)
    assert len(calls) == 1, "every combination comes from one forward pass"
    for exp in together:
        alone = cw.explain(model, noise, target=exp.target.index, layer=exp.layer)
        np.testing.assert_allclose(exp.raw, alone.raw, rtol=1e-4, atol=1e-7)


def test_a_module_that_switches_gradients_off_itself(noise: torch.Tensor) -> None:
    class FrozenTrunk(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                x = self.second(self.first(x))
            return self.head(x.relu().mean((2, 3)))

    for layers in (["second"], ["first", "second"]):
        ours = cw.explain(cw.wrap(FrozenTrunk().eval()), noise, target=2, layer=layers)
        usual = cw.explain(cw.wrap(Net().eval()), noise, target=2, layer=layers)
        for mine, plain in zip(ours, usual, strict=True):
            np.testing.assert_allclose(mine.raw, plain.raw, rtol=1e-4, atol=1e-7)


def test_a_module_that_writes_into_its_input(noise: torch.Tensor) -> None:
    class Writes(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x.mul_(0.5)
            with torch.no_grad():
                x = self.first(x)
            return self.head(self.second(x).relu().mean((2, 3)))

    model = cw.wrap(Writes().eval())
    exp = cw.explain(model, noise, layer=["first", "second"])[0]
    assert exp.prediction == model.predict(noise)


def test_the_callers_autocast_does_not_reach_inside(noise: torch.Tensor) -> None:
    model = cw.wrap(Net().eval())
    outside, answer = cw.explain(model, noise), model.predict(noise)
    with torch.autocast("cpu", torch.bfloat16):
        inside = cw.explain(model, noise)
        assert model.predict(noise) == answer
    np.testing.assert_array_equal(inside.raw, outside.raw)


def test_a_compiled_module_is_explained_by_what_it_was_compiled_from(noise: torch.Tensor) -> None:
    module = Net().eval()
    model = cw.wrap(torch.compile(module, backend="eager"))
    np.testing.assert_array_equal(
        cw.explain(model, noise, 1).raw, cw.explain(cw.wrap(module), noise, 1).raw
    )


def test_a_model_can_be_copied_and_pickled(noise: torch.Tensor) -> None:
    model = cw.wrap(Net().eval())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(
            cw.explain(twin, noise, 1).raw, cw.explain(model, noise, 1).raw
        )


def test_a_layer_behind_which_nothing_can_be_differentiated(noise: torch.Tensor) -> None:
    class Detached(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).detach()

    with pytest.raises(cw.CamwidgetError, match="differentiated"):
        cw.explain(cw.wrap(Detached().eval()), noise)


def test_callables_as_targets(noise: torch.Tensor) -> None:
    model = cw.wrap(Net().eval())
    by_index = cw.explain(model, noise, target=2)
    by_function = cw.explain(model, noise, target=lambda logits: logits[:, 2])
    np.testing.assert_array_equal(by_index.raw, by_function.raw)
    np.testing.assert_array_equal(by_index.raw, cw.explain(model, noise, lambda z: z[0, 2]).raw)
    batch = torch.stack([noise, noise])
    for wrong in (lambda z: z, lambda z: z.sum(), lambda z: 3.0):
        with pytest.raises(cw.CamwidgetError, match="one number per picture"):
            cw.explain(model, batch, target=wrong)
    with pytest.raises(cw.CamwidgetError, match="differentiated"):
        cw.explain(model, noise, target=lambda z: z.argmax(1))
    with pytest.raises(cw.CamwidgetError, match="class index"):
        cw.explain(model, noise, target=1.0)
    assert len(cw.explain(model, noise, target=np.array([1, 2]))) == 2


def test_two_threads_on_one_module(noise: torch.Tensor) -> None:
    """Two explorers share a module, while its owner runs it too: nobody sees another's hooks."""
    module = Net().eval()
    models = [cw.wrap(module), cw.wrap(module)]
    pictures = [noise, noise.flip(2)]
    expected = [cw.explain(m, p, target=1).raw for m, p in zip(models, pictures, strict=True)]
    logits = module(models[0].inputs(noise[None])).detach()
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(30):
            raw = cw.explain(models[number], pictures[number], target=1).raw
            if not np.allclose(raw, expected[number], rtol=1e-4, atol=1e-7):
                wrong.append(number)

    def own() -> None:
        for _ in range(60):
            with torch.no_grad():
                if not torch.allclose(module(models[0].inputs(noise[None])), logits, atol=1e-5):
                    wrong.append("owner")

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1)] + [
        threading.Thread(target=own)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture(autouse=True)
def _grad_mode() -> Iterator[None]:
    before = torch.is_grad_enabled()
    yield
    assert torch.is_grad_enabled() == before


def test_hostile_operations_fall_back_to_one_target_at_a_time(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """An autograd function without a batching rule in the head."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(gradient.numpy() * 2)  # NumPy cannot be batched

    module = Net().eval()
    module.drop.register_forward_hook(lambda m, args, out: Scaled.apply(out))
    model = cw.wrap(module)
    together = cw.explain(model, noise, target=[0, 1, 2])
    for exp in together:
        np.testing.assert_allclose(
            exp.raw, cw.explain(model, noise, target=exp.target.index).raw, rtol=1e-4, atol=1e-7
        )
