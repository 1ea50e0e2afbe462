"""Docstrings of public names: their examples run, and their arguments, results and errors are described."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import doctest
import functools
import importlib
import inspect
import io
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import camwidget as cw

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public() -> dict[str, Any]:
    """The public functions and classes of the package and of its public subpackages, by name."""
    values = {name: getattr(cw, name) for name in cw.__all__}
    for package in (cw.evaluation, cw.export, cw.metrics, cw.zoo):
        for name in set(package.__all__) - set(cw.__all__):
            values[f"{package.__name__.removeprefix('camwidget.')}.{name}"] = getattr(package, name)
    return {n: v for n, v in values.items() if inspect.isfunction(v) or inspect.isclass(v)}


def examples() -> dict[str, doctest.DocTest]:
    """Every docstring of the package that has an example, by the name of its object."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: dict[str, doctest.DocTest] = {}
    for info in pkgutil.walk_packages(cw.__path__, "camwidget."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            # No names of the module: an example imports what it uses, as its reader will.
            found.update({e.name: e for e in finder.find(module, globs={}) if e.examples})
    return found


def sections(docstring: str) -> dict[str, str]:
    """The Google style sections of a docstring, by title; the text before the first is ""."""
    parts = re.split(r"^(\w+):\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def undescribed(value: Any) -> list[str]:
    """What the docstring of a public function or class lacks."""
    found = sections(value.__doc__ or "")
    lacks = [] if ">>>" in found.get("Example", "") else ["Example"]
    if dataclasses.is_dataclass(value):
        fields = [f.name for f in dataclasses.fields(value) if f.init and f.name[0] != "_"]
        listed = found.get("Attributes", "") + found.get("Args", "")
        return [*lacks, *(f for f in fields if not re.search(rf"^ +[\w, ]*\b{f}\b", listed, re.M))]
    if inspect.isclass(value):
        return lacks
    signature = inspect.signature(value)
    if signature.return_annotation not in ("None", None) and not {"Returns", "Yields"} & set(found):
        lacks.append("Returns")
    if (
        value is getattr(cw, value.__name__, None)
        and signature.parameters
        and "Raises" not in found
    ):
        lacks.append("Raises")
    listed = found.get("Args", "")
    return [
        *lacks,
        *(p for p in signature.parameters if not re.search(rf"^ +\**[\w, ]*\b{p}\b", listed, re.M)),
    ]


EXAMPLES = examples()
_load = functools.cache(cw.load)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may save a file
    # Nearly every example loads the same model, and none changes it.
    monkeypatch.setattr(cw, "load", _load)
    report = io.StringIO()
    # doctest's `sys.displayhook` leaves the last value in `builtins._`, which IPython takes for a translator and then
    # does not set its own `_`.
    monkeypatch.setattr(builtins, "_", None, raising=False)
    with contextlib.redirect_stdout(report):
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        outcome = runner.run(EXAMPLES[name], out=report.write)
    assert outcome.failed == 0, report.getvalue()


@pytest.mark.parametrize("name", sorted(public()))
def test_a_public_docstring_is_complete(name: str) -> None:
    assert undescribed(public()[name]) == []
