"""The explorer shows the module as it is now, whatever somebody has changed in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw

PICTURE = np.random.default_rng(3).integers(0, 256, (24, 24, 3), np.uint8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.head, self.gain = nn.Linear(8, 3), 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3))) * self.gain  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.body.__setitem__(1, nn.Tanh()),
        lambda net: net.body[0].register_forward_hook(lambda m, args, out: -out),
        lambda net: setattr(net, "gain", 5.0),
        lambda net: setattr(net.body[0], "stride", (2, 2)),
        lambda net: net.load_state_dict({k: -v for k, v in net.state_dict().items()}),
    ],
    ids=["a layer", "a hook", "a number", "a stride", "weights"],
)
def test_a_known_map_is_not_shown_of_a_changed_module(change: Callable[[Net], object]) -> None:
    torch.manual_seed(0)
    net = Net().eval()
    model = cw.wrap(net, cw.Preprocess(24), ["a", "b", "c"])
    ex = cw.Explorer(model, PICTURE)
    for name in ("b", "a"):
        ex.target = name
        ex.wait(60)
    before = ex.explanation
    change(net)
    for name in ("b", "a"):
        ex.target = name
        ex.wait(60)
    now = cw.explain(model, PICTURE, "a")
    assert ex.explanation is not before and ex.explanation.raw.shape == now.raw.shape
    np.testing.assert_allclose(ex.explanation.raw, now.raw, atol=1e-6)
    np.testing.assert_allclose(
        ex.explanation.prediction.probabilities, now.prediction.probabilities, atol=1e-6
    )
    ex.close()


def test_the_slider_does_not_compute_a_slow_map_of_a_changed_module_again() -> None:
    """A quick one it does, at once; a slow one would take the map away for its whole time."""
    torch.manual_seed(0)
    net = Net().eval()
    ex = cw.Explorer(cw.wrap(net, cw.Preprocess(24), ["a", "b", "c"]), PICTURE).wait(60)
    for method, is_new in (("gradcam", True), ("occlusion", False)):
        ex.method = method
        ex.wait(60)
        before = ex.explanation
        net.gain += 1
        ex.fraction = 0.3 if is_new else 0.6
        ex.wait(60)
        assert (ex.explanation is not before) == is_new
    ex.close()
