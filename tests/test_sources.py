"""The table of the sources names tests, sections and functions that exist, and verdicts that the notebooks print."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import camwidget as cw

ROOT = Path(__file__).parents[1]
SOURCES = tomllib.loads((ROOT / "tests" / "sources.toml").read_text("utf-8"))
ITEMS = [item for source in SOURCES.values() for item in source["item"]]
ALLOWED = {"id", "says", "status", "where", "tests", "finding", "note"}


@functools.cache
def functions_of(file: Path) -> set[str]:
    """Names of the functions at the top of a module."""
    return {
        n.name for n in ast.parse(file.read_text("utf-8")).body if isinstance(n, ast.FunctionDef)
    }


@functools.cache
def cells_of(number: str) -> list[dict[str, Any]]:
    """The cells of the notebook with a number; none if there is no such notebook."""
    paths = sorted((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
    return json.loads(paths[0].read_text("utf-8"))["cells"] if paths else []


@functools.cache
def headings_of(number: str) -> set[str]:
    text = "\n".join("".join(c["source"]) for c in cells_of(number) if c["cell_type"] == "markdown")
    return set(re.findall(r"^#+ (.+)$", text, re.M))


@functools.cache
def verdicts() -> dict[str, str]:
    """The verdict of each finding that a notebook prints."""
    lines = [
        line
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in cells_of(path.name.partition("_")[0])
        if "FINDINGS = [" in "".join(cell["source"])
        for output in cell["outputs"]
        for line in "".join(output["text"]).splitlines()
    ]
    found = {line[14:].strip(): line[:14].strip() for line in lines}
    assert len(found) == len(lines), "two findings have one name"
    return found


def test_exists(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.is_file() and (not function or function in functions_of(file))


test_exists.__test__ = False  # type: ignore[attr-defined]


def place_exists(place: str) -> bool:
    kind, _, name = place.partition(" ")
    if kind == "metric":
        return name in {metric.name for metric in cw.list_metrics()}
    if kind == "method":
        return name in {method.name for method in cw.list_methods()}
    if kind == "notebook":
        number, _, heading = name.partition(": ")
        return heading in headings_of(number)
    if place.startswith("camwidget."):
        module, _, attribute = place.rpartition(".")
        return hasattr(importlib.import_module(module), attribute)
    return (ROOT / place).is_file()


def test_ids_are_unique() -> None:
    ids = [item["id"] for item in ITEMS]
    assert len(ids) == len(set(ids)) > 40
    assert all(item.keys() <= ALLOWED for item in ITEMS)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_what_an_item_names_exists(item: dict[str, Any]) -> None:
    assert not [name for name in item.get("tests", ()) if not test_exists(name)]
    assert not [place for place in item.get("where", ()) if not place_exists(place)]
    note, status = item.get("note", ""), item["status"]
    if status == "faithful":
        assert item["tests"] and item["where"]
    elif status == "refuted":
        assert item["tests"] and re.search(r"\d\.\d", note), "refuted by a number"
    else:
        assert status in ("out of scope", "open") and note, "the reason, or what is missing"
    if finding := item.get("finding"):
        expected = {"faithful": "holds", "refuted": "does not hold"}[status]
        assert verdicts()[finding] == expected


def test_what_does_not_exist_is_found() -> None:
    here = "tests/test_sources.py"
    assert test_exists(here) and test_exists(f"{here}::test_ids_are_unique")
    assert not test_exists(f"{here}::test_that_is_not_there")
    assert not test_exists("tests/test_that_is_not_there.py")
    there = ["metric drop", "method gradcam", "camwidget.explain", "README.md"]
    missing = ["metric dorp", "method gradcma", "camwidget.expalin", "READ.me", "notebook 05: None"]
    assert all(map(place_exists, there)) and not any(map(place_exists, missing))
