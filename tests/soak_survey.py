"""Soak test of a survey: many pictures, the process killed and resumed twice, and the same table as without.

``python tests/soak_survey.py --count 10000`` prints seconds, the size of the file and the memory at its peak, and fails
if a picture is lost or a row differs from that of an undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Drawn:
    """A data set of beetles that are drawn when they are read, so that memory shows what the survey keeps."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> object:
        from camwidget.zoo import bias

        if number >= self.count:
            raise IndexError(number)
        (sample,) = bias.unseen(5_000_000 + number, 1, "balanced")
        return sample.image, sample.names[0]

    def __iter__(self) -> Iterator[object]:
        return (self[n] for n in range(self.count))


def survey(path: str, count: int, stop: int) -> None:
    """Survey, and kill this process when ``stop`` pictures are done."""
    import camwidget as cw
    from camwidget.survey import survey_pictures

    def progress(done: int, total: int) -> None:
        if done >= stop:
            print(peak(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    model = cw.load("zoo/biased", device="cpu")
    found = survey_pictures(model, Drawn(count), results=path, progress=progress)
    assert len(found) == count, (len(found), count)
    print(peak(), flush=True)


def peak() -> float:
    """The process's memory at its peak, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(path: Path, count: int, stop: int) -> int:
    command = [sys.executable, __file__, "--child", str(path), str(count), str(stop)]
    start = time.monotonic()
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(f"  until {min(stop, count)}: {time.monotonic() - start:.0f} s, {done.stdout.strip()} MB")
    return done.returncode


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--child", nargs=3)
    given = options.parse_args()
    if given.child:
        path, count, stop = given.child
        survey(path, int(count), int(stop))
        return
    count = given.count
    with tempfile.TemporaryDirectory() as folder:
        killed, whole = Path(folder) / "killed.jsonl", Path(folder) / "whole.jsonl"
        for stop in (count // 3, 2 * count // 3):
            assert child(killed, count, stop) == -signal.SIGKILL
            # A kill in the middle of a write leaves a truncated line.
            with killed.open("a") as file:
                file.write('{"run": "cut')
        assert child(killed, count, count + 1) == 0
        assert child(whole, count, count + 1) == 0
        assert rows(killed) == rows(whole), "a row differs"
        size = whole.stat().st_size / 1e6
        print(f"{count} pictures, killed and resumed twice: the same table; {size:.1f} MB")


if __name__ == "__main__":
    main()
