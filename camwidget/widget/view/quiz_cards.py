"""Questions encoded for the browser: pictures as PNG, outlines as paths."""

from __future__ import annotations

import io
from typing import Any

import contourpy
import numpy as np
import torch
from PIL import Image, ImageFilter

from ...analysis.human_studies import Question
from ...attribution.explanation import Explanation
from ...images.conversion import open_picture, shades, tensor_pixels

__all__ = ["card_of", "failed_card"]

#: The longest side that is sent: what a picture can take up on a sharp screen.
LONGEST = 1024

#: Pixels around a mask, room for its blur.
PAD = 3


def card_of(question: Question) -> dict[str, Any]:
    """A question for ``js/src/quiz/cards.ts``.

    Raises:
        PictureError: for a picture that cannot be opened.
    """
    return {
        "prompt": question.prompt,
        "pictures": [_picture(*shown) for shown in question.pictures],
        "options": list(question.options),
        "right": [int(index) for index in question.right],
        "reveal": question.reveal,
        "values": None if question.values is None else [float(v) for v in question.values],
        "error": "",
    }


def failed_card(text: str) -> dict[str, Any]:
    """What stands in for a question that could not be made."""
    return {
        "prompt": "",
        "pictures": [],
        "options": [],
        "right": [],
        "reveal": "",
        "values": None,
        "error": text,
    }


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
    """Whichever is smaller: photographs are as JPEG, drawings as PNG, and the notebook keeps both."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    image.save(jpeg, "jpeg", quality=92, subsampling=0)
    image.save(png, "png")
    if len(png.getvalue()) < len(jpeg.getvalue()):
        return "image/png", png.getvalue()
    return "image/jpeg", jpeg.getvalue()


def _outline(name: str, mask: np.ndarray) -> dict[str, Any]:
    """Closed rings in the mask's own pixels, and where its name goes, as parts of the picture."""
    mask = np.asarray(mask, bool)
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # Padded, so that what reaches the edge is closed there. A breath of blur takes the pixels' stairs off.
    padded = Image.fromarray(np.pad(mask, PAD).astype(np.uint8) * 255)
    soft = np.asarray(padded.filter(ImageFilter.GaussianBlur(0.7)), np.float32)
    rings = contourpy.contour_generator(z=soft).lines(127.5)
    path = " ".join(
        "M" + " ".join(f"{x:.1f} {y:.1f}" for x, y in np.asarray(ring)[:-1] - (PAD - 0.5)) + "Z"
        for ring in rings
    )
    return {
        "name": name,
        "width": width,
        "height": height,
        "path": path,
        "x": float(columns[0] + columns[-1] + 1) / 2 / width if len(columns) else 0.5,
        "y": float(rows[0]) / height if len(rows) else 0.0,
    }
