"""The parts of the picture shown: sent with a map that has them, or as superpixels, and kept in state and page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import finding_models
import numpy as np
import pytest
from explorer_internals import view_of
from finding_models import AREAS, SIDE, lamps
from saved_page import SavedPage

import camwidget as cw
from camwidget.errors import PictureError, StateError
from camwidget.export.picture_payload import parts_payload

pytestmark = pytest.mark.usefixtures("one_thread")

TWO = lamps(red=[(1, 4, 0.9), (4, 1, 0.8)], green=[(4, 4, 0.7)])
ONE = lamps(green=[(0, 0, 0.6)])
QUARTERS = {"part-occlusion": {"parts": 4}}


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    model = cw.wrap(finding_models.Colors(), cw.Preprocess(SIDE), AREAS, kind="segments")
    explorer = cw.Explorer(
        model, {"two": TWO, "one": ONE}, method="layercam", layer="cells.2"
    ).wait(30)
    yield explorer
    explorer.close()


def sent(explorer: cw.Explorer) -> np.ndarray:
    """The labels that the view has."""
    parts = view_of(explorer).picture_parts
    labels = np.frombuffer(parts["labels"], "<u2").reshape(parts["height"], parts["width"])
    assert parts["count"] == labels.max() + 1
    return labels


def test_more_parts_than_labels_can_number_are_refused() -> None:
    labels = np.arange(256 * 257).reshape(256, 257)
    most = parts_payload(cw.Parts(np.minimum(labels, 2**16 - 1)))
    assert most["count"] == 2**16
    assert len(np.unique(np.frombuffer(most["labels"], "<u2"))) == 2**16
    with pytest.raises(PictureError, match="has 65792 parts, and at most 65536 can be shown"):
        parts_payload(cw.Parts(labels))


def test_a_map_of_parts_brings_them_and_their_values(ex: cw.Explorer) -> None:
    assert view_of(ex).picture_parts == {}
    ex.settings = {"part-occlusion": {"parts": "segments"}}
    ex.method = "part-occlusion"
    ex.wait(30)
    found = ex.explanation.parts
    assert (sent(ex) == found.parts.labels).all() and view_of(ex).picture_parts["of_map"]
    values = view_of(ex).explanation["parts"]
    assert values["values"] == found.values.tolist() and len(values["errors"]) == found.parts.count
    ex.method = "layercam"
    ex.wait(30)
    assert view_of(ex).picture_parts == {} and view_of(ex).explanation["parts"] == {}


def test_superpixels_follow_the_switch_and_the_picture(ex: cw.Explorer) -> None:
    view = view_of(ex)
    view.set_state({"parts": "on"})
    ex.wait(30)
    first = sent(ex)
    assert view.picture_parts["scene"] == view.scene["id"] and not view.picture_parts["of_map"]
    ex.target = "green"
    ex.wait(30)
    assert (sent(ex) == first).all(), "kept: no flicker between two classes"
    ex.picture = 1
    ex.wait(30)
    assert view.picture_parts["scene"] == view.scene["id"] and not np.array_equal(sent(ex), first)
    ex.settings, ex.method = QUARTERS, "part-occlusion"
    ex.wait(30)
    assert view.picture_parts["of_map"]
    ex.undo()
    ex.wait(30)
    assert ex.method == "layercam" and not view.picture_parts["of_map"]


def test_switch_is_in_state_and_code(ex: cw.Explorer) -> None:
    ex.state = {"parts": "on"}
    ex.wait(30)
    assert ex.state["parts"] == "on" and sent(ex).shape == (SIDE, SIDE)
    assert '"parts": "on"' in ex.code
    with pytest.raises(StateError, match="'on', 'off' or 'auto'"):
        ex.state = {"parts": "perhaps"}


def test_figure_has_the_borders(ex: cw.Explorer) -> None:
    plain = len(ex.figure(panels=("map",)).axes[0].images)
    ex.state = {"parts": "on"}
    ex.wait(30)
    assert len(ex.figure(panels=("map",)).axes[0].images) == plain + 1


def test_page_has_the_parts_of_its_maps(ex: cw.Explorer, tmp_path: Path) -> None:
    ex.settings, ex.method = QUARTERS, "part-occlusion"
    ex.wait(30)
    page = SavedPage(ex.save(tmp_path / "page.html"))
    (division,) = page.data["divisions"]
    labels = page.numbers(division["labels"], "<u2").reshape(SIDE, SIDE)
    found = ex.explanation.parts
    assert (labels == found.parts.labels).all() and division["count"] == found.parts.count
    rows = [one["index"] for one in page.data["classes"]]
    maps = {
        rows[row]: page.data["grids"][grid]["parts"]
        for row, method, _, grid in page.data["maps"]
        if page.data["methods"][method]["name"] == "part-occlusion"
    }
    target = ex.explanation.target.index
    assert maps[target]["values"] == found.values.tolist() and maps[target]["division"] == 0
    assert len({str(one["values"]) for one in maps.values()}) == len(maps)
