"""RefineCAM against its first author's implementation, and the layers that it multiplies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from oracles import agree
from torch import nn

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import ClassTarget, resolve_target
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")


class Stages(nn.Module):
    """Three resolutions, two layers of the second."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.one = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.two = nn.Sequential(nn.Conv2d(8, 8, 2, 2), nn.ReLU())
        self.also = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.three = nn.Sequential(nn.Conv2d(8, 12, 2, 2), nn.ReLU())
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.three(self.also(self.two(self.one(x)))).mean((2, 3)))


STAGES = ["one", "two", "also", "three"]


def stages() -> cw.VisionModel:
    return cw.wrap(Stages().double().eval(), cw.Preprocess(24), layers=STAGES, name="net")


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand((count, 3, 24, 24), generator=torch.Generator().manual_seed(7)).double()


@pytest.mark.parametrize("layers", [2, 3])
def test_it_equals_pytorch_grad_cam(layers: int) -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets", exc_type=ImportError)
    model = stages()
    names = ["three", "also", "one"][:layers]
    oracle = grad_cam.RefineCAM(model.module, [getattr(model.module, n) for n in names])
    # Its constants (1e-6 beside squares of gradients, 1e-7 beside maxima) count where gradients are small.
    model.module.head.weight.data *= 1e4
    inputs = model.inputs(pictures())
    method = get_method("refinecam", layers=layers)
    for index in range(4):
        theirs = oracle(inputs, [targets.ClassifierOutputTarget(index)] * len(inputs))
        trace = Trace(model, pictures(), ["three"])
        ours = method.compute(trace, resolve_target(model, index), "three")
        low = ours.amin((1, 2), keepdim=True)
        agree(
            (ours - low) / (ours - low).amax((1, 2), keepdim=True), torch.from_numpy(theirs), 1e-4
        )


@pytest.mark.parametrize("size", [(24, 24), (12, 48), (48, 12)])
def test_layers_are_finer_by_their_cells(size: tuple[int, int]) -> None:
    """The last of each resolution, also where a picture is wide or high."""
    model = cw.wrap(Stages().eval(), cw.Preprocess(size), layers=STAGES)
    trace = Trace(model, torch.rand(1, 3, *size), ["three"])
    for layer, count in (("three", 4), ("three", 2), ("two", 4)):
        get_method("refinecam", layers=count).compute(trace, resolve_target(model, 0), layer)
    used = [names for _, *names in trace.memory]
    assert used == [["three", "also", "one"], ["three", "also"], ["two", "one"]]


def test_it_is_the_product_of_scaled_maps() -> None:
    model = stages()
    expected = np.ones((24, 24))
    for e in cw.explain(model, pictures()[0], 1, "gradcam++", ["three", "also", "one"]):
        scaled = torch.from_numpy((e.raw - e.raw.min()) / np.ptp(e.raw))
        large = nn.functional.interpolate(scaled[None, None], (24, 24), mode="bilinear")
        expected *= ((large - large.min()) / (large.max() - large.min()))[0, 0].numpy()
    found = cw.explain(model, pictures()[0], 1, "refinecam", "three")
    np.testing.assert_allclose(found.raw, expected, atol=1e-6)
    assert found.raw.shape == (24, 24) and found.saliency.max() == 1 and found.saliency.min() == 0


@pytest.mark.parametrize(
    ("layer", "settings", "used"),
    [
        ("three", {}, {"three", "also", "one"}),
        ("three", {"layers": 2}, {"three", "also"}),
        ("also", {}, {"also", "one"}),
        ("two", {}, {"two", "one"}),
    ],
)
def test_the_last_layer_of_each_finer_resolution(
    layer: str, settings: dict[str, int], used: set[str]
) -> None:
    trace = Trace(stages(), pictures(), [layer])
    get_method("refinecam", **settings).compute(trace, ClassTarget(0, "0"), layer)
    (other,) = (kept for kept in trace.memory.values() if isinstance(kept, Trace))
    assert set(other.layers) == used


def test_layers_of_a_known_network(random_model: Callable[..., cw.VisionModel]) -> None:
    model = random_model("resnet18")
    trace = Trace(model, torch.rand(1, 3, 64, 64), [model.default_layer])
    get_method("refinecam").compute(trace, ClassTarget(0, "0"), model.default_layer)
    (other,) = (kept for kept in trace.memory.values() if isinstance(kept, Trace))
    assert other.layers == ("layer4", "layer3", "layer2", "layer1")


def test_one_resolution_has_nothing_to_refine() -> None:
    module = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=3)
    model = cw.wrap(module.eval(), cw.Preprocess(32), scores="softmax", name="vit")
    with pytest.raises(errors.MethodError, match="no layer of a finer resolution before"):
        cw.explain(model, torch.rand(3, 32, 32), method="refinecam")
    assert "deeper layer" in str(get_method("refinecam").reason(stages(), "one"))


def test_several_classes_share_a_pass() -> None:
    model = stages()
    trace = Trace(model, pictures(), ["three"])
    method = get_method("refinecam")
    maps = [method.compute(trace, ClassTarget(i, str(i)), "three") for i in range(3)]
    assert sum(isinstance(kept, Trace) for kept in trace.memory.values()) == 1
    assert not torch.allclose(maps[0], maps[1])
    for i, found in enumerate(maps):
        alone = Trace(model, pictures()[1:], ["three"])
        one = method.compute(alone, ClassTarget(i, str(i)), "three")
        torch.testing.assert_close(one[0], found[1])
