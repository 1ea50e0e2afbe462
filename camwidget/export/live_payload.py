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

from .._assets import STATIC
from .._validation import encodable_text
from ..attribution.explaining import explain
from ..attribution.methods import Method, get_method
from ..attribution.methods.perturbation import default_window
from ..attribution.methods.settings import settings_payload
from ..attribution.targets import Contrast, Counterfactual, TargetLike, resolve_target
from ..errors import CamwidgetError, warn
from ..images.preprocess import Preprocess
from ..models.detection_model import DetectionModel
from ..models.segmentation_model import SegmentationModel
from ..models.vision_model import VisionModel
from ..plotting import DIFFERENCE, lookup_tables
from .binary_bundle import BinaryBundle
from .closed_forms import FORWARD_FORMS, GRADIENT_FORMS, PooledHead, closed_form, terms_of
from .method_payload import method_payload
from .onnx_model import ExportedModel, HeadWeights, weights_size

__all__ = [
    "FILTERS",
    "RUNTIME_NAME",
    "announce_size",
    "check_live",
    "check_sizes",
    "check_written_size",
    "detections_payload",
    "encoded",
    "live_payload",
    "rounded_pixels",
    "runtime",
]

RUNTIME_NAME = "ONNX Runtime Web"

#: The largest difference between a closed form and the method itself, in relation to the map's largest magnitude.
_MAP_TOLERANCE = 1e-4

#: Passes of a method that reruns the model, up to which its closed form is compared with it, and offered.
_MOST_PASSES = 2500

#: Filters of resizing that the page has, bit for bit as PIL's.
FILTERS = ("bilinear", "bicubic", "lanczos", "box", "hamming")

#: Megabytes from which on the size of a page is announced, and that no page may have: browsers hold no longer text.
_LARGE, _LARGEST = 25, 480


def check_sizes(names: Sequence[str], pictures: Sequence[torch.Tensor]) -> None:
    """Raise a ``CamwidgetError`` if pictures of a page differ in size: its graph, masks and windows have one size.

    Args:
        names: the pictures' names.
        pictures: of each float32 (C, H, W).
    """
    sizes = [f"{one.shape[-1]}×{one.shape[-2]}" for one in pictures]
    for name, size in zip(names, sizes, strict=True):
        if size != sizes[0]:
            raise CamwidgetError(
                f"A page with live=True takes pictures of one size: {names[0]!r} has {sizes[0]} pixels, and {name!r} "
                f"has {size}. Save a page of each size, or the page without live=True."
            )


def check_live(model: VisionModel) -> None:
    """Raise a ``CamwidgetError`` if a page cannot show or hold what the model takes."""
    if model.frames is not None:
        raise CamwidgetError(
            f"A page with live=True runs models of pictures, and {model.name} takes clips of {model.frames} frames: "
            "save the page without live=True."
        )
    channels = model.preprocess.channels
    if channels not in (1, 3):
        raise CamwidgetError(
            f"A page with live=True takes pictures of one or three channels, and {model.name} takes {channels}: save "
            "the page without live=True."
        )
    if isinstance(model, DetectionModel) and model.about != "score":
        raise CamwidgetError(
            f"A page with live=True follows the score of a detection, and {model.name} is asked about "
            f"{model.about!r}: model.given(about='score') (ex.about = 'score'), or save the page without live=True."
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


def check_written_size(model: VisionModel, name: str, size: int) -> None:
    """Warn of a page that its maps make large, before it is written; raise a ``CamwidgetError`` for one too large.

    Args:
        model: the model.
        name: name of the file.
        size: size of the page in bytes.
    """
    megabytes, maps = size / 1e6, size / 1e6 - _page_size(model)
    if megabytes > _LARGEST:
        raise CamwidgetError(
            f"The page would have {megabytes:.0f} MB, {maps:.0f} MB of them maps, and browsers open none above "
            f"{_LARGEST}: choose fewer pictures, classes, methods or layers."
        )
    if megabytes > _LARGE and maps > 0.2 * megabytes:
        warn(
            f"{name} will have {megabytes:.0f} MB, {maps:.0f} MB of them precomputed maps. Fewer pictures, classes, "
            "methods or layers take less."
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
    *,
    has_own_detections: bool = True,
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
        has_own_detections: whether a detector's classes are each picture's own; else those that were chosen.
    """
    is_detector = isinstance(model, DetectionModel)
    by_text = model.parsed_prompt is not None and model.parsed_prompt.classes is not None
    return {
        "names": [encodable_text(name) for name in model.classes],
        "finds": _finds(model, has_own_detections=has_own_detections, bundle=bundle),
        "competes": model.scores != "value" and len(model.classes) > 1 and not is_detector,
        "scores": model.scores,
        "ordered": not by_text and model.scores != "value",
        "channels": model.preprocess.channels,
        "difference": exported.difference,
        "pictures": exported.pictures,
        "preprocess": _preprocess(model.preprocess, pixels),
        "mean": list(model.preprocess.mean),
        "difference_colors": bundle.add(lookup_tables([DIFFERENCE])[DIFFERENCE]),
        "occlusion": _occlusion(pixels),
        "rise": _rise(),
        "head": _head(model, pixels, exported, methods, layers, classes, bundle),
    }


def detections_payload(model: VisionModel) -> dict[str, Any]:
    """Encode the detections that are a detector's classes; empty for any other model."""
    if not isinstance(model, DetectionModel):
        return {}
    pairs = zip(model.detected, model.classes, strict=True)
    return {
        "detections": [
            {
                "box": list(one.box),
                "label": one.label,
                "score": one.score,
                "name": encodable_text(name),
            }
            for one, name in pairs
        ]
    }


def _finds(
    model: VisionModel, *, has_own_detections: bool, bundle: BinaryBundle
) -> dict[str, Any] | None:
    """What the model finds in a picture, besides its numbers; None for nothing."""
    if isinstance(model, DetectionModel):
        labels = [encodable_text(name) for name in model.labels]
        least = model.least_score
        return {
            "kind": "boxes",
            "model": encodable_text(model.name),
            "labels": labels,
            "least": least,
            "own": has_own_detections,
        }
    if isinstance(model, SegmentationModel) and model.scores != "value":
        region = None if model.region is None else bundle.add(model.region.tobytes())
        return {"kind": "areas", "region": region}
    return None


def _preprocess(preprocess: Preprocess, pixels: torch.Tensor) -> dict[str, Any]:
    """The preprocessing as the page repeats it for pictures of one size with ``pixels``; the reason why it cannot."""
    if preprocess.geometry is not None:
        return {"reason": "its preprocessing is a Python function"}
    if preprocess.interpolation not in FILTERS:
        return {"reason": f"it resizes pictures by {preprocess.interpolation!r}"}
    (height, width), resize = preprocess.size, preprocess.resize
    if pixels.shape[-2:] != (height, width):
        return {
            "reason": f"this page's model takes {pixels.shape[-1]}×{pixels.shape[-2]} pixels, as its picture has, and "
            f"the preprocessing gives {width}×{height}"
        }
    return {
        "size": list(preprocess.size),
        "resize": resize if isinstance(resize, int) else list(resize),
        "filter": preprocess.interpolation,
    }


def _occlusion(pixels: torch.Tensor) -> dict[str, Any]:
    """Occlusion with the window and the stride that it has by default."""
    window, stride = default_window(pixels.shape[-2], pixels.shape[-1])
    method = get_method("occlusion")
    fields = settings_payload(method.settings)
    return {
        "method": method_payload(method),
        "fields": fields,
        "window": window,
        "stride": stride,
    }


def _rise() -> dict[str, Any]:
    """RISE with its default settings. The page draws the kernel's own masks."""
    method = get_method("rise")
    fields = settings_payload(method.settings)
    defaults = {setting.name: setting.default for setting in method.settings}
    return {"method": method_payload(method), "fields": fields, "defaults": defaults}


def _head(
    model: VisionModel,
    pixels: torch.Tensor,
    exported: ExportedModel,
    methods: Sequence[Method],
    layers: Sequence[str],
    classes: Sequence[int],
    bundle: BinaryBundle,
) -> dict[str, Any] | None:
    """The head with the methods that the page computes from its weights; None if there is no head."""
    head, weights, features = model.gap_head, exported.head, exported.features
    if head is None or weights is None or features is None:
        return None
    place = next((k for k, name in enumerate(layers) if model.is_same_layer(name, head.layer)), -1)
    if place < 0:
        return None
    pooled = _pooled_head(model, pixels, exported, weights, features, rectified=head.rectified)
    own = [m for m in methods if m.name in GRADIENT_FORMS and not m.options]
    configured = {m.name for m in methods if m.options}
    further = [get_method(name) for name in FORWARD_FORMS if name not in configured]
    if head.rectified:  # the gradient would have to be stopped channel by channel
        own = [m for m in own if m.name == "cam"]
    computed = [
        m
        for m in (*own, *further)
        if m.reason(model, layers[place]) is None
        and (not m.slow or _passes(m, features) <= _MOST_PASSES)
        and _is_method(m, pooled, model, pixels, layers[place], classes)
    ]
    return {
        "layer": place,
        "methods": [m.name for m in computed],
        "further": [method_payload(m) for m in computed if m in further],
        "scorecam": method_payload(get_method("scorecam")),
        "offset": weights.offset,
        "rows": weights.rows,
        "channels": weights.channels,
        "bias": bundle.numbers(weights.bias),
        "rectified": head.rectified,
        "gated": pooled.gated,
    }


def _passes(method: Method, features: np.ndarray) -> int:
    """The number of passes by which a forward form is compared with its method."""
    return 1 + (len(features) if method.name == "ablationcam" else features[0].size)


def _pooled_head(
    model: VisionModel,
    pixels: torch.Tensor,
    exported: ExportedModel,
    weights: HeadWeights,
    features: np.ndarray,
    *,
    rectified: bool,
) -> PooledHead:
    """The head with the picture's features, as the page has them."""
    size = 4 * weights.rows * weights.channels
    matrix = np.frombuffer(exported.graph[weights.offset : weights.offset + size], "<f4")
    matrix = matrix.reshape(weights.rows, weights.channels)
    bias = weights.bias
    if weights.rows == 1 and len(model.classes) == 2:  # the score of the second class
        matrix, bias = np.concatenate([-matrix, matrix]), np.concatenate([-bias, bias])
    used = np.maximum(features, 0) if rectified else features
    logits = model.logits(pixels[None])[0].cpu().numpy()

    def head(*, gated: bool) -> PooledHead:
        return PooledHead(
            used,
            matrix,
            bias,
            gated,
            lambda values: model.probabilities(torch.from_numpy(values)).numpy(),
        )

    # A rectifier between a 1×1 convolution and the pooling stops the gradient of cells below zero.
    plain, gated = head(gated=False), head(gated=True)
    scores = plain.cell_scores
    is_gated = not _is_close(plain.pooled(scores, bias), logits) and _is_close(
        gated.pooled(scores, bias), logits
    )
    return gated if is_gated else plain


def _is_method(
    method: Method,
    head: PooledHead,
    model: VisionModel,
    pixels: torch.Tensor,
    layer: str,
    classes: Sequence[int],
) -> bool:
    """Whether a closed form is the method's own map, for each class, against one, and for one rather than another."""
    # A method that reruns the model is compared for one class: the others are the same equation.
    targets = [resolve_target(model, c) for c in (classes[:1] if method.slow else classes)]
    others: list[TargetLike] = [Counterfactual(classes[0])]
    others += [Contrast(classes[0], c) for c in classes[1:2]]
    resolved = [resolve_target(model, other) for other in others]
    targets += [target for target in resolved if method.target_reason(target) is None]
    found = explain(model, pixels, targets, method, [layer])
    return all(
        _is_close(closed_form(method.name, head, terms_of(target)), theirs.raw)
        for target, theirs in zip(targets, found, strict=True)
    )


def _is_close(one: np.ndarray, other: np.ndarray) -> bool:
    scale = max(float(np.abs(other).max()), 1e-12)
    return bool(np.abs(one - other).max() <= _MAP_TOLERANCE * scale)
