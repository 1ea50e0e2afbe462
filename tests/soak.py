"""Soak test: thousands of random interactions with one explorer in a real kernel, on the main thread and a subshell.

``python tests/soak.py --count 10000`` prints what it found, and fails if memory grows, a hook is left, a traceback or
an error is shown that nobody provoked, or the state at the end is another than the same state reached directly.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "support"))

from kernel_driver import Kernel, custom, update

SETUP = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent / "support")!r}]
import soak_kernel
side = soak_kernel.Side()
"""

#: One heap for all threads: else the memory of each thread's past shows as growth.
PLAIN = {"MALLOC_ARENA_MAX": "1"}

#: What a front end gone wrong might say.
JUNK: tuple[Any, ...] = (
    None, True, -1, 3, 10**30, 1.5, -0.1, float("nan"), float("inf"), "", "nope", "<b>", "\0", "0.5",
    [], [1, [2]], {}, {"a": {"b": None}}, "x" * 5000,
)  # fmt: skip
#: Traits that pages write, some that only the kernel writes, and one that there is not.
NAMES = (
    "target", "method", "layer", "mode", "baseline", "fraction", "picture", "outlines", "boxes", "opacity",
    "overlay", "cells", "colormap", "contour", "divider", "paint", "compare", "arrangement", "busy", "pictures",
    "colormaps", "nonsense",
)  # fmt: skip


class Facts(NamedTuple):
    """What there is to choose from."""

    view: str
    panels: str
    classes: int
    quick: list[str]
    slow: list[str]
    layers: list[str]
    pictures: int
    scenes: list[str]


class Deed(NamedTuple):
    """One interaction: to which widget what is said, and whether it may be refused."""

    comm: str
    data: Any
    provoking: bool = False


Make = Callable[[random.Random, Facts], Deed]


def junk(r: random.Random, f: Facts) -> Deed:
    what = r.choice(JUNK)
    data = r.choice(
        (
            update(**{r.choice(NAMES): what}),
            custom(what),
            custom({"type": what}),
            custom({"type": "pick", "x": what, "y": r.choice(JUNK)}),
            custom({"type": r.choice(("text", "propose")), "text": what}),
            {"method": what},
            what if isinstance(what, dict) else {"method": "update", "state": what},
        )
    )
    return Deed(f.view, data, provoking=True)


def point(r: random.Random) -> dict[str, int]:
    return {"x": r.randrange(192), "y": r.randrange(192)}


def stroke(r: random.Random, f: Facts) -> Deed:
    """A bar of a picture, painted to be hidden or kept, or nothing any more."""
    runs = (
        [0, r.randrange(20_000), r.choice((1, -1)), r.randrange(1, 4000)]
        if r.random() < 0.8
        else []
    )
    wire = {
        "scene": r.choice(f.scenes),
        "runs": runs,
        "stroke": r.randrange(1000),
        "painting": r.random() < 0.5,
    }
    return Deed(f.view, update(paint=wire), True)


def compared(r: random.Random, f: Facts) -> Deed:
    """Something beside the map shown, or nothing."""
    wire = r.choice(
        (
            {},
            {"method": r.choice(f.quick)},
            {"layer": r.choice(f.layers)},
            {"picture": r.randrange(f.pictures)},
        )
    )
    return Deed(f.view, update(compare=wire), True)


def state(name: str, choose: Callable[[random.Random, Facts], Any]) -> Make:
    return lambda r, f: Deed(f.view, update(**{name: choose(r, f)}))


#: Every kind of interaction, and how often it comes: another is another line.
KINDS: dict[str, tuple[int, Make]] = {
    "class": (14, state("target", lambda r, f: r.randrange(f.classes))),
    "slider": (24, state("fraction", lambda r, f: r.randrange(201) / 200)),
    "mode": (5, state("mode", lambda r, f: r.choice(("remove", "keep", "multiply")))),
    "fill": (5, state("baseline", lambda r, f: r.choice(("blur", "mean", "black") * 4 + ("inpaint",)))),
    # Not every method applies at every layer.
    "method": (9, lambda r, f: Deed(f.view, update(method=r.choice(f.quick)), True)),
    "layer": (9, lambda r, f: Deed(f.view, update(layer=r.choice(f.layers)), True)),
    "slow map": (2, lambda r, f: Deed(f.view, update(method=r.choice(f.slow)), True)),
    "cancel": (4, lambda r, f: Deed(f.view, custom({"type": "cancel"}))),
    "picture": (7, state("picture", lambda r, f: r.randrange(f.pictures))),
    "pick": (6, lambda r, f: Deed(f.view, custom({"type": "pick", **point(r)}), True)),
    "outlines": (2, state("outlines", lambda r, f: r.random() < 0.5)),
    "box": (2, state("boxes", lambda r, f: r.random() < 0.5)),
    "look": (3, state("opacity", lambda r, f: r.random())),
    "panel": (1, lambda r, f: Deed(f.panels, update(selected_index=r.choice((None, None, 0, 1, 2))))),
    "paint": (6, stroke),
    "compare": (4, compared),
    "arrangement": (1, state("arrangement", lambda r, f: r.choice(("side", "split", "difference")))),
    "undo": (4, lambda r, f: Deed(f.view, custom({"type": r.choice(("undo", "undo", "redo"))}), True)),
    "junk": (7, junk),
}  # fmt: skip


def soak(
    kernel: Kernel, count: int, seed: int = 0, *, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Do so many random things, and say what came of it."""
    r = random.Random(seed)
    kernel.execute(SETUP)
    facts = Facts(**kernel.value("side.facts()"))
    threads = (None, kernel.subshell())
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    done: Counter[str] = Counter()
    unprovoked: list[str] = []
    errors: Counter[str] = Counter()
    samples: list[float] = []
    step = max(60, count // 20)
    start = time.monotonic()
    while sum(done.values()) < count:
        burst = r.choices(names, weights, k=min(r.randint(1, 20), count - sum(done.values())))
        provoking = False
        for name in burst:
            deed = KINDS[name][1](r, facts)
            provoking = provoking or deed.provoking
            kernel.tell(deed.comm, deed.data, r.choice(threads))
            if r.random() < 0.1:
                time.sleep(0.03)
        before = sum(done.values())
        done.update(burst)
        said = kernel.value("side.settle()")
        errors.update(said)
        unprovoked += [text for text in said if not provoking or side_is_raw(text)]
        if before // step != sum(done.values()) // step:
            samples.append(kernel.value("side.memory()"))
            say(f"{sum(done.values())} in {time.monotonic() - start:.0f} s, {samples[-1]:.1f} MB")
    # Now and then some 20 MB of workspace come, and go again: what would leak is the floor below them.
    third, libraries = len(samples) // 3, kernel.value("side.libraries()")
    early, late = min(samples[1 : 1 + third]), min(samples[-third:])
    return {
        "interactions": dict(done),
        "seconds": round(time.monotonic() - start),
        "MB, libraries": libraries,
        "MB, floor of the beginning": early,
        "MB, floor of the end": late,
        "growth": (late - early) / (libraries + early),
        "hooks": kernel.value("side.hooks()"),
        "untouched": kernel.value("side.untouched()"),
        "unprovoked": unprovoked,
        "tracebacks": kernel.tracebacks,
        "differences": kernel.value("side.differences()"),
        "errors": dict(errors.most_common(12)),
    }


def side_is_raw(text: str) -> bool:
    """Whether a text shows an exception that nobody has put into words."""
    return text.split(":")[0].endswith(("Error", "Exception"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder), **PLAIN)
        try:
            found = soak(kernel, options.count, options.seed, say=lambda x: print(x, flush=True))
        finally:
            kernel.close()
    print(json.dumps(found, indent=1, ensure_ascii=False))
    bad = found["unprovoked"] or found["tracebacks"] or found["differences"] or found["hooks"]
    return int(bool(bad) or not found["untouched"] or found["growth"] >= 0.02)


if __name__ == "__main__":
    sys.exit(main())
