"""Processes that end while explorers and quizzes are at work: each has to end with its own exit code.

    python tests/soak_process_exit.py --count 100  # forked from one that has all imported
    python tests/soak_process_exit.py --kinds script,ipython,pytest --count 20  # a process of its own for each
    python tests/soak_process_exit.py --kinds kernel,nbclient,nbconvert,papermill,dask --count 20

A case is a moment (what is computed when the end comes) and a way to end. Cases are gone through in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]

#: Seconds after which a process is taken to hang: the exit itself waits for a minute at most.
PATIENCE = 180.0

BEGIN = """
import os, random, signal, sys, threading, time
import camwidget as cw
from camwidget import zoo
some = random.random
"""
EXPLORER = "ex = cw.Explorer().wait()\n"

#: What is at work when the end comes.
MOMENTS = {
    "just made": "ex = cw.Explorer()\ntime.sleep(.15 * some())\n",
    "first map": "ex = cw.Explorer()\nwhile ex.explanation is None: time.sleep(.001)\n",
    "map": EXPLORER + "ex.method = 'gradcam++'\ntime.sleep(.05 * some())\n",
    "slow map": EXPLORER + "ex.method = 'scorecam'\ntime.sleep(.3 * some())\n",
    "RISE": EXPLORER + "ex.method = 'rise'\ntime.sleep(.3 * some())\n",
    "curve": EXPLORER + "ex.mode, ex.fraction = 'keep', .3\ntime.sleep(.2 * some())\n",
    "inpainting": EXPLORER + "ex.baseline, ex.fraction = 'inpaint', .3\ntime.sleep(.3 * some())\n",
    "slider": EXPLORER + "for i in range(40): ex.fraction = i / 50; time.sleep(.003)\n",
    "evaluation": EXPLORER + "ex._parts.panels.box.selected_index = 1\n"
    "ex._parts.panels.evaluate.start()\ntime.sleep(.4 * some())\n",
    "contact sheet": EXPLORER + "ex._parts.panels.box.selected_index = 2\ntime.sleep(.4 * some())\n",
    "DeepVis": EXPLORER + "ex._parts.panels.box.selected_index = 0\n"
    "ex._parts.panels.deepvis.start()\ntime.sleep(.4 * some())\n",
    "quiz": "m = cw.load(device='cpu')\nquiz = cw.Quiz.which_class(m, zoo.samples(m.name), n=5)\n"
    "time.sleep(.3 * some())\n",
    "two explorers": "m = cw.load(device='cpu')\nex, other = cw.Explorer(m), cw.Explorer(m)\n"
    "other.method = 'scorecam'\ntime.sleep(.3 * some())\n",
}  # fmt: skip

IN_CHILD = "child = os.fork()\nif child == 0: {}\n" + (
    "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
)
USED_IN_CHILD = """
    m = cw.load(device='cpu')
    assert cw.explain(m, zoo.samples(m.name)[0].image).saliency.max() == 1
    if 'ex' in globals():
        ex.method = 'hirescam'
        assert ex.wait(120).explanation.method == 'hirescam'
    sys.exit(7)
"""

#: Ways to end, and the exit code of each; a negative one is a signal.
ENDS: dict[str, tuple[str, int]] = {
    "end of the script": ("", 0),
    "exit code": ("sys.exit(3)\n", 3),
    "exception": ("raise RuntimeError('the script failed')\n", 1),
    "closed": ("for w in ('ex', 'quiz', 'other'):\n    if w in globals(): globals()[w].close()\n", 0),
    "deleted": ("ex = quiz = other = None\n", 0),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(10)\n", -15),
    "SIGTERM, handled": (
        "def leave(*_): raise SystemExit(5)\nsignal.signal(signal.SIGTERM, leave)\n"
        "threading.Timer(.02, os.kill, (os.getpid(), signal.SIGTERM)).start()\ntime.sleep(60)\n",
        5,
    ),
    "Ctrl-C": (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "threading.Timer(.02, os.kill, (os.getpid(), signal.SIGINT)).start()\ntime.sleep(60)\n",
        -2,
    ),
    "fork": (IN_CHILD.format("sys.exit(7)"), 0),
    "fork, at work": (IN_CHILD.format(USED_IN_CHILD), 0),
}  # fmt: skip


class Case(NamedTuple):
    """When a process ends, and how."""

    moment: str
    end: str

    @property
    def code(self) -> str:
        return MOMENTS[self.moment] + ENDS[self.end][0]

    @property
    def expected(self) -> int:
        return ENDS[self.end][1]


#: A case, and what was wrong with it; "" if nothing.
Outcome = tuple[Case, str]


def judged(case: Case, code: int | None, printed: str, expected: int) -> Outcome:
    """What is wrong with how a process has ended; the code is None where it hangs."""
    if code is None:
        return case, f"hangs: {printed[-2000:]}"
    if code != expected or "terminate called" in printed:
        return case, f"exit code {code}, not {expected}: {printed[-2000:]}"
    if case.end not in ("exception", "Ctrl-C") and "Traceback" in printed:
        return case, printed[-2000:]
    return case, ""


# -- kinds of processes -------------------------------------------------------------------------


def forked(cases: Sequence[Case], seed: int) -> Iterator[Outcome]:
    """Children of this process, which has imported everything and computed nothing."""
    import torch

    import camwidget as cw

    assert cw.Explorer and cw.Quiz and cw.evaluate
    torch.set_num_threads(1)
    draw = random.Random(seed)
    for case in cases:
        start = draw.random()
        with tempfile.TemporaryFile() as output:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                os.setpgid(0, 0)
                for stream in (1, 2):
                    os.dup2(output.fileno(), stream)
                random.seed(start)
                raise Forked(case)
            code = waited(child)
            output.seek(0)
            yield judged(case, code, output.read().decode(errors="replace"), case.expected)


class Forked(BaseException):
    """Takes a child up to ``main``, where the case is run as a script would be."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.case = case


def waited(child: int) -> int | None:
    """The exit code of a child; None if it had to be killed."""
    handle = os.pidfd_open(child)
    try:
        ended = bool(select.select([handle], [], [], PATIENCE)[0])
    finally:
        os.close(handle)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if ended else None


def run(command: Sequence[str], folder: str) -> tuple[int | None, str]:
    """Exit code and output of a command; None for the code if it hangs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        return None, str(error.stderr)
    return done.returncode, done.stdout + done.stderr


def scripts(kind: str, cases: Sequence[Case]) -> Iterator[Outcome]:
    """A script, ``ipython -c``, or somebody's own test: each a process."""
    for case in cases:
        code, expected = BEGIN + case.code, case.expected
        with tempfile.TemporaryDirectory() as folder:
            if kind == "script":
                Path(folder, "script.py").write_text(code)
                command = ["script.py"]
            elif kind == "ipython":
                command = ["-m", "IPython", "--no-banner", "-c", code]
            else:
                body = "".join(f"    {line}\n" for line in case.code.splitlines())
                Path(folder, "test_own.py").write_text(f"{BEGIN}\ndef test_own():\n{body}")
                command = [
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:nbval",
                    "test_own.py",
                ]
            ended, printed = run([sys.executable, *command], folder)
            yield judged(case, ended, printed, expected)


def notebooks(kind: str, cases: Sequence[Case]) -> Iterator[Outcome]:
    """Kernels, by themselves or below a program that executes a notebook; the kernel's own exit code is looked at."""
    with tempfile.TemporaryDirectory() as folder:
        codes, errors = Path(folder, "codes"), Path(folder, "errors")
        spec = Path(folder, "kernels", "coded")
        spec.mkdir(parents=True)
        # A shutdown begins with SIGINT to the whole process group: the shell has to survive it to write the code.
        launch = f'{sys.executable} -m ipykernel_launcher -f "$1" 2>>{errors}'
        shell = f"trap : INT TERM; {launch}; echo $? >>{codes}"
        argv = ["sh", "-c", shell, "sh", "{connection_file}"]
        spec.joinpath("kernel.json").write_text(
            json.dumps({"argv": argv, "display_name": "coded", "language": "python"})
        )
        os.environ.update(JUPYTER_PATH=folder, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
        for case in cases:
            codes.write_text("")
            errors.write_text("")
            fails = case.end == "exception"
            cells = [BEGIN, MOMENTS[case.moment]] + [ENDS["exception"][0]] * fails
            if kind == "kernel":
                ended: int | None = shut_down(cells)
                printed = ""
            else:
                ended, printed = executed(kind, cells, folder)
            deadline = time.monotonic() + PATIENCE
            while not codes.read_text().endswith("\n") and time.monotonic() < deadline:
                time.sleep(0.05)
            of_kernel = codes.read_text().strip()
            printed += errors.read_text()
            if of_kernel != "0":
                yield case, f"the kernel ended with {of_kernel or 'nothing'}: {printed[-2000:]}"
            else:
                yield judged(case, ended, printed, int(fails and kind != "kernel"))


def shut_down(cells: Sequence[str]) -> int:
    """Run cells in a kernel, and have it shut down as Lab does."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="coded")
    manager.shutdown_wait_time = PATIENCE
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)
    client.execute_interactive("\n".join(cells), timeout=300, output_hook=lambda message: None)
    client.stop_channels()
    manager.shutdown_kernel()
    return 0


#: By default a kernel is killed 5 s after the request to end, which on a busy machine is too soon for PyTorch.
NBCLIENT = f"""
import nbclient, nbformat, traitlets.config
config = traitlets.config.Config(KernelManager=dict(shutdown_wait_time={PATIENCE}))
nbclient.NotebookClient(nbformat.read("in.ipynb", 4), config=config).execute()
"""


PAPERMILL = f"""
import papermill, traitlets.config
config = traitlets.config.Config(KernelManager=dict(shutdown_wait_time={PATIENCE}))
papermill.execute_notebook("in.ipynb", "out.ipynb", progress_bar=False, config=config)
"""


def executed(kind: str, cells: Sequence[str], folder: str) -> tuple[int | None, str]:
    """Have a program execute a notebook."""
    import nbformat

    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "coded", "display_name": "coded", "language": "python"}},
    )
    nbformat.write(book, Path(folder, "in.ipynb"))
    command = {
        "nbconvert": [
            *("-m", "nbconvert", "--execute", "--to", "html", "--output", "out", "in.ipynb"),
            f"--KernelManager.shutdown_wait_time={PATIENCE}",
        ],
        "nbclient": ["-c", NBCLIENT],
        "papermill": ["-c", PAPERMILL],
    }[kind]  # fmt: skip
    return run([sys.executable, *command], folder)


def clusters(cases: Sequence[Case]) -> Iterator[Outcome]:
    """Workers of a Dask cluster that is closed while an explorer of theirs is at work."""
    import dask
    import distributed
    from distributed import nanny

    ended: list[int] = []
    heard, kill = nanny.Nanny._on_worker_exit_sync, nanny.WorkerProcess.kill

    def hear(self: Any, exitcode: int) -> Any:
        ended.append(exitcode)
        return heard(self, exitcode)

    async def kill_late(self: Any, timeout: float = 5, **options: Any) -> Any:
        return await kill(self, timeout=PATIENCE, **options)

    # By default Dask kills a worker 4 s after the request to end. Where it may take longer, the cluster has to know: it
    # closes the nanny of a worker that it has not heard of for 15 s, and ``restart`` waits for one that nobody starts.
    nanny.Nanny._on_worker_exit_sync, nanny.WorkerProcess.kill = hear, kill_late
    dask.config.set({"distributed.deploy.lost-worker-timeout": f"{PATIENCE} s"})
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    for number, case in enumerate(cases):
        ended.clear()
        with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
            client.submit(in_worker, BEGIN + MOMENTS[case.moment], pure=False).result()
            if number % 2:
                client.restart(timeout=PATIENCE)
        code = next((code for code in ended if code != 0), 0) if ended else None
        yield judged(case, code, str(ended), 0)


def in_worker(code: str) -> None:
    """Run code in a Dask worker, which keeps what it makes."""
    scope: dict[str, Any] = {}
    exec(code, scope)
    sys.modules["__main__"].__dict__["kept"] = scope


# -- the command line -----------------------------------------------------------------------------

KINDS: dict[str, Callable[[Sequence[Case], int], Iterator[Outcome]]] = {
    "fork": forked,
    **{
        kind: (lambda cases, seed, kind=kind: scripts(kind, cases))
        for kind in ("script", "ipython", "pytest")
    },
    **{
        kind: (lambda cases, seed, kind=kind: notebooks(kind, cases))
        for kind in ("kernel", "nbclient", "nbconvert", "papermill")
    },
    "dask": lambda cases, seed: clusters(cases),
}


def drawn(moments: Sequence[str], ends: Sequence[str], count: int, seed: int) -> list[Case]:
    """As many cases as wanted: every pair comes before any comes again."""
    pairs = [Case(moment, end) for moment, end in itertools.product(moments, ends)]
    random.Random(seed).shuffle(pairs)
    return list(itertools.islice(itertools.cycle(pairs), count))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default="fork", help=f"of {', '.join(KINDS)}; with commas")
    parser.add_argument("--moments", default=",".join(MOMENTS))
    parser.add_argument("--ends", default=None, help=f"of {'; '.join(ENDS)}; with semicolons")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total, wrong = 0, 0
    for kind in options.kinds.split(","):
        # What a process hears of its own: IPython and pytest take exceptions and exits as theirs.
        own = list(ENDS) if kind in ("fork", "script") else ["end of the script", "exception"]
        ends = options.ends.split(";") if options.ends else own
        start, found = time.monotonic(), Counter[str]()
        for case, fault in KINDS[kind](
            drawn(options.moments.split(","), ends, options.count, options.seed), options.seed
        ):
            found["wrong" if fault else "well"] += 1
            if fault:
                print(f"{kind}, {case.moment}, {case.end}: {fault}", flush=True)
        seconds = time.monotonic() - start
        print(f"{kind}: {found['well']} of {found.total()} ended well, {seconds:.0f} s", flush=True)
        total, wrong = total + found.total(), wrong + found["wrong"]
    return int(bool(wrong) or not total)


if __name__ == "__main__":
    child: Case | None = None
    try:
        result = main()
    except Forked as forked_case:
        child = forked_case.case
    if child is None:
        sys.exit(result)
    exec(compile(BEGIN + child.code, "<case>", "exec"), {"__name__": "__main__"})
