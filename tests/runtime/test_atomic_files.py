"""Atomic files: complete or absent, and no file of another writer is lost."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camwidget.runtime import atomic_files
from camwidget.runtime.atomic_files import write_file, write_files

posix = pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")


def no_links(*_: Any, **__: Any) -> None:
    """As on a FAT file system."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def windows_rename(source: Path, target: Path) -> None:
    """As on Windows: a name that is taken is refused, in one step."""
    os.link(source, target)
    os.unlink(source)


@pytest.fixture(params=["hard links", "no hard links", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no hard links":
        monkeypatch.setattr(atomic_files.os, "link", no_links)
    elif request.param == "Windows":
        monkeypatch.setattr(atomic_files, "_RENAME_REFUSES", True)
        monkeypatch.setattr(atomic_files.os, "rename", windows_rename)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# -- one at a time ---------------------------------------------------------------------------


def test_a_file_is_written_once(tmp_path: Path, system: None) -> None:
    file = tmp_path / "a.html"
    write_file(file, b"one")
    with pytest.raises(FileExistsError, match=r"a\.html: exists already\. Choose another name"):
        write_file(file, b"two")
    assert file.read_bytes() == b"one"
    write_file(file, b"three", overwrite=True)
    assert file.read_bytes() == b"three"
    write_file(tmp_path / "b.html", b"new", overwrite=True)
    assert names(tmp_path) == ["a.html", "b.html"]


def test_several_are_written_together_or_not(tmp_path: Path, system: None) -> None:
    files = [tmp_path / f"map{s}" for s in (".npy", ".png", ".json")]
    files[2].write_bytes(b"theirs")
    with pytest.raises(FileExistsError, match="json"):
        write_files(dict.fromkeys(files, b"ours"))
    assert names(tmp_path) == ["map.json"] and files[2].read_bytes() == b"theirs"
    files[2].unlink()
    write_files({file: file.suffix.encode() for file in files})
    assert [file.read_bytes() for file in files] == [b".npy", b".png", b".json"]
    assert len(names(tmp_path)) == 3


def test_a_missing_folder_is_said_with_the_remedy(tmp_path: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(FileNotFoundError, match=r"no folder .*no.*mkdir\(parents=True\)"):
            write_file(tmp_path / "no" / "a", b"", overwrite=overwrite)
    assert names(tmp_path) == []


@posix
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.touch()
    write_file(ours, b"")
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    ours.chmod(0o600)
    write_file(ours, b"more", overwrite=True)
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600, "what is private stays so"


@posix
def test_links_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    real, link, loose = folder / "real", tmp_path / "link", tmp_path / "loose"
    real.write_bytes(b"before")
    link.symlink_to(real)
    loose.symlink_to(folder / "nothing")
    for taken in (link, loose):
        with pytest.raises(FileExistsError):
            write_file(taken, b"new")
    assert real.read_bytes() == b"before" and names(folder) == ["real"]
    write_file(link, b"new", overwrite=True)
    assert link.is_symlink() and real.read_bytes() == b"new"
    write_file(loose, b"new", overwrite=True)
    assert loose.is_symlink() and names(folder) == ["nothing", "real"]
    assert names(tmp_path) == ["elsewhere", "link", "loose"]


@posix
def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no file"):
            write_file(tmp_path / name, b"", overwrite=True)
    assert names(tmp_path) == ["folder", "pipe"] and (tmp_path / "pipe").is_fifo()


# -- what stops it ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("step", ["open", "fsync", "replace", "link"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_stops_it_leaves_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
    overwrite: bool,
) -> None:
    if step == "link" and (overwrite or isinstance(error, OSError)):
        pytest.skip("there is no link, or another way")
    file = tmp_path / "a"
    if overwrite:
        file.write_bytes(b"before")

    def stop(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        if step == "replace":
            patch.setattr(atomic_files.os, "link", no_links)
        patch.setattr(atomic_files.os, step, stop)
        with pytest.raises(type(error)):
            write_file(file, b"after", overwrite=overwrite)
    assert names(tmp_path) == (["a"] if overwrite else [])
    assert not overwrite or file.read_bytes() == b"before"


def test_of_several_files_an_interrupt_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, made = os.link, []

    def interrupted(source: Path, target: Path) -> None:
        link(source, target)  # it is there, and the caller does not know
        made.append(target)
        if len(made) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(atomic_files.os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files({tmp_path / name: b"x" for name in "abc"})
    assert len(made) == 2 and names(tmp_path) == []


def test_an_answer_of_a_server_that_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over NFS a link may be made, and its repeated request be refused."""
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(atomic_files.os, "link", twice)
    write_file(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a"]


def test_a_file_system_that_cannot_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(atomic_files.os, "fsync", refuse)
    write_file(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


# -- several at once -------------------------------------------------------------------------


def at_once(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Do something in so many threads that all begin together; what they raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait(60)
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return errors


def test_of_many_threads_one_has_the_name(tmp_path: Path, system: None) -> None:
    for turn in range(20):
        file = tmp_path / f"{turn}"
        contents = [f"{n} ".encode() * 20_000 for n in range(6)]
        errors = at_once(6, lambda n, f=file, c=contents: write_file(f, c[n]))
        assert len(errors) == 5 and all(isinstance(e, FileExistsError) for e in errors)
        assert file.read_bytes() in contents
    assert len(names(tmp_path)) == 20


def test_whoever_reads_meanwhile_sees_all_of_one(tmp_path: Path) -> None:
    file = tmp_path / "a"
    contents = [f"{n} ".encode() * 20_000 for n in range(4)]
    write_file(file, contents[0])
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(10):
            errors = at_once(4, lambda n: write_file(file, contents[n], overwrite=True))
            assert errors == []
    finally:
        done.set()
        reader.join(60)
    assert seen <= set(contents)
    assert names(tmp_path) == ["a"]


WRITER = """
import sys
from pathlib import Path
from camwidget.runtime.atomic_files import write_file

print("ready", flush=True)
sys.stdin.readline()
for turn in range(20):
    try:
        write_file(Path(sys.argv[1]) / str(turn), sys.argv[2].encode() * 20_000)
    except FileExistsError:
        continue
    print(turn, flush=True)
"""


def test_of_many_processes_one_has_the_name(tmp_path: Path) -> None:
    """As in a folder that several people's machines share."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    won: dict[int, int] = {}
    for number, process in enumerate(processes):
        for turn in map(int, process.communicate(timeout=60)[0].split()):
            assert turn not in won
            won[turn] = number
    assert process.returncode == 0 and sorted(won) == list(range(20))
    for turn, number in won.items():
        assert (tmp_path / f"{turn}").read_bytes() == f"{number}".encode() * 20_000
    assert len(names(tmp_path)) == 20
