"""Files written as a whole or not at all, and never over an existing file unless asked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["check_folder", "write_file", "write_files"]

#: Whether ``os.rename`` refuses a name that is taken; elsewhere it replaces what is there.
_RENAME_REFUSES = os.name == "nt"

#: What ``os.fsync`` raises of a file system that has nothing of the kind.
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def check_folder(path: Path) -> None:
    """Refuse the path of a file whose folder is missing.

    Raises:
        FileNotFoundError: if it is.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r}: make it first, with "
            f"pathlib.Path({str(path.parent)!r}).mkdir(parents=True)."
        )


def write_file(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a file. Whoever looks sees what was there before, or all of it.

    Args:
        path: in a folder that exists.
        content: all of it.
        overwrite: whether what is there may be replaced. A link stays, and the file that it leads to is replaced.

    Raises:
        FileExistsError: if there is something of that name, and it may not be replaced; also if it has come just now.
        FileNotFoundError: if the folder is missing.
        OSError: if it cannot be written, or what is to be replaced is no file.
    """
    if not overwrite:
        write_files({path: content})
        return
    target = Path(os.path.realpath(path))
    check_folder(target)
    mode = None
    if target.exists():
        if not target.is_file():
            raise OSError(errno.EEXIST, "This is no file, and is not replaced", str(target))
        mode = stat.S_IMODE(target.stat().st_mode)
    with _finished(target, content) as part:
        if mode is not None:
            os.chmod(part, mode)
        os.replace(part, target)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files, all of them or none, where nothing of their names is.

    Raises:
        FileExistsError: if there is something of one of the names; also if it has come just now.
        FileNotFoundError: if a folder is missing.
        OSError: if one cannot be written.
    """
    for path in contents:
        check_folder(path)
    with contextlib.ExitStack() as stack:
        parts = {p: stack.enter_context(_finished(p, content)) for p, content in contents.items()}
        inodes = {path: os.stat(part) for path, part in parts.items()}
        placed: set[Path] = set()
        try:
            for path, part in parts.items():
                _place(part, path)
                placed.add(path)
        except BaseException:
            for path, inode in inodes.items():
                # One that was being placed may be there too, or be somebody else's.
                if path in placed or _is_same(path, inode):
                    path.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _finished(target: Path, content: bytes) -> Iterator[Path]:
    """A file beside the target that has all of the content, to be moved; what is left of it is gone afterwards."""
    # Cut, since many file systems have no longer names than 255 bytes, and a letter may take four.
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        # With the permissions that the umask leaves, as every new file.
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o666), "wb") as stream:
            stream.write(content)
            stream.flush()
            try:
                os.fsync(stream.fileno())
            except OSError as error:
                if error.errno not in _NO_SYNC:
                    raise
        yield part
    finally:
        part.unlink(missing_ok=True)


def _place(part: Path, target: Path) -> None:
    """Give a finished file its name in one step that fails if the name is taken: a check beforehand may be too old."""
    inode = os.stat(part)
    try:
        if _RENAME_REFUSES:
            os.rename(part, target)
        else:
            os.link(part, target)
        return
    except FileExistsError:
        if _is_same(target, inode):  # a server's answer was lost, and the request came twice
            return
        raise _taken(target) from None
    except OSError:
        if _RENAME_REFUSES:
            raise
    # A file system without hard links, or whatever keeps us from writing here at all: then this fails too. The name is
    # taken first, by an empty file, which is then replaced.
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        if _is_same(target, inode):
            return
        raise _taken(target) from None
    try:
        os.replace(part, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _taken(target: Path) -> FileExistsError:
    return FileExistsError(f"{target}: exists already. Choose another name.")


def _is_same(path: Path, inode: os.stat_result) -> bool:
    """Whether a path, without following links, is this very file."""
    try:
        return os.path.samestat(os.lstat(path), inode)
    except FileNotFoundError:
        return False
