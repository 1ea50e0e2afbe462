"""Data sets in folders: one folder per class, or one flat folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DataError
from ..images.folders import walk_folder
from .items import Item
from .parsing import ElementParser

__all__ = ["Folder", "evenly_spaced"]


def evenly_spaced(count: int, limit: int | None) -> Sequence[int]:
    """Indices of at most ``limit`` of ``count`` pictures, evenly spaced, so that every class of sorted data is
    included.
    """
    if limit is None or limit >= count:
        return range(count)
    return [n * count // limit for n in range(limit)]


class Folder:
    """The pictures below a folder; those in a subfolder have its class, the others have none.

    Raises:
        DataError: if the folder does not exist, has no picture, or has a class that the model lacks.
    """

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
        classes = {**reader.labels.folder_classes(list(folders)), "": None}
        self._files = [
            (n, files[n], classes[files[n].parent.parts[0] if files[n].parent.parts else ""])
            for n in evenly_spaced(len(files), limit)
        ]
        self.total: int | None = len(self._files)

    def items(self, start: int) -> Iterator[Item]:
        """Iterate over the pictures from number ``start`` on."""
        for number, file, label in self._files[start:]:
            path = self._root / file
            item = self._reader.item(number, file.as_posix(), path)
            yield Item(number, item.name, path, label, item.truth)

    def fingerprint(self) -> str:
        """A hash of the names and classes."""
        digest = hashlib.sha256()
        for _, file, label in self._files:
            digest.update(f"{file.as_posix()}\0{label}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]
