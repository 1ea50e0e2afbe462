"""Mutation testing: find small changes of the source that the nearest tests do not detect.

    python tests/mutation/run.py ranks mask-curve       # groups of targets.toml; without names, all of them
    python tests/mutation/run.py metrics --source confidence --number 0     # of one file all mutants
    python tests/mutation/run.py metrics --survivors    # only what survived the last time, after tests were written

A process that has imported PyTorch and the tests' libraries forks a child for each mutant; the child imports camwidget
with the mutated file in the place of the real one (on disk nothing changes) and runs the tests that execute the
mutated lines, the quickest first, up to the first that fails. Needs Linux, and ``pip install -e ".[mutation]"``.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from forking import in_child
from mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".mutants"

# Before torch is imported: a fork inherits no threads.
os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1")

#: The full lane without browsers; no plugins but our own, so that a child begins at once.
OPTIONS = [
    "-q",
    "--full",
    "-o",
    "addopts=",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:unraisableexception",
]
OPTIONS += ["--assert=plain", "--tb=short", "-m", "not browser and not training"]
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
#: A mutant has its tests' own time, times this, and a minute for a machine that has other things to do.
PATIENCE = 5
#: What a test has noticed: it failed, or did not end.
DEAD = ("killed", "late")


# -- what a child does ---------------------------------------------------------------------------


class Mutated(importlib.abc.MetaPathFinder):
    """Gives one module with other code than its file's."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        self.module, self.path, self.code = module, path, code

    def find_spec(
        self, name: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        loader = importlib.machinery.SourceFileLoader(name, str(self.path))
        loader.get_code = lambda fullname: self.code  # type: ignore[method-assign, assignment]
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


@dataclass
class Ran:
    """Tests as they ran: seconds by their names, and who executed which lines of which source."""

    passed: bool
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)


class Watching:
    """A pytest plugin: takes the times of tests, says to coverage which one runs, and sorts them."""

    def __init__(self, order: Sequence[str] = (), coverage: Any = None) -> None:
        self.order = {name: number for number, name in enumerate(order)}
        self.coverage = coverage
        self.seconds: Counter[str] = Counter()
        self.failed: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.order:
            kept = [item for item in items if item.nodeid in self.order]
            items[:] = sorted(kept, key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.coverage is not None:
            self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def run_tests(tests: Sequence[str], folder: Path) -> int:
    """The exit code of pytest for tests in this process; it ends with the first that fails."""
    files = dict.fromkeys(name.partition("::")[0] for name in tests)
    options = [*OPTIONS, "-x", f"--basetemp={folder / 'tests'}"]
    return int(pytest.main([*options, *files], plugins=[Watching(tests)]))


def run_covered(tests: Sequence[str], sources: Sequence[Path], folder: Path) -> Ran:
    """Run tests in this process and remember who executes which lines."""
    import coverage

    measured = coverage.Coverage(data_file=None, include=[str(source) for source in sources])
    watching = Watching(coverage=measured)
    measured.start()
    code = pytest.main([*OPTIONS, f"--basetemp={folder / 'tests'}", *tests], plugins=[watching])
    measured.stop()
    data = measured.get_data()
    lines = {
        str(source.relative_to(ROOT)): {
            line: [name for name in names if name]
            for line, names in data.contexts_by_lineno(str(source)).items()
        }
        for source in sources
    }
    passed = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return Ran(passed, dict(watching.seconds), watching.failed, lines)


# -- the tests of a group, as they are without mutants ---------------------------------------------


def baseline(tests: Sequence[str], sources: Sequence[Path], folder: Path) -> Ran:
    """Which tests execute which lines; a file whose tests and sources did not change is not run again."""
    code = hashlib.sha256()
    for path in sorted((ROOT / "camwidget").rglob("*.py")):
        code.update(path.read_bytes())
    files = sorted(
        {
            path
            for test in tests
            for path in (
                [ROOT / test] if test.endswith(".py") else (ROOT / test).rglob("test_*.py")
            )
        }
    )
    found = Ran(True)
    for path in files:
        name = str(path.relative_to(ROOT))
        key = code.copy()
        key.update(path.read_bytes())
        key.update(repr(sources).encode())
        kept = CACHE / f"baseline-{key.hexdigest()[:16]}.json"
        if kept.exists():
            ran = Ran(**json.loads(kept.read_text()))
        else:
            say(f"  {name}, unchanged source …", end="")
            start = time.monotonic()
            ran = in_child(lambda name=name: run_covered([name], sources, folder), 1800, folder)
            say(f" {len(ran.seconds)} tests, {time.monotonic() - start:.0f} s")
            if not ran.passed:
                say((folder / "output.txt").read_text()[-3000:])
                raise SystemExit(f"{name} fails without any mutant: {ran.failed}")
            kept.write_text(json.dumps(asdict(ran)))
        found.seconds |= ran.seconds
        for source, lines in ran.lines.items():
            into = found.lines.setdefault(source, {})
            for line, names in lines.items():
                into.setdefault(int(line), []).extend(names)
    return found


def nearest(mutant: Mutant, ran: Ran, most: float) -> list[str]:
    """The quickest tests that execute a mutant's lines, ``most`` seconds of them, each file's together.

    What runs at import, such as a default value, is also seen by tests that call nothing of the file: they come last.
    """
    lines = ran.lines[mutant.source]
    first, last = mutant.lines
    at = [who for line, who in lines.items() if first <= line <= last]
    names = {name for who in at for name in who}
    others: set[str] = set()
    if mutant.at_import or (at and not names):  # a test need not call it to see it
        near = {name.partition("::")[0] for who in lines.values() for name in who}
        names = {name for name in ran.seconds if name.partition("::")[0] in near}
        others = set(ran.seconds) - names
    chosen = [*_quickest(names, ran, most), *_quickest(others, ran, most)]
    files = list(dict.fromkeys(name.partition("::")[0] for name in chosen))
    return sorted(chosen, key=lambda name: files.index(name.partition("::")[0]))


def _quickest(names: Collection[str], ran: Ran, most: float) -> list[str]:
    """Tests in the order of their times, as many as take ``most`` seconds together; at least one."""
    chosen, total = [], 0.0
    for name in sorted(names, key=lambda name: ran.seconds[name]):
        total += ran.seconds[name]
        if not chosen or total <= most:
            chosen.append(name)
    return chosen


# -- mutants ------------------------------------------------------------------------------------


def fate(mutant: Mutant, ran: Ran, folder: Path, most: float, forking: Collection[str] = ()) -> str:
    """What becomes of a mutant: "killed", "late", "survived", or "not executed" by any test.

    Args:
        mutant: the mutant.
        ran: the tests as they ran without it.
        folder: for temporary files.
        most: seconds of tests that it meets at most.
        forking: files of tests that fork. What their children execute is not seen: they meet what nobody else executes.
    """
    tests = nearest(mutant, ran, most)
    tests = tests or [name for name in ran.seconds if name.partition("::")[0] in forking]
    if not tests:
        return "not executed"
    path = ROOT / mutant.source
    module = mutant.source.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def work() -> int:
        sys.meta_path.insert(
            0, Mutated(module, path, compile(mutant.code, str(path), "exec", dont_inherit=True))
        )
        return run_tests(tests, folder)

    try:
        code = in_child(work, 60 + PATIENCE * sum(ran.seconds[t] for t in tests), folder)
    except TimeoutError:
        return "late"
    except ChildProcessError:
        return "killed"
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise SystemExit(f"none of {tests} was found")
    return "survived" if code == pytest.ExitCode.OK else "killed"


def judge(
    name: str,
    group: dict[str, list[str]],
    chosen: argparse.Namespace,
    excused: Collection[tuple[str, str, str, str]],
    folder: Path,
) -> list[dict[str, Any]]:
    """The fates of a group's mutants, also kept in ``.mutants/NAME.json``, from where a run that was ended goes on."""
    sources = sorted({path for pattern in group["sources"] for path in ROOT.glob(pattern)})
    ran = baseline(group["tests"], sources, folder)
    file = CACHE / f"{name}.json"
    results = [] if chosen.anew or not file.exists() else json.loads(file.read_text())
    known = {key_of(result): result for result in results}
    for source in sources:
        relative = str(source.relative_to(ROOT))
        if chosen.source not in relative:
            continue
        alive = {
            key
            for key, result in known.items()
            if key[0] == relative and result["fate"] not in DEAD and key not in excused
        }
        if chosen.survivors and not alive:
            continue
        if chosen.survivors:
            olds = {old for _, _, old, _ in alive}
            mutants, total = mutants_of(relative, source.read_text(), olds=olds)
            mutants = [mutant for mutant in mutants if mutant.key in alive]
            for gone in alive - {mutant.key for mutant in mutants}:  # their lines are others now
                del known[gone]
        else:
            mutants, total = mutants_of(relative, source.read_text(), chosen.number, chosen.seed)
            mutants = [mutant for mutant in mutants if mutant.key not in known]
        say(f"{relative}: {len(mutants)} mutants of {total}")
        for mutant in mutants:
            before = known.get(mutant.key)
            end = fate(mutant, ran, folder, chosen.seconds, group.get("forking", ()))
            facts = {
                k: v for k, v in asdict(mutant).items() if k not in ("code", "lines", "at_import")
            }
            known[mutant.key] = {"first": end, **(before or {}), **facts, "fate": end}
            file.write_text(json.dumps(list(known.values()), indent=1))
            if end != "killed":
                say(f"  {end}: {relative}:{mutant.line} {mutant.where} ({mutant.operator})")
                say(f"    - {mutant.old}\n    + {mutant.new}")
    return list(known.values())


def key_of(result: dict[str, Any]) -> tuple[str, str, str, str]:
    return result["source"], result["where"], result["old"], result["new"]


def report(
    results: Sequence[dict[str, Any]], excused: dict[tuple[str, str, str, str], str]
) -> None:
    """A line a source file: mutants, what became of them, the share that died."""
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        end = result["fate"]
        if end not in DEAD and key_of(result) in excused:
            end = "excused"
        for row in (result["source"], "together"):
            rows[row][end] += 1
            rows[row]["before"] += result["first"] in DEAD
    say(f"\n{'source':44} mutants  killed    late  survived  not executed  excused   before   now")
    for name in sorted(rows, key=lambda name: (name == "together", name)):
        row = rows[name]
        dead = row["killed"] + row["late"]
        total = dead + row["survived"] + row["not executed"] + row["excused"]
        judged = total - row["excused"]
        share = dead / judged if judged else 1.0
        say(
            f"{name:44} {total:7} {row['killed']:7} {row['late']:7} {row['survived']:9} {row['not executed']:13} "
            f"{row['excused']:8} {row['before'] / total:8.0%} {share:5.0%}"
        )


def main() -> None:
    targets = tomllib.loads((HERE / "targets.toml").read_text())
    preload = targets.pop("preload")
    excused = {key_of(e): e["reason"] for e in targets.pop("excused", [])}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(targets)}; all if none is named")
    parser.add_argument("--source", default="", help="only files whose path contains this")
    parser.add_argument(
        "--number", type=int, default=40, help="mutants drawn of each file; 0 for all (default: 40)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument(
        "--seconds",
        type=float,
        default=30,
        help="of tests that a mutant meets at most, the quickest first (default: 30, of an idle machine)",
    )
    parser.add_argument(
        "--survivors", action="store_true", help="only those that survived the last time"
    )
    parser.add_argument("--anew", action="store_true", help="forget what is known")
    parser.add_argument("--report", action="store_true", help="only show what is known")
    chosen = parser.parse_args()
    for name in chosen.groups:
        if name not in targets:
            parser.error(f"there is no group {name!r}: {', '.join(targets)}")
    CACHE.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a child is ended too
    groups = {name: targets[name] for name in chosen.groups or targets}
    if chosen.report:
        found = [r for name in groups for r in json.loads((CACHE / f"{name}.json").read_text())]
        return report(found, excused)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for module in preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a child's garbage collections need not go through all this
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        for name, group in groups.items():
            say(f"-- {name}")
            results += judge(name, group, chosen, excused, Path(folder))
    report(results, excused)


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


if __name__ == "__main__":
    main()
