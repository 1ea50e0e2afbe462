"""Results files: nothing is lost, computed twice or mixed up."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from module_fingerprint import fingerprint
from PIL import Image
from small_models import CHANCE, ODD, Small, labeled, seen, small_model
from torchvision.datasets import FakeData

import camwidget as cw
from camwidget.errors import CamwidgetWarning, DataError
from camwidget.evaluation import results_file
from camwidget.evaluation.results_file import ResultsFile

METHODS = ("gradcam", "random")
METRICS = ("complexity", CHANCE)


def run(model: cw.VisionModel, results: Path | None, count: int = 10, **options) -> cw.Evaluation:
    options = {"methods": METHODS, "metrics": METRICS, "batch": 2, **options}
    return cw.evaluate(model, labeled(count), results=results, **options)


def assert_same(one: cw.Evaluation, other: cw.Evaluation) -> None:
    """To the bit."""
    for name in ("rows", "skipped", "table", "ranks"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.curves.keys() == other.curves.keys()
    for name, frame in one.curves.items():
        pd.testing.assert_frame_equal(frame, other.curves[name], check_exact=True)


class EnoughError(Exception):
    """Somebody cancels."""


def stop_at(last: int, error: type[BaseException]):
    def progress(done: int, total: int) -> None:
        if done >= last:
            raise error

    return progress


@pytest.mark.full
def test_a_killed_run_goes_on_where_it_was(tmp_path):
    path = tmp_path / "run.jsonl"
    script = Path(__file__).parents[1] / "support" / "interrupted_run.py"
    done = subprocess.run([sys.executable, script, path, "8"], check=False, timeout=120)
    assert done.returncode == -9
    assert pd.read_json(path, lines=True)["picture"].nunique() == 8

    options = {"metrics": ("drop", "deletion"), "batch": 4}
    model = small_model()
    marks: dict[int, int] = {}
    seen(model)
    whole = run(
        model,
        None,
        20,
        progress=lambda done, total: marks.setdefault(done, model.module.counted.pictures),
        **options,
    )
    left = seen(model) - marks[8]
    assert left > 3 * 4 * 20, "deletion asks many times a picture"
    resumed = run(model, path, 20, **options)
    assert_same(whole, resumed)
    assert seen(model) == left
    run(model, path, 20, **options)
    assert seen(model) == 0


def test_every_batch_is_computed_once(tmp_path):
    path = tmp_path / "run.jsonl"
    model = small_model()
    seen(model)
    for last in (2, 6):
        with pytest.raises(EnoughError):
            run(model, path, progress=stop_at(last, EnoughError))
    # The methods share one pass, and these metrics ask for none.
    assert seen(model) == 6
    whole = run(small_model(), None)
    assert_same(run(model, path), whole)
    assert seen(model) == 4
    assert_same(run(model, path), whole)
    assert seen(model) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, EnoughError])
def test_an_interrupted_run_leaves_the_model_alone(tmp_path, error):
    model = small_model()
    model.module.train()
    before = fingerprint(model.module)
    threads = torch.get_num_threads()
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise error

    with pytest.raises(error):
        run(model, tmp_path / "run.jsonl", metrics=("deletion", "drop"), progress=progress)
    assert fingerprint(model.module) == before
    assert torch.get_num_threads() == threads
    run(model, tmp_path / "run.jsonl", metrics=("deletion", "drop"))
    assert fingerprint(model.module) == before


def test_what_was_cut_short_is_computed_again(tmp_path):
    path = tmp_path / "run.jsonl"
    whole = run(small_model(), path, 6)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    assert len(ends) == 12
    for cut in (0, 1, 9, 100, ends[0], ends[3] - 1, ends[3], ends[3] + 1, ends[5], ends[11] - 1):
        path.write_bytes(data[:cut])
        model = small_model()
        seen(model)
        assert_same(run(model, path, 6), whole)
        finished = sum(1 for end in ends if end <= cut) // 4
        assert seen(model) == 6 - 2 * finished
        assert path.read_bytes() == data
    # Power that fails may leave zeros where a line was to be.
    path.write_bytes(data[: ends[3]] + bytes(50))
    assert_same(run(small_model(), path, 6), whole)
    assert path.read_bytes() == data


def test_damage_in_the_middle_is_not_passed_over(tmp_path):
    path = tmp_path / "run.jsonl"
    run(small_model(), path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = b'{"torn": \n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match="damaged: line 5"):
        run(small_model(), path, 6)
    assert path.read_bytes() == b"".join(lines)


def test_lines_that_were_sorted_taken_out_or_doubled_are_damage(tmp_path):
    path = tmp_path / "run.jsonl"
    run(small_model(), path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, number in (
        ([*lines[:4], lines[5], lines[4], *lines[6:]], 6),
        ([*lines[:2], *lines[3:]], 3),
        ([*lines, *lines[-4:]], len(lines) + 1),
        ([*lines[:4], *(line.replace(b'"batch": 1', b'"batch": -1') for line in lines[4:])], 5),
        ([lines[0], lines[1].replace(b'"picture":', b'"image":'), *lines[2:]], 2),
        ([*lines[:3], b"[" * 100_000 + b"\n", *lines[3:]], 4),
    ):
        path.write_bytes(b"".join(changed))
        with pytest.raises(DataError, match=f"damaged: line {number}: "):
            run(small_model(), path, 6)
        assert path.read_bytes() == b"".join(changed)


def test_a_file_of_another_run_is_refused_with_what_differs(tmp_path):
    path = tmp_path / "run.jsonl"
    run(small_model(), path, 4)
    data = path.read_bytes()
    other = small_model()
    with torch.no_grad():
        other.module.head.bias[0] += 1e-3
    renamed = cw.wrap(Small(), cw.Preprocess(32), ["a", "b", "c", "d"], name="small")
    deletion = cw.get_metric("deletion", steps=5)
    for model, options, message in (
        (other, {}, "weights was"),
        (small_model(cw.Preprocess(32, resize=40)), {}, "weights was"),
        (renamed, {"target": "predicted", "count": 4}, "weights was"),
        (small_model(), {"methods": "gradcam"}, r'methods was \{.*random.*is \{"gradcam": \{\}\}'),
        (small_model(), {"metrics": deletion}, 'metrics was .* is .*"steps": 5'),
        (small_model(), {"layers": "first"}, "layers was"),
        (small_model(), {"seed": 1}, "seed was 0 and is 1"),
        (small_model(), {"precision": "bf16"}, 'precision was "fp32" and is "bf16"'),
        (small_model(), {"batch": 3}, "batch was 2 and is 3"),
        (small_model(), {"count": 5}, "pictures was 4 and is 5"),
        (small_model(), {"target": "predicted"}, 'target was "label"'),
    ):
        seen(small_model())
        data_of = labeled(options.pop("count", 4))
        if model is renamed:
            data_of = [p for p, _ in data_of]
        everything = {"methods": METHODS, "metrics": METRICS, "batch": 2, **options}
        with pytest.raises(DataError, match=message) as caught:
            cw.evaluate(model, data_of, results=path, **everything)
        assert "give another file" in str(caught.value)
    assert path.read_bytes() == data


def test_other_pictures_classes_and_truths_are_another_run(tmp_path):
    """Of the same names and number: nothing that the file has is said of them."""
    first, second = ([(p, c, np.eye(32, k=k) > 0) for p, c in labeled(2)] for k in (0, 5))
    others = [(p, c) for (p, _), (_, c) in zip(labeled(4)[2:], labeled(2), strict=True)]
    files = [tmp_path / name / "1.png" for name in "ab"]
    for file, (image, _) in zip(files, labeled(2), strict=True):
        file.parent.mkdir()
        Image.fromarray(image).save(file)
    things, fake = [(p, "thing") for p, _ in labeled(2)], FakeData(2, (3, 32, 32), 4)
    for number, (before, after, old, new) in enumerate(
        (
            (labeled(2), others, None, None),
            (first, second, None, None),
            ([(files[0], "ant")], [(files[1], "ant")], None, None),
            (things, things, {"thing": "ant"}, {"thing": "bee"}),
            (fake, fake, {0: 1}, {0: 2}),
        )
    ):
        options = {"methods": "random", "metrics": "complexity", "results": tmp_path / f"{number}"}
        cw.evaluate(small_model(), before, classes=old, **options)
        with pytest.raises(DataError, match="names and classes was"):
            cw.evaluate(small_model(), after, classes=new, **options)


def test_a_setting_that_is_said_is_the_same_as_one_that_is_not(tmp_path):
    path = tmp_path / "run.jsonl"
    run(small_model(), path, 4, metrics="deletion")
    model = small_model()
    seen(model)
    run(model, path, 4, metrics=cw.get_metric("deletion", steps=21))
    assert seen(model) == 0


def test_a_run_of_another_version_is_refused(tmp_path):
    path = tmp_path / "run.jsonl"
    run(small_model(), path, 4)
    path.write_text(
        path.read_text().replace(f'"camwidget": "{cw.__version__}"', '"camwidget": "0"')
    )
    with pytest.raises(DataError, match='camwidget was "0" and is'):
        run(small_model(), path, 4)


def test_a_file_that_is_no_results_is_left_alone(tmp_path):
    for text in ("my thesis", "my thesis\nchapter 1\n", '{"a": 1}\n', "[1]\n"):
        path = tmp_path / "thesis.txt"
        path.write_text(text)
        with pytest.raises(DataError, match="no file of results"):
            run(small_model(), path)
        assert path.read_text() == text


def test_a_file_that_cannot_be_written(tmp_path):
    model = small_model()
    seen(model)
    for path in (tmp_path / "no" / "run.jsonl", tmp_path):
        with pytest.raises(DataError, match="cannot be kept"):
            run(model, path)
    path = tmp_path / "run.jsonl"

    def progress(done: int, total: int) -> None:
        if done == 4:
            with pytest.raises(DataError, match="in use"):
                run(small_model(), path)

    run(model, path, progress=progress)
    assert seen(model) == 10


class Locking:
    """``msvcrt`` of Windows, as far as it locks: a byte of a file, for one handle."""

    LK_UNLCK, LK_NBLCK = 0, 2

    def __init__(self) -> None:
        self.locked: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        assert count == 1 and place[1] > 10**9, "nobody can read a byte that is locked"
        if mode == self.LK_UNLCK:
            assert self.locked.pop(place) == descriptor
        elif self.locked.setdefault(place, descriptor) != descriptor:
            raise PermissionError(errno.EACCES, "Permission denied")


def test_a_file_is_locked_on_windows_too(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file, "_fcntl", None)
    monkeypatch.setattr(results_file, "_msvcrt", Locking())
    path = tmp_path / "run.jsonl"
    facts = {"a": 1}
    first = ResultsFile(path, facts)
    with pytest.raises(DataError, match=r"in use by another evaluation: wait for it"):
        ResultsFile(path, facts)
    first.add(0, [{"picture": 0}])
    first.close()
    second = ResultsFile(path, facts)
    second.add(1, [{"picture": 1}])
    second.close()
    third = ResultsFile(path, facts)
    assert [row["picture"] for row in third.rows()] == [0, 1]
    third.close()
    assert results_file._msvcrt.locked == {}


class NoLocks:
    """``fcntl`` on a file system without locks."""

    LOCK_EX, LOCK_NB = 2, 4

    @staticmethod
    def flock(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("module", [NoLocks, None])
def test_where_nothing_can_be_locked(tmp_path, monkeypatch, module):
    """It is said, and who writes behind somebody's back is found out before anything is mixed up."""
    monkeypatch.setattr(results_file, "_fcntl", module)
    monkeypatch.setattr(results_file, "_msvcrt", None)
    path = tmp_path / "run.jsonl"
    with pytest.warns(CamwidgetWarning, match="cannot be locked .*no other evaluation writes"):
        first, second = ResultsFile(path, {"a": 1}), ResultsFile(path, {"a": 1})
    first.add(0, [{"picture": 0}])
    first.add(1, [{"picture": 1}])
    with pytest.raises(DataError, match=r"run\.jsonl' has been written to by somebody else since"):
        second.add(0, [{"picture": 0}])
    first.close()
    second.close()
    with pytest.warns(CamwidgetWarning):
        rows = list(ResultsFile(path, {"a": 1}).rows())
    assert [row["picture"] for row in rows] == [0, 1]


@pytest.mark.full
def test_two_processes_that_begin_together(tmp_path):
    """One has the file, the other is refused; whichever, nothing is lost."""
    code = (
        "import sys\n"
        "from camwidget.errors import DataError\n"
        "from camwidget.evaluation.results_file import ResultsFile\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    made = ResultsFile(sys.argv[1], {'a': 1})\n"
        "except DataError as error:\n"
        "    print(error, flush=True)\n"
        "else:\n"
        "    made.add(0, [{'picture': 0}])\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    path = tmp_path / "run.jsonl"
    command = [sys.executable, "-c", code, str(path)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    lines = sorted(process.stdout.readline() for process in running)
    for process in running:
        process.communicate(timeout=60)
    assert lines[1] == "written\n" and "in use by another evaluation" in lines[0]
    assert len(list(ResultsFile(path, {"a": 1}).rows())) == 1


def test_a_full_disk(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "run.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(DataError, match="make room"):
            run(small_model(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 0 < len(path.read_bytes()) < 4000
    assert_same(run(small_model(), path), run(small_model(), None))


def test_the_file_is_a_table_for_pandas(tmp_path):
    path = tmp_path / "run.jsonl"
    bad = [*labeled(3), (tmp_path / "none.png", 0)]
    found = cw.evaluate(
        small_model(), bad, METHODS, ["deletion", "complexity", ODD], results=path, batch=2
    )
    table = pd.read_json(path, lines=True, precise_float=True)
    assert len(table) == 7
    assert table["run"].nunique() == 1
    assert table["facts"].notna().sum() == 1
    assert table["error"].notna().sum() == 1
    scored = table[table["error"].isna()].reset_index(drop=True)
    for name in ("deletion", "complexity", "confidence"):
        assert scored[name].tolist() == found.rows[name].tolist()
    # Rows that one reads without pandas: no NaN, which JSON has not.
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert scored["odd"].isna().all()
    assert [n["odd"] for n in scored["notes"]] == ["infinite"] * 2 + ["an odd picture"] * 2 + [
        "infinite"
    ] * 2


def test_numbers_do_not_depend_on_the_limit_or_on_what_came_before():
    whole = run(small_model(), None, 8)
    part = run(small_model(), None, 8, limit=4)
    assert part.rows["picture"].unique().tolist() == [0, 2, 4, 6]
    chance = whole.rows.set_index(["picture", "method"])["chance"]
    assert part.rows["chance"].tolist() == [
        chance[key] for key in zip(part.rows["picture"], part.rows["method"], strict=True)
    ]
    assert not np.allclose(run(small_model(), None, 8, seed=1).rows["chance"], whole.rows["chance"])
    assert all(0 <= c < 1 and not math.isnan(c) for c in chance)


@pytest.mark.parametrize(
    "change",
    [
        lambda module: module.register_forward_hook(lambda *args: None),
        lambda module: setattr(module, "gain", 2.0),
        lambda module: setattr(module, "forward", lambda x: x),
    ],
    ids=["a hook", "a number", "forward"],
)
def test_a_module_that_computes_something_else_is_another_one(tmp_path, change):
    model = small_model()
    path = tmp_path / "run.jsonl"
    with pytest.raises(EnoughError):
        run(model, path, progress=stop_at(4, EnoughError))
    change(model.module)
    with pytest.raises(DataError, match="another evaluation: weights"):
        run(model, path)
