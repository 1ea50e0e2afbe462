"""Batch normalization folding: the folded copy has the logits of the model, or is not used."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from module_fingerprint import has_hooks
from torch import nn

import camwidget as cw
from camwidget.attribution.batchnorm_folding import fold_batchnorms


def stirred(module: nn.Module) -> nn.Module:
    """With normalizations that do something."""
    torch.manual_seed(2)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None:
            part.running_mean.normal_(std=0.2)
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.bias, std=0.2)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())


@pytest.mark.parametrize(
    ("name", "left"),
    [("resnet18", 0), ("mobilenet_v2", 0), ("densenet121", 62), ("squeezenet1_1", 0)],
)
def test_the_copy_answers_as_the_model(
    random_model: Callable[..., cw.VisionModel], name: str, left: int, noise: torch.Tensor
) -> None:
    model = random_model(name)
    stirred(model.module)
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    inputs = model.inputs(noise[None, :, :96, :96])
    other = fold_batchnorms(model, inputs)
    assert (other is model) == (norms(model.module) == 0)
    assert norms(other.module) == left
    fresh = torch.rand(3, 3, 96, 96)
    torch.testing.assert_close(other.logits(fresh), model.logits(fresh), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(v, before[k]) for k, v in model.module.state_dict().items())
    assert not has_hooks(model.module)


class Twice(nn.Module):
    """The convolution's output is used beside the normalization too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.head((self.norm(y) + y).mean((2, 3)))


class Uncopied(nn.Sequential):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise RuntimeError("there is but one of me")


def test_where_something_stands_in_the_way_the_model_itself_is_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "camwidget")
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    batch = nn.BatchNorm2d(4, track_running_stats=False)
    for module in (Twice(), Uncopied(*layers), nn.Sequential(layers[0], batch, *layers[2:])):
        model = cw.wrap(stirred(module))
        assert fold_batchnorms(model, torch.rand(1, 3, 20, 20)) is model
    (record,) = caplog.records
    assert "is run as it is" in record.message and "one of me" in str(record.exc_info)


def small() -> nn.Module:
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()]
    return stirred(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


def test_hooks_of_the_callers_are_heard_on_the_copy() -> None:
    module = stirred(
        nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
    )
    heard: list[object] = []
    module.register_forward_hook(lambda *_: heard.append(1))
    model = cw.wrap(module)
    other = fold_batchnorms(model, torch.rand(1, 3, 20, 20))
    assert other is not model
    heard.clear()
    other.logits(torch.rand(1, 3, 20, 20))
    assert len(heard) == 1


def test_training_between_two_calls_is_seen(noise: torch.Tensor) -> None:
    module = stirred(
        nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
    )
    model = cw.wrap(module)
    method = cw.get_method("rise", masks=100)
    picture = noise[:, :32, :32]
    first = cw.explain(model, picture, 1, method).raw
    with torch.no_grad():
        module[0].weight.mul_(-3)
        module[1].running_mean.add_(0.5)
    second = cw.explain(model, picture, 1, method).raw
    fresh = cw.explain(cw.wrap(module), picture, 1, method).raw
    assert abs(first - second).max() > 1e-3
    torch.testing.assert_close(torch.from_numpy(second), torch.from_numpy(fresh))
