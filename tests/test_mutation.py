"""Tests of the mutation tests: the mutants that ``tests/mutation`` makes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = '''"""A module."""

from __future__ import annotations

LIMIT = 0.5


def scaled(values: list[float], by: float = 2.0) -> list[float]:
    """Values, scaled."""
    if not values:
        raise ValueError("There are no values.")
    kept = [v for v in values if v > LIMIT]
    kept.append(by)
    return sorted(kept, reverse=True)


class Box:
    @property
    def wide(self) -> bool:
        return self.width >= 3 and self.kind == "box"
'''


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    pytest.importorskip("mutmut")
    sys.path.insert(0, str(Path(__file__).parent / "mutation"))
    try:
        import mutants
    finally:
        sys.path.pop(0)
    return mutants


def test_every_kind_of_change_is_made_once(mutants: ModuleType) -> None:
    found, total = mutants.mutants_of("camwidget/box.py", SOURCE)
    changes = {(m.where, m.old, m.new) for m in found}
    assert len(changes) == len(found) <= total
    for where, old, new in (
        ("", "LIMIT = 0.5", "LIMIT = 0.575"),
        ("scaled", "if not values:", "if values:"),
        ("scaled", 'raise ValueError("There are no values.")', "pass"),
        ("scaled", "kept.append(by)", "pass"),
        ("scaled", "return sorted(kept, reverse=True)", "return sorted(kept, reverse=False)"),
        ("scaled", "return sorted(kept, reverse=True)", "return None"),
    ):
        assert (where, old, new) in changes
    both = 'return self.width >= 3 and self.kind == "box"'
    for old, new in ((">=", ">"), ("and", "or"), ("3", "4"), ("3", "2"), ("==", "!=")):
        assert ("Box.wide", both, both.replace(old, new)) in changes
    assert not any("XXThere" in m.new or '"""' in m.old for m in found), "texts stay"


def test_a_mutant_knows_what_has_to_run(mutants: ModuleType) -> None:
    found, _ = mutants.mutants_of("camwidget/box.py", SOURCE)
    lines = {(m.old, m.new): (m.lines, m.at_import) for m in found}
    assert lines["LIMIT = 0.5", "LIMIT = 0.575"] == ((5, 5), True)
    assert lines["if not values:", "if values:"] == ((10, 10), False)
    assert lines["kept.append(by)", "pass"] == ((13, 13), False)
    default = "def scaled(values: list[float], by: float = {}) -> list[float]:"
    assert lines[default.format("2.0"), default.format("2.3")] == ((8, 14), True)


def test_a_draw_can_be_repeated(mutants: ModuleType) -> None:
    first, again, other = (
        [m.key for m in mutants.mutants_of("camwidget/box.py", SOURCE, 5, seed)[0]]
        for seed in (0, 0, 1)
    )
    assert len(first) == 5 and first == again != other
