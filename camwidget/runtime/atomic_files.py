"""Atomic file writing: a file is written completely or not at all, and replaces another only on request."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["check_folder", "write_file", "write_files"]

#: Whether ``os.rename`` fails if the new name exists; on other systems it replaces the existing file.
_RENAME_REFUSES = os.name == "nt"

#: Errors of ``os.fsync`` on file systems that do not support it.
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def check_folder(path: Path) -> None:
    """Check that the folder of a file exists.

    Raises:
        FileNotFoundError: if the folder is missing.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r}: make it first, with "
            f"pathlib.Path({str(path.parent)!r}).mkdir(parents=True)."
        )


def write_file(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a file atomically: a reader sees the previous file, or the complete new one.

    Args:
        path: path in an existing folder.
        content: the complete content.
        overwrite: whether an existing file may be replaced. A symbolic link stays, and its target is replaced.

    Raises:
        FileExistsError: if the path exists and may not be replaced, even if it was created during the call.
        FileNotFoundError: if the folder is missing.
        OSError: if the file cannot be written, or the path to replace is not a regular file.
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
    """Write several new files, all of them or none.

    Args:
        contents: the complete content of each path.

    Raises:
        FileExistsError: if one of the paths exists, even if it was created during the call.
        FileNotFoundError: if a folder is missing.
        OSError: if a file cannot be written.
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
                # The file that was being placed may exist already, or be another process's.
                if path in placed or _is_same(path, inode):
                    path.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _finished(target: Path, content: bytes) -> Iterator[Path]:
    """Write the content to a temporary file beside the target, and remove that file at exit if it was not moved."""
    # The name is cut, since many file systems allow 255 bytes, and a character may take four.
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        # The umask decides the permissions, as for every new file.
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
    """Give a finished file its name in one step that fails if the name exists; a check beforehand could be outdated."""
    inode = os.stat(part)
    try:
        if _RENAME_REFUSES:
            os.rename(part, target)
        else:
            os.link(part, target)
        return
    except FileExistsError:
        if _is_same(target, inode):  # a network file system repeated the request after a lost reply
            return
        raise _taken(target) from None
    except OSError:
        if _RENAME_REFUSES:
            raise
    # The file system has no hard links (any other cause of the error makes the following fail too): an empty file
    # reserves the name, and is then replaced.
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
    """Return whether a path, without following links, is the file of an inode."""
    try:
        return os.path.samestat(os.lstat(path), inode)
    except FileNotFoundError:
        return False
