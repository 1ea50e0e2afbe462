"""Benchmark helper: implementations take turns in one process, and ratios of medians are compared.

All run on the CPU, or on the device that the environment variable ``CAMWIDGET_BENCHMARK_DEVICE`` names.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torchvision

import camwidget as cw

_results: list[str] = []


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The device to measure."""
    return torch.device(os.environ.get("CAMWIDGET_BENCHMARK_DEVICE", "cpu"))


@pytest.fixture(scope="module")
def model(device: torch.device) -> cw.VisionModel:
    """ResNet-50 with seeded random weights: the time does not depend on them."""
    torch.manual_seed(0)
    module = torchvision.models.resnet50(weights=None).eval().to(device)
    weights = torchvision.models.ResNet50_Weights
    return cw.wrap(module, weights.IMAGENET1K_V1.transforms(), weights.DEFAULT.meta["categories"])


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """A picture of 224 × 224, ready for the model."""
    return torch.rand((3, 224, 224), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def inputs(model: cw.VisionModel, pixels: torch.Tensor) -> torch.Tensor:
    """The picture as the module takes it."""
    return model.inputs(pixels[None])


def _wait(device: torch.device) -> None:
    """A GPU's work is begun by a call and ends later."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@pytest.fixture
def race(benchmark: Any, device: torch.device) -> Callable[..., dict[str, float]]:
    """Run contestants in turns; the medians in seconds by name, printed as ratios to the first."""

    def run(
        title: str,
        contestants: dict[str, Callable[[], Any]],
        rounds: int = 15,
        warm: int = 2,
        clock: Callable[[], float] = time.perf_counter,
    ) -> dict[str, float]:
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds + warm):
            for name, function in contestants.items():
                _wait(device)
                start = clock()
                function()
                _wait(device)
                if number >= warm:  # the first turns warm up
                    times[name].append(clock() - start)
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
