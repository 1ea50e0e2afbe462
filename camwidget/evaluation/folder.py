"""Labeled folders: one folder for each class, or a flat one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DataError
from ..images.folders import walk_folder
from .items import Item
from .parsing import ElementParser

__all__ = ["Folder", "spread"]


def spread(count: int, limit: int | None) -> Sequence[int]:
    """Which of so many pictures: all, or ``limit`` of them spread evenly, so that sorted classes all have some."""
    if limit is None or limit >= count:
        return range(count)
    return [n * count // limit for n in range(limit)]


class Folder:
    """Pictures below a folder; those in a folder of their own are of its class, loose ones of none.

    Raises:
        DataError: if there is no such folder, no picture, or a class that the model has not.
    """

    kind = "folder"
    is_shuffled = False

    def __init__(self, root: Path, reader: ElementParser, limit: int | None) -> None:
        self._root, self._reader = root.expanduser(), reader
        if not self._root.is_dir():
            what = "a file" if self._root.exists() else "nothing"
            raise DataError(
                f"There is {what} at {str(root)!r}, not a folder (looked in {Path.cwd()}): data is a folder of class "
                "folders, a list of pictures, a dataset or a DataLoader."
            )
        files = [path.relative_to(self._root) for path in walk_folder(self._root)]
        if not files:
            raise DataError(
                f"There is nothing to evaluate: {str(root)!r} has no pictures in it, nor its folders."
            )
        folders = dict.fromkeys(f.parts[0] for f in files if len(f.parts) > 1)
        classes = {**reader.labels.named(list(folders)), "": None}
        self._files = [
            (n, files[n], classes[files[n].parent.parts[0] if files[n].parent.parts else ""])
            for n in spread(len(files), limit)
        ]
        self.total: int | None = len(self._files)

    def items(self, start: int) -> Iterator[Item]:
        """From the ``start``-th on."""
        for number, file, label in self._files[start:]:
            path = self._root / file
            item = self._reader.item(number, file.as_posix(), path)
            yield Item(number, item.name, path, label, item.truth)

    def print(self) -> str:
        """Of the names and classes."""
        digest = hashlib.sha256()
        for _, file, label in self._files:
            digest.update(f"{file.as_posix()}\0{label}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]
