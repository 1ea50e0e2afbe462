"""Private API of the Jupyter libraries: all of it is there, and what is missing is named."""

from __future__ import annotations

import ipycanvas
import pytest
import traitlets as t
from ipywidgets.widgets import widget as widget_module

from camwidget.errors import CamwidgetError
from camwidget.widget import _compat


def test_the_libraries_installed_have_all_of_it() -> None:
    assert _compat.check() == []


@pytest.mark.parametrize(
    ("owner", "name", "library"),
    [
        (widget_module, "_instances", "ipywidgets"),
        (widget_module, "_remove_buffers", "ipywidgets"),
        (widget_module, "JUPYTER_WIDGETS_ECHO", "ipywidgets"),
        (widget_module.Widget, "_handle_custom_msg", "ipywidgets"),
        (t.TraitType, "_validate", "traitlets"),
        (ipycanvas.canvas, "_CANVAS_MANAGER", "ipycanvas"),
        (ipycanvas.canvas._CANVAS_MANAGER, "_current_canvas", "ipycanvas"),
    ],
)
def test_a_change_is_named(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, library: str
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(owner, name)
        (fault,) = _compat.check()
    assert fault.startswith(f"{library} ") and f"has no {name} any more" in fault
    assert _compat.check() == []


def test_an_access_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(widget_module, "_instances")
    with pytest.raises(CamwidgetError, match=r"ipywidgets .* has no _instances any more"):
        _compat.all_widgets()
