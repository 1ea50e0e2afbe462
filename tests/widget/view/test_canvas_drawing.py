"""Drawing on a canvas that another thread closes meanwhile."""

from __future__ import annotations

import pytest

from camwidget.widget.view.canvas import SharpCanvas


def test_nothing_is_drawn_on_a_closed_canvas() -> None:
    """An explorer may be closed while its thread draws thumbnails: nobody is to be told."""
    drawn: list[str] = []

    def draw() -> None:
        drawn.append("begun")
        canvas.canvas.close()
        canvas.canvas.clear()
        drawn.append("done")

    canvas = SharpCanvas(draw, lambda x, y: None, drawn.append)
    canvas.draw()
    assert drawn == ["begun"]
    other = SharpCanvas(lambda: drawn.append("another"), lambda x, y: None, drawn.append)
    other.draw()
    assert drawn == ["begun", "another"]


def test_an_error_of_a_drawing_is_one() -> None:
    def draw() -> None:
        raise ValueError("no such color")

    with pytest.raises(ValueError, match="no such color"):
        SharpCanvas(draw, lambda x, y: None, print).draw()
