"""What is left of explorers that nobody holds and no cell shows: nothing."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import comm
import ipywidgets
import numpy as np
import pytest
import torch
from cached_bytes import cached_bytes
from explorer_internals import panels_of, receive, view_of
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances
from prompt_models import question_model, squares
from torch import nn

import camwidget as cw

PICTURES = [np.random.default_rng(n).integers(0, 256, (16, 16, 3), np.uint8) for n in range(2)]


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*parts, nn.Linear(4, 3))
    return cw.wrap(net.eval(), cw.Preprocess(size=16))


@pytest.fixture
def make(model: cw.VisionModel) -> Callable[[], cw.Explorer]:
    return lambda: cw.Explorer(model, PICTURES).wait(60)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    for ex in explorers():
        ex.close()
    InteractiveShell.clear_instance()


class Left:
    """What explorers leave behind in the process."""

    def __init__(self) -> None:
        gc.collect()
        self.before = self.now()

    @staticmethod
    def now() -> dict[str, int]:
        return {
            "widgets": len(_instances),
            "comms": len(comm.get_comm_manager().comms),
            "bytes": cached_bytes(),
            "threads": sum(t.name.startswith("camwidget") for t in threading.enumerate()),
        }

    def check(self) -> None:
        """As before; a thread ends after its present step."""
        deadline = time.monotonic() + 60
        while (now := self.now()) != self.before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert now == self.before


@pytest.mark.full
def test_twenty_explorers_opened_and_closed_leave_nothing(make: Callable[[], cw.Explorer]) -> None:
    make().close()  # what is made once for all
    left = Left()
    for _ in range(20):
        ex = make()
        ex.fraction = 0.5
        panels_of(ex).box.selected_index = 2
        ex.wait(60).close()
    left.check()
    assert ex.explanation is not None, "what was computed last can still be read"


def test_a_closed_explorer_that_is_held_remembers_nothing_computed_under_a_text() -> None:
    left = Left()
    ex = cw.Explorer(question_model(), [squares("red", "blue")], compare={"method": "layercam"})
    ex.wait(60)
    ex.text, ex.fraction = "anything blue", 0.5
    ex.wait(60).close()
    left.check()
    assert ex.masked.any() and ex.difference is not None


def test_an_explorer_goes_with_the_last_who_holds_it(make: Callable[[], cw.Explorer]) -> None:
    """At once, and not when the garbage collector comes by."""
    left = Left()
    gc.disable()
    try:
        ex = make()
        panels_of(ex).box.selected_index = 1
        ex.method, ex.fraction, ex.compare = "layercam", 0.4, {"method": "gradcam"}
        ex.wait(60)
        ex.undo()
        ex.wait(60)
        gone = weakref.ref(ex)
        del ex
        assert gone() is None
        left.check()
    finally:
        gc.enable()


def test_an_explorer_goes_while_it_computes(model: cw.VisionModel) -> None:
    left = Left()
    ex = cw.Explorer(model, PICTURES, method="occlusion")
    gone = weakref.ref(ex)
    del ex
    left.check()
    assert gone() is None


def test_a_container_holds_it(make: Callable[[], cw.Explorer]) -> None:
    left = Left()
    box = ipywidgets.VBox([make()])
    gc.collect()
    (ex,) = box.children
    assert ex.comm is not None and ex.wait(60).explanation is not None
    box.layout.close()
    box.close()
    del box, ex
    gc.collect()
    left.check()


def test_a_cell_that_is_run_again_lets_the_one_before_go(
    make: Callable[[], cw.Explorer], shell: InteractiveShell
) -> None:
    shell.user_ns["make"] = make
    left = Left()
    alive: list[weakref.ref[cw.Explorer]] = []
    for _ in range(10):
        run(shell, "ex = make()\nex", "first")
        alive.append(weakref.ref(shell.user_ns["ex"]))
        assert [r() is not None for r in alive] == [False] * (len(alive) - 1) + [True]
    assert set(shell.user_ns["_oh"].values()) == {alive[-1]()}
    run(shell, "_ is ex", "second")
    assert shell.user_ns["_"] is True
    run(shell, "ex.close(); del ex, _", "third")
    run(shell, "0", "first")
    left.check()


def run(shell: InteractiveShell, code: str, cell: str | None) -> None:
    # Stored, so that there are outputs of the past.
    result = shell.run_cell(code, store_history=True, cell_id=cell)
    result.raise_error()


def test_one_that_a_name_or_another_cell_still_has_stays(
    make: Callable[[], cw.Explorer], shell: InteractiveShell
) -> None:
    names = shell.user_ns
    names["make"] = make
    run(shell, "ex = kept = make()\nex", "first")
    kept = weakref.ref(names["kept"])
    run(shell, "ex = make()\nex", "first")
    assert kept() is not None and kept().comm is not None
    run(shell, "display(kept)", "second")
    run(shell, "kept = None", "third")
    assert kept() is not None, "the second cell shows it"
    kept().method = "layercam"
    assert kept().wait(60).explanation.method == "layercam"
    run(shell, "1", "second")
    assert kept() is None, "its output is cleared"


def test_one_shown_without_a_name_stays(
    make: Callable[[], cw.Explorer], shell: InteractiveShell
) -> None:
    shell.user_ns["make"] = make
    run(shell, "def show():\n    display(make())\nshow()", "first")
    gc.collect()
    (ex,) = explorers()
    assert ex.wait(60).comm is not None
    gone = weakref.ref(ex)
    del ex
    run(shell, "show()", "second")
    assert len(explorers()) == 2
    run(shell, "show()", "first")
    assert gone() is None and len(explorers()) == 2


def explorers() -> list[Any]:
    """All that are open; the registry has weak proxies of them."""
    return [
        w.wait.__self__
        for w in list(_instances.values())
        if isinstance(w, cw.Explorer) and w.comm is not None
    ]


def test_without_ids_of_cells_the_same_code_is_the_same_cell(
    make: Callable[[], cw.Explorer], shell: InteractiveShell
) -> None:
    shell.user_ns["make"] = make
    alive = []
    for _ in range(4):
        run(shell, "ex = make()\nex", None)
        alive.append(weakref.ref(shell.user_ns["ex"]))
    assert [r() is not None for r in alive] == [False, False, False, True]

    # But not where a page shows it, which may have the same code twice, nor for a cell that did not make it.
    receive(
        view_of(shell.user_ns["ex"]),
        {"content": {"data": {"method": "custom", "content": {}}}, "buffers": []},
    )
    run(shell, "ex = make()\nex", None)
    assert alive[-1]() is not None
    run(shell, "one = make()", None)
    run(shell, "one", None)
    shown = weakref.ref(shell.user_ns["one"])
    run(shell, "one = make()  # another", None)
    run(shell, "one", None)
    assert shown() is not None


def test_what_an_output_widget_shows_stays(
    make: Callable[[], cw.Explorer], shell: InteractiveShell
) -> None:
    shell.user_ns["make"] = make
    out = ipywidgets.Output()
    out.msg_id = "somewhere"
    run(shell, "display(make())", "first")
    out.msg_id = ""
    before = {ex.model_id for ex in explorers()}
    run(shell, "display(make())", "first")
    assert before < {ex.model_id for ex in explorers()}
    out.close()


def test_a_quiz_goes_too(shell: InteractiveShell) -> None:
    left = Left()
    shell.user_ns["question"] = cw.Question("Which?", [(PICTURES[0], "")], ["a", "b"], 0)
    code = "quiz = cw.Quiz([question, lambda: question]).wait(60)\nquiz"
    run(shell, "import camwidget as cw", "first")
    alive = []
    for _ in range(3):
        run(shell, code, "second")
        alive.append(weakref.ref(shell.user_ns["quiz"]))
    assert [r() is not None for r in alive] == [False, False, True]
    run(shell, "quiz.close(); del quiz", "second")
    left.check()


def test_ipywidgets_can_still_close_and_list_all(make: Callable[[], cw.Explorer]) -> None:
    ex = make()
    assert any(w.model_id == ex.model_id for w in ipywidgets.Widget.widgets.values())
    assert ex.model_id in ipywidgets.Widget.get_manager_state()["state"]
    ex.close()
    assert not explorers()
