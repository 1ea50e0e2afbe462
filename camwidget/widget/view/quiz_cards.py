"""Encoding of quiz questions for the browser: pictures as PNG or JPEG, outlines as SVG paths."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...analysis.human_attention import CELLS, cell_means
from ...analysis.human_studies import Question
from ...attribution.explanation import Explanation
from ...errors import QuizError
from ...images.conversion import open_picture, shades, tensor_pixels
from ...images.ground_truth import outline, tight_box

__all__ = ["card_of", "failed_card"]

#: The longest side of a picture that is sent: its size in a quiz on a high-density screen.
LONGEST = 1024


def card_of(question: Question) -> dict[str, Any]:
    """Encode a question for ``js/src/quiz/cards.ts``.

    Raises:
        PictureError: for a picture that cannot be opened.
        QuizError: for a map that does not fit the picture.
    """
    pictures = [_picture(*shown) for shown in question.pictures]
    return {
        "prompt": question.prompt,
        "pictures": pictures,
        "options": list(question.options),
        "right": [int(index) for index in question.right],
        "reveal": question.reveal,
        "values": None if question.values is None else [float(v) for v in question.values],
        "study": question.study,
        "method": question.method,
        "faithfulness": question.faithfulness,
        "maps": None if question.maps is None else _maps(question.maps, pictures[0]),
        "error": "",
    }


def failed_card(text: str) -> dict[str, Any]:
    """Encode the error of a question that could not be made."""
    return {
        "prompt": "",
        "pictures": [],
        "options": [],
        "right": [],
        "reveal": "",
        "values": None,
        "study": "",
        "method": "",
        "faithfulness": None,
        "maps": None,
        "error": text,
    }


def _maps(maps: Mapping[str, np.ndarray], picture: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Encode maps as means over the cells of a picture."""
    rows, columns = (min(CELLS, picture[side]) for side in ("height", "width"))
    found = []
    for name, values in maps.items():
        cells = cell_means(np.asarray(values))
        if cells.shape != (rows, columns):
            raise QuizError(
                f"The map {name!r} has {cells.shape} cells, its picture {(rows, columns)}: give both one size."
            )
        # The picture may have been reduced, by which its sides are rounded.
        height, width = np.shape(values)
        skew = abs(height * picture["width"] - width * picture["height"])
        if cells.shape != (height, width) and skew > max(height, width):
            raise QuizError(
                f"The map {name!r} has the shape {(height, width)}, its picture "
                f"{(picture['height'], picture['width'])}: give both one size."
            )
        found.append({"name": name, "cells": cells.ravel().tolist()})
    return found


def _picture(picture: Any, caption: str, outlines: Any = None) -> dict[str, Any]:
    if isinstance(picture, Explanation):
        image = picture.overlay()
        if picture.is_empty:
            caption = f"{caption} (no positive evidence)"
    elif isinstance(picture, torch.Tensor):
        image = Image.fromarray(shades(tensor_pixels(picture)[0]))
    else:
        image = open_picture(getattr(picture, "image", picture))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    kind, data = _encoded(image)
    return {
        "type": kind,
        "data": data,
        "width": image.width,
        "height": image.height,
        "caption": caption,
        "outlines": [_outline(name, mask) for name, mask in (outlines or {}).items()],
    }


def _encoded(image: Image.Image) -> tuple[str, bytes]:
    """Encode as JPEG or PNG, whichever is smaller: notebooks store the pictures."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    image.save(jpeg, "jpeg", quality=92, subsampling=0)
    image.save(png, "png")
    if len(png.getvalue()) < len(jpeg.getvalue()):
        return "image/png", png.getvalue()
    return "image/jpeg", jpeg.getvalue()


def _outline(name: str, mask: np.ndarray) -> dict[str, Any]:
    """Encode a mask's outline in its own pixels, and the position of its name relative to the picture."""
    mask = np.asarray(mask, bool)
    height, width = mask.shape
    box = tight_box(mask)
    return {
        "name": name,
        "width": width,
        "height": height,
        "path": outline(mask),
        "x": 0.5 if box is None else (box[0] + box[2]) / 2 / width,
        "y": 0.0 if box is None else box[1] / height,
    }
