"""``PictureSources``: Python expressions for an explorer's pictures, with ``...`` for pictures in memory."""

from __future__ import annotations

import functools
import hashlib
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ... import zoo
from ...images.containers import DatasetPicture
from ...images.folders import distinct_names, walk_folder
from ..control.cache import Picture
from ..control.pictures import named_picture

__all__ = ["MOST", "PictureSources", "literal"]

#: The most pictures, or class names, that are written out.
MOST = 60


def literal(value: Any) -> str:
    """Write a JSON value as a Python literal; strings in double quotes unless they contain some."""
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in value else text
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


class PictureSources:
    """Python code for pictures: file paths, samples of the zoo, or ``...``.

    Args:
        pictures: at least one.
        model: name of the model. If it is a zoo model, its samples are recognized.

    Attributes:
        lines: Python code that assigns ``images``.
    """

    def __init__(self, pictures: list[Picture], model: str) -> None:
        self._pictures = pictures
        known = _samples(model) if model in zoo.available() else {}
        self._numbers = [_number(p, known) for p in pictures]
        #: The number of the model's samples if the list starts with all of them in order; otherwise 0.
        self._leading = len(known) if self._numbers[: len(known)] == [*range(len(known))] else 0
        self._named = not self._leading and _are_named(pictures)
        self._drawn = f"cw.zoo.samples({literal(model)})"
        self.lines = self._lines()

    def one(self, number: int) -> str:
        """Return an expression for one picture, for ``explain``, that is valid after ``lines``."""
        picture = self._pictures[number]
        path = _path(picture)
        if path is not None:
            return literal(path)
        sample = self._numbers[number]
        if sample is not None:
            return f"images[{number}].image" if self._leading else f"samples[{sample}].image"
        if len(self._pictures) == 1:
            return "images"
        return f"images[{literal(picture.name) if self._named else number}]"

    def _lines(self) -> list[str]:
        pictures = self._pictures
        count = len(pictures)
        if self._leading == count:
            return [f"images = {self._drawn}"]
        paths = [_path(p) for p in pictures]
        folder = _folder(pictures)
        if folder is not None:
            return [f"images = {literal(folder)}"]
        if count == 1 and self._numbers[0] is None:
            return [f"images = {self._element(0)}{self._comment(0)}"]
        if count > MOST:
            first = "" if paths[0] is None else f", the first {literal(paths[0])}"
            return [f"images = ...  # your own {count} pictures{first}"]
        lines = []
        if not self._leading and any(n is not None for n in self._numbers):
            lines = [f"samples = {self._drawn}"]
        first_entry = [f"    *{self._drawn},"] if self._leading else []
        entries = [
            f"    {literal(pictures[i].name) + ': ' if self._named else ''}{self._element(i)},{self._comment(i)}"
            for i in range(self._leading, count)
        ]
        start, end = "{}" if self._named else "[]"
        return [*lines, f"images = {start}", *first_entry, *entries, end]

    def _element(self, at: int) -> str:
        path, sample = _path(self._pictures[at]), self._numbers[at]
        if path is not None:
            return literal(path)
        return "..." if sample is None else f"samples[{sample}]"

    def _comment(self, at: int) -> str:
        if self._element(at) != "...":
            return ""
        return f"  # picture {at}, {_described(self._pictures[at])}: put it here"


def _path(picture: Picture) -> str | None:
    source = picture.source
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else None


def _folder(pictures: list[Picture]) -> str | None:
    """Return the folder that contains exactly these pictures; None if there is none."""
    sources = [p.source for p in pictures if isinstance(p.source, Path)]
    if not sources or len(sources) < len(pictures):
        return None
    # Pictures of a folder are named by their path below it.
    depth = min(pictures[0].name.count("/"), len(sources[0].parents) - 1)
    folder = sources[0].parents[depth]
    try:
        there = zip_longest(walk_folder(folder), sources)
        return str(folder) if all(a == b for a, b in there) else None
    except (OSError, ValueError):  # the folder is gone
        return None


def _are_named(pictures: list[Picture]) -> bool:
    """Whether the pictures have names of their own, which only a mapping can give them."""
    names = [p.name for p in pictures]
    usual = [named_picture(p.source, i).name for i, p in enumerate(pictures)]
    paths = {i: Path(path) for i, p in enumerate(pictures) if (path := _path(p)) is not None}
    for i, name in zip(paths, distinct_names([*paths.values()]), strict=True):
        usual[i] = name
    return names != usual and len(set(names)) == len(names)


def _number(picture: Picture, known: dict[bytes, int]) -> int | None:
    source = picture.source
    if not known or not isinstance(source, np.ndarray):
        return None
    return known.get(_digest(source))


@functools.lru_cache(maxsize=4)
def _samples(model: str) -> dict[bytes, int]:
    """Return the numbers of a zoo model's samples by the digests of their pixels."""
    return {_digest(sample.image): i for i, sample in enumerate(zoo.samples(model))}


def _digest(image: np.ndarray) -> bytes:
    shape = f"{image.shape}{image.dtype}".encode()
    return hashlib.sha256(shape + np.ascontiguousarray(image).tobytes()).digest()


def _described(picture: Picture) -> str:
    """Describe a picture in memory by its type and size."""
    source = picture.source
    if isinstance(source, np.ndarray):
        return f"an array of {' × '.join(map(str, source.shape))}"
    if isinstance(source, torch.Tensor):
        return f"a tensor of {' × '.join(map(str, source.shape))}"
    if isinstance(source, Image.Image):
        return f"a PIL image of {source.width} × {source.height}"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"the file {literal(picture.name)}"
    if isinstance(source, DatasetPicture):
        return f"number {source.number} of a {type(source.dataset).__name__}"
    return f"a {type(source).__name__}"
