"""Export of an explorer's view as a figure for a paper: picture, map with color bar, curve and classes."""

from __future__ import annotations

import math
import numbers
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Rectangle

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation, overlay_heat
from ...attribution.tone_mapping import COLORS, tone_mapped
from ...errors import CamwidgetError
from ...images.conversion import shades
from ...masking.parts import Parts
from ...models.scores import decimals, number_text
from ...plotting import ACCENT, NEUTRAL, class_colors, new_figure, set_fraction_axis
from ..control.context import ExplorerContext, ExplorerValues
from ..control.map_request import MapInputs, MapResult
from ..control.masked_prediction import mask_shown_picture
from ..control.trait_requests import TraitRequests
from ..view.charts import line_colors
from ..view.mask_settings import MaskSettings, is_unmasked
from ..view.sentences import method_text
from ..view.synced_traits import View

__all__ = ["PANELS", "PaperFigure", "check_figure", "explorer_figure"]

#: Relative widths of the panels, without the text around them.
PANELS = {"picture": 1.0, "map": 1.0, "curve": 1.1, "classes": 0.9}

#: Class names are not parsed as TeX or math.
_AS_NAMED: Any = {"text.usetex": False, "text.parse_math": False}
#: Text is written as text, not drawn: it can be searched, and set in the paper's own font.
_AS_TEXT: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "ps.fonttype": 42}
_SMALL, _USUAL = 7, 8  # points
#: The most letters of a line over a panel, and of a class name next to its bar.
_LINE, _LONGEST = 24, 28
#: Height in inches of a row without a picture, and of any row at least.
_CHART, _LEAST = 1.3, 0.9
#: Inches below which panels stand in two rows.
_ONE_ROW = 5.0


class PaperFigure(Figure):
    """A figure whose ``savefig`` writes text as text: SVG with ``<text>``, PDF with TrueType fonts."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save the figure as matplotlib does, with text as text; matplotlib's settings are restored."""
        with rc_context(_AS_TEXT):
            super().savefig(*args, **kwargs)


@dataclass(frozen=True)
class _Content:
    """The view of an explorer that is drawn, completely computed."""

    values: ExplorerValues
    view: View
    row_classes: Sequence[int]
    result: MapResult[MapInputs]
    mask: MaskSettings

    @property
    def explanation(self) -> Explanation:
        return self.result.explanation


def check_figure(width: float, panels: Sequence[str]) -> None:
    """Check the arguments of ``Explorer.figure``.

    Raises:
        CamwidgetError: if one is invalid.
    """
    is_list = isinstance(panels, Sequence) and not isinstance(panels, str) and len(panels) > 0
    if not is_list or any(p not in tuple(PANELS) for p in panels):
        raise CamwidgetError(f"panels is a list of {', '.join(map(repr, PANELS))}, not {panels!r}.")
    if not isinstance(width, numbers.Real) or not 3 <= width <= 40:
        raise CamwidgetError(f"The width is in inches, from 3 to 40, not {width!r}.")


def explorer_figure(
    context: ExplorerContext, requests: TraitRequests, width: float, panels: Sequence[str]
) -> PaperFigure:
    """Draw the present view of an explorer; see ``Explorer.figure``.

    Raises:
        CamwidgetError: if there is nothing to draw.
    """
    result, view, curve = requests.main.result, context.display.view, context.values.curve
    if result is None:
        raise CamwidgetError(f"There is no map to draw. {view.error or 'add(…) a picture first.'}")
    mask = requests.mask_settings(result.inputs.picture)
    content = _Content(context.values, view, context.display.row_classes, result, mask)
    explanation = result.explanation
    chosen = [p for p in panels if p != "curve" or curve is not None]
    rows = [chosen] if width >= _ONE_ROW else [chosen[i : i + 2] for i in range(0, len(chosen), 2)]
    rows = [row for row in rows if row] or [["picture"]]
    with rc_context({**_AS_NAMED, "font.size": _USUAL}):
        figure = new_figure(width, 2.0 * len(rows), PaperFigure)
        grid = figure.add_gridspec(len(rows), 1)
        drawn: dict[str, Axes] = {}
        for number, row in enumerate(rows):
            cells = grid[number].subgridspec(1, len(row), width_ratios=[PANELS[p] for p in row])
            for at, panel in enumerate(row):
                drawn[panel] = figure.add_subplot(cells[at])
                _DRAW[panel](drawn[panel], content)
        if curve is not None and "curve" in chosen and "classes" not in chosen:
            _legend(drawn["curve"], curve)
        height, columns = _frame(explanation.pixels, content).shape[:2]
        _fit(figure, grid, [[drawn[p] for p in row] for row in rows], height / columns)
    assert isinstance(figure, PaperFigure)
    return figure


def _fit(figure: Figure, grid: GridSpec, rows: list[list[Axes]], aspect: float) -> None:
    """Set the figure's height to that of its pictures at this width; the charts are as high as the pictures."""
    figure.draw_without_rendering()  # then the room around the panels is known
    wide, high = figure.get_size_inches()
    have, want = [], []
    for row in rows:
        box = row[0].get_position(original=True)
        has_image = any(axes.images for axes in row)
        have.append(box.height * high)
        want.append(min(box.width * wide * aspect, 2.5 * box.width * wide) if has_image else _CHART)
        want[-1] = max(want[-1], _LEAST)
    grid.set_height_ratios(want)
    figure.set_size_inches(wide, high - sum(have) + sum(want))


def _picture(axes: Axes, content: _Content) -> None:
    """Draw the masked picture as the model got it."""
    inputs, explanation, mask = content.result.inputs, content.explanation, content.mask
    cache = inputs.cache
    levels = cache.levels(explanation)
    frames = cache.model.frames
    pixels = mask_shown_picture(cache.pixels(inputs.picture), explanation, levels, mask, frames)
    title = "whole picture"
    if not is_unmasked(mask, explanation):
        by_map = is_unmasked(mask._replace(paint=None), explanation)
        part = f"{round(100 * mask.fraction, 1):g} %"
        deed = "removed" if mask.mode == "remove" else "kept"
        title = (
            "" if by_map else "picture × map" if mask.mode == "multiply" else f"top {part} {deed}"
        )
        if mask.paint is not None:
            title += " and paint" if title else "painted"
        if mask.mode != "multiply" or mask.paint is not None:
            title += f"\n({mask.baseline})"
    _image(axes, _frame(shades(pixels), content), title)


def _frame(image: np.ndarray, content: _Content) -> np.ndarray:
    """Return the frame that is shown of a clip's strip (T·H, W, 3); a picture as it is."""
    frames = content.result.inputs.cache.model.frames
    if frames is None:
        return image
    each: np.ndarray = image.reshape(frames, -1, *image.shape[1:])
    return each[min(content.view.frame, frames - 1)]


def _map(axes: Axes, content: _Content) -> None:
    """Draw the map over the unmasked picture, with a color bar."""
    view, explanation = content.view, content.explanation
    heat = _cells(explanation) if view.cells else explanation.drawn
    image = overlay_heat(explanation.pixels, heat, view.opacity, view.colormap)
    lines = (explanation.target.label, f"{method_text(explanation)} · {explanation.layer}")
    title = "\n".join(textwrap.fill(line, _LINE, break_long_words=False) for line in lines)
    _image(axes, _frame(image, content), title)
    if content.values.boxes and view.box:
        _box(axes, view.box)
    if _are_parts_drawn(content):
        _parts(axes, view.picture_parts)
    if view.findings:
        _findings(axes, content)
    bar = axes.inset_axes((1.04, 0.0, 0.05, 1.0))
    axes.figure.colorbar(ScalarMappable(cmap=view.colormap), cax=bar, ticks=[0, 0.5, 1])
    if explanation.knee is not None:
        # The colors are not in proportion: the ticks say which saliency they stand for.
        bar.set_yticks([0, COLORS, 1], ["0", f"{explanation.knee:.2g}", "1"])
    bar.tick_params(labelsize=_SMALL, length=2)
    bar.set_ylabel("saliency / max.", fontsize=_SMALL)


def _curve(axes: Axes, content: _Content) -> None:
    """Draw confidence against fraction, with the slider's position."""
    curve, fraction = content.values.curve, content.values.fraction
    assert curve is not None
    axes.plot(curve.fraction, curve.probability, lw=1.8, color=ACCENT, zorder=3)
    colors = line_colors(curve.others, content.row_classes, curve.target)
    for index, color in zip(curve.others, colors, strict=True):
        axes.plot(curve.fraction, curve.probabilities[:, index], lw=1, ls="--", color=color)
    # On the line as it is drawn.
    places = np.sqrt(curve.fraction) if curve.spacing == "quadratic" else curve.fraction
    place = np.sqrt(fraction) if curve.spacing == "quadratic" else fraction
    at = float(np.interp(place, places, curve.probability))
    axes.axvline(fraction, lw=0.8, color=NEUTRAL, zorder=0)
    axes.plot(
        [fraction],
        [at],
        "o",
        ms=4.5,
        color=ACCENT,
        mec="white",
        mew=0.8,
        zorder=4,
        clip_on=False,
    )
    set_fraction_axis(axes, curve.spacing)
    if curve.scores == "value":
        axes.set_ylim(curve.span)
    else:
        axes.set(ylim=(0, 1.02), yticks=[0, 0.5, 1])
    verb = "removed" if curve.mode == "remove" else "kept"
    axes.set_xlabel(f"top evidence {verb}", fontsize=_SMALL)
    axes.set_ylabel(curve.axis, fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL, length=2)
    axes.spines[["top", "right"]].set_visible(False)


def _classes(axes: Axes, content: _Content) -> None:
    """Draw the predictions for the unmasked and the masked picture as bars."""
    rows = content.view.rows
    # Of a box that is lost there is no number.
    masked = [math.nan if value is None else value for value in content.view.masked]
    known = [value for value in masked if not math.isnan(value)]
    unmasked = [row["unmasked"] for row in rows]
    indices = [row["index"] for row in rows]
    chosen = indices.index(content.result.target)
    places, colors = range(len(rows)), class_colors(len(rows), chosen)
    prediction = content.explanation.prediction
    is_quantity = prediction.scores == "value"
    low, high = (
        (min(0.0, *unmasked, *known), max(0.0, *unmasked, *known)) if is_quantity else (0, 1)
    )
    high = high if high > low else low + 1
    axes.barh(places, [high - low] * len(rows), left=low, height=0.5, color=NEUTRAL, alpha=0.13)
    axes.barh(places, unmasked, height=0.5, color=colors, alpha=0.38 if masked else 1.0)
    if masked:
        axes.barh(places, masked, height=0.5, color=colors)
    axes.set_yticks(places, [_short(r["name"]) for r in rows], parse_math=False)
    for at in places:
        shown = [unmasked[at], *masked[at : at + 1]]
        finite = [value for value in shown if not math.isnan(value)]
        digits = decimals(*finite, scores=prediction.scores)
        numbers_text = " → ".join(
            "–" if math.isnan(v) else number_text(v, prediction.scores, digits=digits)
            for v in shown
        )
        weight = "bold" if at == chosen else "normal"
        axes.text(
            high + 0.04 * (high - low),
            at,
            numbers_text,
            va="center",
            fontsize=_SMALL,
            weight=weight,
        )
        axes.get_yticklabels()[at].set_fontweight(weight)
    axes.set(xlim=(low, high), xticks=[])
    axes.invert_yaxis()
    axes.tick_params(labelsize=_SMALL, length=0)
    axes.spines[:].set_visible(False)
    of = (prediction.unit or "value") if is_quantity else "probability"
    title = f"unmasked → masked, {of}" if is_quantity else "unmasked → masked"
    axes.set_title(title if masked else of, fontsize=_SMALL, loc="right")


_DRAW = {"picture": _picture, "map": _map, "curve": _curve, "classes": _classes}


def _image(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image)
    axes.set_axis_off()
    axes.set_title(title, fontsize=_SMALL)


def _cells(explanation: Explanation) -> np.ndarray:
    """Return the map enlarged without smoothing, as the view shows the layer's own cells."""
    raw = np.maximum(explanation.raw, 0)
    raw = tone_mapped(raw / raw.max() if raw.max() > 0 else raw, explanation.knee)
    places = [
        ((2 * np.arange(size) + 1) * cells) // (2 * size)
        for size, cells in zip(explanation.saliency.shape, raw.shape, strict=True)
    ]
    return raw[np.ix_(*places)]


def _findings(axes: Axes, content: _Content) -> None:
    """Draw the boxes or areas that the model finds in the unmasked picture, and outline what is asked about."""
    found = content.result.inputs.cache.findings(content.result.inputs.picture)
    if found is None:
        return
    names, target = content.result.model.classes, content.result.target
    for index, one in enumerate(found.boxes):
        if one is None:
            continue
        left, top, right, bottom = one.box
        wide = 1.6 if index == target else 0.8
        for color, width in (("black", wide + 1), (ACCENT if index == target else "white", wide)):
            corner = (left - 0.5, top - 0.5)
            axes.add_patch(
                Rectangle(corner, right - left, bottom - top, fill=False, ec=color, lw=width)
            )
        box = {"facecolor": "black", "alpha": 0.65, "pad": 1, "lw": 0}
        label = f"{_short(names[index])} {one.score:.2f}"
        # It begins at the box's left edge, or ends at its right one: towards the side with more room.
        ends = left + right > content.explanation.pixels.shape[1]
        axes.text(
            right if ends else left,
            top - 1,
            label,
            fontsize=_SMALL - 1,
            color="white",
            va="bottom",
            ha="right" if ends else "left",
            bbox=box,
            parse_math=False,
        )
    outlined = [] if found.areas is None else [(found.areas == target, ACCENT, "solid")]
    if found.region is not None:
        outlined.append((found.region, "white", "dashed"))
    for mask, color, style in outlined:
        if mask.any() and not mask.all():
            axes.contour(mask, [0.5], colors=["black"], linewidths=[2.0])
            axes.contour(mask, [0.5], colors=[color], linewidths=[1.0], linestyles=[style])


def _are_parts_drawn(content: _Content) -> bool:
    view, parts = content.view, content.view.picture_parts
    if parts.get("scene") != content.result.inputs.picture.id:
        return False
    return view.parts == "on" or (view.parts == "auto" and parts["of_map"] is True)


def _parts(axes: Axes, parts: dict[str, Any]) -> None:
    """Draw the borders of the parts that the view has."""
    labels = np.frombuffer(parts["labels"], "<u2").reshape(parts["height"], parts["width"])
    shown = np.zeros((*labels.shape, 4))
    shown[Parts(labels).borders] = (1, 1, 1, 0.6)
    axes.imshow(shown, interpolation="nearest")


def _box(axes: Axes, box: dict[str, Any]) -> None:
    """Draw the map's box and peak, visible on dark and bright pixels."""
    left, top, right, bottom = box["box"]
    x, y = box["peak"]
    for color, wide, style in (("black", 2.0, "solid"), ("white", 1.0, (0, (4, 3)))):
        corner = (left - 0.5, top - 0.5)
        axes.add_patch(
            Rectangle(corner, right - left, bottom - top, fill=False, ec=color, lw=wide, ls=style)
        )
        axes.plot([x], [y], "+", color=color, ms=7, mew=1.4 * wide)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _legend(axes: Axes, curve: MaskCurve) -> None:
    """Names the lines; put in afterwards, since a label that begins with "_" would be left out."""
    names = [curve.name, *curve.other_names]
    legend = axes.legend(axes.lines[: len(names)], ["name"] * len(names), frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=_short(name), fontsize=_SMALL - 1)
