"""Evaluates, and is killed in the middle of a batch: a process of its own, since nothing survives a SIGKILL."""

from __future__ import annotations

import os
import signal
import sys

from small import labelled, seen, small_model

import camwidget as cw

if __name__ == "__main__":
    results, last = sys.argv[1], int(sys.argv[2])
    model = small_model()
    seen(model)

    def progress(done: int, total: int) -> None:
        # Reported within a batch too: what is done of it is lost.
        if done >= last and model.module.counted.pictures > done:
            os.kill(os.getpid(), signal.SIGKILL)

    cw.evaluate(
        model,
        labelled(20),
        ["gradcam", "random"],
        ["drop", "deletion"],
        batch=4,
        results=results,
        progress=progress,
    )
