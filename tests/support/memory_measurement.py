"""Measures memory in a new process: ``python tests/support/memory_measurement.py WHAT`` prints megabytes as JSON."""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import comm
import numpy as np
import torch
from explorer_internals import panels_of, parts_of
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances
from torch import nn

import camwidget as cw

#: The side of the large pictures.
SIDE = 1024


def resident() -> float:
    """Megabytes that are not files', without what the allocator keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("RssAnon")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def counts() -> dict[str, float]:
    return {
        "megabytes": resident(),
        "widgets": len(_instances),
        "comms": len(comm.get_comm_manager().comms),
        "threads": threading.active_count(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }


def use(ex: cw.Explorer) -> cw.Explorer:
    """A class, a method, the slider with its curve."""
    ex.wait(120)
    ex.target, ex.method, ex.fraction = 1, "layercam", 0.3
    return ex.wait(120)


def closed() -> dict[str, object]:
    """Eighty explorers opened and closed, most of them while they are at work."""
    model = cw.load(device="cpu")

    def some(count: int) -> dict[str, float]:
        for number in range(count):
            ex = cw.Explorer(model)
            if number % 10 == 0:
                use(ex)
            ex.close()
        settle()
        return counts()

    return {"before": some(20), "after": some(60)}


def again() -> dict[str, object]:
    """A cell that is run twenty times."""
    shell = InteractiveShell.instance()
    shell.user_ns.update(model=cw.load(device="cpu"), cw=cw, use=use)

    def some(count: int) -> dict[str, float]:
        for _ in range(count):
            code = "ex = use(cw.Explorer(model))\nex"
            shell.run_cell(code, store_history=True, cell_id="the same").raise_error()
        settle()
        return counts()

    sys.stdout = sys.stderr
    try:
        return {"before": some(5), "after": some(15)}
    finally:
        sys.stdout = sys.__stdout__


def settle() -> None:
    """Wait for the workers, each of which ends when it has nothing to do."""
    for thread in threading.enumerate():
        if thread.name.startswith("camwidget"):
            thread.join(60)


class Net(nn.Module):
    """Keeps 25 MB of a large picture at each of its layers, and is quick."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 24, 2, stride=2)
        self.one, self.two, self.three = nn.LeakyReLU(), nn.LeakyReLU(), nn.ReLU()
        self.four, self.head = nn.Conv2d(24, 24, 8, stride=8), nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.three(self.two(self.one(self.stem(x))))
        return self.head(self.four(x).relu().mean((2, 3)))


def resnet() -> dict[str, object]:
    """``large`` for a net as people have it."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    return large(resnet18())


def first_layers() -> dict[str, object]:
    """The clicks of ``resnet`` that take most: maps at the layers of the largest passes, one after the other.

    Multiplied by its map a picture has no curve, whose passes would take most of the time.
    """
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model, pictures, before, first = opened(resnet18().eval(), 1)
    ex = cw.Explorer(model, pictures, layer="conv1", method="layercam", mode="multiply").wait(600)
    for name, value in (("target", 3), ("layer", "bn1")):
        setattr(ex, name, value)
        ex.wait(600)
    # Files that have been read since, such as libraries, are no part of it.
    found = {"peak": _status("VmHWM") - max(first, _status("RssFile")) - before}
    ex.close()
    return found


def wait_for_map(ex: cw.Explorer) -> None:
    """Wait for the map that is requested, and not for the curve."""
    main = parts_of(ex).requests.main
    while ex.explanation is None or main.requested != main.shown:
        time.sleep(0.01)


def opened(module: nn.Module, count: int) -> tuple[cw.VisionModel, list[np.ndarray], float, float]:
    """A model that has run once, large pictures, the memory before an explorer, and that of files."""
    model = cw.wrap(module, cw.Preprocess(size=SIDE))
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(count)]
    model.logits(torch.rand(1, 3, SIDE, SIDE))
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    return model, pictures, before, _status("VmHWM") - _status("RssAnon")


def large(module: nn.Module | None = None) -> dict[str, object]:
    """Fifty clicks on large pictures; after each the memory above that of the model, which has run once."""
    model, pictures, before, first = opened((module or Net()).eval(), 3)
    ex = cw.Explorer(model, pictures).wait(600)
    methods = ["gradcam", "gradcam++", "layercam", "hirescam", "xgradcam", "eigencam"]
    layers = [layer.name for layer in model.layers]
    clicks: list[Callable[[int], None]] = [
        lambda n: setattr(ex, "target", n % 10),
        lambda n: setattr(ex, "method", methods[n % len(methods)]),
        lambda n: setattr(ex, "layer", layers[n % len(layers)]),
        lambda n: setattr(ex, "fraction", 0.05 + n % 10 / 10),
        lambda n: setattr(ex, "picture", n % 3),
    ]
    for number in range(50):
        clicks[number % 5](number // 5)
        if number in (3, 33):  # the slider: with the whole curve
            ex.wait(600)
        wait_for_map(ex)
    ex.wait(600)
    found: dict[str, object] = {"peak": _status("VmHWM") - first - before}
    panels_of(ex).box.selected_index = 2  # the contact sheet
    ex.wait(600)
    found["sheet"] = resident() - before
    ex.close()
    found["closed"] = resident() - before
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    kinds = {
        "closed": closed,
        "again": again,
        "large": large,
        "resnet": resnet,
        "first layers": first_layers,
    }
    print(json.dumps(kinds[sys.argv[1]]()))
