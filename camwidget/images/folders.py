"""Folders: which files are pictures, for the explorer, the command line and ``evaluate``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from PIL import Image

from ..errors import PictureError

__all__ = ["distinct_names", "list_folder", "list_traversable", "picture_suffixes", "walk_folder"]

#: Formats that Pillow recognizes, and cannot decode without another program or library.
_NOT_DECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


def picture_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of the files that Pillow and its plugins read."""
    # Computed at each call, since a plugin may be registered later.
    return frozenset(
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.OPEN and kind not in _NOT_DECODED
    )


def walk_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Iterate over the pictures in a folder, then over those in its subfolders, each sorted by name.

    A picture is a file with one of ``picture_suffixes`` in any case. Files and folders whose names begin with a dot are
    skipped, such as those of checkpoints. Links to folders are followed, and each folder is entered once.

    Raises:
        PictureError: if a folder cannot be read.
    """
    suffixes = picture_suffixes()
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        path = Path(here)
        for name in sorted(files):
            # Not ``Path.suffix``, which would take most of the time for a folder of ten thousand.
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield path / name


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return each file's name, with as many parent folders as distinguish files of the same name."""
    alike: dict[str, set[Path]] = {}
    for path in paths:
        alike.setdefault(path.name, set()).add(path)
    parts = {name: _distinguishing_parts(group) for name, group in alike.items()}
    return ["/".join(path.parts[-parts[path.name] :]) for path in paths]


def _distinguishing_parts(paths: set[Path]) -> int:
    """Return how many trailing parts of the paths make all of them different."""
    most = max(len(path.parts) for path in paths)
    for count in range(1, most):
        if len({path.parts[-count:] for path in paths}) == len(paths):
            return count
    return most


def list_folder(folder: str | os.PathLike[str]) -> list[Path]:
    """List the pictures of ``walk_folder``.

    Raises:
        PictureError: if there is no picture, or a folder cannot be read.
    """
    files = list(walk_folder(folder))
    if not files:
        raise PictureError(
            f"The folder {os.fspath(folder)!r} has no picture in it, nor have its folders: files that Pillow reads, "
            "such as .png, .jpg, .tif and .webp, whose names do not begin with a dot."
        )
    return files


def list_traversable(folder: Traversable) -> list[tuple[str, Traversable]]:
    """List the pictures in a folder of a ZIP archive or a package with their names, by the rule of ``walk_folder``.

    Raises:
        PictureError: if there is no picture.
    """
    found = list(_walk_traversable(folder, ""))
    if not found:
        raise PictureError(
            f"The folder {str(folder)!r} has no picture in it, nor have its folders."
        )
    return found


def _walk_traversable(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    suffixes = picture_suffixes()
    here = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
    for path in here:
        if path.is_file() and Path(path.name).suffix.lower() in suffixes:
            yield above + path.name, path
    for path in here:
        if path.is_dir():
            yield from _walk_traversable(path, f"{above}{path.name}/")


def _refuse(error: OSError) -> None:
    raise PictureError(
        f"The folder {str(error.filename)!r} cannot be read ({error.strerror}): change its permissions, or pass the "
        "pictures as a list."
    ) from error
