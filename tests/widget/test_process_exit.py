"""A process whose worker is inside the model ends with its own exit code, and does not wait for the whole pass."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HAS_PAPERMILL = importlib.util.find_spec("papermill") is not None

WORKING = """
import atexit, os, signal, sys, threading
# The first to be registered is the last to be called.
atexit.register(lambda: print("calls:", calls))
import torch
from torch import nn
from camwidget.runtime import process_exit
from camwidget.widget.control.worker import Worker

calls = 0
begun = threading.Event()
x = torch.rand(1, 3, 64, 64)

class Part(nn.Module):
    def forward(self, x):
        global calls
        calls += 1
        torch.conv2d(x, torch.rand(8, 3, 3, 3))
        begun.set()
        return x

worker = Worker(("map",), print)

def steps():
    part = Part()
    while True:
        part(x)
        yield

def one_long_pass():
    nn.Sequential(*[Part()] * 100_000)(x)

def no_module():
    while True:
        torch.conv2d(x, torch.rand(8, 3, 3, 3))
        begun.set()

def work(job):
    worker.submit("map", job)
    begun.wait()
"""

TERMINATED = """
def leave(*_):
    raise SystemExit(5)
signal.signal(signal.SIGTERM, leave)
work(steps)
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(9)
"""

FORKS = """
work(steps)
child = os.fork()
if child == 0:
    sys.exit(1 if worker.wait(0.01) else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + 4)
"""

#: Ctrl-C while the end of the process waits.
INTERRUPTED = """
work(no_module)
waits = process_exit._all_left
def interrupted():
    process_exit._all_left = waits
    raise KeyboardInterrupt
process_exit._all_left = interrupted
"""

#: An explorer that is deleted after the modules that it needs to close itself.
KEPT = """
import camwidget as cw
sys.kept = cw.Explorer()
"""

#: What a script does, and the exit code that it has then. Each is a process that imports torch.
ENDS = {"work(one_long_pass); sys.exit(3)": 3}
MORE = {
    "work(steps); raise RuntimeError('the script failed')": 1,
    FORKS: 7,
    "work(steps)": 0,
    "work(steps); sys.exit(3)": 3,
    "work(steps); worker.close()": 0,
    "work(steps); del worker": 0,
    "work(no_module); process_exit.LEAVE_TIMEOUT = 0.1; sys.exit(3)": 3,
    "work(no_module); process_exit.SILENT_TIMEOUT = 0.1; process_exit.LEAVE_TIMEOUT = 1.0": 0,
    INTERRUPTED: 0,
    KEPT: 0,
    TERMINATED: 5,
}


@pytest.mark.parametrize("ends", [ENDS, pytest.param(MORE, marks=pytest.mark.full)])
def test_a_busy_worker_does_not_abort_the_process(ends: dict[str, int]) -> None:
    """Python used to end the thread below PyTorch's frames, and so the process with SIGABRT (134)."""
    running = {
        script: subprocess.Popen(
            [sys.executable, "-c", WORKING + script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script in ends
    }
    for script, process in running.items():
        printed, errors = process.communicate(timeout=600)
        assert process.returncode == ends[script], f"{script}: {errors}"
        assert "terminate called" not in errors and "Exception ignored" not in errors
        said = "waiting for 1 s at most" in errors and "'camwidget worker'" in errors
        assert said == ("SILENT_TIMEOUT" in script), errors
        if "one_long_pass" in script:
            assert int(printed.split()[-1]) < 100_000, "it left before the end of the pass"


@pytest.mark.full
@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        ("fork", 13),
        ("script,ipython,pytest,kernel,nbclient,nbconvert", 1),
        pytest.param(
            "papermill", 1, marks=pytest.mark.skipif(not HAS_PAPERMILL, reason="papermill")
        ),
    ],
)
def test_processes_of_every_kind_end_with_their_own_exit_code(kinds: str, count: int) -> None:
    """``python tests/soak_process_exit.py`` goes through more of them."""
    script = Path(__file__).parents[1] / "soak_process_exit.py"
    command = [sys.executable, str(script), "--kinds", kinds, "--count", str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
