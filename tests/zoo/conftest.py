"""Short trainings of the zoo's models, beside the other tests, which leave a core free for much of the time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor

import pytest
import torch
from torch import nn

from camwidget.zoo.train import train

#: Steps in which each model learns far more than chance, in the order in which the tests ask for them.
STEPS = {
    "unbiased": 450,
    "biased": 60,
    "scenes": 240,
    "scenes-max": 240,
    "scenes-fc": 240,
    "scenes-weak": 240,
    "captions": 160,
    "vqa": 160,
    "vqa-attention": 160,
    "textures": 90,
}

#: Of a test without parameters.
DEFAULT = "textures"

_POOL = pytest.StashKey[ProcessPoolExecutor]()
_RUNNING = pytest.StashKey[dict[str, Future[nn.Module]]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the trainings that will be asked for on all cores but one: by then, most are done."""
    # Of one test asked for by itself, the others' models are not trained.
    asked: set[object] = set()
    for item in session.items:
        if "trained_shortly" in getattr(item, "fixturenames", ()):
            asked |= set(item.callspec.params.values()) if hasattr(item, "callspec") else {DEFAULT}
            item.add_marker(pytest.mark.timeout(900))  # the time is another process's
    names = [name for name in STEPS if name in asked]
    if not names or session.config.option.collectonly:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool = ProcessPoolExecutor(
        max(1, (cores or 1) - 1),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    )
    session.stash[_POOL] = pool
    session.stash[_RUNNING] = {
        name: pool.submit(train, name, steps=STEPS[name], seed=3, progress=False) for name in names
    }


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nobody waits for what was not asked for, as after a failure with -x."""
    pool = session.stash.get(_POOL, None)
    if pool is None:
        return
    workers = [p for p in multiprocessing.active_children() if p.name.startswith("Spawn")]
    waits = all(training.done() for training in session.stash[_RUNNING].values())
    pool.shutdown(wait=waits, cancel_futures=True)
    if not waits:
        for worker in workers:
            worker.terminate()


@pytest.fixture(scope="session")
def trained_shortly(request: pytest.FixtureRequest) -> Callable[[str], nn.Module]:
    """A model of the zoo after a short training from nothing."""
    return lambda name: request.session.stash[_RUNNING][name].result()
