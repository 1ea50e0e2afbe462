"""Results file of an evaluation: JSON lines, one row per map, appended batch by batch.

``pandas.read_json(path, lines=True, precise_float=True)`` opens it. The first row has the facts of the run in a column
of its own. Every row has the run's short name, so that the rows of several files can be concatenated, and how many
rows of its batch follow, so that an unfinished batch is recognized.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import IO, Any

from ..errors import DataError, warn
from .batch import Row

__all__ = ["ResultsFile", "StoredBatch", "run_name"]


def _module(name: str) -> Any:
    """Import a module that exists on some systems only; None on the others."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


#: The modules that lock files, on Linux and macOS and on Windows.
_fcntl, _msvcrt = _module("fcntl"), _module("msvcrt")

#: The byte that is locked on Windows, beyond the end of any file: a locked byte cannot be read by others.
_LOCK_POSITION = 2**31 - 2

#: Bytes up to which the rows of a run without a file are in memory; more are in a temporary file.
_MOST_IN_MEMORY = 2**20

#: Error numbers of operating systems for a file that another process has locked.
_IN_USE = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


def run_name(facts: dict[str, Any]) -> str:
    """A short hash that names a run by its facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class StoredBatch:
    """Where the rows of a finished batch are in the file.

    Attributes:
        start: position of the first byte.
        length: number of bytes.
        pictures: number of pictures, each of which has one row or several.
    """

    start: int
    length: int
    pictures: int

    @classmethod
    def of(cls, rows: Sequence[Row], start: int, length: int) -> StoredBatch:
        """Make the entry of a batch with these rows."""
        return cls(start, length, len({row["picture"] for row in rows}))


class ResultsFile:
    """The rows of a run by batch, stored in a file: memory has only where each batch is.

    Args:
        path: the file, which need not exist; None for a temporary one without a name.
        facts: everything that the results depend on.

    Attributes:
        batches: where every finished batch is, by number.

    Raises:
        DataError: if the file belongs to another run, is damaged, is in use, or is not writable.
    """

    def __init__(self, path: str | os.PathLike[str] | None, facts: dict[str, Any]) -> None:
        self.facts, self.run = facts, run_name(facts)
        self.batches: dict[int, StoredBatch] = {}
        if not isinstance(path, (str, os.PathLike, NoneType)):
            raise DataError(f"results is the path of a file, not {type(path).__name__}.")
        self._path = None if path is None else Path(path).expanduser()
        self._file: IO[bytes] | None = None
        self._end = 0  # end of the file after our last write
        if self._path is None:
            self._file = _open_temporary()
        else:
            self._file = _open_locked(self._path)
            try:
                self._resume()
            except BaseException:
                self.close()
                raise

    @property
    def folder(self) -> Path | None:
        """The folder of the file; None for a temporary file."""
        return None if self._path is None else self._path.parent

    def add(self, batch: int, rows: Sequence[Row]) -> None:
        """Add a finished batch and flush it to the disk.

        Raises:
            DataError: if it cannot be written.
        """
        rows_left = range(len(rows) - 1, -1, -1)
        kept = [
            {"run": self.run, "batch": batch, "rows_left": n, **row}
            for n, row in zip(rows_left, rows, strict=True)
        ]
        if not self.batches:
            kept[0] = {**kept[0], "facts": self.facts}
        data = "".join(json.dumps(row, allow_nan=False) + "\n" for row in kept).encode()
        self._write(data)
        self.batches[batch] = StoredBatch.of(kept, self._end - len(data), len(data))

    def rows(self) -> Iterator[Row]:
        """Read all rows, in the order of the pictures; the file has to be open.

        Raises:
            DataError: if the file cannot be read, or has been changed by somebody else.
        """
        for _, batch in sorted(self.batches.items()):
            try:
                found = [json.loads(line) for line in self._read(batch).splitlines()]
            except (OSError, ValueError) as error:
                raise DataError(
                    f"The rows cannot be read again from {self._name}: {error}. Call evaluate again."
                ) from error
            for row in found:
                row.pop("facts", None)
                yield row

    def close(self) -> None:
        """Close and unlock the file."""
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None

    @property
    def _name(self) -> str:
        return "a temporary file" if self._path is None else repr(str(self._path))

    def _read(self, batch: StoredBatch) -> bytes:
        assert self._file is not None
        self._file.seek(batch.start)
        data = b""
        # The file is not buffered, so that one read may give less.
        while more := self._file.read(batch.length - len(data)):
            data += more
        return data

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        start = self._file.seek(0, os.SEEK_END)
        if start != self._end:  # happens where files cannot be locked
            raise DataError(
                f"{self._name} has been written to by somebody else since this evaluation began: let one "
                "evaluation at a time write to a file, remove what it holds twice, and call evaluate again."
            )
        left = memoryview(data)
        try:
            while left:  # one write, unless the system accepts less at once
                left = left[self._file.write(left) :]
            if self._path is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(start)
            raise DataError(
                f"The results could not be written to {self._name}: {error}. What was written before is kept: "
                "make room, and call evaluate again to go on."
            ) from error
        self._end = start + len(data)

    def _resume(self) -> None:
        """Read the finished batches of an earlier run, and truncate an unfinished one."""
        assert self._file is not None
        complete = 0
        pending: list[Row] = []  # of the batch at hand, whose bytes begin at ``complete``
        for number, (end, row) in enumerate(self._lines(), 1):
            if number == 1:
                self._compare(row)
            batch, rows_left = row.get("batch"), row.get("rows_left")
            is_counted = all(isinstance(n, int) and n >= 0 for n in (batch, rows_left))
            if row.get("run") != self.run or not is_counted or "picture" not in row:
                raise self._damaged(number, "it is no row of this run")
            # Sorted or deleted lines would otherwise lose pictures silently.
            if pending:
                is_next = (batch, rows_left) == (pending[-1]["batch"], pending[-1]["rows_left"] - 1)
            else:
                is_next = batch not in self.batches
            if not is_next:
                raise self._damaged(number, "it does not follow what is before it")
            pending.append(row)
            if rows_left == 0:
                self.batches[row["batch"]] = StoredBatch.of(pending, complete, end - complete)
                pending, complete = [], end
        self._file.truncate(complete)
        self._end = complete

    def _lines(self) -> Iterator[tuple[int, Row]]:
        """Iterate over the end position and the row of each line, up to a truncated last line."""
        assert self._path is not None
        end = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                end += len(line)
                if number == 1 and not _is_results_line(line):
                    raise self._not_results()
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    row = None
                if isinstance(row, dict) and line.endswith(b"\n"):
                    yield end, row
                elif file.read(1):
                    raise self._damaged(number, "it cannot be read, and others follow")

    def _compare(self, first: Row) -> None:
        facts = first.get("facts")
        if not isinstance(facts, dict):
            raise self._not_results()
        now = json.loads(json.dumps(self.facts))
        if facts == now:
            return
        differ = [
            f"{name} was {_shortened(facts.get(name))} and is {_shortened(now.get(name))}"
            for name in dict.fromkeys([*facts, *now])
            if facts.get(name) != now.get(name)
        ]
        raise DataError(
            f"{str(self._path)!r} has the results of another evaluation: {'; '.join(differ)}. Evaluate as before to go "
            "on with it, or give another file."
        )

    def _not_results(self) -> DataError:
        return DataError(f"{str(self._path)!r} is no file of results: give another, or remove it.")

    def _damaged(self, line: int, why: str) -> DataError:
        return DataError(
            f"{str(self._path)!r} is damaged: line {line}: {why}. Remove the file, or the lines from there on."
        )


def _is_results_line(line: bytes) -> bool:
    """Whether a first line is the row of a run, complete or truncated."""
    begin = b'{"run": "'
    # A power failure may leave zeros.
    return line.startswith(begin) or begin.startswith(line) or not line.strip(b"\0")


def _shortened(value: Any) -> str:
    text = "unknown" if value is None else json.dumps(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _open_temporary() -> IO[bytes]:
    """Open a file without a name, which is in memory as long as it is small."""
    return tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY)


def _open_locked(path: Path) -> IO[bytes]:
    """Open a file and lock it; unbuffered, so that each batch is one write."""
    if path.exists() and not path.is_file():
        raise DataError(
            f"Results cannot be kept in {str(path)!r}, which is no plain file: give another."
        )
    try:
        file = path.open("a+b", buffering=0)
    except (OSError, ValueError) as error:  # ValueError: an invalid file name
        why = getattr(error, "strerror", None) or error
        raise DataError(
            f"Results cannot be kept in {str(path)!r}: {why}. Give a file in a folder that exists "
            "and can be written."
        ) from error
    try:
        _lock(file)
    except OSError as error:
        if error.errno in _IN_USE:
            file.close()
            raise DataError(
                f"{str(path)!r} is in use by another evaluation: wait for it, or give another file."
            ) from None
        warn(
            f"{str(path)!r} cannot be locked ({error.strerror or error}): the file system has no locks. Take care that "
            "no other evaluation writes to it."
        )
    return file


def _lock(file: IO[bytes]) -> None:
    """Lock the file for this process until it is closed.

    Raises:
        OSError: if another process has locked it, or the file system has no locks.
    """
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    elif _msvcrt is not None:
        file.seek(_LOCK_POSITION)  # locking starts at the current position
        _msvcrt.locking(file.fileno(), _msvcrt.LK_NBLCK, 1)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _unlock(file: IO[bytes]) -> None:
    """Unlock the file on Windows, where closing it would release the lock only after a while."""
    if _fcntl is None and _msvcrt is not None:
        with contextlib.suppress(OSError):  # it was never locked
            file.seek(_LOCK_POSITION)
            _msvcrt.locking(file.fileno(), _msvcrt.LK_UNLCK, 1)
