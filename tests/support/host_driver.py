"""Servers of notebook applications other than JupyterLab, for browser tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

#: What Voila's page complains of, whatever is on it: icons from a CDN, and an extension of Notebook's.
_NOT_OURS = ("@fortawesome", "@jupyter-notebook/lab-extension")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(folder: Path, command: Callable[[int], Sequence[str]], path: str = "") -> Iterator[str]:
    """A host while it runs: the address of its page.

    Args:
        folder: its working folder, where its log goes too.
        command: its arguments after ``python -m``, from the port.
        path: of the page, behind the port.
    """
    port = free_port()
    private = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    log = folder / "host.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *command(port)],
            cwd=folder,
            env={**os.environ, **private},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-4000:])
            time.sleep(0.2)
        yield f"{url}/{path}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def write_notebook(folder: Path, name: str, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / f"{name}.ipynb")


def complaints(page: Any) -> list[str]:
    """Grows by every error that the page's console shows."""
    found: list[str] = []

    def note(text: str) -> None:
        if not any(known in text for known in _NOT_OURS):
            found.append(text)

    page.on(
        "console",
        lambda line: note(f"{line.text} {line.location}") if line.type == "error" else None,
    )
    page.on("pageerror", lambda error: note(str(error)))
    return found
