"""Several pictures in one object: a folder, a generator, a Series, an array, a data set or a data loader."""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import PictureError
from ..runtime.error_reports import error_line
from .array_pictures import check_tensor, transformed_beyond
from .conversion import LazyPicture, is_file, is_traversable
from .dataset_rows import ROW_KEYS, Row, images_of_batch, read_row, row_of_mapping, table_rows
from .folders import distinct_names, list_folder, list_traversable
from .ground_truth import GroundTruth

__all__ = ["DatasetPicture", "PictureEntry", "as_batch", "list_entries"]

#: Pictures that are taken out of a generator or a DataLoader: all of them are in memory.
MOST = 1000


@dataclass(frozen=True)
class PictureEntry:
    """One of several pictures.

    Attributes:
        source: the picture, or where it is.
        name: what to call it; empty if it has no name of its own.
    """

    source: Any
    name: str = ""


@dataclass(frozen=True, eq=False)
class DatasetPicture(LazyPicture):
    """A picture of a data set."""

    dataset: Any
    number: int

    def open(self) -> Any:
        """The picture, without its class.

        Raises:
            PictureError: if the data set does not give it.
        """
        try:
            element = self.dataset[self.number]
        except Exception as error:  # somebody's own
            raise PictureError(
                f"Picture {self.number} of the {type(self.dataset).__name__} cannot be had: {error_line(error)}"
            ) from error
        return read_row(element).picture


def list_entries(images: Any) -> list[PictureEntry] | None:
    """The pictures in a container, or None of what is one picture itself.

    Classes that come with pictures are left out. Files are not opened here: a broken one must not keep the others from
    being shown.

    Args:
        images: a list, a mapping from names, a folder (and the folders below it), an opened ZIP archive, a generator or
            another iterable, a pandas Series, or a DataFrame with a column such as "path", an array (N, H, W, C) or
            (N, C, H, W), a tensor (N, C, H, W), a data set, or a DataLoader. Of a data set with ``samples``, as
            torchvision's of folders, the files are taken, without its transform. A mapping that is a row of a data set,
            {"image": …, "label": …} or {"path": …}, is one picture.

    Raises:
        PictureError: if it is neither a picture nor a container, or has no picture or too many.
    """
    images = as_folder(images)
    if isinstance(images, Mapping):
        row = row_of_mapping(images)
        return _named(images) if row is None else [_entry(row)]
    if isinstance(images, (str, os.PathLike)):
        if _is_folder(images):
            return _in_folder(Path(images))
        _refuse_pattern(images)
        return None
    if is_traversable(images):
        return _in_archive(images) if images.is_dir() else None
    if isinstance(images, np.ndarray) and (images.ndim == 0 or images.dtype.kind not in "OUS"):
        return [PictureEntry(array) for array in _batch(images)] if images.ndim == 4 else None
    if isinstance(images, torch.Tensor):
        check_tensor(images)
        return [PictureEntry(tensor) for tensor in images] if images.ndim == 4 else None
    if _is_one(images):
        return None
    if _is_table(images) and (rows := table_rows(images)) is not None:
        images = rows
    _refuse_others(images)
    if isinstance(images, (list, tuple)):
        return _all(images)
    found: list[PictureEntry] | None = None
    if isinstance(images, torch.utils.data.DataLoader):
        found = [PictureEntry(picture) for picture in _limited(_of_loader(images), images)]
    elif isinstance(images, np.ndarray) or _is_column(images):
        found = _all(images)
    elif hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        found = _of_dataset(images)
    elif isinstance(images, Iterable):
        found = _all(_limited(images, images))
    if found:
        return found
    if found is not None:
        # A list without a picture may be meant so; a pattern that matches no file is not.
        raise PictureError(
            f"There is no picture in the {type(images).__name__}: of Path.glob, check the folder and the pattern."
        )
    raise PictureError(
        "Pictures are a path, a folder, an array, a tensor, a PIL image, or a list of these, not "
        f"{type(images).__name__}."
    )


def as_batch(images: Any) -> Any:
    """What is one picture or a tensor (N, C, H, W) as it is, and the pictures of any other container as a list."""
    if isinstance(images, torch.Tensor):
        check_tensor(images)
        return images
    if isinstance(images, Mapping) and (row := row_of_mapping(images)) is not None:
        return row.picture
    entries = list_entries(images)
    return images if entries is None else [_opened(entry.source) for entry in entries]


def _opened(source: Any) -> Any:
    return source.open() if isinstance(source, LazyPicture) else source


def as_folder(value: Any) -> Any:
    """An opened ZIP archive as the path that it is a folder of; anything else as it is."""
    archive, at = value, ""
    if isinstance(value, zipfile.Path) and value.root.filename is None:
        archive, at = value.root, value.at
    if not isinstance(archive, zipfile.ZipFile):
        return value
    # Opened anew: zipfile.Path makes the archive that it is given one of another class, and wants a name of it.
    opened = zipfile.ZipFile(archive.filename or archive.fp)  # type: ignore[arg-type]
    opened.filename = opened.filename or "archive.zip"
    return zipfile.Path(opened, at)


def _is_one(value: Any) -> bool:
    """Whether something is a single picture: a file's content, an opened file, an image, or a sample with its truth."""
    kinds = (bytes, bytearray, memoryview, Image.Image, GroundTruth, LazyPicture)
    return isinstance(value, kinds) or hasattr(value, "read") or hasattr(value, "image")


def _is_folder(path: str | os.PathLike[str]) -> bool:
    try:
        # An empty name, as of a variable that was never filled, is not the present folder.
        return str(path) != "" and Path(path).expanduser().is_dir()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def _in_folder(folder: Path) -> list[PictureEntry]:
    root = folder.expanduser()
    return [PictureEntry(path, path.relative_to(root).as_posix()) for path in list_folder(root)]


def _in_archive(folder: Any) -> list[PictureEntry]:
    """The pictures in a folder of a ZIP archive or of a package."""
    return [PictureEntry(path, name) for name, path in list_traversable(folder)]


def _all(elements: Iterable[Any]) -> list[PictureEntry]:
    entries = [entry for element in elements for entry in _elements(element)]
    # Files that are called alike have as much of their folders before their names as tells them apart.
    own = [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry.source, (str, os.PathLike)) and entry.name == Path(entry.source).name
    ]
    names = distinct_names([Path(entries[number].source) for number in own])
    for number, name in zip(own, names, strict=True):
        entries[number] = replace(entries[number], name=name)
    return entries


def _elements(element: Any) -> list[PictureEntry]:
    """An element of a list: a picture, a folder, or a picture with its class."""
    element = as_folder(element)
    if isinstance(element, (str, os.PathLike)):
        if _is_folder(element):
            return _in_folder(Path(element))
        _refuse_pattern(element)
        return [PictureEntry(element, Path(element).name)]
    if is_traversable(element):
        return _in_archive(element) if element.is_dir() else [PictureEntry(element, element.name)]
    return [_entry(read_row(element))]


def _entry(row: Row) -> PictureEntry:
    return PictureEntry(row.picture, row.name)


def _named(images: Mapping[Any, Any]) -> list[PictureEntry]:
    """The pictures of a mapping from names."""
    entries = []
    for key, value in images.items():
        if isinstance(value, (np.ndarray, torch.Tensor)):
            if value.ndim < 2:
                raise PictureError(
                    f"{key!r} of the mapping is no picture but {type(value).__name__} of shape {tuple(value.shape)}. "
                    "What a model takes beside the picture is named to camwidget.wrap(…, inputs={…})."
                )
        elif hasattr(value, "__len__") and not (
            isinstance(value, (str, tuple, list, Mapping)) or _is_one(value)
        ):
            raise PictureError(
                f"{key!r} of the mapping is a {type(value).__name__}, not one picture: of several data sets pass one, "
                f"such as images[{key!r}]."
            )
        entries.append(PictureEntry(read_row(value).picture, str(key)))
    return entries


def _refuse_pattern(path: str | os.PathLike[str]) -> None:
    """Name the remedy for a pattern of files, which nothing here expands."""
    text = str(path)
    if not ("*" in text or "?" in text) or is_file(Path(text)):
        return
    raise PictureError(
        f"{text!r} is a pattern, not a file: pass sorted(pathlib.Path(FOLDER).glob(PATTERN)), or the folder."
    )


def _batch(array: np.ndarray) -> Iterator[np.ndarray]:
    """The pictures (H, W, C) of a batch; the channels are the fewer of the second and the last dimension."""
    return iter(array if array.shape[3] <= array.shape[1] else np.moveaxis(array, 1, 3))


def _is_column(value: Any) -> bool:
    """Whether something is pandas' Series or Index."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.Series, pandas.Index))


def _is_table(value: Any) -> bool:
    """Whether something is pandas' DataFrame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _refuse_others(value: Any) -> None:
    """Name the remedy for what could be gone through and would not give pictures."""
    if _is_table(value):
        raise PictureError(
            f"A DataFrame has more than pictures: pass the column of their paths, such as table[{value.columns[0]!r}]. "
            f"Of a whole table {ROW_KEYS}."
            if len(value.columns)
            else "The DataFrame has no column."
        )
    if isinstance(value, tarfile.TarFile):
        raise PictureError(
            "A tar archive cannot be looked into at any place: unpack it, and pass the folder."
        )
    if isinstance(value, torch.nn.Module):
        raise PictureError("Pictures are wanted here, not a module: the model comes first.")


def _limited(pictures: Iterable[Any], what: Any) -> list[Any]:
    found: list[Any] = []
    for picture in pictures:
        if len(found) == MOST:
            raise PictureError(
                f"The {type(what).__name__} has more than {MOST} pictures, and all would be in memory: pass a list of "
                "paths, a folder or a data set, which are read as they are looked at, or fewer of them."
            )
        found.append(picture)
    return found


def _of_dataset(dataset: Any) -> list[PictureEntry]:
    """Of a data set whose elements are had one by one."""
    inner, numbers = dataset, range(len(dataset))
    places = list(numbers)
    while isinstance(inner, torch.utils.data.Subset):
        places, inner = [inner.indices[p] for p in places], inner.dataset
    samples, root = getattr(inner, "samples", None), getattr(inner, "root", None)
    if isinstance(samples, list) and samples and isinstance(samples[0], tuple) and root:
        files = [Path(samples[place][0]) for place in places]
        return [PictureEntry(file, Path(os.path.relpath(file, root)).as_posix()) for file in files]
    return [PictureEntry(DatasetPicture(dataset, number)) for number in numbers]


def _of_loader(loader: Any) -> Iterator[Any]:
    """The pictures of a DataLoader's batches."""
    for batch in loader:
        images = batch if isinstance(batch, torch.Tensor) else images_of_batch(batch)
        if not isinstance(images, (torch.Tensor, list, tuple)):
            raise PictureError(
                "A DataLoader gives batches of images, tensors (N, C, H, W) in [0, 1], or of (images, classes); this "
                f"one gives {type(images).__name__}. Pass its dataset instead."
            )
        for image in images:
            if found := transformed_beyond(image):
                raise PictureError(f"A picture of the DataLoader {found}")
            # A copy: a view would keep the whole batch alive.
            yield image.clone() if isinstance(image, torch.Tensor) else image
