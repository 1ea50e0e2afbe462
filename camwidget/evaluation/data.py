"""Data sets of an evaluation: folders, lists, datasets, loaders and iterables, read picture by picture."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from .._validation import check_integer
from ..errors import DataError
from ..images.dataset_rows import (
    ROW_KEYS,
    class_names_of,
    columns_of_batch,
    row_of_mapping,
    table_rows,
)
from ..images.folders import distinct_names
from ..images.ground_truth import GroundTruth
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, log_error
from .folder import Folder, evenly_spaced
from .items import Item
from .labels import Labels
from .parsing import ElementParser, TruthLike, element_name, split_element

__all__ = ["Data", "check_count", "open_data"]


class Data(Protocol):
    """A data set, iterated in order."""

    total: int | None  #: number of pictures; None if unknown
    is_shuffled: bool  #: whether the order changes between iterations

    def items(self, start: int) -> Iterator[Item]:
        """Iterate over the pictures from number ``start`` on, with one of them in memory at a time."""

    def fingerprint(self) -> str:
        """A hash of the names and labels that are known in advance; empty if there are none."""


def check_count(name: str, value: Any) -> int:
    """Check a number of pictures, an integer of at least 1.

    Raises:
        DataError: if it is not one.
    """
    return check_integer(name, value, error=DataError)


def open_data(
    data: Any,
    model: VisionModel,
    *,
    truth: TruthLike | None = None,
    classes: Mapping[Any, Any] | None = None,
    limit: int | None = None,
    strict: bool = True,
) -> Data:
    """Open a user's data set.

    Args:
        data: a folder, a list, a dataset, a loader or another iterable, as in ``evaluate``.
        model: the model, to whose classes labels are mapped.
        truth: as in ``evaluate``.
        classes: as in ``evaluate``.
        limit: as in ``evaluate``.
        strict: whether a class that the model lacks is an error.

    Returns:
        The data set.

    Raises:
        DataError: if there is no picture, or the classes cannot be mapped to the model's.
    """
    if limit is not None:
        limit = check_count("limit", limit)
    if truth is not None and not callable(truth):
        raise DataError(
            f"truth is a function of (number, element of the data), not {type(truth).__name__}."
        )
    data = _listed(data)
    kinds = (torch.Tensor, np.ndarray, GroundTruth, Mapping, bytes, Image.Image, zipfile.ZipFile)
    if isinstance(data, kinds):
        remedy = "for one picture pass a list of it, [picture] or [(picture, class)]"
        axes = 4 if model.frames is None else 5
        if isinstance(data, (torch.Tensor, np.ndarray)) and data.ndim == axes:
            remedy = "pass the pictures of the batch with their classes, list(zip(images, classes))"
        elif isinstance(data, Mapping) and any(isinstance(v, (list, tuple)) for v in data.values()):
            remedy = "pass the rows of its columns, list(zip(data[…], data[…]))"
        elif isinstance(data, Mapping) and row_of_mapping(data) is None:
            remedy = (
                "pass (picture, class) for each: list(data.items()) where pictures lead to classes"
            )
        elif isinstance(data, zipfile.ZipFile):
            remedy = "unpack it, or pass a list of (zipfile.Path(archive, name), class)"
        raise DataError(
            f"data is a folder, a list of pictures, a dataset or a DataLoader, not one {type(data).__name__}: {remedy}."
        )
    names = None
    if isinstance(data, torch.utils.data.DataLoader):
        names = _class_names(data.dataset)
    elif not isinstance(data, (str, os.PathLike, list, tuple)):
        names = _class_names(data)
    labels = Labels(model, classes, names, strict=strict)
    reader = ElementParser(labels, truth)
    if isinstance(data, (str, os.PathLike)):
        if model.frames is not None:
            raise DataError(
                f"A folder of data is one of pictures, and {model.name} takes clips: pass a list of (clip, class), "
                "such as [(path, path.parent.name) for path in pathlib.Path(folder).glob('*/*')]."
            )
        return Folder(Path(data), reader, limit)
    streams = (torch.utils.data.DataLoader, torch.utils.data.IterableDataset)
    if isinstance(data, streams) or not hasattr(data, "__getitem__"):
        if not hasattr(data, "__iter__"):
            raise DataError(
                f"data is a folder, a list of pictures, a dataset or a DataLoader, not {type(data).__name__}."
            )
        return StreamedData(data, reader, limit)
    try:
        count = len(data)
    except TypeError:
        return StreamedData(data, reader, limit)
    if not count:
        raise DataError("There is nothing to evaluate: the data is empty.")
    if isinstance(data, (list, tuple)):
        for number, element in enumerate(
            data
        ):  # reports an unknown class before anything is computed
            label = split_element(element)[1]
            if not isinstance(label, Mapping):
                labels.index(label, element_name(element, number))
    return ListedData(data, reader, evenly_spaced(count, limit))


def _listed(data: Any) -> Any:
    """Convert tables and columns of pandas, and arrays of paths, to lists; other data is unchanged.

    Raises:
        DataError: if a table has no column of pictures.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        if not len(data):
            raise DataError("There is nothing to evaluate: the data is empty.")
        rows = table_rows(data)
        if rows is None:
            raise DataError(
                f"The DataFrame has the columns {', '.join(map(repr, data.columns))}, and which of these has the "
                f"pictures is not known: {ROW_KEYS}. Rename them, or pass list(zip(table[…], table[…]))."
            )
        return rows
    if pandas is not None and isinstance(data, (pandas.Series, pandas.Index)):
        return list(data)  # by position, whatever its index
    if isinstance(data, np.ndarray) and data.dtype.kind in "OUS" and data.ndim in (1, 2):
        return data.tolist()
    return data


class ListedData:
    """A list, a torchvision dataset, or another indexable object with a length."""

    is_shuffled = False

    def __init__(self, data: Any, reader: ElementParser, chosen: Sequence[int]) -> None:
        self.total: int | None = len(chosen)
        self._data, self._reader, self._chosen = data, reader, chosen
        self._names = _names(data)
        self._element_names = _element_names(data) if isinstance(data, (list, tuple)) else None

    def items(self, start: int) -> Iterator[Item]:
        """Iterate over the pictures from number ``start`` on."""
        for number in self._chosen[start:]:
            yield self._item(number)

    def _item(self, number: int) -> Item:
        name = self._name(number)
        try:
            element = self._data[number]
        except Exception as error:  # a user's dataset may raise anything
            log_error(error, f"{name} is skipped.", self, level=logging.INFO)
            return Item(number, name, error=error_line(error))
        return self._reader.item(number, name, element)

    def _name(self, number: int) -> str:
        if self._names is not None:
            return self._names(number)
        return (
            element_name(None, number)
            if self._element_names is None
            else self._element_names[number]
        )

    def fingerprint(self) -> str:
        """A hash of names, of the mapping of classes, and of all else that is known without opening a file."""
        known = getattr(_bottom(self._data), "targets", None)
        digest = hashlib.sha256(self._reader.labels.fingerprint().encode())
        for number in self._chosen:
            known_parts = [self._name(number)]
            if self._element_names is not None:  # in memory
                picture, label, truth = split_element(self._data[number])
                known_parts += [_content(picture), str(label), _content(truth)]
            digest.update("\0".join((*known_parts, "")).encode(errors="surrogateescape"))
        if known is not None and np.ndim(known) == 1:
            digest.update(repr(np.asarray(known).tolist()).encode())
        return digest.hexdigest()[:16]


def _element_names(elements: Sequence[Any]) -> list[str]:
    """The display names of a list's elements; equal file names are extended by the folders that differ."""
    names = [element_name(element, number) for number, element in enumerate(elements)]
    pictures = [split_element(element)[0] for element in elements]
    paths = [n for n, picture in enumerate(pictures) if isinstance(picture, (str, os.PathLike))]
    for n, name in zip(paths, distinct_names([Path(pictures[n]) for n in paths]), strict=True):
        names[n] = name
    return names


def _content(value: Any) -> str:
    """A short description that distinguishes pictures or truths: a checksum in memory, the path of a file.

    PIL images are described by their type only: decoding all of them would fill the memory.
    """
    if isinstance(value, GroundTruth):
        value = value.image
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().float().numpy()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {zlib.crc32(np.ascontiguousarray(value).tobytes())}"
    if isinstance(value, bytes):
        return str(zlib.crc32(value))
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (list, tuple)):  # boxes, or the frames of a clip
        return repr([_content(v) if _is_large(v) else v for v in value])
    return type(value).__name__


def _is_large(value: Any) -> bool:
    return isinstance(value, (np.ndarray, torch.Tensor, bytes, Image.Image))


def _class_names(data: Any) -> list[Any] | None:
    """The class names of a dataset, by index; None if it has none.

    Raises:
        DataError: if the datasets of a concatenation number their classes differently.
    """
    bottom = _bottom(data)
    if not isinstance(bottom, torch.utils.data.ConcatDataset):
        names = getattr(bottom, "classes", None)
        if names is None:
            names = class_names_of(getattr(bottom, "features", None))
        return None if names is None else list(names)
    first, *others = map(_class_names, bottom.datasets)
    for other in others:
        if other != first:
            raise DataError(
                f"The joined datasets have different classes, {_few(first)} and {_few(other)}, so a class number is "
                "ambiguous: evaluate each dataset separately."
            )
    return first


def _few(names: list[Any] | None) -> str:
    if names is None:
        return "some without names"
    return ", ".join(map(repr, names[:4])) + (" …" if len(names) > 4 else "")


def _bottom(data: Any) -> Any:
    """The dataset below nested subsets."""
    while isinstance(data, torch.utils.data.Subset):
        data = data.dataset
    return data


def _names(data: Any) -> Callable[[int], str] | None:
    """A function from an index to a file name, for a dataset with files (such as ImageFolder); else None."""
    bottom = _bottom(data)
    samples, root = getattr(bottom, "samples", None), getattr(bottom, "root", None)
    if not (isinstance(samples, list) and samples and isinstance(samples[0], tuple) and root):
        return None

    def name(number: int) -> str:
        inner = data
        while isinstance(inner, torch.utils.data.Subset):
            number, inner = inner.indices[number], inner.dataset
        return Path(os.path.relpath(samples[number][0], root)).as_posix()

    return name


class StreamedData:
    """A DataLoader, or another iterable that can be read only from its start."""

    def __init__(self, data: Iterable[Any], reader: ElementParser, limit: int | None) -> None:
        self.is_loader = isinstance(data, torch.utils.data.DataLoader)
        self.is_shuffled = isinstance(_sampler(data), _SHUFFLERS)
        self._data, self._reader = data, reader
        #: Number of dimensions of a loader's batch of pictures, or of clips.
        self._axes = 4 if reader.labels.model.frames is None else 5
        self.total = self._length()
        if limit is not None:
            self.total = limit if self.total is None else min(limit, self.total)
        self._limit = limit

    def _length(self) -> int | None:
        try:
            if isinstance(self._data, torch.utils.data.DataLoader):
                # The number of sampled pictures, less a dropped incomplete batch.
                loader = self._data
                if loader.batch_size is not None and isinstance(loader.sampler, Sized):
                    count, size = len(loader.sampler), loader.batch_size
                    return count - count % size if loader.drop_last else count
                return None
            return len(self._data)  # type: ignore[arg-type]
        except TypeError:  # an iterable dataset has no length
            return None

    def items(self, start: int) -> Iterator[Item]:
        """Iterate over the pictures from number ``start`` on, after reading the ones before."""
        elements = self._loaded() if self.is_loader else iter(self._data)
        for number, element in itertools.islice(enumerate(elements), start, self._limit):
            if isinstance(element, _UnreadPicture):
                yield Item(number, f"picture {number}", error=element.reason)
            else:
                yield self._reader.item(number, element_name(element, number), element)
            del element

    def fingerprint(self) -> str:
        """A hash of the mapping of classes; the pictures are not known in advance."""
        return self._reader.labels.fingerprint()

    def _loaded(self) -> Iterator[Any]:
        """The pictures of a loader, one by one."""
        loader: Any = self._data
        batches = iter(loader)
        # The pictures of a failed batch are read one by one, if the sampler tells their indices.
        places = loader.batch_sampler
        is_plain = type(places) is torch.utils.data.BatchSampler and isinstance(
            _sampler(loader), torch.utils.data.SequentialSampler
        )
        known = iter(places) if is_plain else None
        while True:
            indices = None if known is None else next(known, None)
            try:
                batch = next(batches)
            except StopIteration:
                return
            except Exception as error:  # a user's dataset may raise anything
                if indices is None:
                    raise DataError(
                        f"The DataLoader failed: {error_line(error)}. Pass its dataset instead: then a picture that "
                        "cannot be read is skipped."
                    ) from error
                log_error(error, f"Batch {indices} is read by itself.", self, level=logging.INFO)
                reason = error_line(error)
                yield from (_read_one(loader, place, reason, self._axes) for place in indices)
                continue
            yield from _split(batch, self._axes)
            del batch


#: Samplers with a new order in each iteration.
_SHUFFLERS = (
    torch.utils.data.RandomSampler,
    torch.utils.data.SubsetRandomSampler,
    torch.utils.data.WeightedRandomSampler,
)


def _sampler(data: Any) -> Any:
    """The sampler that determines the order of a loader's pictures; None if unknown."""
    # With a custom batch sampler, the loader's own sampler is unused.
    batches = getattr(data, "batch_sampler", None)
    return getattr(data if batches is None else batches, "sampler", None)


@dataclass(frozen=True)
class _UnreadPicture:
    """A picture that could not be read."""

    reason: str


def _read_one(loader: Any, place: int, reason: str, axes: int) -> Any:
    """Read one picture of a failed batch."""
    try:
        (element,) = _split(loader.collate_fn([loader.dataset[place]]), axes)
    except DataError:
        raise
    except Exception as error:  # this picture made the batch fail
        log_error(error, f"Picture {place} is skipped.", loader, level=logging.INFO)
        return _UnreadPicture(error_line(error) or reason)
    return element


def _split(batch: Any, axes: int) -> Iterator[Any]:
    """The elements of a loader's batch: images, or (images, classes) or (images, classes, truths).

    Args:
        batch: what the loader gives.
        axes: number of dimensions of the images.
    """
    found = columns_of_batch(batch) if isinstance(batch, Mapping) else None
    columns = found or (list(batch) if isinstance(batch, (tuple, list)) else [batch])
    images = columns[0]
    if not (isinstance(images, torch.Tensor) and images.ndim == axes):
        shape = "(N, C, H, W)" if axes == 4 else "(N, C, T, H, W) of clips"
        raise DataError(
            f"A DataLoader gives batches of images, tensors {shape} in [0, 1], of (images, classes), or of "
            f"mappings with both; this one gives {type(images).__name__}. Change its collate_fn, or "
            "pass its dataset instead."
        )
    columns = columns[:3]
    for column in columns[1:]:
        if isinstance(column, Mapping) or len(column) != len(images):
            raise DataError(
                f"The DataLoader yields {len(images)} images with a {type(column).__name__} that is not one class "
                "per image: pass its dataset instead, with truth=… for boxes or masks."
            )
    for n in range(len(images)):
        # A copy: a view would keep all of the batch in memory.
        yield (images[n].clone(), *(column[n] for column in columns[1:]))
