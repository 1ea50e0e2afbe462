"""Kernels that are forked from one process that has imported PyTorch: each test in Lab begins with a new kernel.

Jupyter starts a small process in a kernel's place (``stand_in``). It asks the importing process for a fork, passes
signals on, and ends with the fork's exit code; where it is killed, the fork is killed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

#: Whether processes have handles that can be waited for: only Linux has both.
POSSIBLE = hasattr(os, "fork") and hasattr(os, "pidfd_open")


#: What takes long to import of what an explorer needs.
EARLY = (
    "ipykernel.kernelapp",
    "IPython.core.completer",
    "matplotlib.figure",
    "pandas",
    "scipy.ndimage",
    "torch",
)


class ForkedKernels:
    """The process that imports, and a kernel specification that replaces this Python's own.

    Args:
        folder: a data folder of Jupyter, by its JUPYTER_PATH; its ``kernels/python3`` is written.
    """

    def __init__(self, folder: Path) -> None:
        from ipykernel.kernelspec import get_kernel_dict

        address = str(folder / "forks")
        spec = folder / "kernels" / "python3"
        spec.mkdir(parents=True)
        # Isolated and without site-packages, Python starts in a hundredth of a second.
        argv = [sys.executable, "-I", "-S", __file__, address, "{connection_file}"]
        spec.joinpath("kernel.json").write_text(json.dumps({**get_kernel_dict(), "argv": argv}))
        # Who connects before all is imported waits.
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(address)
            listening.listen()
            handle = listening.fileno()
            command = [sys.executable, __file__, str(handle)]
            self._process = subprocess.Popen(command, pass_fds=[handle])

    def close(self) -> None:
        """End the process. A kernel ends when its parent has ended."""
        self._process.terminate()
        self._process.wait(30)


# -- in a kernel's place ---------------------------------------------------------------------


def stand_in(address: str, connection_file: str) -> int:
    """Be the kernel for Jupyter, and return its exit code."""
    with socket.socket(socket.AF_UNIX) as forks:
        forks.connect(address)
        wanted = json.dumps([connection_file, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(forks, [len(wanted).to_bytes(4, "big")], [1, 2])
        forks.sendall(wanted)
        kernel = _number(forks)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: os.kill(kernel, number))
        code = _number(forks)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _number(connection: socket.socket) -> int:
    return int.from_bytes(_received(connection, 4), "big", signed=True)


def _received(connection: socket.socket, count: int) -> bytes:
    """So many bytes."""
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise ConnectionError("the process that forks kernels has ended")
        found += more
    return found


# -- the process that imports ----------------------------------------------------------------


def import_all() -> None:
    """Import what is early, and nothing that looks for the kernel when it is imported."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read when ipykernel is imported
    for name in EARLY:
        importlib.import_module(name)
    early = {"camwidget", "ipywidgets", "tqdm.auto"}.intersection(sys.modules)
    assert not early, early


class Fork(NamedTuple):
    """A kernel: its process, and the connection to what stands in its place."""

    process: int
    connection: socket.socket


def serve(listening: socket.socket) -> None:
    """Fork a kernel for each that connects. Returns in the kernel, when it ends."""
    forks: dict[int, Fork] = {}  # by the handle of the process
    while True:
        connections = [fork.connection for fork in forks.values()]
        ready = select.select([listening, *forks, *connections], [], [])[0]
        for handle, fork in list(forks.items()):
            if fork.connection in ready:  # nothing is sent there: it was closed
                os.kill(fork.process, signal.SIGKILL)
            if handle in ready or fork.connection in ready:
                code = os.waitstatus_to_exitcode(os.waitpid(fork.process, 0)[1])
                with contextlib.suppress(OSError), fork.connection:
                    fork.connection.sendall(code.to_bytes(4, "big", signed=True))
                os.close(handle)
                del forks[handle]
        if listening not in ready:
            continue
        connection = listening.accept()[0]
        size, output, _, _ = socket.recv_fds(connection, 4, 2)
        wanted = json.loads(_received(connection, int.from_bytes(size, "big")))
        process = os.fork()
        if process == 0:
            for other in (listening, connection, *connections):
                other.close()
            become_a_kernel(*wanted, output)
            return
        connection.sendall(process.to_bytes(4, "big"))
        for handle in output:
            os.close(handle)
        forks[os.pidfd_open(process)] = Fork(process, connection)


def become_a_kernel(
    connection_file: str, folder: str, environment: dict[str, str], output: list[int]
) -> None:
    """Run ipykernel as ``python -m ipykernel_launcher -f`` does."""
    os.setsid()
    for place, handle in zip((1, 2), output, strict=True):
        os.dup2(handle, place)
        os.close(handle)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = ["-f", connection_file]
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


def main(arguments: list[str]) -> int:
    """Stand in a kernel's place, or fork kernels."""
    if len(arguments) == 2:
        return stand_in(*arguments)
    del sys.path[0]  # the folder of this file
    import_all()
    serve(socket.socket(fileno=int(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
