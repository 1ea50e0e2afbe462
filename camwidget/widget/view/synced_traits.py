"""Synced traits of the picture view, declared once for Python and TypeScript."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from ..._assets import STATIC
from ...analysis.localizing import THRESHOLD, check_share
from .page_messages import CheckedMessages

__all__ = ["View", "names_tagged", "synced"]

# Tags of a synced trait. The tag ``offline`` is added to what the page acts on by itself while there is no kernel.

#: Set by Python alone: what a page sends under this name is ignored.
OUTPUT: dict[str, Any] = {"sync": True, "output": True}
#: Set by Python; the page may clear it.
NOTICE: dict[str, Any] = {"sync": True}
#: A choice that ``Explorer`` has in another form; set by both sides, part of the state.
CONVERTED: dict[str, Any] = {"sync": True}
#: A choice that ``Explorer`` has as a trait of the same name and value; set by both sides, part of the state.
SHARED: dict[str, Any] = {"sync": True, "shared": True}
#: How the map is drawn, which ``Explorer`` does not know; set by both sides, part of the state.
STYLE: dict[str, Any] = {"sync": True, "style": True}


class View(CheckedMessages, anywidget.AnyWidget):
    """The picture with its controls. The browser composites picture, saliency and mask on one canvas.

    Holds no logic: ``Explorer`` sets these traits and observes them. ``js/generate_traits.py`` writes their names,
    types and defaults to ``js/src/view/syncedTraits.ts``; ``js/src/view/traits.ts`` parses those that are no plain
    values.
    """

    # The text and not the path: anywidget would watch a path for changes, and so keep every view alive.
    _esm = (STATIC / "view.js").read_text("utf-8")
    _css = (STATIC / "view.css").read_text("utf-8")

    # The picture with its baselines, and its map.
    scene = t.Dict({}).tag(**OUTPUT)
    explanation = t.Dict({}).tag(**OUTPUT)

    # The listed classes: their names and numbers for the unmasked picture in rows, those for the masked one in masked.
    target = t.Int(-1).tag(**CONVERTED)
    # Whether the map is for the class, against it, or for it rather than another, which the next click chooses while
    # ``awaits_rival``.
    stance = t.Dict({"kind": "for", "other": -1}).tag(**CONVERTED)
    awaits_rival = t.Bool(False).tag(**NOTICE)
    # Which classes can be chosen with another stance than "for"; empty: all. An offline page has those computed.
    contrasts: t.List = t.List([]).tag(**OUTPUT)
    rows: t.List = t.List([]).tag(**OUTPUT)
    masked: t.List = t.List([]).tag(**OUTPUT)
    most_probable = t.Dict({}).tag(**OUTPUT)
    curve_names: t.List = t.List([]).tag(**OUTPUT)
    quantity = t.Dict({}).tag(**OUTPUT)
    class_names: t.List = t.List([]).tag(**OUTPUT)

    methods: t.List = t.List([]).tag(**OUTPUT)
    method = t.Unicode("").tag(**SHARED)
    # Of methods, those that differ from their defaults.
    settings = t.Dict({}).tag(**SHARED)
    layers: t.List = t.List([]).tag(**OUTPUT)
    layer = t.Unicode("").tag(**SHARED)
    # Small maps sent ahead: of the class at every layer, and of every listed class at the layer.
    layer_maps = t.Dict({}).tag(**OUTPUT)
    class_maps = t.Dict({}).tag(**OUTPUT)

    mode = t.Unicode("remove").tag(**SHARED, offline=True)
    # The modes to choose from; all if empty. An offline page has those that were computed.
    modes: t.List = t.List([]).tag(**OUTPUT)
    baseline = t.Unicode("blur").tag(**SHARED, offline=True)
    baselines: t.List = t.List([]).tag(**OUTPUT)
    fraction = t.Float(0.0).tag(**SHARED, offline=True)
    paint = t.Dict({}).tag(**CONVERTED, offline=True)
    baseline_fill = t.Dict({}).tag(**OUTPUT)

    opacity = t.Float(0.65).tag(**STYLE, offline=True)
    overlay = t.Bool(True).tag(**STYLE, offline=True)
    cells = t.Bool(False).tag(**STYLE, offline=True)
    contour = t.Float(0.0).tag(**STYLE, offline=True)
    colormap = t.Unicode("inferno").tag(**STYLE, offline=True)
    colormaps = t.Dict({}).tag(**OUTPUT)

    # The frame shown of a clip, from 0.
    frame = t.Int(0, min=0).tag(**STYLE, offline=True)

    pictures: t.List = t.List([]).tag(**OUTPUT)
    picture = t.Int(-1).tag(**SHARED)
    thumbnails = t.Dict({}).tag(**OUTPUT)

    prompt = t.Dict({}).tag(**OUTPUT)
    text_error = t.Unicode("").tag(**NOTICE)
    # What the pictures are compared with, of a model whose classes these are: typed texts, or pictures.
    references = t.Dict({}).tag(**OUTPUT)

    # What the model finds where in the picture, of a model that says so: boxes or areas, each of them a class; and the
    # same for the masked picture.
    found = t.Dict({}).tag(**OUTPUT)
    found_masked = t.Dict({}).tag(**OUTPUT)
    # Whether they are drawn.
    findings = t.Bool(True).tag(**STYLE, offline=True)
    # The parts of the picture that a click hides: those of the map, or superpixels.
    picture_parts = t.Dict({}).tag(**OUTPUT)
    # Whether they are drawn: "on", "off", or "auto", which draws the parts of a map that has them.
    parts = t.Unicode("auto").tag(**STYLE, offline=True)
    # What is asked about a detection, and the least score of those that are listed.
    about = t.Unicode("score").tag(**SHARED)
    least_score = t.Float(0.5).tag(**SHARED)
    # The pixels that are asked about, as paint.
    region = t.Dict({}).tag(**CONVERTED)

    ground_truth = t.Dict({}).tag(**OUTPUT)
    has_ground_truth = t.Bool(False).tag(**OUTPUT)
    outlines = t.Bool(False).tag(**SHARED, offline=True)
    # The box around the map's strongest part, and its peak.
    box = t.Dict({}).tag(**OUTPUT)
    boxes = t.Bool(False).tag(**SHARED, offline=True)
    # The share of the map's maximum from which on a pixel counts for the box.
    box_threshold = t.Float(THRESHOLD).tag(**SHARED)

    # The comparison with another map, B: how it differs (compare), and its data (compared_…).
    models: t.List = t.List([]).tag(**OUTPUT)
    compare = t.Dict({}).tag(**CONVERTED)
    arrangement = t.Unicode("side").tag(**SHARED, offline=True)
    divider = t.Float(0.5).tag(**STYLE, offline=True)
    difference_colors = t.Bytes(b"").tag(**OUTPUT)
    compared_explanation = t.Dict({}).tag(**OUTPUT)
    compared_scene = t.Dict({}).tag(**OUTPUT)
    compared_status = t.Dict({}).tag(**OUTPUT)
    compared_prediction = t.Dict({}).tag(**OUTPUT)
    compared_baseline_fill = t.Dict({}).tag(**OUTPUT)
    can_undo = t.Bool(False).tag(**OUTPUT)
    can_redo = t.Bool(False).tag(**OUTPUT)
    code = t.Unicode("").tag(**OUTPUT)

    sentence = t.Unicode("").tag(**OUTPUT)
    status = t.Unicode("").tag(**OUTPUT)
    busy = t.Bool(False).tag(**OUTPUT)
    pending = t.Bool(False).tag(**OUTPUT)
    progress = t.Float(-1.0).tag(**OUTPUT)
    partial = t.Bool(False).tag(**OUTPUT)
    can_cancel = t.Bool(False).tag(**OUTPUT)
    error = t.Unicode("").tag(**NOTICE, offline=True)
    class_probe = t.Dict({}).tag(**NOTICE)
    # What a host that shows only this view leaves out; "" where everything is shown.
    fallback_note = t.Unicode("").tag(**OUTPUT)

    @t.validate("opacity", "contour", "divider")
    def _valid_part(self, proposal: Any) -> float:
        value: float = proposal["value"]
        if not 0 <= value <= 1:
            raise t.TraitError(f"the value must be a number between 0 and 1, not {value!r}.")
        return value

    @t.validate("box_threshold")
    def _valid_share(self, proposal: Any) -> float:
        return check_share("box_threshold", proposal["value"])

    @t.validate("parts")
    def _valid_parts(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if value not in ("auto", "on", "off"):
            raise t.TraitError(f"parts are drawn 'on', 'off' or 'auto', not {value!r}.")
        return value

    @t.validate("colormap")
    def _valid_colormap(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if value not in self.colormaps:
            raise t.TraitError(f"there is no color map {value!r}: use {', '.join(self.colormaps)}.")
        return value


def synced(widget: type[t.HasTraits]) -> dict[str, t.TraitType[Any, Any]]:
    """Return the synced traits that a widget class itself declares, by name, in their order."""
    return {
        name: trait
        for name, trait in vars(widget).items()
        if isinstance(trait, t.TraitType) and trait.metadata.get("sync")
    }


def names_tagged(tag: str) -> tuple[str, ...]:
    """Return the names of the view's traits that have a tag, such as "shared" or "style", in their order."""
    return tuple(name for name, trait in synced(View).items() if trait.metadata.get(tag))
