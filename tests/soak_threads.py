"""Thousands of interactions with one explorer from three threads, beside a training of the same module.

``python tests/soak_threads.py --count 10000`` prints what it found, and fails if anything hangs, raises or logs a
traceback, if what is shown in the end is not what is requested, if memory grows, or if the weights are not bit for
bit those of the same training alone.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import ctypes
import faulthandler
import gc
import json
import logging
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "support"))

import numpy as np
import torch
import traitlets
from explorer_internals import panels_of, parts_of, receive, send_from_page, view_of, worker_of
from torch import nn

import camwidget as cw
from camwidget.masking.user_mask import encode
from camwidget.widget.control.context import TWO_WAY_TRAITS

SIDE = 32
CLASSES = ("ant", "bee", "cat", "dog", "emu")
QUICK = ("gradcam", "gradcam++", "layercam", "hirescam", "saliency")
SLOW = ("scorecam", "occlusion", "rise")
LAYERS = ("0", "4")
#: Seconds after which what is waited for is taken to hang.
PATIENCE = 120.0

#: What a page gone wrong might send, and code might set.
JUNK: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, float("nan"), float("inf"), "", "nope", "\0", [], {}, {"a": {"b": None}}, "x" * 2000,
)  # fmt: skip


def net() -> nn.Sequential:
    """A small net with what a training changes beside weights: batch statistics, and random numbers."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(8, len(CLASSES)),
    )  # fmt: skip


class Training:
    """Trains a module step by step on the calling thread.

    Dropout draws from PyTorch's own generator, of which the explorer's passes may take nothing.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.train()
        self.optimizer = torch.optim.SGD(module.parameters(), 0.001, momentum=0.9)
        data = torch.Generator().manual_seed(2)
        self.pictures = torch.rand(64, 3, SIDE, SIDE, generator=data)
        self.classes = torch.randint(len(CLASSES), (64,), generator=data)
        self.steps = 0
        torch.manual_seed(3)

    def step(self) -> None:
        first = 8 * self.steps % 64
        loss = nn.functional.cross_entropy(
            self.module(self.pictures[first : first + 8]), self.classes[first : first + 8]
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1

    def result(self) -> dict[str, Any]:
        """Everything that the training leaves."""
        state = {name: value.clone() for name, value in self.module.state_dict().items()}
        flags = [module.training for module in self.module.modules()]
        return {**state, "flags": torch.tensor(flags), "random numbers": torch.get_rng_state()}


class Soak:
    """One explorer, three threads, a training, and a record of what goes wrong."""

    def __init__(self, seed: int) -> None:
        torch.set_num_threads(1)
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        logging.getLogger("camwidget").addHandler(Recorder(self.wrong))
        threading.excepthook = lambda args: self.note("thread", args.exc_value)
        noise = np.random.default_rng(0)
        self.pictures = [noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(8)]
        self.module = net()
        self.initial = copy.deepcopy(self.module)
        self.model = cw.wrap(self.module, cw.Preprocess(SIDE), CLASSES)
        self.ex = cw.Explorer(self.model, self.pictures).wait(PATIENCE)
        self.scenes = [picture.id for picture in self.ex.pictures]
        self.kept = [self.ex.state]

    def note(self, where: str, error: BaseException | None) -> None:
        text = "".join(traceback.format_exception(error)) if error else "?"
        self.wrong.append(f"{where}: {text}")

    # -- what is done ----------------------------------------------------------------------

    def deeds(self, r: random.Random) -> dict[str, tuple[int, Callable[[], Any]]]:
        """Every kind of interaction, and how often it comes."""
        ex, view = self.ex, view_of(self.ex)

        def set_(**values: Any) -> None:
            for name, value in values.items():
                setattr(ex, name, value)

        def page(**values: Any) -> None:
            message = {"method": "update", "state": values, "buffer_paths": []}
            receive(view, {"content": {"data": message}, "buffers": []})

        def paint() -> Any:
            values = np.zeros((SIDE, SIDE), np.int8)
            top, left = r.randrange(SIDE - 8), r.randrange(SIDE - 8)
            values[top : top + 8, left : left + 8] = r.choice((1, -1))
            return values if r.random() < 0.8 else None

        def stroke() -> None:
            painted = paint()
            wire = {
                "scene": r.choice(self.scenes),
                "runs": [] if painted is None else encode(painted),
                "stroke": r.randrange(1000),
                "painting": r.random() < 0.5,
            }
            page(paint=wire)

        def compared() -> Any:
            return r.choice(
                (
                    None,
                    {"method": r.choice(QUICK)},
                    {"layer": r.choice(LAYERS)},
                    {"picture": r.randrange(8)},
                    {"target": r.choice(CLASSES)},
                    {"method": r.choice(SLOW)},
                )
            )

        def junk() -> None:
            what, name = r.choice(JUNK), r.choice((*ex.trait_names(), "nonsense"))
            match r.randrange(4):
                case 0:
                    page(**{r.choice(view.keys): what})
                case 1:
                    send_from_page(
                        view, r.choice((what, {"type": what}, {"type": "pick", "x": what}))
                    )
                case 2:
                    receive(view, r.choice((what, {"content": what}, {"content": {"data": what}})))
                case _ if name in TWO_WAY_TRAITS:
                    setattr(ex, name, what)

        def keep() -> None:
            self.kept = [*self.kept[-5:], ex.state]

        def another() -> None:
            other = cw.Explorer(self.model, self.pictures)
            if r.random() < 0.3:
                other.method = r.choice((*QUICK, *SLOW))
                with contextlib.suppress(TimeoutError):
                    other.wait(r.random() / 5)
            other.close()

        def evict() -> None:
            cw.set_cache_limit(r.choice((0, 2**16, 2**20, 2**28)))

        def start_panel() -> None:
            place = panels_of(ex).box.selected_index
            if place == 0 and (drawing := panels_of(ex).deepvis) is not None:
                drawing.steps = 4
                drawing.start()
            elif place == 1 and (table := panels_of(ex).evaluate) is not None:
                table.table.chosen_methods, table.table.chosen_metrics = ["gradcam"], ["complexity"]
                table.start() if r.random() < 0.7 else table.cancel()

        def wait() -> None:
            ex.wait(r.random() / 5)

        return {
            "class": (12, lambda: set_(target=r.choice((*CLASSES, None)))),
            "class on the page": (6, lambda: page(target=r.randrange(5))),
            "slider": (14, lambda: set_(fraction=r.randrange(21) / 20)),
            "slider on the page": (8, lambda: page(fraction=r.randrange(21) / 20)),
            "mode": (5, lambda: set_(mode=r.choice(("remove", "keep", "multiply")))),
            "baseline": (4, lambda: set_(baseline=r.choice(("blur", "mean", "black", "inpaint")))),
            "method": (8, lambda: set_(method=r.choice(QUICK))),
            "method on the page": (4, lambda: page(method=r.choice(QUICK))),
            "slow map": (4, lambda: set_(method=r.choice(SLOW))),
            "layer": (6, lambda: set_(layer=r.choice(LAYERS))),
            "picture": (7, lambda: set_(picture=r.randrange(8))),
            "picture on the page": (3, lambda: page(picture=r.randrange(8))),
            "cancel": (6, ex.cancel),
            "undo": (5, r.choice((ex.undo, ex.undo, ex.redo))),
            "state": (3, lambda: set_(state=r.choice(self.kept))),
            "keep": (2, keep),
            "paint": (4, lambda: set_(mask=paint())),
            "stroke": (4, stroke),
            "compare": (4, lambda: set_(compare=compared())),
            "pick": (
                4,
                lambda: send_from_page(
                    view, {"type": "pick", "x": r.randrange(SIDE), "y": r.randrange(SIDE)}
                ),
            ),
            "panel": (2, lambda: setattr(panels_of(ex).box, "selected_index", r.choice((None, 0, 1, 2)))),
            "start of a panel": (2, start_panel),
            "another explorer": (2, another),
            "eviction": (2, evict),
            "code": (1, lambda: ex.code),
            "wait": (3, wait),
            "junk": (8, junk),
        }  # fmt: skip

    def work(self, number: int, count: int) -> None:
        """What one thread does."""
        r = random.Random(f"{self.seed} {number}")
        for _ in range(count):
            deeds = self.deeds(r)
            (name,) = r.choices(list(deeds), [weight for weight, _ in deeds.values()])
            try:
                deeds[name][1]()
            except (cw.errors.CamwidgetError, traitlets.TraitError, TimeoutError) as error:
                self.refused[type(error).__name__] += 1
            except BaseException as error:
                if not (
                    name == "junk" and isinstance(error, (TypeError, ValueError, OverflowError))
                ):
                    self.note(name, error)
            self.done[name] += 1

    def burst(self, number: int, count: int) -> None:
        """Interactions of three threads at once, beside the training; then everything comes to rest."""
        threads = [
            threading.Thread(target=self.work, args=(3 * number + n, count // 3), daemon=True)
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                faulthandler.dump_traceback()
                raise SystemExit("A thread hangs.")
        try:
            self.ex.wait(PATIENCE)
        except TimeoutError:
            faulthandler.dump_traceback()
            raise SystemExit("The worker hangs.") from None
        self.wrong += [f"burst {number}: {text}" for text in self.disagreements()]
        if panels_of(self.ex).box.selected_index is None:
            view_of(self.ex).error = ""

    # -- what has come of it ----------------------------------------------------------------

    def disagreements(self) -> Iterator[str]:
        """Whether everything that is shown belongs to what is requested."""
        ex, view, parts = self.ex, view_of(self.ex), parts_of(self.ex)
        shown, state = ex.explanation, ex.state
        if (shown.method, shown.target.label) != (ex.method, ex.target):
            yield f"map of {shown.method} {shown.target.label}, traits {ex.method} {ex.target}"
        if shown.layer not in (ex.layer, "input"):
            yield f"map at {shown.layer}, trait {ex.layer}"
        if not np.array_equal(shown.pixels, self.pictures[ex.picture]):
            yield f"map of another picture than {ex.picture}"
        for name in TWO_WAY_TRAITS:
            if getattr(view, name) != getattr(ex, name) or state[name] != getattr(ex, name):
                yield f"{name}: {getattr(ex, name)}, view {getattr(view, name)}, state {state[name]}"
        if (view.compare or None) != ex.compare:
            yield f"compare: {ex.compare}, view {view.compare}"
        picture = ex.pictures[ex.picture]
        if view.scene.get("id") != picture.id or view.explanation.get("scene") != picture.id:
            yield "the view shows another picture"
        stored = parts.paint.of(picture)
        if (stored is None) != (ex.mask is None) or not np.array_equal(stored, ex.mask):
            yield "mask: not what is stored"
        if view.paint.get("runs", []) != encode(ex.mask):
            yield "paint: not what is stored"
        if view.busy or view.pending or view.partial:
            yield f"busy {view.busy}, pending {view.pending}, partial {view.partial}"
        has_curve = ex.mode != "multiply" and not shown.is_empty
        if (ex.curve is not None) != has_curve:
            yield f"curve: {ex.curve is not None}, mode {ex.mode}"
        elif ex.curve is not None and (ex.curve.mode, ex.curve.baseline) != (ex.mode, ex.baseline):
            yield f"curve: {ex.curve.mode} {ex.curve.baseline}, traits {ex.mode} {ex.baseline}"
        if (ex.other is None) != (ex.compare is None) and not view.compared_status.get("error"):
            yield f"other: {ex.other is not None}, compare {ex.compare}"
        at_rest = (ex.mode, ex.fraction) in (("remove", 0.0), ("keep", 1.0))
        hides = ex.mask is not None and bool((ex.mask == 1).any())
        if bool(view.masked) != (hides or not (at_rest or shown.is_empty)):
            yield f"masked: {view.masked}, {ex.mode} {ex.fraction}, painted {hides}"
        if (view.can_undo, view.can_redo) != (ex.can_undo, ex.can_redo):
            yield "undo: view and trait differ"
        if not worker_of(ex).idle:
            yield "the worker is not idle"


class Recorder(logging.Handler):
    """Collects the tracebacks that are logged."""

    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._into.append(logging.Formatter().format(record))


def resident() -> float:
    """Megabytes that are not files', without what the allocator keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def soak(count: int, seed: int = 0, *, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Do so many random things, and say what came of it."""
    soaked, over = Soak(seed), threading.Event()
    training = Training(soaked.module)
    left: list[dict[str, Any]] = []

    def train() -> None:
        while not over.is_set():
            training.step()
            time.sleep(0.002)
        left.append(training.result())

    trainer = threading.Thread(target=train, name="training", daemon=True)
    trainer.start()
    samples, start, step = [], time.monotonic(), 150
    for number in range(-(-count // step)):
        soaked.burst(number, step)
        cw.set_cache_limit(2**22)
        samples.append(resident())
        if number % 8 == 7:
            say(
                f"{sum(soaked.done.values())} in {time.monotonic() - start:.0f} s, {samples[-1]:.1f} MB, "
                f"{training.steps} steps of training, {len(soaked.wrong)} faults"
            )
    over.set()
    trainer.join(PATIENCE)
    seconds = time.monotonic() - start
    soaked.ex.close()
    alone = Training(soaked.initial)
    for _ in range(training.steps):
        alone.step()
    expected = alone.result()
    changed = [name for name, value in expected.items() if not torch.equal(value, left[0][name])]
    third = max(1, len(samples) // 3)
    return {
        "interactions": dict(soaked.done),
        "refused": dict(soaked.refused),
        "seconds": round(seconds),
        "steps of training": training.steps,
        "training differs in": changed,
        "MB, floor of the first third": round(min(samples[1 : 1 + third] or samples), 1),
        "MB, floor of the last third": round(min(samples[-third:]), 1),
        "MB": [round(sample, 1) for sample in samples[:: max(1, len(samples) // 12)]],
        "faults": soaked.wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faulthandler.enable()
    found = soak(options.count, options.seed, say=lambda x: print(x, flush=True))
    print(json.dumps(found, indent=1, ensure_ascii=False))
    grown = found["MB, floor of the last third"] - found["MB, floor of the first third"]
    return int(bool(found["faults"] or found["training differs in"]) or grown > 20)


if __name__ == "__main__":
    sys.exit(main())
