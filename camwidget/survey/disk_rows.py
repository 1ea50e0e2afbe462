"""Rows of arrays and small files on the disk, mapped into memory, which they take only while they are read.

They are in temporary files without a name: nobody sees a half-written one, and none is left over, whatever ends the
process.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import DataError

__all__ = ["DiskFiles", "DiskRows", "StoredFiles"]


class DiskRows:
    """Rows of equal shape and type, which are appended one by one, and then mapped into memory.

    Args:
        folder: folder of the temporary file; None, or one that cannot be written to, for that of ``tempfile``.
        dtype: type of the elements.
        empty: shape of a row where there is none.
    """

    def __init__(self, folder: Path | None, dtype: DTypeLike, empty: tuple[int, ...] = ()) -> None:
        self._file = _temporary_file(folder)
        self._dtype = np.dtype(dtype)
        self._shape = empty
        self._count = 0

    def append(self, row: NDArray[Any]) -> None:
        """Add a row.

        Raises:
            DataError: if it cannot be written, or has another shape than the rows before it.
        """
        if self._count and row.shape != self._shape:
            raise DataError(
                f"A row of shape {row.shape} follows rows of shape {self._shape}: the file of results is damaged. "
                "Remove it."
            )
        self._shape = row.shape
        self._count += 1
        _write(self._file, np.ascontiguousarray(row, self._dtype).tobytes())

    def mapped(self) -> NDArray[Any]:
        """Return all rows (rows, …), and close the file, which is there as long as the array.

        What is written into the array is in memory, and not in the file.
        """
        shape = (self._count, *self._shape)
        with self._file as file:
            if 0 in shape:
                return np.zeros(shape, self._dtype)
            _flush(file)
            return np.memmap(file, self._dtype, "c", shape=shape).view(np.ndarray)


class DiskFiles:
    """Small files, which are appended one by one, and then mapped into memory.

    Args:
        folder: as in ``DiskRows``.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = _temporary_file(folder)
        self._ends = [0]

    def append(self, content: bytes) -> None:
        """Add a file.

        Raises:
            DataError: if it cannot be written.
        """
        _write(self._file, content)
        self._ends.append(self._ends[-1] + len(content))

    def mapped(self) -> StoredFiles:
        """Return the files, and close the file that they are in."""
        with self._file as file:
            _flush(file)
            ends = np.asarray(self._ends, np.int64)
            if not ends[-1]:
                return StoredFiles(np.zeros(0, np.uint8), ends)
            return StoredFiles(np.memmap(file, np.uint8, "c").view(np.ndarray), ends)


class StoredFiles(Sequence[bytes]):
    """Contents of small files, one after the other in an array.

    Args:
        content: uint8 (bytes of all,).
        ends: int64 (files + 1,): 0, and the end of each in ``content``.
    """

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._content, self._ends = content, ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> list[bytes]: ...
    def __getitem__(self, number: int | slice) -> bytes | list[bytes]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        place = range(len(self))[number]
        return self._content[self._ends[place] : self._ends[place + 1]].tobytes()

    def __repr__(self) -> str:
        return f"StoredFiles({len(self)} files, {len(self._content):,} bytes)"


def _temporary_file(folder: Path | None) -> IO[bytes]:
    if folder is not None:
        with contextlib.suppress(OSError):
            return tempfile.TemporaryFile(dir=folder)
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise _unwritable(error) from error


def _write(file: IO[bytes], data: bytes) -> None:
    try:
        file.write(data)
    except OSError as error:
        raise _unwritable(error) from error


def _flush(file: IO[bytes]) -> None:
    try:
        file.flush()
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> DataError:
    return DataError(
        f"The rows cannot be written to a temporary file: {error}. Make room on the disk, or set the environment "
        "variable TMPDIR to a folder that has some."
    )
