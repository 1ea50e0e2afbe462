"""Maps of a small model by the kernel's methods, to which the live page's own are held within 1e-5 of their maximum.

``python tests/export/test_live_map_cases.py`` writes them anew; ``js/tests/liveMaps.test.ts`` reads them, and runs the
model itself.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.methods.perturbation import default_window
from camwidget.attribution.targets import resolve_target
from camwidget.export.closed_forms import FORWARD_FORMS, GRADIENT_FORMS, terms_of

CASES = Path(__file__).resolve().parents[2] / "js" / "tests" / "kernel" / "live_maps.json"

#: Height and width of the picture; masks of RISE, cells of each, and a seed of more than 32 bits.
SIZE, MASKS, CELLS, SEED = (14, 18), 25, 4, 2**33 + 7

METHODS = (
    *GRADIENT_FORMS,
    *FORWARD_FORMS,
    "scorecam",
    "occlusion",
    get_method("rise", masks=MASKS, cells=CELLS, seed=SEED),
)


class Net(nn.Module):
    """A convolution without overlap, global average pooling, and a linear map of four classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 2, 2, bias=False)
        self.head = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.conv(x).mean((2, 3)))
        return scores


def floats(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def cases() -> dict[str, Any]:
    torch.manual_seed(5)
    net = Net().eval()
    with torch.no_grad():
        net.head.weight.mul_(4)
    preprocess = cw.Preprocess(SIZE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    model = cw.wrap(net, preprocess, list("abcd"), layers=["conv"])
    rgb = np.random.default_rng(2).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    pixels = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
    window = default_window(*SIZE)[0]
    maps = []
    for wanted in (2, cw.Counterfactual(2), cw.Contrast(2, 0)):
        target = resolve_target(model, wanted)
        for one in METHODS:
            method = get_method(one)
            if method.target_reason(target) is not None:
                continue
            found = cw.explain(model, pixels, wanted, method, "conv").raw
            low = found.min() if method.scale == "range" else 0
            cells = np.maximum(found - low, 0)
            terms = [{"index": index, "sign": sign} for index, sign in terms_of(target)]
            maps.append({"method": method.name, "terms": terms, "cells": floats(cells)})
    return {
        "height": SIZE[0],
        "width": SIZE[1],
        "rgb": base64.b64encode(rgb.tobytes()).decode(),
        "mean": preprocess.mean,
        "std": preprocess.std,
        "conv": floats(net.conv.weight.detach()),
        "weights": floats(net.head.weight.detach()),
        "bias": floats(net.head.bias.detach()),
        "occlusion": {"window": window},
        "rise": {"masks": MASKS, "cells": CELLS, "keep": 0.5, "seed": SEED},
        "maps": maps,
    }


def test_the_cases_are_those_of_the_methods() -> None:
    stored, made = json.loads(CASES.read_text("utf-8")), json.loads(json.dumps(cases()))
    assert len(stored["maps"]) == len(made["maps"]) > 25
    for one, other in zip(stored.pop("maps"), made.pop("maps"), strict=True):
        ours, theirs = (
            np.frombuffer(base64.b64decode(x.pop("cells")), "<f4") for x in (one, other)
        )
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * theirs.max(), rtol=0)
        assert one == other
    assert stored == made


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), indent=1) + "\n", "utf-8")
