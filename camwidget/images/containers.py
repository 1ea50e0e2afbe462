"""Containers of pictures: folders, generators, Series, arrays, data sets and data loaders."""

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
from .clips import Clip
from .conversion import LazyPicture, is_file, is_traversable
from .dataset_rows import ROW_KEYS, Row, images_of_batch, read_row, row_of_mapping, table_rows
from .folders import distinct_names, list_folder, list_traversable
from .ground_truth import GroundTruth

__all__ = ["DatasetPicture", "PictureEntry", "as_batch", "list_entries"]

#: Largest number of pictures taken from a generator or DataLoader, since all of them are in memory.
MAX_PICTURES = 1000


@dataclass(frozen=True)
class PictureEntry:
    """One picture of a container.

    Attributes:
        source: the picture, or its location.
        name: name of the picture; empty if it has none.
        label: the class that comes with it, as an index or a name; None without.
        truth: what follows the class in (picture, class, truth), such as masks or boxes; None without.
    """

    source: Any
    name: str = ""
    label: Any = None
    truth: Any = None


@dataclass(frozen=True, eq=False)
class DatasetPicture(LazyPicture):
    """Picture of a data set, read when it is needed."""

    dataset: Any
    number: int

    def open(self) -> Any:
        """Return the picture, without its class.

        Raises:
            PictureError: if the data set fails.
        """
        try:
            element = self.dataset[self.number]
        except Exception as error:  # a user's data set may raise anything
            raise PictureError(
                f"Picture {self.number} of the {type(self.dataset).__name__} cannot be had: {error_line(error)}"
            ) from error
        return read_row(element).picture


def list_entries(images: Any) -> list[PictureEntry] | None:
    """List the pictures in a container; None for a single picture.

    Classes that come with the pictures of a list are kept, those of a data set are dropped. Files are not opened here,
    so that a damaged one does not affect the others.

    Args:
        images: a list, a mapping from names, a folder with its subfolders, an opened ZIP archive, a generator or
            another iterable, a pandas Series, a DataFrame with a column such as "path", an array (N, H, W, C) or (N, C,
            H, W), a tensor (N, C, H, W), a data set, or a DataLoader. Of a data set with ``samples``, as torchvision's
            of folders, the files are taken without its transform. A mapping that is a row of a data set, {"image": …,
            "label": …} or {"path": …}, is a single picture.

    Raises:
        PictureError: if it is neither a picture nor a container, or has no picture or too many.
    """
    images = as_folder(images)
    if isinstance(images, Mapping):
        row = row_of_mapping(images)
        return _mapping_entries(images) if row is None else [_entry(row)]
    if isinstance(images, (str, os.PathLike)):
        if _is_folder(images):
            return _folder_entries(Path(images))
        _refuse_pattern(images)
        return None
    if is_traversable(images):
        return _archive_entries(images) if images.is_dir() else None
    if isinstance(images, np.ndarray) and (images.ndim == 0 or images.dtype.kind not in "OUS"):
        return (
            [PictureEntry(array) for array in _batch_pictures(images)] if images.ndim == 4 else None
        )
    if isinstance(images, torch.Tensor):
        check_tensor(images)
        return [PictureEntry(tensor) for tensor in images] if images.ndim == 4 else None
    if _is_single_picture(images):
        return None
    if _is_table(images) and (rows := table_rows(images)) is not None:
        images = rows
    _refuse_other_containers(images)
    if isinstance(images, (list, tuple)):
        return _list_elements(images)
    found: list[PictureEntry] | None = None
    if isinstance(images, torch.utils.data.DataLoader):
        found = [
            PictureEntry(picture) for picture in _collect_limited(_loader_pictures(images), images)
        ]
    elif isinstance(images, np.ndarray) or _is_column(images):
        found = _list_elements(images)
    elif hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        found = _dataset_entries(images)
    elif isinstance(images, Iterable):
        found = _list_elements(_collect_limited(images, images))
    if found:
        return found
    if found is not None:
        # An empty list may be intended; a pattern that matches no file is not.
        raise PictureError(
            f"There is no picture in the {type(images).__name__}: of Path.glob, check the folder and the pattern."
        )
    raise PictureError(
        "Pictures are a path, a folder, an array, a tensor, a PIL image, or a list of these, not "
        f"{type(images).__name__}."
    )


def as_batch(images: Any) -> Any:
    """Return a single picture or a tensor (N, C, H, W) unchanged, and the pictures of any other container as a list."""
    if isinstance(images, torch.Tensor):
        check_tensor(images)
        return images
    if isinstance(images, Mapping) and (row := row_of_mapping(images)) is not None:
        return row.picture
    entries = list_entries(images)
    return images if entries is None else [_open_lazy(entry.source) for entry in entries]


def _open_lazy(source: Any) -> Any:
    is_lazy = isinstance(source, LazyPicture) and not isinstance(source, Clip)
    return source.open() if is_lazy else source


def as_folder(value: Any) -> Any:
    """Return an opened ZIP archive as a path that is a folder; any other value unchanged."""
    archive, at = value, ""
    if isinstance(value, zipfile.Path) and value.root.filename is None:
        archive, at = value.root, value.at
    if not isinstance(archive, zipfile.ZipFile):
        return value
    # Opened again, since zipfile.Path changes the class of the archive given, and needs its name.
    opened = zipfile.ZipFile(archive.filename or archive.fp)  # type: ignore[arg-type]
    opened.filename = opened.filename or "archive.zip"
    return zipfile.Path(opened, at)


def _is_single_picture(value: Any) -> bool:
    """Return whether a value is a single picture: the content of a file, an open file, an image or a sample."""
    kinds = (bytes, bytearray, memoryview, Image.Image, GroundTruth, LazyPicture)
    return isinstance(value, kinds) or hasattr(value, "read") or hasattr(value, "image")


def _is_folder(path: str | os.PathLike[str]) -> bool:
    try:
        # An empty name, as of an unset variable, does not mean the current folder.
        return str(path) != "" and Path(path).expanduser().is_dir()
    except (OSError, ValueError):  # the path is too long, or has a zero byte
        return False


def _folder_entries(folder: Path) -> list[PictureEntry]:
    root = folder.expanduser()
    # Not by ``relative_to``, which would take most of the time for a folder of ten thousand.
    start = 0 if root == Path() else len(os.path.join(root, ""))
    return [
        PictureEntry(path, str(path)[start:].replace(os.sep, "/")) for path in list_folder(root)
    ]


def _archive_entries(folder: Any) -> list[PictureEntry]:
    """List the pictures in a folder of a ZIP archive or of a package."""
    return [PictureEntry(path, name) for name, path in list_traversable(folder)]


def _list_elements(elements: Iterable[Any]) -> list[PictureEntry]:
    entries = [entry for element in elements for entry in _element_entries(element)]
    # Files of the same name get as many parent folders as distinguish them.
    file_numbers = [
        number
        for number, entry in enumerate(entries)
        if isinstance(entry.source, (str, os.PathLike)) and entry.name == Path(entry.source).name
    ]
    names = distinct_names([Path(entries[number].source) for number in file_numbers])
    for number, name in zip(file_numbers, names, strict=True):
        entries[number] = replace(entries[number], name=name)
    return entries


def _element_entries(element: Any) -> list[PictureEntry]:
    """List the pictures of a list's element: a picture, a folder, or a picture with its class."""
    element = as_folder(element)
    if isinstance(element, (str, os.PathLike)):
        if _is_folder(element):
            return _folder_entries(Path(element))
        _refuse_pattern(element)
        return [PictureEntry(element, Path(element).name)]
    if is_traversable(element):
        return (
            _archive_entries(element) if element.is_dir() else [PictureEntry(element, element.name)]
        )
    return [_entry(read_row(element))]


def _entry(row: Row) -> PictureEntry:
    return PictureEntry(row.picture, row.name, row.label, row.truth)


def _mapping_entries(images: Mapping[Any, Any]) -> list[PictureEntry]:
    """List the pictures of a mapping from names."""
    entries = []
    for key, value in images.items():
        if isinstance(value, (np.ndarray, torch.Tensor)):
            if value.ndim < 2:
                raise PictureError(
                    f"{key!r} of the mapping is no picture but {type(value).__name__} of shape {tuple(value.shape)}. "
                    "Declare a model's inputs other than the picture with camwidget.wrap(…, inputs={…})."
                )
        elif hasattr(value, "__len__") and not (
            isinstance(value, (str, tuple, list, Mapping)) or _is_single_picture(value)
        ):
            raise PictureError(
                f"{key!r} of the mapping is a {type(value).__name__}, not one picture: of several data sets pass one, "
                f"such as images[{key!r}]."
            )
        entries.append(PictureEntry(read_row(value).picture, str(key)))
    return entries


def _refuse_pattern(path: str | os.PathLike[str]) -> None:
    """Raise an error with the remedy for a pattern of files, which is not expanded."""
    text = str(path)
    if not ("*" in text or "?" in text) or is_file(Path(text)):
        return
    raise PictureError(
        f"{text!r} is a pattern, not a file: pass sorted(pathlib.Path(FOLDER).glob(PATTERN)), or the folder."
    )


def _batch_pictures(array: np.ndarray) -> Iterator[np.ndarray]:
    """Iterate over the pictures (H, W, C) of a batch; the channels are the smaller of the second and last dimension."""
    return iter(array if array.shape[3] <= array.shape[1] else np.moveaxis(array, 1, 3))


def _is_column(value: Any) -> bool:
    """Return whether a value is a pandas Series or Index."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.Series, pandas.Index))


def _is_table(value: Any) -> bool:
    """Return whether a value is a pandas DataFrame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _refuse_other_containers(value: Any) -> None:
    """Raise an error with the remedy for iterables that do not give pictures."""
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
        raise PictureError("Expected pictures, not a module: pass the model as the first argument.")


def _collect_limited(pictures: Iterable[Any], what: Any) -> list[Any]:
    found: list[Any] = []
    for picture in pictures:
        if len(found) == MAX_PICTURES:
            raise PictureError(
                f"The {type(what).__name__} has more than {MAX_PICTURES} pictures, which would all be kept in "
                "memory: pass a list of paths, a folder or a data set, which are read on demand, or fewer pictures."
            )
        found.append(picture)
    return found


def _dataset_entries(dataset: Any) -> list[PictureEntry]:
    """List the pictures of a data set with random access."""
    inner, numbers = dataset, range(len(dataset))
    places = list(numbers)
    while isinstance(inner, torch.utils.data.Subset):
        places, inner = [inner.indices[p] for p in places], inner.dataset
    samples, root = getattr(inner, "samples", None), getattr(inner, "root", None)
    if isinstance(samples, list) and samples and isinstance(samples[0], tuple) and root:
        files = [Path(samples[place][0]) for place in places]
        return [PictureEntry(file, Path(os.path.relpath(file, root)).as_posix()) for file in files]
    return [PictureEntry(DatasetPicture(dataset, number)) for number in numbers]


def _loader_pictures(loader: Any) -> Iterator[Any]:
    """Iterate over the pictures of a DataLoader's batches."""
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
            # A copy, since a view would keep the whole batch alive.
            yield image.clone() if isinstance(image, torch.Tensor) else image
