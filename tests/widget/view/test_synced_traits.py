"""Synced traits: one declaration, from which Python's tables and the TypeScript files follow."""

from __future__ import annotations

import runpy
from pathlib import Path

import camwidget as cw
from camwidget.widget.state.explorer_state import STATE_KEYS
from camwidget.widget.view.synced_traits import View, names_tagged, synced

GENERATOR = Path(__file__).parents[3] / "js" / "generate_traits.py"


def test_generated_typescript_is_what_is_committed() -> None:
    assert runpy.run_path(str(GENERATOR))["outdated"]() == []


def test_every_synced_trait_of_the_view_is_declared_in_one_place() -> None:
    inherited = {
        name for base in View.__mro__[1:] for name in getattr(base, "class_trait_names", list)()
    }
    assert set(View.class_trait_names(sync=True)) - inherited == synced(View).keys()


def test_shared_traits_exist_on_the_explorer_and_in_the_state() -> None:
    shared = set(names_tagged("shared"))
    assert shared <= set(cw.Explorer.class_trait_names())
    assert shared | set(names_tagged("style")) <= STATE_KEYS.keys()


def test_page_cannot_set_outputs() -> None:
    view = View()
    view.set_state({"status": "made up", "outlines": True})
    assert (view.status, view.outlines) == ("", True)
