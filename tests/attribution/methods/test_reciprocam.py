"""Recipro-CAM against a slow transcription, position by position, and the center prior against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from oracles import Rectified, agree, plain
from torch import nn

import camwidget as cw
from camwidget import errors
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import ClassTarget, FunctionTarget
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")


def mask_around(row: int, column: int, height: int, width: int, gaussian: bool) -> torch.Tensor:
    """S of Byun and Lee 2022: a 3×3 Gaussian around a position, or the position alone."""
    mask = torch.zeros(height, width, dtype=torch.float64)
    if not gaussian:
        mask[row, column] = 1
        return mask
    for y in range(max(row - 1, 0), min(row + 2, height)):
        for x in range(max(column - 1, 0), min(column + 2, width)):
            mask[y, x] = 1 / 4 / 2 ** abs(y - row) / 2 ** abs(x - column)
    return mask


def pixels(count: int = 2, size: tuple[int, int] = (14, 18)) -> torch.Tensor:
    return torch.rand((count, 3, *size), generator=torch.Generator().manual_seed(5)).double()


@pytest.mark.parametrize("gaussian", [True, False])
def test_each_position_is_the_probability_of_what_its_mask_leaves(gaussian: bool) -> None:
    module = Rectified().double().eval()
    model = cw.wrap(module, plain())
    trace = Trace(model, pixels(), ["second"])
    method = get_method("recipro-cam", gaussian=gaussian)
    ours = method.compute(trace, ClassTarget(2, "x"), "second")
    maps = trace.activation("second")
    theirs = torch.zeros(2, *maps.shape[2:]).double()
    for n in range(2):
        for row in range(maps.shape[2]):
            for column in range(maps.shape[3]):
                masked = maps[n] * mask_around(row, column, *maps.shape[2:], gaussian)
                with torch.no_grad():
                    logits = module.head(module.rectify(masked).mean((1, 2)))
                theirs[n, row, column] = logits.softmax(0)[2]
    agree(ours, theirs, 1e-6)  # probabilities are float32
    steps = list(method.steps(trace, ClassTarget(2, "x"), "second"))
    assert steps[-1].done == steps[-1].total == 2 * (theirs[0].numel() + 1)


class Tokens(nn.Module):
    """Patches, a class token and one block in timm's manner."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.norm1, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def tail(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(x + self.attention(y, y, y, need_weights=False)[0])[:, 0])

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        x = self.embed(picture).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.tail(self.norm1(x), x)


def test_tokens_are_masked_and_the_class_token_is_kept() -> None:
    """ViT-ReciproCAM, section 3: the output of a block's first normalization is masked."""
    module = Tokens().double().eval()
    model = cw.wrap(module, plain(12))
    one = pixels(1, (12, 12))
    trace = Trace(model, one, ["norm1"])
    ours = get_method("recipro-cam").compute(trace, ClassTarget(1, "x"), "norm1")[0]
    theirs = torch.zeros(3, 3).double()
    with torch.no_grad():
        x = module.embed(model.inputs(one)).flatten(2).transpose(1, 2)
        x = torch.cat([module.token, x], 1)
        y = module.norm1(x)
        for row in range(3):
            for column in range(3):
                masked = y.clone()
                masked[0, 1:] *= mask_around(row, column, 3, 3, True).flatten()[:, None]
                theirs[row, column] = module.tail(masked, x)[0].softmax(0)[1]
    agree(ours, theirs, 1e-6)


def test_another_target_is_its_score() -> None:
    model = cw.wrap(Rectified().double().eval(), plain())
    trace = Trace(model, pixels(1), ["second"])
    contrast = FunctionTarget(lambda z: z[:, 1] - z[:, 2], "1 rather than 2")
    found = get_method("recipro-cam").compute(trace, contrast, "second")
    each = [
        get_method("recipro-cam").compute(
            trace, FunctionTarget(lambda z, i=i: z[:, i], str(i)), "second"
        )
        for i in (1, 2)
    ]
    torch.testing.assert_close(found, each[0] - each[1])


def test_a_reshape_that_computes_is_refused() -> None:
    model = cw.wrap(
        Tokens().eval(),
        plain(12),
        reshape=lambda x: x[:, 1:].mT.unflatten(2, (3, 3)) * 2 if x.ndim == 3 else x,
        layers=["norm1"],
    )
    with pytest.raises(errors.MethodError, match="'scorecam'"):
        cw.explain(model, torch.rand(3, 12, 12), 1, "recipro-cam")


def test_the_part_before_the_layer_runs_a_few_times_only(textures: cw.VisionModel) -> None:
    """Score-CAM runs the whole network for each channel; a batch of masks needs the part before the layer once."""
    pictures: list[int] = []
    model = cw.wrap(textures.module, textures.preprocess, textures.classes)
    handle = model.module.stem.register_forward_hook(lambda m, a, o: pictures.append(len(o)))
    try:
        counts = {}
        for name in ("recipro-cam", "scorecam"):
            trace = Trace(model, torch.rand(1, 3, 192, 192), [model.default_layer])
            pictures.clear()
            get_method(name).compute(trace, ClassTarget(1, "x"), model.default_layer)
            counts[name] = sum(pictures)
    finally:
        handle.remove()
    channels = trace.activation(model.default_layer).shape[1]
    assert counts["recipro-cam"] < 8 and counts["scorecam"] >= channels // 2


def test_center_is_a_gaussian_of_a_quarter_of_each_side() -> None:
    model = cw.wrap(Rectified().double().eval(), plain())
    trace = Trace(model, pixels(2, (16, 24)), ["second"])
    found = get_method("center").compute(trace, ClassTarget(0, "x"), "second")
    count, height, width = found.shape
    for row in range(height):
        for column in range(width):
            y, x = (row + 0.5) / height - 0.5, (column + 0.5) / width - 0.5
            expected = math.exp(-(y * y + x * x) / (2 * 0.25**2))
            assert found[0, row, column] == pytest.approx(expected)
    np.testing.assert_array_equal(found[0], found[1])
    assert count == 2
    torch.testing.assert_close(found, found.flip(1, 2))
