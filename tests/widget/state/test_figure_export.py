"""The figure for papers: what is on it, and that its text is text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from explorer_internals import view_of

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.explanation import overlay_heat
from camwidget.images.conversion import shades
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = pytest.mark.usefixtures("one_thread")

#: Mathematics, TeX, SVG, and what matplotlib leaves out of legends.
NAMES = ["_a_b", "$x^2", "$y$", "<b>&amp;", "50 %", r"back\slash", "g", "h", "i", "a name " * 9]


@pytest.fixture(scope="module")
def ex() -> Iterator[cw.Explorer]:
    model = cw.load(classes=NAMES, device="cpu")
    explorer = cw.Explorer(model, zoo.samples("zoo/textures"), picture=3, fraction=0.25).wait(60)
    yield explorer
    explorer.close()


def written(figure: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, **options)
    return stream.getvalue()


def texts_of(svg: str) -> list[str]:
    import html

    return [html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_text_is_text_and_nothing_else_changes(ex: cw.Explorer) -> None:
    before = dict(mpl.rcParams)
    mpl.rcParams["svg.fonttype"] = "path"
    try:
        figure = ex.figure()
        ours = texts_of(written(figure, "svg").decode())
        for row in view_of(ex).rows[:3]:
            assert row["name"][:20] in " ".join(ours), ours
        assert mpl.rcParams["svg.fonttype"] == "path" and mpl.rcParams["text.parse_math"]
    finally:
        mpl.rcParams["svg.fonttype"] = before["svg.fonttype"]
    assert dict(mpl.rcParams) == before and plt.get_fignums() == []
    for row, masked in zip(view_of(ex).rows, view_of(ex).masked, strict=True):
        assert f"{row['unmasked']:.2f} → {masked:.2f}" in ours
    pdf = written(figure, "pdf")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf, "TrueType, embedded"
    assert written(figure, "png", dpi=50)[:4] == b"\x89PNG"
    assert figure.get_figwidth() == 7.16


@pytest.mark.full
def test_every_name_is_itself(ex: cw.Explorer) -> None:
    for name in NAMES:
        ex.target = name
        figure = ex.wait(30).figure(panels=["map", "curve"])
        said = texts_of(written(figure, "svg").decode())
        assert any(name.strip()[:20] in text for text in said), (name, said)
    ex.target = None


def test_it_shows_what_the_model_gets_and_says(ex: cw.Explorer) -> None:
    first = ex.state
    ex.state = {
        "mode": "keep",
        "baseline": "mean",
        "fraction": 0.4,
        "opacity": 0.5,
        "colormap": "viridis",
    }
    figure = ex.figure()
    picture, heat, curve, classes = figure.axes[:4]
    pixels = ex.model.preprocess.pixels(ex.pictures[ex.picture].source)
    kept = mask_pixels(
        pixels, rank_levels(ex.explanation.saliency), [0.4], mode="keep", baseline="mean"
    )
    np.testing.assert_array_equal(picture.images[0].get_array(), shades(kept[0]))
    overlay = ex.explanation.overlay(opacity=0.5, colormap="viridis")
    np.testing.assert_array_equal(heat.images[0].get_array(), np.asarray(overlay))
    np.testing.assert_array_equal(curve.lines[0].get_ydata(), ex.curve.probability)
    # On the line as it is drawn: the axis is a square root.
    at = float(np.interp(np.sqrt(0.4), np.sqrt(ex.curve.fraction), ex.curve.probability))
    assert curve.lines[-1].get_xydata().tolist() == [[0.4, pytest.approx(at)]]
    widths = [patch.get_width() for patch in classes.patches]
    count = len(view_of(ex).rows)
    assert widths[count:] == [r["unmasked"] for r in view_of(ex).rows] + view_of(ex).masked
    view_of(ex).cells = True
    raw = np.maximum(ex.explanation.raw, 0)
    cells = np.kron(raw / raw.max(), np.ones((16, 16)))
    shown = ex.figure(panels=["map"]).axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, overlay_heat(ex.explanation.pixels, cells, 0.5, "viridis"))
    ex.state = first


@pytest.mark.parametrize("width", [7.16, 3.5])
def test_panels_fit_their_column(ex: cw.Explorer, width: float) -> None:
    """Nothing lies over anything else, nor out of the figure."""
    figure = ex.figure(width=width)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == width
    boxes = [a.get_tightbbox() for a in figure.axes[:4]]
    inches = [box.transformed(figure.dpi_scale_trans.inverted()) for box in boxes]
    for i, box in enumerate(inches):
        assert box.x0 > -0.05 and box.y0 > -0.05 and box.x1 < width + 0.05
        assert box.y1 < figure.get_figheight() + 0.05
        for other in inches[:i]:
            shared = type(box).intersection(box, other)
            assert shared is None or min(shared.width, shared.height) < 0.05
    first, second = (a.get_position() for a in figure.axes[:2])
    assert first.width == pytest.approx(second.width, rel=0.01), "both pictures are of one size"
    assert first.y0 == pytest.approx(second.y0, abs=0.01)


def test_whole_product_and_empty_pictures(ex: cw.Explorer) -> None:
    ex.fraction = 0.0
    assert ex.figure().axes[0].get_title() == "whole picture"
    ex.mode = "multiply"
    figure = ex.figure()
    assert len([a for a in figure.axes if a.lines]) == 0, "no curve"
    assert figure.axes[0].get_title() == "picture × map"
    ex.mode = "remove"
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 2),
    )
    torch.nn.init.constant_(module[4].weight, -1.0)
    gray = np.full((40, 400, 3), 90, np.uint8)
    empty = cw.Explorer(cw.wrap(module, cw.Preprocess((40, 160))), gray, fraction=0.5)
    figure = empty.figure(panels=("picture", "map", "curve"), width=4)
    assert figure.axes[0].get_title() == "whole picture"
    written(figure, "svg")
    empty.close()


def test_what_cannot_be_is_named(ex: cw.Explorer) -> None:
    odd: list[dict[str, Any]] = [{"panels": p} for p in ("map", ["maps"], [], None, 3, [["map"]])]
    odd += [{"width": w} for w in (0, None, "7", float("nan"))]
    for options in odd:
        with pytest.raises(cw.CamwidgetError, match="panels|width"):
            ex.figure(**options)
    none = cw.Explorer(ex.model, [])
    with pytest.raises(cw.CamwidgetError, match="no map"):
        none.figure()
    none.close()
