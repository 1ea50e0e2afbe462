"""Synced traits of the picture view, declared once for Python and TypeScript."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from ..._assets import STATIC
from .comm import CheckedMessages

__all__ = ["View"]


class View(CheckedMessages, anywidget.AnyWidget):
    """The picture with its controls: one canvas that composites picture, saliency and mask in the browser.

    Holds no logic: ``Explorer`` fills these traits and listens to them. Names are those that
    ``js/src/view/traits.ts`` mirrors.
    """

    # Not the paths: anywidget would watch these for changes, and so hold every view for ever.
    _esm = (STATIC / "view.js").read_text("utf-8")
    _css = (STATIC / "view.css").read_text("utf-8")

    scene = t.Dict({}).tag(sync=True)
    explanation = t.Dict({}).tag(sync=True)

    target = t.Int(-1).tag(sync=True)
    rows: t.List = t.List([]).tag(sync=True)
    masked: t.List = t.List([]).tag(sync=True)
    first_now = t.Dict({}).tag(sync=True)
    curve_names: t.List = t.List([]).tag(sync=True)
    quantity = t.Dict({}).tag(sync=True)
    class_names: t.List = t.List([]).tag(sync=True)

    methods: t.List = t.List([]).tag(sync=True)
    method = t.Unicode("").tag(sync=True)
    layers: t.List = t.List([]).tag(sync=True)
    layer = t.Unicode("").tag(sync=True)
    stages = t.Dict({}).tag(sync=True)
    evidence = t.Dict({}).tag(sync=True)

    mode = t.Unicode("remove").tag(sync=True)
    baseline = t.Unicode("blur").tag(sync=True)
    baselines: t.List = t.List([]).tag(sync=True)
    fraction = t.Float(0.0).tag(sync=True)
    paint = t.Dict({}).tag(sync=True)
    filled = t.Dict({}).tag(sync=True)

    opacity = t.Float(0.65).tag(sync=True)
    overlay = t.Bool(True).tag(sync=True)
    cells = t.Bool(False).tag(sync=True)
    contour = t.Float(0.0).tag(sync=True)
    colormap = t.Unicode("inferno").tag(sync=True)
    colormaps = t.Dict({}).tag(sync=True)

    pictures: t.List = t.List([]).tag(sync=True)
    picture = t.Int(-1).tag(sync=True)
    strip = t.Dict({}).tag(sync=True)

    prompt = t.Dict({}).tag(sync=True)
    text_error = t.Unicode("").tag(sync=True)

    truth = t.Dict({}).tag(sync=True)
    truthful = t.Bool(False).tag(sync=True)
    outlines = t.Bool(False).tag(sync=True)
    box = t.Dict({}).tag(sync=True)
    boxes = t.Bool(False).tag(sync=True)

    models: t.List = t.List([]).tag(sync=True)
    compare = t.Dict({}).tag(sync=True)
    arrangement = t.Unicode("side").tag(sync=True)
    divider = t.Float(0.5).tag(sync=True)
    difference_colors = t.Bytes(b"").tag(sync=True)
    other = t.Dict({}).tag(sync=True)
    other_scene = t.Dict({}).tag(sync=True)
    other_state = t.Dict({}).tag(sync=True)
    other_answer = t.Dict({}).tag(sync=True)
    other_filled = t.Dict({}).tag(sync=True)
    undoable = t.Bool(False).tag(sync=True)
    redoable = t.Bool(False).tag(sync=True)
    code = t.Unicode("").tag(sync=True)

    sentence = t.Unicode("").tag(sync=True)
    status = t.Unicode("").tag(sync=True)
    busy = t.Bool(False).tag(sync=True)
    pending = t.Bool(False).tag(sync=True)
    progress = t.Float(-1.0).tag(sync=True)
    partial = t.Bool(False).tag(sync=True)
    cancellable = t.Bool(False).tag(sync=True)
    error = t.Unicode("").tag(sync=True)
    here = t.Dict({}).tag(sync=True)
    missing = t.Unicode("").tag(sync=True)

    _own = frozenset({
        "scene", "explanation", "rows", "masked", "first_now", "curve_names", "quantity",
        "class_names", "methods", "layers", "stages", "baselines",
        "colormaps", "pictures", "strip", "prompt", "truth", "truthful", "box", "sentence", "status", "busy", "pending",
        "progress", "partial", "cancellable", "missing", "evidence", "filled", "undoable", "redoable", "code", "models",
        "difference_colors", "other", "other_scene", "other_state", "other_answer", "other_filled",
    })  # fmt: skip

    @t.validate("opacity", "contour", "divider")
    def _valid_part(self, proposal: Any) -> float:
        value: float = proposal["value"]
        if not 0 <= value <= 1:
            raise t.TraitError(f"a number between 0 and 1 is wanted, not {value!r}.")
        return value

    @t.validate("colormap")
    def _valid_colormap(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if value not in self.colormaps:
            raise t.TraitError(
                f"there is no colour map {value!r}: use {', '.join(self.colormaps)}."
            )
        return value
