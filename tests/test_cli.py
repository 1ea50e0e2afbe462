"""``camwidget PICTURE…``: its files, messages and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import hub_folders
import numpy as np
import pytest
from PIL import Image
from saved_page import SavedPage

import camwidget as cw
from camwidget import cli

QUICK = ["--method", "gradcam", "--layer", "stage4", "--steps", "2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three pictures and a broken one."""
    monkeypatch.chdir(tmp_path)
    for sample, name in zip(
        cw.zoo.samples("zoo/textures"), ("cat.png", "Cat.jpg", "index.png"), strict=False
    ):
        Image.fromarray(np.asarray(sample.image)).save(name)
    Path("broken.png").write_bytes(b"no picture")
    return tmp_path


def run(*arguments: str) -> int:
    try:
        return cli.main(list(arguments))
    except SystemExit as ended:  # argparse's
        return int(ended.code or 0)


def test_a_picture_becomes_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cat.png", *QUICK, "--target", "3", "--mode", "keep", "--fill", "mean", "-q") == 0
    output = capsys.readouterr()
    assert output.out == "cat.html\n" and output.err == ""
    page = SavedPage(folder / "cat.html")
    first = page.data["first"]
    assert (first["target"], first["mode"], first["baseline"]) == (3, "keep", "mean")
    assert [m["name"] for m in page.data["methods"]] == ["gradcam"]


def test_several_pictures_become_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(".", *QUICK, "-o", "pages") == 1
    output = capsys.readouterr()
    assert output.out == "pages/index.html\n"
    complaints = [line for line in output.err.splitlines() if "error:" in line]
    assert len(complaints) == 1 and "broken.png" in complaints[0]
    assert "1 of 4 pictures have no page" in output.err
    # Neither the index nor another picture of the same name is in the way, where capitals do not count too.
    assert sorted(p.name for p in (folder / "pages").iterdir()) == [
        "Cat.html", "cat-2.html", "index-2.html", "index.html",
    ]  # fmt: skip
    index = SavedPage(folder / "pages" / "index.html")
    assert 'href="./cat-2.html"' in index.html and "broken" not in index.html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: PICTURE"),
        (("nope.png",), "there is no file 'nope.png'"),
        (("cat.png", "--steps", "1"), "an integer from 2 to 201"),
        (("cat.png", "--mode", "hide"), "invalid choice"),
        (("cat.png", "--model", "resnet51"), "Did you mean"),
        (("cat.png", "--weights", "nope.pth"), "there is no file 'nope.pth'"),
        (("cat.png", "--method", "gradcan"), "There is no method 'gradcan'"),
        (("cat.png", "--method", "cam", "--layer", "stem"), "CAM does not apply"),
        (("cat.png", "--layer", "stage9"), "no layer 'stage9'"),
        (("cat.png", "--target", "nothing like it"), "no class named"),
        (("cat.png", "--text", "why"), "takes no text"),
        (("cat.png", "--model", "zoo/vqa", "--text", "why", "--text", "who"), "takes one question"),
        (("cat.png", "--weights", "cat.png"), "carries its own weights"),
        (("cat.png", "--device", "abacus"), "no device"),
        (("cat.png", "-o", "page.png"), ".html file"),
        (("cat.png", "index.png", "-o", "page.html"), "need a folder"),
    ],
)
def test_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = set(folder.iterdir())
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert error.splitlines()[-1].startswith("camwidget: error: ")
    assert set(folder.iterdir()) == before


def test_what_exists_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("cat.html").write_text("mine")
    assert run("cat.png", *QUICK) == 2
    assert "--force" in capsys.readouterr().err and Path("cat.html").read_text() == "mine"
    assert run("cat.png", *QUICK, "--force", "-q") == 0
    assert SavedPage(folder / "cat.html").data


def test_a_question_is_given_or_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cat.png", "--model", "zoo/vqa", "-q") == 1
    assert "--text" in capsys.readouterr().err
    prompt = cw.load("zoo/vqa", device="cpu").prompt
    assert prompt is not None
    options = ["--text", prompt.examples[0], "--method", "gradcam", "--steps", "2", "-q"]
    assert run("cat.png", "--model", "zoo/vqa", *options) == 0
    assert prompt.examples[0] in (folder / "cat.html").read_text("utf-8")


def test_texts_are_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    model = f"hf/{hub_folders.saved('clip', folder / 'clip')}"
    assert run("cat.png", "--model", model, "-q") == 2
    assert "give each by --text" in capsys.readouterr().err
    texts = ["--text", "a photo of a cat", "--text", "two dog", "--target", "two dog"]
    assert run("cat.png", "--model", model, *texts, *QUICK[:2], "--steps", "2", "-q") == 0
    page = (folder / "cat.html").read_text("utf-8")
    assert "a photo of a cat" in page and "two dog" in page


def test_a_surprise_is_named_and_logged_once(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("camwidget.export.save_page", fail)
    for _ in range(3):
        assert run("cat.png", "-q") == 1
    output = capsys.readouterr().err.splitlines()
    begin = "camwidget: error: cat.png: An unexpected error (RuntimeError: two lines); its traceback is "
    assert len(output) == 3 and all(line.startswith(begin) for line in output)
    (record,) = [r for r in caplog.records if r.name == "camwidget"]
    assert record.exc_info and record.exc_info[0] is RuntimeError
    with pytest.raises(RuntimeError):
        run("cat.png", "--debug", "-q")


def test_names_for_a_terminal() -> None:
    assert cli._printable(Path("a\x1b[2J\nb\udcffé.png")) == "a\\x1b[2J\\nb\\xffé.png"


def test_help_does_not_wait_for_pytorch() -> None:
    code = (
        "import sys\nfrom camwidget.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert not end.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert "exit codes:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_terminal_without_such_letters() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "camwidget", "é.png", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "PICTURE\\u2026" in done.stdout and not done.stderr


@pytest.mark.full
def test_nobody_reads_the_answer(folder: Path) -> None:
    command = [sys.executable, "-m", "camwidget", "cat.png", "-q", "--steps", "2"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("cat.html").is_file()


@pytest.mark.full
def test_an_interruption_leaves_nothing_half(folder: Path) -> None:
    command = [sys.executable, "-m", "camwidget", "cat.png", "--steps", "201", "--layer", "all"]
    with_bar = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**with_bar, "COLUMNS": "80"},
        # Whoever runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert running.stderr is not None
    try:
        output = ""
        while "masks:" not in output:  # the bar: the model is at work
            piece = running.stderr.read(20)
            assert piece, output
            output += piece
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=60)[1]
    finally:
        running.kill()
    assert running.returncode == 130
    assert "interrupted" in rest and "Traceback" not in rest
    assert sorted(p.name for p in folder.iterdir()) == [
        "Cat.jpg",
        "broken.png",
        "cat.png",
        "index.png",
    ]


def test_the_public_names_are_where_they_are_said_to_be() -> None:
    names = set(cw.__all__) - {"__version__"}
    assert names and all(getattr(cw, name).__name__ == name for name in names)
    assert not any(isinstance(getattr(cw, name), ModuleType) for name in names)


def test_every_package_can_be_reached_from_the_root() -> None:
    code = "import camwidget as cw; print(cw.zoo.__name__, cw.widget.__name__, 'zoo' in dir(cw))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["camwidget.zoo", "camwidget.widget", "True"]


def test_pictures_that_are_called_alike_are_told_apart(folder: Path) -> None:
    for name in ("a/one.png", "b/one.png", "b/two.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path("cat.png").rename(name) if name == "a/one.png" else Image.open("a/one.png").save(name)
    assert run("a", "b", *QUICK, "-o", "pages", "-q") == 0
    index = (folder / "pages" / "index.html").read_text("utf-8")
    assert [f"<bdi>{name}</bdi>" in index for name in ("a/one.png", "b/one.png", "two.png")] == [
        True
    ] * 3
