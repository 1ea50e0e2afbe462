"""Notebooks that a program executes hold the widgets' last state; a cell that somebody attends does not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from kernel_driver import Kernel, update

CELLS = [
    "import camwidget as cw\nmodel = cw.load(device='cpu')\nex = cw.Explorer(model)\nex",
    "ex.method, ex.fraction = 'scorecam', 0.25",
    "other = cw.Explorer(model, method='layercam')\nother",
    """
pictures = [p.source for p in ex.pictures]
quiz = cw.Quiz([lambda: cw.Question("Which?", [(pictures[0], "")], ("this", "that"), 0)] * 5)
ex.target = model.classes[3]
quiz
""",
]


def executed(cells: list[str]) -> list[dict[str, Any]]:
    """The states that a notebook holds of its widgets after nbclient has executed it, with the buffers' paths."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    kept = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    return [
        {**each["state"], "paths": [b["path"] for b in each.get("buffers", [])]}
        for each in kept.values()
    ]


def views(states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [state for state in states if "scene" in state]


def test_the_last_state_is_stored() -> None:
    """Nobody waits: not for an explorer, a slow map, a second explorer, or a quiz that is still being made."""
    states = executed(CELLS)
    slow, quick = views(states)
    assert slow["method"] == "scorecam" and "Score-CAM" in slow["status"]
    assert quick["method"] == "layercam" and "LayerCAM" in quick["status"]
    for view in (slow, quick):
        assert not view["busy"] and not view["pending"] and not view["partial"]
        assert view["error"] == "" and view["rows"]
        assert {path[0] for path in view["paths"]} >= {"scene", "explanation"}, "its pixels"
    assert slow["rows"] and slow["target"] == 3
    assert "25 %" in slow["sentence"] and len(slow["masked"]) == len(slow["rows"])
    (quiz,) = [state for state in states if "cards" in state]
    assert len(quiz["cards"]) == quiz["total"] == 5


HELD = """
import os, time
import camwidget as cw
model = cw.load(device="cpu")
def hold(*_):
    while not os.path.exists("opened"):
        time.sleep(0.01)
model.module.register_forward_pre_hook(hold)
ex = cw.Explorer(model)
view = ex._parts.view
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    running = Kernel(tmp_path)
    yield running
    running.close()


@pytest.mark.full
def test_an_attended_cell_does_not_wait(kernel: Kernel, tmp_path: Path) -> None:
    """In Lab; and where a page has spoken, whatever the request says. The model answers only after the cells."""
    kernel.execute(HELD)
    view = kernel.value("view.model_id")
    kernel.dealt_with([kernel.tell(view, update(opacity=0.5))])
    kernel.result(kernel.client.execute("ex.method = 'layercam'", allow_stdin=False))
    assert kernel.value("(ex.explanation, view.busy)") == (None, True)
    (tmp_path / "opened").touch()
    kernel.execute("ex.wait()")
    assert kernel.value("ex.explanation.method") == "layercam"
