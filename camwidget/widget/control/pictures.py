"""``PictureList``: the pictures of an explorer, made from a picture or any container of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import PictureError
from ...images.clips import Clip, as_clips
from ...images.containers import PictureEntry, list_entries
from ...images.ground_truth import GroundTruth
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from .cache import Picture
from .given_truth import truth_of

__all__ = ["PictureList", "list_pictures", "named_picture"]


class PictureList:
    """Pictures of an explorer. The list is replaced when one is added, never changed.

    Args:
        pictures: the first ones.
    """

    def __init__(self, pictures: list[Picture]) -> None:
        self.all = pictures
        #: Held while a picture is added; observers are called without it.
        self.lock = fork_safety.lock()

    @property
    def names(self) -> list[str]:
        """The pictures' names."""
        return [picture.name for picture in self.all]

    @property
    def has_truth(self) -> bool:
        """Whether any picture carries its ground truth."""
        return any(picture.truth is not None for picture in self.all)


def named_picture(source: Any, number: int) -> Picture:
    """Make a picture, named after its file or its number."""
    if isinstance(source, Mapping):  # a row of a data set
        entries = list_entries(source) or []
        if len(entries) != 1:
            raise PictureError("One picture was expected, not several: add them one by one.")
        return _picture(entries[0], number)
    name = Path(source).name if isinstance(source, (str, os.PathLike)) else ""
    return _picture(PictureEntry(source, name), number)


def list_pictures(images: Any, model: VisionModel | None = None) -> list[Picture]:
    """List the pictures of a container (see ``images.containers.list_entries``), or a single picture.

    Files are not opened here: a broken file must not prevent the others from being shown.

    Args:
        images: the pictures.
        model: to whose classes those that come with pictures belong, and which may take clips; None: masks that come
            with pictures are left out.

    Raises:
        PictureError: if ``images`` is neither, or a folder without a picture.
    """
    if images is None:
        return []
    if model is not None and model.frames is not None:
        images = as_clips(images)
        if isinstance(images, Mapping):
            return [Picture(clip, name) for name, clip in images.items()]
    entries = list_entries(images)
    if entries is None:
        return [named_picture(images, 0)]
    return [_picture(entry, number, model) for number, entry in enumerate(entries)]


def _picture(entry: PictureEntry, number: int, model: VisionModel | None = None) -> Picture:
    """Make a picture of a container's entry, with the ground truth if the entry carries one (as zoo samples do)."""
    source, name = entry.source, entry.name or _clip_name(entry.source) or f"picture {number + 1}"
    truth = labeled = None
    if not isinstance(source, (str, os.PathLike)):  # of which it takes time to find out
        truth = source if isinstance(source, GroundTruth) else None
        labeled = source if callable(getattr(source, "concepts", None)) else None
        source = getattr(source, "image", source)
    if entry.truth is not None and model is not None:
        truth = truth_of(source, entry.label, entry.truth, model)
    return Picture(source, name, truth, entry.label, labeled)


def _clip_name(source: Any) -> str:
    """Return the name of a clip's file or folder; empty for any other picture."""
    file = source.source if isinstance(source, Clip) else None
    return Path(file).name if isinstance(file, (str, os.PathLike)) else ""
