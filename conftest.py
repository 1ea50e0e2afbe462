"""Quick and full test lanes, and the distribution of tests over processes.

``python -m pytest`` runs the quick lane, ``python -m pytest --full`` all tests. A test is in the quick lane unless it
is marked ``full``, a notebook other than the quickstart, or of an architecture beside ``QUICK_NETS``.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

QUICK_NOTEBOOK = "01_quickstart.ipynb"

#: Tests with this in their names share nothing, and any process may run one.
APART = ("::test_a_short_training", "/test_memory_bounds.py::", "/test_process_exit.py::")

#: Files that share nothing but what each of their parameters needs.
APART_BY_PARAMETER = ("/test_findings.py::",)

#: Browser tests that need no Lab: a browser of their own costs less than waiting for all tests in Lab.
WITHOUT_LAB = {
    f"tests/browser/test_{name}.py"
    for name in ("firefox", "hosts", "lesson_page", "live_page", "saved_page", "webview")
}

#: Of torchvision's architectures, those whose tests are in the quick lane.
QUICK_NETS = {"resnet18", "squeezenet1_1", "mobilenet_v3_small"}

#: More processes than these take more memory than most machines have.
MOST_WORKERS = 8

# Results that are equal bit for bit: batches are not measured, unless the variable says so.
os.environ.setdefault("CAMWIDGET_BATCHES", "fixed")

# A progress bar appears after a second: on a slow machine it would be an output of a notebook's cell that was not
# there before.
os.environ["TQDM_DISABLE"] = "1"


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported, here and in the kernels and servers that a worker starts: workers with a thread for
    # every core wait for each other.
    _share = max(1, _cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(_share))

#: Keeps pictures and numbers with their last bits out of the outputs of notebooks, which are committed as text.
STATIC_VIEWS = "CAMWIDGET_STATIC_VIEWS"

_left_out = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="run all tests, also those marked 'full', which the quick lane leaves out",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what only the full lane has, begin with the longest queues, and leave out what is not in this lane."""
    for item in items:
        notebook = item.path.suffix == ".ipynb" and item.path.name != QUICK_NOTEBOOK
        if notebook or _nets(item) - QUICK_NETS:
            item.add_marker(pytest.mark.full)
    items.sort(key=_turn)
    if not config.option.full:
        full = [item for item in items if item.get_closest_marker("full")]
        config.stash[_left_out] = len(full)
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a notebook's kernel starts."""
    if item.path.suffix == ".ipynb":
        os.environ[STATIC_VIEWS] = "0"
    else:
        os.environ.pop(STATIC_VIEWS, None)


def _nets(item: pytest.Item) -> set[str]:
    """The architectures among a test's parameters."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    names = {value for value in parameters if isinstance(value, str)}
    if not names:
        return names
    return names.intersection(_known_nets())


@functools.cache
def _known_nets() -> list[str]:
    from torchvision.models import list_models

    return list_models()


def _turn(item: pytest.Item) -> int:
    """Browser tests, then notebooks, then other long tests, then all others: a long queue begins early."""
    if item.get_closest_marker("browser"):
        return 0
    if item.path.suffix == ".ipynb":
        return 1
    return 2 if item.get_closest_marker("training") or item.get_closest_marker("long") else 3


# -- several processes (pytest-xdist) --------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core and one more, since browser tests mostly wait; one for a single file, or for timing."""
    if getattr(config.option, "benchmark_only", False):
        return 0
    paths = {argument.partition("::")[0] for argument in config.args}
    if len(paths) == 1 and Path(paths.pop()).is_file():
        return 0
    cores = _cores()
    return min(cores + 1, MOST_WORKERS) if cores > 1 else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together in one process what shares something: a file its fixtures, the tests in Lab Lab and Chromium."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = (
        False  # the order of the collection is better than the number of tests
    )
    return Groups(config, log)


def group(nodeid: str) -> str:
    """The name of the group of tests that one process runs."""
    file = nodeid.partition("::")[0]
    if file.startswith("tests/browser/") and file not in WITHOUT_LAB:
        return "lab"
    if any(name in nodeid for name in APART_BY_PARAMETER):
        return file + nodeid.partition("[")[2]
    return nodeid if any(name in nodeid for name in APART) else file


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash.get(_left_out, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if hasattr(node, "workeroutput"):
        node.config.stash[_left_out] = node.workeroutput["left_out"]


def pytest_report_header(config: pytest.Config) -> Iterable[str]:
    lane = "full" if config.option.full else "quick (--full: all tests)"
    return [f"lane: {lane}"]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was left out (with several processes, pytest's last line does not), and the times where asked for."""
    if config.option.durations is not None:
        seconds: Counter[str] = Counter()
        for reports in terminalreporter.stats.values():
            for report in reports:
                if hasattr(report, "duration"):
                    seconds[report.nodeid.partition("::")[0].rpartition("/")[0]] += report.duration
        terminalreporter.section("seconds by folder, of all processes together")
        for folder, total in sorted(seconds.items()):
            terminalreporter.line(f"{total:7.0f} {folder}")
    number = config.stash.get(_left_out, 0)
    if number:
        terminalreporter.section("quick lane")
        terminalreporter.line(f"{number} tests were left out; with --full they run too.")
