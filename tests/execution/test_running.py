"""Modules whose forward changes their state are restored, and doubtful outputs are reported."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetWarning, ModelError

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(x)


class Counting(Net):
    """Counts its passes, and its answers grow with them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("passes", torch.zeros(1))
        self.register_buffer("unknown", torch.tensor([float("nan")]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes = self.passes + 1
        return self.logits(x) * self.passes


class Training(Net):
    """Switches itself to training: BatchNorm writes its statistics."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.train()
        return self.logits(x)


class Caching(Net):
    """Keeps what it computes from its weights, as timm's LeViT and EfficientFormer do."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if "weight" not in self.cache:
            self.cache["weight"] = self.head.weight * 2
        return nn.functional.linear(
            self.norm(self.conv(x)).relu().mean((2, 3)), self.cache["weight"]
        )


@pytest.mark.parametrize("kind", [Counting, Training])
def test_buffers_and_flags_are_put_back(kind: type[Net]) -> None:
    module = kind().eval()
    tensors = dict(module.named_buffers())
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with pytest.warns(CamwidgetWarning, match="writes into its own tensors"):
        model = cw.wrap(module, cw.Preprocess(24))
    maps = [cw.explain(model, PICTURE, 1).raw for _ in range(2)]
    cw.explain(model, PICTURE, method=cw.get_method("rise", masks=80))
    model.predict(PICTURE)
    np.testing.assert_array_equal(*maps)
    for name, tensor in module.named_buffers():
        assert tensor is tensors[name]
        np.testing.assert_array_equal(tensor.numpy(), before[name].numpy())
    assert not any(part.training for part in module.modules())


def test_a_cache_keeps_no_graph() -> None:
    module = Caching().eval()
    model = cw.wrap(module, cw.Preprocess(24))
    cw.explain(model, PICTURE, method=["gradcam", "saliency"])
    copy.deepcopy(module)
    assert not module.cache, "nor does it come from a pass of ours"


class Ending(Net):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> object:
        logits = self.logits(x)
        return {
            "percent": lambda: 100 * logits.softmax(1),
            "over pictures": lambda: logits.softmax(0),
            "sorted": lambda: logits.topk(3),
            "two hierarchies": lambda: torch.cat([logits.softmax(1), logits[:, :2].softmax(1)], 1),
            "cumulated": lambda: logits.sigmoid().cumprod(1),
        }[self.kind]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("percent", r"add up to 100.*output=lambda out: out / 100"),
        ("over pictures", r"softmax\(1\)"),
        ("sorted", "no longer identify their classes"),
    ],
)
def test_endings_that_hide_the_classes_are_refused(kind: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        cw.wrap(Ending(kind).eval(), cw.Preprocess(24))


@pytest.mark.parametrize("kind", ["two hierarchies", "cumulated"])
def test_what_may_be_probabilities_is_not_taken_for_logits_in_silence(kind: str) -> None:
    module = Ending(kind).eval()
    with pytest.warns(CamwidgetWarning, match="scores='probability'"):
        cw.wrap(module, cw.Preprocess(24))
    model = cw.wrap(module, cw.Preprocess(24), scores="probability")
    pixels = model.pixels(PICTURE)
    with torch.no_grad():
        own = module(pixels)[0]
    torch.testing.assert_close(model.probabilities(model.logits(pixels))[0], own)


def test_percentages_are_probabilities_once_they_are_divided() -> None:
    model = cw.wrap(Ending("percent").eval(), cw.Preprocess(24), output=lambda out: out / 100)
    with torch.no_grad():
        own = model.module(model.pixels(PICTURE))[0] / 100
    found = model.predict(PICTURE, top=4)
    torch.testing.assert_close(torch.tensor(found.probabilities), own.sort(descending=True).values)


def test_inference_mode_is_named() -> None:
    class Inference(Net):
        @torch.inference_mode()
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits(x)

    with pytest.raises(ModelError, match="inference_mode"):
        cw.wrap(Inference().eval(), cw.Preprocess(24))
