"""The data of a page that runs the model: preprocessing, scores, and the methods that the page computes by itself."""

from __future__ import annotations

import base64
import functools
import gzip
import lzma
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torchvision.transforms import InterpolationMode

from .._assets import STATIC
from ..attribution.explaining import explain
from ..attribution.methods import Method, get_method
from ..attribution.methods.perturbation import default_window
from ..errors import CamwidgetError, warn
from ..images.conversion import shades
from ..images.preprocess import Preprocess
from ..models.vision_model import VisionModel
from .binary_bundle import BinaryBundle
from .exported_model import ExportedModel, weights_size
from .html_document import encodable_text
from .method_payload import method_payload

__all__ = [
    "FILTERS",
    "RUNTIME_NAME",
    "announce_size",
    "check_live",
    "closed_form",
    "encoded",
    "live_payload",
    "rounded_pixels",
    "runtime",
]

RUNTIME_NAME = "ONNX Runtime Web"

#: Methods with a closed form at the layer before global average pooling.
_CLOSED_FORMS = ("cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam")

#: The largest difference between a closed form and the method itself, in relation to the map's largest magnitude.
_MAP_TOLERANCE = 1e-4

#: Filters of resizing that the page has, bit for bit as PIL's.
FILTERS = {
    InterpolationMode.BILINEAR: "bilinear",
    InterpolationMode.BICUBIC: "bicubic",
    InterpolationMode.LANCZOS: "lanczos",
    InterpolationMode.BOX: "box",
    InterpolationMode.HAMMING: "hamming",
}

#: Megabytes from which on the size of a page is announced, and that no page may have: browsers hold no longer text.
_LARGE, _LARGEST = 25, 480


def check_live(model: VisionModel) -> None:
    """Raise a ``CamwidgetError`` if a page cannot show or hold what the model takes."""
    channels = model.preprocess.channels
    if channels not in (1, 3):
        raise CamwidgetError(
            f"A page with live=True takes pictures of one or three channels, and {model.name} takes {channels}: save "
            "the page without live=True."
        )
    size = _page_size(model)
    if size > _LARGEST:
        raise CamwidgetError(
            f"The page would have about {size:.0f} MB, and browsers open none above {_LARGEST}: save the page without "
            "live=True."
        )


def announce_size(model: VisionModel, name: str) -> None:
    """Warn of a large page before anything is computed for it."""
    size = _page_size(model)
    if size > _LARGE:
        warn(
            f"{name} will have about {size:.0f} MB, since it contains the weights of {model.name}. A smaller model "
            "opens faster; without live=True the page has precomputed maps and curves only."
        )


def _page_size(model: VisionModel) -> float:
    """The approximate size of a page in MB: base64 has four characters for three bytes."""
    return 4 / 3 * (weights_size(model) + len(runtime())) / 1e6


@functools.cache
def runtime() -> bytes:
    """The WebAssembly runtime that the page has, compressed by gzip.

    In the package it is compressed by xz, which takes 40 % less, but browsers decompress gzip only.
    """
    return _gzip(lzma.decompress((STATIC / "runtime.wasm.xz").read_bytes()))


def encoded(data: bytes) -> str:
    """Bytes as text of an element: gzip in base64."""
    return base64.b64encode(_gzip(data)).decode("ascii")


def _gzip(data: bytes) -> bytes:
    # Neither weights nor the runtime get smaller by a higher level, which only takes longer.
    return gzip.compress(data, 6, mtime=0)


def rounded_pixels(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels with 8-bit levels, as the page has them."""
    return (pixels * 255).round() / 255


def live_payload(
    model: VisionModel,
    pixels: torch.Tensor,
    exported: ExportedModel,
    methods: Sequence[Method],
    layers: Sequence[str],
    classes: Sequence[int],
    bundle: BinaryBundle,
) -> dict[str, Any]:
    """Make the part of a page's data that its model needs.

    Args:
        model: the model, with its text.
        pixels: float32 (C, H, W) in [0, 1] with 8-bit levels.
        exported: the model's graph.
        methods: methods of the page.
        layers: layers of the page.
        classes: listed classes; closed forms of their maps are compared with the methods'.
        bundle: the arrays of the page.
    """
    by_text = model.parsed_prompt is not None and model.parsed_prompt.classes is not None
    return {
        "names": [encodable_text(name) for name in model.classes],
        "scores": model.scores,
        "ordered": not by_text and model.scores != "value",
        "channels": model.preprocess.channels,
        "difference": exported.difference,
        "pictures": exported.pictures,
        "preprocess": _preprocess(model.preprocess),
        "occlusion": _occlusion(model, pixels),
        "head": _head(model, pixels, exported, methods, layers, classes, bundle),
        "others": [],
    }


def other_picture(name: str, pixels: torch.Tensor) -> dict[str, Any]:
    """Make the data of a further picture of a page, whose numbers and maps the page computes.

    Args:
        name: the picture's name.
        pixels: float32 (C, H, W) in [0, 1] with 8-bit levels.
    """
    shown, bundle = shades(pixels), BinaryBundle()
    place = bundle.picture(shown)
    size = {"width": shown.shape[1], "height": shown.shape[0]}
    return {"name": name, **size, "picture": place, "archive": bundle.text()}


def _preprocess(preprocess: Preprocess) -> dict[str, Any]:
    """The preprocessing as the page repeats it; the reason why it cannot."""
    if preprocess.geometry is not None:
        return {"reason": "its preprocessing is a Python function"}
    kind = FILTERS.get(preprocess.interpolation)
    if kind is None:
        return {"reason": f"it resizes pictures by {preprocess.interpolation.value!r}"}
    resize = preprocess.resize
    return {
        "size": list(preprocess.size),
        "resize": resize if isinstance(resize, int) else list(resize),
        "filter": kind,
    }


def _occlusion(model: VisionModel, pixels: torch.Tensor) -> dict[str, Any]:
    """The method that runs the model many times in the page, with its default settings."""
    method = get_method("occlusion")
    window, stride = default_window(pixels.shape[-2], pixels.shape[-1])
    return {
        "method": method_payload(method),
        "window": window,
        "stride": stride,
        "mean": list(model.preprocess.mean),
    }


def _head(
    model: VisionModel,
    pixels: torch.Tensor,
    exported: ExportedModel,
    methods: Sequence[Method],
    layers: Sequence[str],
    classes: Sequence[int],
    bundle: BinaryBundle,
) -> dict[str, Any] | None:
    """The head with the methods that the page computes from its weights; None if there are none."""
    head, weights, features = model.gap_head, exported.head, exported.features
    if head is None or weights is None or features is None:
        return None
    place = next((k for k, name in enumerate(layers) if model.is_same_layer(name, head.layer)), -1)
    if place < 0:
        return None
    size = 4 * weights.rows * weights.channels
    matrix = np.frombuffer(exported.graph[weights.offset : weights.offset + size], "<f4")
    matrix = matrix.reshape(weights.rows, weights.channels)
    bias = weights.bias
    if weights.rows == 1 and len(model.classes) == 2:  # the score of the second class
        matrix, bias = np.concatenate([-matrix, matrix]), np.concatenate([-bias, bias])
    used = np.maximum(features, 0) if head.rectified else features
    scores = np.einsum("ck,khw->chw", matrix, used) + bias[:, None, None]
    logits = model.logits(pixels[None])[0].cpu().numpy()
    # A rectifier between a 1×1 convolution and the pooling stops the gradient of cells below zero.
    gated = not _is_close(scores.mean((1, 2)), logits) and _is_close(
        np.maximum(scores, 0).mean((1, 2)), logits
    )
    computed = []
    for method in methods:
        if method.name not in _CLOSED_FORMS or method.options:
            continue
        if head.rectified and method.name != "cam":
            continue  # the gradient would have to be stopped channel by channel
        found = explain(model, pixels, list(classes), method, [layers[place]])
        maps = [
            closed_form(method.name, used, matrix[c], scores[c] > 0 if gated else None)
            for c in classes
        ]
        if all(_is_close(mine, theirs.raw) for mine, theirs in zip(maps, found, strict=True)):
            computed.append(method.name)
    if not computed:
        return None
    return {
        "layer": place,
        "methods": computed,
        "offset": weights.offset,
        "rows": weights.rows,
        "channels": weights.channels,
        "bias": bundle.numbers(weights.bias),
        "rectified": head.rectified,
        "gated": gated,
    }


def _is_close(one: np.ndarray, other: np.ndarray) -> bool:
    scale = max(float(np.abs(other).max()), 1e-12)
    return bool(np.abs(one - other).max() <= _MAP_TOLERANCE * scale)


def closed_form(
    name: str, features: np.ndarray, weights: np.ndarray, gate: np.ndarray | None
) -> np.ndarray:
    """A class activation map at the layer before global average pooling, without a gradient.

    There the gradient of a class's score is ``w_k / Z`` at each of the Z cells, or 0 where a rectifier stops it, so
    that the equations of these methods (see ``attribution.methods.cam``) need the weights only.
    js/src/core/classActivation.ts has the same.

    Args:
        name: a name of ``_CLOSED_FORMS``.
        features: maps (K, h, w).
        weights: the class's weights (K,).
        gate: bool (h, w), False where a rectifier stops the gradient; None without one.

    Returns:
        The raw map (h, w).
    """

    def weighted(by: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.einsum("k,khw->hw", by, features)
        return total

    if name == "cam":
        return weighted(weights)
    area = features.shape[1] * features.shape[2]
    passed = np.ones(features.shape[1:]) if gate is None else gate.astype(np.float64)
    positive = np.maximum(weights, 0) / area
    total = features.sum((1, 2))
    result: np.ndarray
    if name == "hirescam":
        result = weighted(weights) * passed / area
    elif name == "layercam":
        result = np.maximum(weighted(positive), 0) * passed
    elif name == "gradcam":
        result = np.maximum(weighted(weights * passed.mean() / area), 0)
    elif name == "gradcam++":
        result = np.maximum(weighted(passed.sum() * positive / (2 + total * positive)), 0)
    else:  # XGrad-CAM
        share = np.divide(
            (features * passed).sum((1, 2)), total, out=np.zeros_like(total), where=total != 0
        )
        result = np.maximum(weighted(share * weights / area), 0)
    return result
