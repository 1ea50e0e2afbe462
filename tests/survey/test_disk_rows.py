"""Rows on the disk: the same as in memory, and memory that does not grow with them."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camwidget.errors import DataError
from camwidget.evaluation.results_file import ResultsFile
from camwidget.survey import SurveyResult, disk_rows
from camwidget.survey.disk_rows import DiskFiles, DiskRows


@pytest.mark.parametrize("folder", [True, False])
def test_rows_and_files_are_what_was_appended(tmp_path: Path, folder: bool) -> None:
    place = tmp_path if folder else tmp_path / "not there"
    rows, files = DiskRows(place, np.float32), DiskFiles(place)
    contents = [b"one", b"", b"three" * 1000]
    for number, content in enumerate(contents):
        rows.append(np.full((2, 3), number, np.float16))
        files.append(content)
    array, stored = rows.mapped(), files.mapped()
    assert array.dtype == np.float32 and array[:, 1, 2].tolist() == [0, 1, 2]
    array[0] = 7  # in memory
    assert array[0, 0, 0] == 7
    assert list(stored) == contents and stored[-1] == contents[2] and stored[1:] == contents[1:]
    with pytest.raises(IndexError):
        _ = stored[3]
    for other in (pickle.loads(pickle.dumps(stored)), copy.deepcopy(stored)):
        assert list(other) == contents
    assert not list(tmp_path.iterdir()), "nothing is left over, whatever ends the process"


def test_none_at_all() -> None:
    assert DiskRows(None, np.uint8, (16, 16)).mapped().shape == (0, 16, 16)
    assert DiskRows(None, np.float32, (0,)).mapped().shape == (0, 0)
    assert list(DiskFiles(None).mapped()) == []


def test_rows_of_two_sizes_are_refused() -> None:
    rows = DiskRows(None, np.uint8)
    rows.append(np.zeros(3))
    with pytest.raises(DataError, match="damaged"):
        rows.append(np.zeros(4))


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(DataError, match="No space left.*TMPDIR"):
        DiskRows(None, np.uint8).append(np.zeros(3))
    monkeypatch.setattr(disk_rows.tempfile, "TemporaryFile", lambda: (_ for _ in ()).throw(OSError))
    with pytest.raises(DataError, match="TMPDIR"):
        DiskFiles(None)


def random_rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows as a survey has them, of 7 kB each."""
    rng = np.random.default_rng(0)

    def text(size: int, kind: Any = np.uint8) -> str:
        return base64.b64encode(rng.integers(0, 200, size).astype(kind).tobytes()).decode()

    for number in range(count):
        yield {
            "picture": number, "name": f"{number:06}.jpg", "label": number % 3, "label_name": str(number % 3),
            "prediction": 1, "prediction_name": "1", "confidence": 0.5, "truth_confidence": 0.25, "fault": None,
            "map": text(256), "features": text(512, np.float16), "embedding": text(512, np.float16),
            "thumbnail": text(2000), "concepts": {"thing": 0.5} if number % 2 else None,
        }  # fmt: skip


@pytest.mark.parametrize("with_path", [True, False])
def test_memory_does_not_grow_with_the_pictures(tmp_path: Path, with_path: bool) -> None:
    """Some hundred bytes a picture, of 7 kB in its row and 6 kB in the result."""

    def peak(count: int) -> tuple[int, int]:
        path = tmp_path / f"{count}.jsonl" if with_path else None
        rows = random_rows(count)
        tracemalloc.start()
        file = ResultsFile(path, {"model": "m"})
        for batch in range(count // 16):
            file.add(batch, [next(rows) for _ in range(16)])
        found = SurveyResult.from_rows(file.rows(), ["0", "1", "2"], [], file.facts, file.folder)
        file.close()
        memory = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found) == count and found.features.shape == (count, 512)
        assert found.accuracy == pytest.approx(1 / 3, abs=0.01) and len(found.thumbnails[3]) == 2000
        assert found.concepts["thing"].notna().sum() == count // 2
        return memory

    (few, few_peak), (many, many_peak) = peak(320), peak(1280)
    assert (many - few) / 960 < 400
    assert (many_peak - few_peak) / 960 < 700, "also on the way"
