"""Work in a forked child of a process that has imported slow modules."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["in_child"]


def in_child(work: Callable[[], Any], seconds: float, folder: Path) -> Any:
    """What ``work`` returns in a child of this process; whatever it starts ends with it.

    Args:
        work: returns something that can be pickled.
        seconds: after which the child is killed.
        folder: where ``output.txt`` gets what the child prints.

    Raises:
        TimeoutError: if the child had to be killed.
        ChildProcessError: if it crashed.
    """
    answer = folder / "answer.pickle"
    answer.unlink(missing_ok=True)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _be_child(work, answer, folder / "output.txt")
    handle = os.pidfd_open(child)
    try:
        ended = bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # the child, if it is late, and what it left behind
        os.waitpid(child, 0)
    if not ended:
        raise TimeoutError(f"{seconds:.0f} seconds")
    if not answer.exists():
        raise ChildProcessError(f"the child crashed, see {folder / 'output.txt'}")
    return pickle.loads(answer.read_bytes())


def _be_child(work: Callable[[], Any], answer: Path, output: Path) -> None:
    """Do the work, write down what it returned, and end without what Python does at its end."""
    os.setsid()
    try:
        log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, stream in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, stream)
        answer.write_bytes(pickle.dumps(work()))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)
