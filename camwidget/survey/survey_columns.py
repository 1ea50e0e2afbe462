"""``SurveyColumns``: what a survey keeps of each picture beside its scores, small enough for a row of the results file.

A row has the picture's map on a coarse grid, the layer's features averaged over the picture and under the map, a
thumbnail, and the share of the map in each known concept. All sizes are bounded, whatever the picture and the layer.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as nnF

from ..attribution.trace import Trace
from ..evaluation.items import OpenedItem
from ..evaluation.plan import ExtraColumns
from ..images.array_pictures import shades
from ..images.ground_truth import fit_mask, share_inside
from ..metrics import Case

__all__ = [
    "MAP_SIDE",
    "THUMBNAIL_SIDE",
    "SurveyColumns",
    "read_map",
    "read_thumbnail",
    "read_vector",
    "write_vector",
]

#: Cells along each side of a kept map.
MAP_SIDE = 16
#: Pixels along the longer side of a thumbnail.
THUMBNAIL_SIDE = 72
#: The most features that are kept; more are projected at random.
MOST_FEATURES = 512
#: Quality of the thumbnails, from 1 to 95.
_QUALITY = 85


@dataclass(frozen=True)
class SurveyColumns(ExtraColumns):
    """Columns of a survey's rows: map, features, embedding, thumbnail, concepts and confidence of the truth.

    Attributes:
        layer: the layer whose features are kept.
    """

    layer: str

    @property
    def facts(self) -> dict[str, Any]:
        """The sizes that the columns depend on."""
        return {
            "survey": {
                "layer": self.layer,
                "map side": MAP_SIDE,
                "thumbnail side": THUMBNAIL_SIDE,
                "features": MOST_FEATURES,
            }
        }

    def columns(
        self, trace: Trace, opened: Sequence[OpenedItem], cases: Sequence[Case]
    ) -> list[dict[str, Any]]:
        """Compute the columns of each picture, in JSON types."""
        saliency = torch.stack([case.saliency for case in cases]).float()
        saliency = saliency.nan_to_num(0.0)  # a map with a fault is counted by its column
        maps = nnF.adaptive_avg_pool2d(saliency[:, None], MAP_SIDE)[:, 0]
        activation = trace.activation(self.layer).float()
        weights = nnF.adaptive_avg_pool2d(
            saliency[:, None], (activation.shape[-2], activation.shape[-1])
        )
        total = weights.sum((2, 3)).clamp_min(torch.finfo(weights.dtype).tiny)
        under_map = (activation * weights).sum((2, 3)) / total
        average = activation.mean((2, 3))
        return [
            {
                "map": _write_map(maps[n].cpu().numpy()),
                "features": write_vector(under_map[n]),
                "embedding": write_vector(average[n]),
                "thumbnail": _write_thumbnail(picture.pixels),
                "concepts": _concept_shares(picture, trace, saliency[n].cpu().numpy()),
                "truth_confidence": _truth_confidence(cases[n]),
            }
            for n, picture in enumerate(opened)
        ]


def read_map(text: str) -> NDArray[np.uint8]:
    """Read a map, uint8 (MAP_SIDE, MAP_SIDE), of which 255 is the maximum."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(MAP_SIDE, MAP_SIDE)


def read_vector(text: str) -> NDArray[np.float16]:
    """Read features or an embedding, float16 (n,)."""
    return np.frombuffer(base64.b64decode(text), np.float16)


def read_thumbnail(data: bytes) -> NDArray[np.uint8]:
    """Read a thumbnail, uint8 (h, w, 3), of which the longer side is THUMBNAIL_SIDE."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _write_map(values: NDArray[np.float32]) -> str:
    """Write a map (MAP_SIDE, MAP_SIDE), divided by its maximum."""
    peak = float(values.max())
    scaled = values / peak if peak > 0 else np.zeros_like(values)
    return _text(np.round(scaled * 255).astype(np.uint8).tobytes())


def write_vector(values: torch.Tensor) -> str:
    """Write a vector (n,) of unit length, in at most MOST_FEATURES numbers.

    Features of different layers and models differ by orders of magnitude; of unit length they fit 16 bits.
    """
    values = values.detach().cpu().double().nan_to_num(0.0, 0.0, 0.0)
    if len(values) > MOST_FEATURES:
        values = _projection(len(values)) @ values
    values = values / values.norm().clamp_min(1e-300)
    return _text(values.numpy().astype(np.float16).tobytes())


@cache
def _projection(count: int) -> torch.Tensor:
    """A random projection (MOST_FEATURES, count), the same in every process; distances change little (Johnson and
    Lindenstrauss 1984).
    """
    rng = np.random.default_rng([count, MOST_FEATURES])
    return torch.from_numpy(rng.standard_normal((MOST_FEATURES, count)) / MOST_FEATURES**0.5)


def _write_thumbnail(pixels: torch.Tensor) -> str:
    """Write pixels (C, H, W) as a small JPEG of the same proportions."""
    small = Image.fromarray(shades(pixels))
    scale = THUMBNAIL_SIDE / max(small.size)
    width, height = (max(1, round(scale * side)) for side in small.size)
    file = io.BytesIO()
    small.resize((width, height), Image.Resampling.LANCZOS).save(file, "JPEG", quality=_QUALITY)
    return _text(file.getvalue())


def _concept_shares(
    opened: OpenedItem, trace: Trace, saliency: NDArray[np.float32]
) -> dict[str, float] | None:
    """The share of the map in each concept of the picture; None if none is known."""
    concepts = getattr(opened.item.truth, "concepts", None)
    if not callable(concepts):
        return None
    preprocess = trace.model.preprocess
    shares: dict[str, float] = {}
    for name, mask in concepts().items():
        share = share_inside(saliency, fit_mask(mask, preprocess))
        shares[str(name)] = float(share) if np.isfinite(share) else 0.0
    return shares


def _truth_confidence(case: Case) -> float | None:
    """The model's value for the true class; None if that is unknown."""
    label = case.subject.label
    return None if label is None else float(case.subject.probabilities[label])
