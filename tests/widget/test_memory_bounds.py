"""Memory stays bounded: many explorers, a cell run again and again, large pictures, a large folder.

The bounds are larger than an allocator's noise, and smaller than the growth if something were kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import camwidget as cw
from camwidget.widget.control import cache

pytestmark = [
    pytest.mark.full,
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc"),
]


def done(what: str) -> dict[str, Any]:
    """What ``memory_measurement`` says, in a process of its own."""
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "support" / "memory_measurement.py"),
        what,
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "what", ["closed", "again"], ids=["eighty-explorers", "a-cell-run-twenty-times"]
)
def test_what_is_over_is_given_back(what: str) -> None:
    found = done(what)
    before, after = found["before"], found["after"]
    for kind in ("widgets", "comms", "threads", "files"):
        assert after[kind] <= before[kind], kind
    # Less than a third of a megabyte stays of each of sixty closed explorers; an open one caches about 12 MB.
    assert after["megabytes"] - before["megabytes"] < 20


def test_fifty_clicks_on_large_pictures() -> None:
    # ``memory_measurement.py resnet`` is the same for a ResNet-18, and the next test its worst part.
    found = done("large")
    assert found["peak"] < 600
    assert found["sheet"] < 450, "256 MiB are remembered, and the rest is on the screen"
    assert found["closed"] < 100


def test_largest_passes_of_a_large_picture() -> None:
    assert done("first layers")["peak"] < 600


def test_only_visible_thumbnails_of_a_large_folder_are_made(
    tmp_path: Path, textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "one.jpg")
    content = (tmp_path / "one.jpg").read_bytes()
    for number in range(9_999):
        (tmp_path / f"picture_{number:05}.jpg").write_bytes(content)
    made: list[int] = []
    thumbnail = cache.thumbnail
    monkeypatch.setattr(cache, "thumbnail", lambda p: made.append(1) or thumbnail(p))
    ex = cw.Explorer(textures, tmp_path).wait(600)
    try:
        assert len(ex.pictures) == 10_000 and len(made) <= 40
        ex.picture = 9_999
        ex.wait(600)
        assert len(made) <= 80 and ex.explanation is not None
        assert len(json.dumps(ex._parts.view.pictures)) < 500_000
    finally:
        ex.close()
