"""The example of footprints: its fractions are the weights that `explain` finds by automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget.analysis.footprint_weights import (
    SCORES,
    Ratio,
    example_footprints,
    weigh_footprints,
)


class Squares(nn.Module):
    """y = ½ Σ A², so that ∂y/∂A is A: 1 in the footprints and 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = (self.maps(x) ** 2).sum((1, 2, 3)) / 2
        return torch.stack([y, -y], 1)


def average_net() -> nn.Module:
    """Y = Σ_k mean(A^k)."""
    head = nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0] * 3, [-1.0] * 3]))
        head.bias.zero_()
    net = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return nn.Sequential(net)


def random_footprints(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((3, 8, 10)) < rng.uniform(0.02, 0.9, (3, 1, 1))


MODULES = {"squares": Squares, "average": average_net}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_against_explain(score: str, seed: int | None) -> None:
    maps = example_footprints() if seed is None else random_footprints(seed)
    assert seed is None or maps.any((1, 2)).all()
    # Three feature maps are three color channels: the picture is the input of the module, and its only layer.
    picture = (255 * maps.transpose(1, 2, 0)).astype(np.uint8)
    model = cw.wrap(MODULES[score](), cw.Preprocess((8, 10)), name="example")
    layer = "maps" if score == "squares" else "0.0"
    for name, found in weigh_footprints(maps, score).items():
        if name == "equal":
            continue  # the introduction of the paper, no method
        if found.reason:
            with pytest.raises(cw.CamwidgetError, match="CAM does not apply"):
                cw.explain(model, picture, 0, name, layer=layer)
        else:
            raw = cw.explain(model, picture, 0, name, layer=layer).raw
            np.testing.assert_allclose(found.raw, raw, rtol=1e-6)


def test_the_numbers_of_the_paper() -> None:
    maps = example_footprints()
    assert maps.shape == (3, 8, 10) and maps.sum((1, 2)).tolist() == [15, 4, 2]
    assert maps.sum(0).max() == 1, "they do not overlap"
    found = weigh_footprints(maps)
    assert found["gradcam"].weights == ((15, 80), (4, 80), (2, 80))
    assert found["gradcam++"].weights == ((15, 17), (4, 6), (2, 4))
    assert {w.value for w in found["equal"].weights} == {1.0}
    assert found["cam"].reason and not found["cam"].weights and not found["cam"].raw.any()
    averaged = weigh_footprints(maps, "average")
    # Z times Grad-CAM's weight is CAM's: the proof of section 3 of Selvaraju et al. 2017.
    for cam, gradcam in zip(averaged["cam"].weights, averaged["gradcam"].weights, strict=True):
        assert cam.value == 80 * gradcam.value
    assert averaged["equal"].reason


@pytest.mark.parametrize("score", SCORES)
def test_an_empty_map_weighs_nothing_that_shows(score: str) -> None:
    maps = example_footprints()
    maps[1] = False
    for name, found in weigh_footprints(maps, score).items():
        assert not found.raw[5:7, 2:4].any(), name
    for found in weigh_footprints(np.zeros((2, 3, 4)), score).values():
        assert not found.raw.any() and found.raw.shape == (3, 4)


def test_what_is_no_footprint() -> None:
    for maps in (np.zeros((8, 10)), np.zeros((0, 8, 10)), 1):
        with pytest.raises(cw.CamwidgetError, match="put a single map in brackets"):
            weigh_footprints(maps)
    with pytest.raises(cw.CamwidgetError, match="pass maps > 0"):
        weigh_footprints(np.full((1, 2, 2), 0.5))
    with pytest.raises(cw.CamwidgetError, match="no score 'max': use 'squares' or 'average'"):
        weigh_footprints(example_footprints(), "max")


def test_a_ratio_is_not_reduced() -> None:
    assert str(Ratio(4, 80)) == "4/80" and Ratio(4, 80).value == 0.05
