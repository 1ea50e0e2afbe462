"""A short soak; ``python tests/soak.py`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_driver import Kernel
from soak import PLAIN, soak


@pytest.mark.full
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Message serialization failed")  # a page may say NaN
def test_random_interactions(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, **PLAIN)
    try:
        found = soak(kernel, 200, seed=0, say=lambda line: None)
    finally:
        kernel.close()
    assert found["tracebacks"] == [] and found["unprovoked"] == []
    assert found["differences"] == []
    assert found["hooks"] == 0 and found["untouched"]
    # After a hundred not all that is remembered is full yet.
    assert found["growth"] < 0.08
