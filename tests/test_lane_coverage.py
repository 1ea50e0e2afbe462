"""The quick lane covers every method, metric, embedded model and notebook application; the full lane runs all tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import camwidget as cw

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[1]


def collected(*options: str) -> set[str]:
    """Names of the tests that pytest would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.fixture(scope="module")
def quick() -> set[str]:
    return collected("tests/test_every_entry.py", "tests/browser", "notebooks")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("method", [method.name for method in cw.list_methods()]),
        ("metric", [metric.name for metric in cw.list_metrics()]),
        ("model", list(cw.list_models())),
    ],
)
def test_each_is_in_the_quick_lane(quick: set[str], kind: str, names: list[str]) -> None:
    tests = {f"tests/test_every_entry.py::test_a_{kind}[{name}]" for name in names}
    assert tests and not tests - quick


def test_each_host_is_in_the_quick_lane(quick: set[str]) -> None:
    for host in ("notebook", "voila", "marimo"):
        assert f"tests/browser/test_hosts.py::test_{host}" in quick
    assert "tests/browser/test_explorer_in_lab.py::test_first_sight" in quick


def test_of_the_notebooks_the_quick_lane_has_the_first(quick: set[str]) -> None:
    def files(tests: set[str]) -> list[str]:
        return sorted({Path(name.partition("::")[0]).name for name in tests if ".ipynb" in name})

    assert files(quick) == ["01_quickstart.ipynb"]
    assert files(collected("--full", "notebooks")) == sorted(
        path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    )
