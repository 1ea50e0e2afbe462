"""Short trainings of the zoo's models, side by side: each keeps but one core busy."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def trained_shortly(request: pytest.FixtureRequest) -> Iterator[Callable[[str], nn.Module]]:
    """A model of the zoo after a short training from nothing."""
    # Of one test asked for by itself, the others' models are not trained.
    asking = [
        item.nodeid
        for item in request.session.items
        if "trained_shortly" in getattr(item, "fixturenames", ())
    ]
    running: dict[str, Future[nn.Module]] = {}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ProcessPoolExecutor(
        max(1, cores or 1),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:

        def start(name: str) -> None:
            if name not in running:
                steps = STEPS[name]
                running[name] = pool.submit(train, name, steps=steps, seed=3, progress=False)

        def get(name: str) -> nn.Module:
            start(name)
            return running[name].result()

        for name in STEPS:
            if any(name in node for node in asking):
                start(name)

        yield get
        pool.shutdown(cancel_futures=True)
