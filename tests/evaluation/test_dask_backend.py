"""Evaluation on a Dask cluster of two processes, one of which is killed: results are bitwise equal."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from unittest.mock import create_autospec

import pandas as pd
import pytest
from PIL import Image

import camwidget as cw
from camwidget.errors import CamwidgetError, DataError
from camwidget.evaluation import dask_backend
from camwidget.evaluation.items import Item
from camwidget.zoo import textures

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

OPTIONS = {"methods": ["gradcam", "random"], "metrics": ["drop", "complexity"], "batch": 2}


@pytest.fixture(autouse=True)
def own_environment():
    """A nanny sets OMP_NUM_THREADS=1 in this process, too: whatever is started later would have one thread."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def folder(root: Path, count: int) -> Path:
    for n in range(count):
        sample = textures.draw(n)
        path = root / sample.classes[sample.label] / f"{n}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(sample.image).save(path)
    return root


def unpacked() -> tuple[int, list[int]]:
    return os.getpid(), list(dask_backend._unpack_counts.values())


def assert_same(one: cw.Evaluation, other: cw.Evaluation) -> None:
    for name in ("rows", "skipped", "table", "ranks"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


@pytest.mark.full
def test_a_worker_that_is_killed_costs_nothing_but_its_batch(tmp_path):
    model = cw.load(device="cpu")
    root = folder(tmp_path, 24)
    (root / "bubbly").mkdir(exist_ok=True)
    (root / "bubbly" / "broken.png").write_text("broken")
    alone = cw.evaluate(model, root, **OPTIONS)
    results = tmp_path / "run.jsonl"
    killed: list[int] = []
    # How long Dask knocks at the door of one who is dead, before it looks elsewhere: 30 s by default.
    patience = {"distributed.comm.timeouts.connect": "2s"}
    with (
        dask.config.set(patience),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))

        def progress(done: int, total: int) -> None:
            if done >= 6 and not killed:
                killed.append(victim)
                os.kill(victim, signal.SIGKILL)

        spread = cw.evaluate(
            model, root, client=client, results=results, progress=progress, **OPTIONS
        )
        assert killed
        for pid, times in client.run(unpacked).values():
            assert pid != victim
            assert times in ([], [1])  # a new worker may have come too late to be needed

        # An error of the work is an error here, and what is under way is called off.
        with pytest.raises(KeyboardInterrupt):
            cw.evaluate(model, root, client=client, progress=_interrupt, **OPTIONS)
        deadline = time.monotonic() + 20
        while any(client.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(client.processing().values())
    assert_same(spread, alone)
    assert spread.skipped["name"].tolist() == ["bubbly/broken.png"]
    # And what the cluster wrote, one process takes up.
    assert_same(cw.evaluate(model, root, results=results, **OPTIONS), alone)


def _interrupt(done: int, total: int) -> None:
    if done >= 4:
        raise KeyboardInterrupt


@pytest.mark.full
def test_threads_as_workers_and_files_that_they_do_not_see(tmp_path, monkeypatch):
    from camwidget.evaluation import dask_backend

    model = cw.load(device="cpu")
    root = folder(tmp_path, 5)
    alone = cw.evaluate(model, root, **OPTIONS)
    refused: list[Path] = []

    def is_here(path: Path) -> bool:
        refused.append(path)
        return False

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as workers,
        distributed.Client(workers) as client,
    ):
        assert_same(cw.evaluate(model, root, client=client, **OPTIONS), alone)
        monkeypatch.setattr(dask_backend, "_exists", is_here)  # as on another machine
        assert_same(cw.evaluate(model, root, client=client, **OPTIONS), alone)
    assert refused


class Lost:
    """A future whose workers died."""

    def result(self):
        raise distributed.KilledWorker("task", None, 0)


class Completed(list):
    """Futures in the order in which they end."""

    add = list.append

    def __next__(self):
        return self.pop(0)


def test_pictures_that_kill_every_worker_are_named(monkeypatch):
    """The third worker is the last that is tried; each gets the plan again, which went with the one before."""
    sent = []
    client = create_autospec(distributed.Client, instance=True, asynchronous=False)
    client.nthreads.return_value = {"one": 1}
    client.submit.side_effect = lambda function, *_, **__: sent.append(function) or Lost()
    monkeypatch.setattr(distributed, "as_completed", Completed)
    batches = iter([(0, [Item(0, "a.png"), Item(1, "b.png")])])
    with pytest.raises(CamwidgetError, match=r"3 workers in turn .* from a\.png to b\.png"):
        list(dask_backend.run_on_cluster(client, "the plan", batches))
    assert sent == 3 * [dask_backend._identity, dask_backend._work]


def test_workers_that_see_no_files_get_what_is_in_them(tmp_path):
    (path,) = folder(tmp_path, 1).glob("*/*.png")
    assert dask_backend._with_contents(Item(0, "0.png", path)).picture == path.read_bytes()
    gone = Item(1, "1.png", tmp_path / "gone.png")
    assert dask_backend._with_contents(gone) is gone, "the worker says what is wrong"


def test_workers_of_another_version_are_refused():
    packed = dask_backend._PackedPlan(b"", "a plan", ("0.0.1", "1.0"), 1)
    with pytest.raises(CamwidgetError, match=r"the client 0\.0\.1 with 1\.0: install the same"):
        dask_backend._unpack(packed)


def test_without_dask(monkeypatch):
    model = cw.load(device="cpu")
    with pytest.raises(DataError, match="Client"):
        cw.evaluate(model, [textures.draw(0)], client="tcp://127.0.0.1:1", **OPTIONS)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CamwidgetError, match=r"camwidget\[dask\]"):
        cw.evaluate(model, [textures.draw(0)], client=object(), **OPTIONS)
