"""A process whose worker is inside the model ends with its own exit code."""

from __future__ import annotations

import subprocess
import sys

WORKING = """
import sys, threading, torch
from camwidget.widget.session import Session

begun = threading.Event()

def work():
    while True:
        torch.conv2d(torch.rand(1, 3, 64, 64), torch.rand(8, 3, 3, 3))
        begun.set()
        yield

session = Session(("map",), print)
session.submit("map", work)
begun.wait()
"""

#: How the script ends, and the exit code that it has then.
ENDS = {
    "pass": 0,
    "sys.exit(3)": 3,
    "raise RuntimeError('the script failed')": 1,
    "session.close()": 0,
    "del session": 0,
}


def test_a_busy_worker_does_not_abort_the_process() -> None:
    """Python used to end the thread below PyTorch's frames, and so the process with SIGABRT (134)."""
    running = {
        end: subprocess.Popen(
            [sys.executable, "-c", WORKING + end], stderr=subprocess.PIPE, text=True
        )
        for end in ENDS
    }
    for end, process in running.items():
        _, errors = process.communicate(timeout=300)
        assert process.returncode == ENDS[end], f"{end}: {errors}"
        assert "terminate called" not in errors
