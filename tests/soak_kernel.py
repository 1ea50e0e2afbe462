"""The part of the soak test that runs in the kernel: the explorer and the interactions."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any

import numpy as np
import torch
from explorer_internals import display_of, panels_of, view_of
from module_fingerprint import HOOKS, fingerprint

import camwidget as cw
from camwidget.attribution.methods import list_methods

#: Of the view, what tells the time, or what was done on the way here.
_PASSING = (
    "status",
    "class_probe",
    "error",
    "text_error",
    "progress",
    "opacity",
    "overlay",
    "cells",
    "colormap",
    "can_undo",
    "can_redo",
)


class Side:
    """An explorer on the embedded model, and its record."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model = cw.load(device="cpu")
        self.before = fingerprint(self.model.module)
        self.said: list[str] = []
        self.ex = cw.Explorer(self.model).wait(60)
        view_of(self.ex).observe(
            lambda c: self.said.append(c["new"]) if c["new"] else None, "error"
        )

    def facts(self) -> dict[str, Any]:
        model = self.model
        return {
            "view": view_of(self.ex).model_id,
            "panels": panels_of(self.ex).box.model_id,
            "classes": len(model.classes),
            "scenes": [picture.id for picture in self.ex.pictures],
            "quick": [m.name for m in list_methods() if not m.slow and m.group != "Attention"],
            "slow": ["scorecam", "rise", "occlusion"],
            "layers": [layer.name for layer in model.layers],
            "pictures": len(self.ex.pictures),
        }

    def settle(self) -> list[str]:
        """Wait until all is done, as long as a person would; the errors shown since the last time."""
        try:
            self.ex.wait(5)
        except TimeoutError:
            self.ex.cancel()
            self.ex.wait(240)
        said, self.said = self.said, []
        view_of(self.ex).error = ""
        return said

    def libraries(self) -> float:
        """Megabytes of files in memory: part of what the process holds, but the machine takes of them as it likes."""
        return _resident("RssFile")

    def memory(self) -> float:
        """Megabytes that the process holds, without what the allocator keeps for later, and without files.

        What is remembered is bounded, but its size depends on what was looked at last, and how long: so many pictures
        are looked at here that every pass remembered is a new one, of the same picture each time.
        """
        state = self.ex.state
        opened, panels_of(self.ex).box.selected_index = panels_of(self.ex).box.selected_index, None
        self.ex.state = {
            "method": "gradcam",
            "layer": "stage4",
            "compare": None,
            "baseline": "blur",
        }
        for picture in (*range(len(self.ex.pictures)), 0):
            self.ex.picture = picture
            self.ex.wait(240)
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        held = _resident("RssAnon")
        self.ex.state = state
        self.ex.wait(240)
        panels_of(self.ex).box.selected_index = opened
        return held

    def hooks(self) -> int:
        return sum(len(getattr(m, h)) for m in self.model.module.modules() for h in HOOKS)

    def untouched(self) -> bool:
        return fingerprint(self.model.module) == self.before

    def differences(self) -> list[str]:
        """What differs from an explorer that is set to the same state at once."""
        ex = self.ex
        ex.wait(240)
        fresh = cw.Explorer(self.model).wait(240)
        fresh.state = ex.state
        fresh.wait(240)
        try:
            return [*_unlike_states(ex, fresh), *_unlike_curves(ex, fresh)]
        finally:
            fresh.close()


def _resident(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def _unlike_states(ex: cw.Explorer, fresh: cw.Explorer) -> list[str]:
    ids = {a.id: b.id for a, b in zip(ex.pictures, fresh.pictures, strict=True)}
    one, other = view_of(ex).get_state(), view_of(fresh).get_state()
    wrong = []
    for name, held in one.items():
        if name.startswith("_") or name in _PASSING or name in ("layout", "tabbable", "tooltip"):
            continue
        if name in ("baseline_fill", "compared_baseline_fill") and ex.baseline != "inpaint":
            continue  # that of the last hole
        if isinstance(held, dict):
            held = {k: _renamed(v, ids) for k, v in held.items() if k != "stroke"}
            other[name].pop("stroke", None)
        if held != other[name]:
            wrong.append(f"{name}: {str(held)[:300]} — {str(other[name])[:300]}")
    return wrong


def _renamed(value: Any, ids: dict[str, str]) -> Any:
    """A scene's name in the other explorer."""
    if not isinstance(value, str):
        return value
    scene, of, model = value.partition(" of model ")
    return ids.get(scene, scene) + of + model


def _unlike_curves(ex: cw.Explorer, fresh: cw.Explorer) -> list[str]:
    if (ex.curve is None) != (fresh.curve is None):
        return [f"curve: {ex.curve} — {fresh.curve}"]
    wrong = []
    if ex.curve is not None and not np.allclose(
        ex.curve.probabilities, fresh.curve.probabilities, atol=1e-5
    ):
        wrong.append("curve: other values")
    if not np.array_equal(ex.explanation.saliency, fresh.explanation.saliency):
        wrong.append("explanation: other values")
    for chart in ("unmasked_bars", "masked_bars"):
        bars = [np.asarray(getattr(display_of(x).bars, chart).y) for x in (ex, fresh)]
        if not np.allclose(*bars, atol=1e-5):
            wrong.append(f"bars: {bars}")
    return wrong
