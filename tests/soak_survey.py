"""Soak test of a survey: many pictures, the process killed and resumed twice, and the same table as without.

``python tests/soak_survey.py --count 10000`` prints seconds, the size of the file and the memory on the way, and fails
if a picture is lost, a row differs from that of an undisturbed run, or more of it is kept in memory.
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

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent


#: Side of the pictures, and how many are drawn; the others are drawn ones that are shifted in a circle.
SIDE, DISTINCT = 64, 400


def draw(path: Path) -> None:
    """Write the drawn pictures and their classes, so that no process draws them again."""
    from camwidget.zoo import bias

    drawn = list(bias.unseen(5_000_000, DISTINCT, "balanced"))
    images = [Image.fromarray(sample.image).resize((SIDE, SIDE)) for sample in drawn]
    names = [sample.names[0] for sample in drawn]
    np.savez(path, images=np.stack([np.asarray(image) for image in images]), names=np.array(names))


class Shifted:
    """A data set of beetles that are made when they are read, so that memory shows what the survey keeps."""

    def __init__(self, drawn: Path, count: int) -> None:
        with np.load(drawn) as file:
            self.images, self.names = file["images"], file["names"].tolist()
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> object:
        import torch

        if number >= self.count:
            raise IndexError(number)
        shift, place = divmod(number, DISTINCT)
        image = np.roll(self.images[place], 2 * shift, (0, 1))
        # Pixels at the size at which the net runs, which is convolutional.
        return torch.from_numpy(image).permute(2, 0, 1) / 255, self.names[place]

    def __iter__(self) -> Iterator[object]:
        return (self[n] for n in range(self.count))


def survey(drawn: Path, path: str, count: int, stop: int) -> None:
    """Survey, kill this process when ``stop`` pictures are done, and print its memory on the way."""
    import camwidget as cw
    from camwidget.survey import survey_pictures

    #: By number of pictures; about fifty of them, since the allocator gives and takes some MB at any time.
    memory: dict[int, float] = {}

    def progress(done: int, total: int) -> None:
        if not memory or done - max(memory) >= total // 50 or done == total:
            memory[done] = resident()
        if done >= stop:
            print(tenths(memory, total), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    model = cw.load("zoo/biased", device="cpu")
    found = survey_pictures(model, Shifted(drawn, count), results=path, progress=progress)
    assert len(found) == count, (len(found), count)
    print(tenths(memory, count), f"with the table {resident():.0f}", flush=True)
    # Rows, maps, features and thumbnails are on the disk. The first pictures fill the allocator's own stores.
    late = {done: m for done, m in memory.items() if done >= min(memory) + count // 10}
    slope = 1000 * float(np.polyfit(list(late), list(late.values()), 1)[0])
    print(f"  {slope:.2f} kB a picture", flush=True)
    # A resumed run has too few of them to tell growth from the allocator.
    assert max(late) - min(late) < 5000 or slope < 2, (
        "more is kept of each picture than where it is"
    )


def tenths(memory: dict[int, float], total: int) -> str:
    """The first measurement of each tenth of the pictures, in MB."""
    found: dict[int, float] = {}
    for done, megabytes in memory.items():
        found.setdefault(10 * done // total, megabytes)
    return " ".join(f"{megabytes:.0f}" for megabytes in found.values())


def resident() -> float:
    """The process's memory in MB, without that of files and what the allocator keeps for later."""
    from camwidget.runtime.caches import trim_heap

    trim_heap()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def child(drawn: Path, path: Path, count: int, stop: int) -> int:
    given = [str(drawn), str(path), str(count), str(stop)]
    before, start = used(), time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__, "--child", *given],
        check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        # The table is to be the same to the last digit.
        env={**os.environ, "CAMWIDGET_BATCHES": "fixed"},
    )  # fmt: skip
    seconds = f"{time.monotonic() - start:.0f} s, {used() - before:.0f} s of processor time"
    print(f"  until {min(stop, count)}: {seconds}; MB by tenth: {done.stdout.strip()}", flush=True)
    return done.returncode


def used() -> float:
    """Processor time of the children so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--child", nargs=4)
    given = options.parse_args()
    if given.child:
        drawn, path, count, stop = given.child
        survey(Path(drawn), path, int(count), int(stop))
        return
    count = given.count
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.npz"
        draw(drawn)
        killed, whole = Path(folder) / "killed.jsonl", Path(folder) / "whole.jsonl"
        for stop in (count // 3, 2 * count // 3):
            assert child(drawn, killed, count, stop) == -signal.SIGKILL
            # A kill in the middle of a write leaves a truncated line.
            with killed.open("a") as file:
                file.write('{"run": "cut')
        assert child(drawn, killed, count, count + 1) == 0
        assert child(drawn, whole, count, count + 1) == 0
        assert rows(killed) == rows(whole), "a row differs"
        size = whole.stat().st_size / 1e6
        print(f"{count} pictures, killed and resumed twice: the same table; {size:.1f} MB")


if __name__ == "__main__":
    main()
