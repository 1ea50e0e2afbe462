"""Run notebooks again and keep what is committed of them: text outputs, without pictures and widget state.

Static views of widgets are left out as well, but for the notebooks in ``WITH_STATIC_VIEWS``, where they are small.

``python tests/rerun_notebooks.py`` runs all, ``python tests/rerun_notebooks.py 03 05`` those whose names begin so. The
seconds that each cell took are printed; a cell is meant to take 60 at most on two slow cores.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"

#: What is kept of an output: nbval compares the text, a reader on the web sees the table.
KEPT = ("text/plain", "text/html")

#: Beginnings of the names of notebooks whose widgets are shown as HTML where no kernel runs.
WITH_STATIC_VIEWS = ("08",)

#: Seconds after which a cell is told to whoever runs this.
LONG = 5.0


class Timed(NotebookClient):
    """Tells which cells are slow."""

    async def async_execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        start = time.monotonic()
        done = await super().async_execute_cell(cell, cell_index, **options)
        if (took := time.monotonic() - start) > LONG:
            print(f"  cell {cell_index}: {took:.0f} s", flush=True)
        return done


def rerun(path: Path) -> None:
    """Execute a notebook in its folder and write it back."""
    print(path.name, flush=True)
    notebook = nbformat.read(path, as_version=4)
    is_static_shown = path.name.startswith(WITH_STATIC_VIEWS)
    os.environ["CAMWIDGET_STATIC_VIEWS"] = "1" if is_static_shown else "0"
    language = dict(notebook.metadata.get("language_info", {}))
    client = Timed(
        notebook,
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
    )
    client.execute()
    notebook.metadata.pop("widgets", None)
    if language:  # the version of Python is whoever's ran it
        notebook.metadata["language_info"] = language
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = strip(cell.outputs)
    nbformat.write(notebook, path)


def strip(outputs: list[Any]) -> list[Any]:
    """The outputs without pictures; what was printed in several pieces is one."""
    kept: list[Any] = []
    for output in outputs:
        if "data" in output:
            output.data = {kind: output.data[kind] for kind in KEPT if kind in output.data}
            output.metadata = {}
            if not any(output.data.values()):  # the script of a static view
                continue
        is_more = (
            kept
            and output.output_type == kept[-1].output_type == "stream"
            and output.name == kept[-1].name
        )
        if is_more:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"
    names = sys.argv[1:]
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.name.startswith(tuple(names)):
            rerun(path)
