"""Error reports: logged once with their traceback, whose location the user is shown; no error is swallowed."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from camwidget.errors import PictureError
from camwidget.runtime import error_reports
from camwidget.runtime.error_reports import LOGGER, error_line, error_text, log_error

PACKAGE = Path(error_reports.__file__).parent


class Owner:
    """Somebody who shows errors."""


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Leaves the log of camwidget without pytest's handlers, which come after the fixtures."""

    def strip() -> None:
        monkeypatch.setattr(LOGGER, "handlers", [])
        monkeypatch.setattr(LOGGER, "propagate", False)

    return strip


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def fails(value: object) -> BaseException:
    """An error from this very line, whatever its message."""
    return raised(TypeError(f"no {value}"))


# -- the text --------------------------------------------------------------------------------


def test_what_is_raised_on_purpose_explains_itself(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "camwidget")
    assert error_text(raised(PictureError("Too dark: take another.")), owner) == (
        "Too dark: take another."
    )
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG and record.exc_info, "its traceback is there if wanted"


def test_any_other_is_named_and_logged(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    error = fails("number")
    text = error_text(error, owner)
    assert text.startswith("An unexpected error (TypeError: no number); its traceback is ")
    assert text.endswith(".") and "\n" not in text
    (record,) = caplog.records
    assert record.name == "camwidget" and record.levelno == logging.ERROR
    assert record.exc_info and record.exc_info[1] is error
    assert record.funcName == "test_any_other_is_named_and_logged", "not the reporter's own line"
    begun = error_text(fails("name"), owner, begin="An observer of 'mask' raised")
    assert begun.startswith("An observer of 'mask' raised TypeError: no name; its traceback is ")


def test_a_message_of_any_kind_is_one_line() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no message")

    assert error_line(ValueError("two\nlines")) == "ValueError: two lines"
    assert error_line(ValueError()) == "ValueError"
    assert "HostileError" in error_line(HostileError())
    assert len(error_line(ValueError("long " * 1000))) == 400


# -- no flood --------------------------------------------------------------------------------


def test_a_thousand_times_the_same_is_logged_once(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {error_text(fails(n), owner) for n in range(1000)}
    assert len(texts) == 1000, "each is shown"
    assert len(caplog.records) == 1
    error_text(raised(KeyError("another")), owner)
    assert len(caplog.records) == 2
    error_text(fails(0), Owner())
    assert len(caplog.records) == 3, "another widget, such as of a cell that is run again"


def test_a_new_handler_hears_of_it(owner: Owner, bare: Callable[[], None]) -> None:
    """Who is told where to look, and switches it on, has the traceback the next time."""
    bare()
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    LOGGER.addHandler(logging.NullHandler())
    error_text(fails(0), owner)
    LOGGER.addHandler(handler)
    for n in range(3):
        error_text(fails(n), owner)
    assert len(records) == 1


def test_little_is_remembered(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    code = "def fail():\n    raise TypeError"
    for number in range(error_reports._MAX_TRACEBACKS + 50):
        scope: dict[str, Any] = {}
        exec(compile(code, f"cell {number}", "exec"), scope)
        with pytest.raises(TypeError) as caught:
            scope["fail"]()
        log_error(caught.value, "x", owner)
    assert len(caplog.records) == error_reports._MAX_TRACEBACKS + 50
    assert len(error_reports._logged[owner]) == error_reports._MAX_TRACEBACKS


def test_causes_tell_errors_apart_and_a_circle_of_them_ends(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    def chained(cause: Exception) -> Exception:
        error = ValueError("outer")
        error.__cause__ = cause
        return error

    for cause in (KeyError("a"), IndexError("b"), KeyError("c")):
        log_error(chained(cause), "x", owner)
    assert len(caplog.records) == 2
    one, two = OSError("one"), KeyError("two")
    one.__cause__, two.__cause__ = two, one
    log_error(one, "x", owner)
    assert len(caplog.records) == 3


# -- where it is -----------------------------------------------------------------------------


def test_python_as_it_comes_prints_it_on_stderr() -> None:
    code = (
        "from camwidget.runtime.error_reports import error_text\n"
        "for _ in range(3):\n"
        "    try:\n"
        "        [].missing\n"
        "    except Exception as error:\n"
        "        print(error_text(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    message = "An unexpected error (AttributeError: 'list' object has no attribute 'missing')"
    assert done.stdout == f"{message}; its traceback is on stderr.\n" * 3
    assert done.stderr.startswith(f"{message}. The same is not logged again.\nTraceback")
    assert done.stderr.count("Traceback") == 1


def test_a_file_is_named(owner: Owner, bare: Callable[[], None], tmp_path: Path) -> None:
    bare()
    file = tmp_path / "camwidget.log"
    handler = logging.FileHandler(file)
    LOGGER.addHandler(handler)
    assert error_text(fails(0), owner).endswith(f"its traceback is in {file}.")
    handler.close()
    assert "Traceback" in file.read_text() and "TypeError: no 0" in file.read_text()


def test_what_is_not_logged_is_not_promised(owner: Owner, bare: Callable[[], None]) -> None:
    bare()
    LOGGER.addHandler(logging.NullHandler())
    assert "its traceback is not kept, since no handler takes errors" in error_text(fails(0), owner)
    LOGGER.handlers.clear()
    logging.disable(logging.CRITICAL)
    try:
        text = error_text(fails(1), owner)
    finally:
        logging.disable(logging.NOTSET)
    assert "its traceback is not logged, since errors are left out" in text


def test_other_handlers_and_streams(owner: Owner, bare: Callable[[], None]) -> None:
    bare()
    handler = logging.Handler()
    handler.emit = lambda record: None  # type: ignore[method-assign]
    LOGGER.addHandler(handler)
    assert "where the log of 'camwidget' goes" in error_text(fails(0), owner)
    LOGGER.addHandler(logging.StreamHandler(sys.stderr))
    assert error_text(fails(1), owner).endswith("on stderr.")


def test_a_notebook_says_where_it_shows_stderr(
    owner: Owner, bare: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    text = error_text(fails(0), owner)
    assert "below the cell that ran last" in text and "View > Show Log Console" in text
    del shell.kernel  # IPython in a terminal
    assert error_text(fails(1), owner).endswith("on stderr.")


# -- nothing is swallowed --------------------------------------------------------------------


def broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes whatever comes."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {k.id for k in kinds if isinstance(k, ast.Name)}
    return handler.type is None or bool(names & {"Exception", "BaseException"})


def always_raises(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and always_raises(last.body) and always_raises(last.orelse)
    return isinstance(last, ast.Raise)


def called(node: ast.AST) -> set[str]:
    """The names of what is called in a part of a program, without what they belong to."""
    functions = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {getattr(f, "attr", getattr(f, "id", "")) for f in functions}


def swallowed(source: str) -> list[int]:
    """The lines of handlers that take whatever comes, and neither raise nor log it."""
    tree = ast.parse(source)
    logs = {"error_text", "log_error"}
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    # A function of the same file that logs is as good.
    logs |= {f.name for f in functions if called(f) & logs}
    lines = [
        h.lineno
        for h in ast.walk(tree)
        if isinstance(h, ast.ExceptHandler)
        and broad(h)
        and not always_raises(h.body)
        and not set().union(*map(called, h.body)) & logs
    ]
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        kinds = {a.id for a in call.args if isinstance(a, ast.Name)}
        if name == "suppress" and kinds & {"Exception", "BaseException"}:
            lines.append(call.lineno)
    return lines


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("pass", [3]),
        ("return None", [3]),
        ("print(e)", [3]),
        ("raise", []),
        ("raise ValueError from e", []),
        ("if e: raise", [3]),
        ("log_error(e, 'x')", []),
        ("text = error_text(e)", []),
    ],
)
def test_the_search_finds_what_is_swallowed(body: str, found: list[int]) -> None:
    for kind in ("Exception as e", "(ValueError, BaseException) as e"):
        assert swallowed(f"try:\n    x()\nexcept {kind}:\n    {body}\n") == found
    assert swallowed("try:\n    x()\nexcept:\n    pass\n") == [3]
    assert swallowed("try:\n    x()\nexcept ValueError:\n    pass\n") == []
    assert swallowed("with contextlib.suppress(Exception):\n    x()\n") == [1]


def test_no_error_is_swallowed() -> None:
    """Whoever takes whatever comes raises it again, or logs it with its traceback."""
    found = {
        str(file.relative_to(PACKAGE)): lines
        for file in sorted(PACKAGE.rglob("*.py"))
        if (lines := swallowed(file.read_text("utf-8")))
    }
    assert found == {}
