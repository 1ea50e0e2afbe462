"""An explorer in a real kernel: interrupts, a busy cell, messages on a subshell, two explorers on one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_driver import Kernel, custom, update

SETUP = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
import torch, camwidget as cw
from module_fingerprint import fingerprint
torch.set_num_threads(1)
model = cw.load(device="cpu")
before = fingerprint(model.module)
pause = [0.0]
slowed = model.module.register_forward_pre_hook(lambda *_: time.sleep(pause[0]))
hooked = fingerprint(model.module)
ex, other = cw.Explorer(model).wait(60), cw.Explorer(model).wait(60)
view, second = ex._parts.view, other._parts.view
"""

INTERRUPTS = "__import__('camwidget').widget.host.interrupts.interrupts"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    running = Kernel(tmp_path_factory.mktemp("kernel"))
    running.execute(SETUP)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def fresh(kernel: Kernel) -> Iterator[None]:
    """Each test begins with both explorers at rest, and leaves no traceback and the model as it was."""
    kernel.execute(
        "pause[0] = 0.0\n"
        "for e in (ex, other):\n"
        "    e.method, e.layer, e.fraction, e.mode, e.picture = 'gradcam', 'stage4', 0.0, 'remove', 0\n"
        "    e.target = 0\n"
        "    e.wait(60)"
    )
    kernel.tracebacks.clear()
    yield
    kernel.execute("ex.wait(60); other.wait(60)")
    assert kernel.value("fingerprint(model.module) == hooked")
    assert kernel.tracebacks == []


def until(kernel: Kernel, expression: str) -> None:
    deadline = time.monotonic() + 120
    while not kernel.value(f"bool({expression})"):
        assert time.monotonic() < deadline, f"never: {expression}"
        time.sleep(0.05)


def answer(kernel: Kernel, seconds: float, found: Callable[[dict[str, Any]], bool]) -> float | None:
    """How long until the page hears this of a widget; None if it does not."""
    start = time.monotonic()
    while (left := start + seconds - time.monotonic()) > 0:
        try:
            message = kernel.client.get_iopub_msg(timeout=left)
        except Exception:
            return None
        state = message["content"].get("data", {}).get("state", {})
        if message["msg_type"] == "comm_msg" and found(state):
            return time.monotonic() - start
    return None


def test_a_traceback_belongs_to_the_cell_that_ran_last(kernel: Kernel) -> None:
    """What belongs to a page's message is shown nowhere, once the message has been handled."""
    view = kernel.value("view.model_id")
    kernel.execute(
        "from camwidget.widget.control import map_controller\n"
        "masked = map_controller.mask_shown_picture\n"
        "def boom(*args): raise RuntimeError('nobody expects this')\n"
        "map_controller.mask_shown_picture = boom"
    )
    cell = kernel.start("1")
    kernel.result(cell)
    kernel.tell(view, update(fraction=0.4))
    message: dict[str, Any] = {"content": {}}
    while "Traceback" not in message["content"].get("text", ""):
        message = kernel.client.get_iopub_msg(timeout=60)
    assert "nobody expects this" in message["content"]["text"]
    assert message["parent_header"]["msg_id"] == cell
    kernel.execute("map_controller.mask_shown_picture = masked; ex.wait(60)")
    kernel.tracebacks.clear()


# -- interrupts ------------------------------------------------------------------------------


def test_an_interrupt_between_cells_cancels_a_slow_map(kernel: Kernel) -> None:
    view = kernel.value("view.model_id")
    kernel.execute("pause[0] = 0.05")
    kernel.tell(view, update(method="scorecam"))
    until(kernel, "view.busy and view.progress > 0")
    # A cell meanwhile leaves all as it was; after it, the signal is ours.
    until(kernel, f"get_ipython().kernel.saved_sigint_handler == {INTERRUPTS}._interrupted")
    kernel.interrupt()
    until(kernel, "'canceled' in view.status")
    assert kernel.value("view.status").startswith("Score-CAM canceled at ")
    assert kernel.value("(ex.method, view.method, view.busy)") == ("gradcam", "gradcam", False)
    kernel.execute("pause[0] = 0.0")
    kernel.tell(view, update(target=3))
    kernel.execute("ex.wait(60)")
    assert kernel.value("ex.explanation.target.index") == 3, "the next click works"
    # Nothing slow any more: the kernel's own way with signals is back.
    until(kernel, f"{INTERRUPTS}._looking is False")


def test_an_interrupt_of_wait_cancels_the_map_too(kernel: Kernel) -> None:
    kernel.execute("pause[0] = 0.05")
    number = kernel.start("ex.method = 'scorecam'; ex.wait()")
    assert answer(kernel, 60, lambda state: state.get("progress", -1) > 0) is not None
    kernel.interrupt()
    assert kernel.result(number, fails=True)["ename"] == "KeyboardInterrupt"
    until(kernel, "'canceled' in view.status")
    assert kernel.value("ex.method") == "gradcam"


def test_an_interrupt_of_a_cell_is_the_cells(kernel: Kernel, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    number = kernel.start(f"open({str(begun)!r}, 'w').close(); time.sleep(60)")
    while not begun.exists():
        time.sleep(0.05)
    kernel.interrupt()
    assert kernel.result(number, fails=True)["ename"] == "KeyboardInterrupt"
    kernel.interrupt()  # and of nothing at all, nobody's
    assert kernel.value("ex.wait(60).method") == "gradcam"


# -- concurrency -----------------------------------------------------------------------------


@pytest.mark.parametrize("on", [True, False], ids=["subshell", "main"])
def test_the_slider_while_a_cell_is_busy(kernel: Kernel, on: bool, tmp_path: Path) -> None:
    """On a subshell the answer comes meanwhile; on the main thread when the cell is through."""
    view = kernel.value("view.model_id")
    shell = kernel.subshell() if on else None
    begun, through = tmp_path / "begun", tmp_path / "through"
    number = kernel.start(
        f"import os\nopen({str(begun)!r}, 'w').close()\n"
        f"while not os.path.exists({str(through)!r}):\n    time.sleep(0.05)"
    )
    while not begun.exists():
        time.sleep(0.05)
    for percent in range(5, 65, 5):
        kernel.tell(view, update(fraction=percent / 100), shell)
    took = answer(kernel, 60 if on else 2, lambda state: "60 %" in state.get("sentence", ""))
    through.touch()
    kernel.result(number)
    assert (took is not None) == on
    kernel.execute("ex.wait(60)")
    assert "60 %" in kernel.value("view.sentence")


def test_two_explorers_on_one_model(kernel: Kernel) -> None:
    """Both used at once, on three threads: each ends with its own state, and the maps are those of the library."""
    views = kernel.value("(view.model_id, second.model_id)")
    shells = (None, kernel.subshell(), kernel.subshell())
    sent: list[str] = []
    for turn in range(40):
        for number, each in enumerate(views):
            shell = shells[(turn + number) % 3]
            sent += [
                kernel.tell(each, update(target=(turn * 3 + number) % 12), shell),
                kernel.tell(each, update(fraction=turn / 100), shells[turn % 3]),
                kernel.tell(each, update(method=("layercam", "gradcam++")[number]), shell),
            ]
            if turn % 10 == number:
                pick = custom({"type": "pick", "x": turn, "y": 9})
                sent.append(kernel.tell(each, pick, shell))
    kernel.dealt_with(sent)
    for each, target, fraction in zip(views, (4, 7), (0.25, 0.5), strict=True):
        kernel.execute("ex.wait(60); other.wait(60)")
        # Another one first: a class that was asked for already would leave the last error where it is.
        kernel.tell(each, update(target=target + 1))
        kernel.tell(each, update(target=target, fraction=fraction))
    kernel.execute("ex.wait(60); other.wait(60)")
    assert kernel.value(
        "[(e.method, e.fraction, e._parts.view.target, e._parts.view.error) for e in (ex, other)]"
    ) == [
        ("layercam", 0.25, 4, ""),
        ("gradcam++", 0.5, 7, ""),
    ]
    kernel.execute(
        "direct = [cw.explain(model, e.pictures[0].source, target=e.target, method=e.method) for e in (ex, other)]"
    )
    assert kernel.value(
        "[bool((d.saliency == e.explanation.saliency).all()) for d, e in zip(direct, (ex, other))]"
    ) == [True, True]


# -- what nobody expected --------------------------------------------------------------------


def test_a_traceback_is_where_the_text_says(kernel: Kernel) -> None:
    """On the kernel's stderr, which a notebook shows; from a message of the page, and from the worker's thread."""
    view = kernel.value("view.model_id")
    kernel.execute(
        "def mine(change): raise ValueError('mine')\nex.observe(mine, ['fraction', 'explanation'])"
    )
    numbers = [kernel.tell(view, update(**state)) for state in ({"fraction": 0.5}, {"target": 2})]
    assert numbers
    until(kernel, "'fraction' not in view.error and 'explanation' in view.error")
    kernel.execute("ex.wait(60); ex.unobserve(mine, ['fraction', 'explanation'])")
    said = kernel.value("view.error")
    assert "raised ValueError: mine; its traceback is below the cell that ran last, or" in said
    assert "View > Show Log Console" in said
    printed = "".join(kernel.tracebacks)
    kernel.tracebacks.clear()
    assert printed.count("Traceback (most recent call last)") == 2
    assert printed.count("ValueError: mine") >= 2
