"""Helpers of the comparisons with independent implementations."""

from __future__ import annotations

import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-4) -> None:
    """Equal to ``tolerance`` relative to the map's maximum, and not for being empty."""
    theirs = theirs.reshape(ours.shape).to(ours)
    assert theirs.abs().max() > 0, "the oracle's map is empty: the comparison would prove nothing"
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Pearson's, over all places."""
    return float(torch.corrcoef(torch.stack([a.double().flatten(), b.double().flatten()]))[0, 1])


class Rectified(nn.Module):
    """One small net whose ReLUs are modules, in-place modules, functions, in-place functions, or clamps."""

    WAYS = ("module", "inplace", "function", "function_", "clamp", "hardtanh", "threshold")

    def __init__(self, way: str = "module", classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 12, 3, padding=1, stride=2)
        self.head = nn.Linear(12, classes)
        self.way = way
        if way in ("module", "inplace"):
            self.relu = nn.ReLU(inplace=way == "inplace")

    def rectify(self, x: torch.Tensor) -> torch.Tensor:
        match self.way:
            case "module" | "inplace":
                return self.relu(x)
            case "function":
                return nn.functional.relu(x)
            case "function_":
                return nn.functional.relu_(x)
            case "clamp":
                return x.clamp(min=0)
            case "hardtanh":  # as wide as it need not be
                return nn.functional.hardtanh(x, 0, 1e6)
            case _:
                return nn.functional.threshold(x, 0, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.rectify(self.first(x))
        x = self.rectify(self.second(x))
        return self.head(x.mean((2, 3)))


def plain(size: int | None = None) -> cw.Preprocess:
    """A preprocessing that is not the identity."""
    return (
        cw.Preprocess(size, mean=(0.4, 0.45, 0.5), std=(0.2, 0.25, 0.3))
        if size
        else cw.Preprocess(mean=(0.4, 0.45, 0.5), std=(0.2, 0.25, 0.3))
    )


def computed(
    model: cw.VisionModel,
    pixels: torch.Tensor,
    method: object,
    target: object = 1,
    layer: str | None = None,
) -> torch.Tensor:
    """A method's raw maps (N, h, w), in the model's own precision."""
    chosen = get_method(method)  # type: ignore[arg-type]
    name = model.layer(layer).name
    trace = Trace(model, pixels, [name], with_input=chosen.needs_input)
    return chosen.compute(trace, resolve_target(model, target), name)  # type: ignore[arg-type]
