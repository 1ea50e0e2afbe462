"""Script that runs an evaluation, and is killed in the middle of a batch by the test."""

from __future__ import annotations

import os
import signal
import sys

from small_models import labeled, seen, small_model

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
        labeled(20),
        ["gradcam", "random"],
        ["drop", "deletion"],
        batch=4,
        results=results,
        progress=progress,
    )
