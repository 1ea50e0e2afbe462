"""Benchmark helper: implementations take turns in one process, and ratios of medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_results: list[str] = []


@pytest.fixture
def race(benchmark: Any) -> Callable[..., dict[str, float]]:
    """Run contestants in turns; the medians in seconds by name, printed as ratios to the first."""

    def run(
        title: str, contestants: dict[str, Callable[[], Any]], rounds: int = 15, warm: int = 2
    ) -> dict[str, float]:
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds + warm):
            for name, function in contestants.items():
                start = time.perf_counter()
                function()
                if number >= warm:  # the first turns warm up
                    times[name].append(time.perf_counter() - start)
        medians = {name: statistics.median(values) for name, values in times.items()}
        unit = next(iter(medians.values()))
        _results.append(f"\n{title} ({rounds} turns each, medians)")
        for name, median in medians.items():
            _results.append(f"  {name:<34}{1000 * median:9.2f} ms   {median / unit:6.3f} ×")
        benchmark.extra_info.update({name: round(m, 6) for name, m in medians.items()})
        # pytest-benchmark's own record is that of the last contestant, our own.
        benchmark.pedantic(list(contestants.values())[-1], rounds=3 if warm else 1)
        return medians

    return run


@pytest.fixture
def report() -> Callable[[str], None]:
    """Add a line to the report at the end."""
    return _results.append


def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None] | None:
    """Print the races."""
    for line in _results:
        terminalreporter.write_line(line)
    return None
