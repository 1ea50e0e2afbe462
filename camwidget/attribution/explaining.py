"""``explain``: every combination of picture, target, method and layer from one forward pass."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

import numpy as np
import torch
from PIL import Image

from ..errors import MethodError
from ..execution.device_errors import translated_device_errors
from ..execution.isolated_pass import autocast_off
from ..images.clips import as_clips
from ..images.containers import as_batch
from ..images.conversion import shades
from ..images.film_strip import enlarge
from ..images.pixel_batches import is_tensor_batch
from ..models.argument_checks import require_model
from ..models.findings import is_asked_per_picture
from ..models.layer_table import AT_INPUT
from ..models.vision_model import Prediction, VisionModel
from ..progress import Progress, follow
from .explanation import Explanation, Explanations
from .methods import Method, get_method
from .part_values import PartValues
from .targets import PerPictureTarget, Target, TargetLike, predicted_target, resolve_target
from .trace import Trace

__all__ = ["compute_explanations", "explain", "raw_maps", "saliency_maps", "scale_saliency"]

#: Types that are always a single picture; for a tensor, the shape decides.
_Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | np.ndarray"
_Several: TypeAlias = "list[Any] | tuple[Any, ...]"


class _Settings(TypedDict, total=False):
    precision: str
    progress: Progress | None


# The result is a list if any argument is a list.
@overload
def explain(
    model: VisionModel,
    image: Any,
    target: Any = None,
    method: Any = "gradcam",
    *,
    layer: _Several | Literal["all"],
    **how: Unpack[_Settings],
) -> Explanations: ...
@overload
def explain(
    model: VisionModel,
    image: _Picture,
    target: TargetLike | None = None,
    method: str | Method = "gradcam",
    layer: str | None = None,
    **how: Unpack[_Settings],
) -> Explanation: ...
@overload
def explain(
    model: VisionModel,
    image: _Several,
    target: Any = None,
    method: Any = "gradcam",
    layer: Any = None,
    **how: Unpack[_Settings],
) -> Explanations: ...
@overload
def explain(
    model: VisionModel,
    image: Any,
    target: _Several,
    method: Any = "gradcam",
    layer: Any = None,
    **how: Unpack[_Settings],
) -> Explanations: ...
@overload
def explain(
    model: VisionModel,
    image: Any,
    target: Any = None,
    *,
    method: _Several,
    layer: Any = None,
    **how: Unpack[_Settings],
) -> Explanations: ...
@overload
def explain(
    model: VisionModel,
    image: Any,
    target: TargetLike | Sequence[TargetLike | None] | None = None,
    method: str | Method | Sequence[str | Method] = "gradcam",
    layer: str | Sequence[str | None] | None = None,
    *,
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Explanation | Explanations: ...


def explain(
    model: VisionModel,
    image: Any,
    target: TargetLike | Sequence[TargetLike | None] | None = None,
    method: str | Method | Sequence[str | Method] = "gradcam",
    layer: str | Sequence[str | None] | None = None,
    *,
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Explanation | Explanations:
    """Explain where in a picture a model has evidence for a target.

    Args:
        model: model from ``load`` or ``wrap``.
        image: a picture: path, bytes of a file, PIL image, array (H, W) or (H, W, C), or tensor (C, H, W). A list of
            pictures, a tensor (N, C, H, W) or another container is explained as one batch. Integer tensors are resized
            and cropped like any picture; floating-point tensors are pixels in [0, 1] at the model's input size already.
            For a model of clips, a picture is a clip: an array (T, H, W, C), a list of frames, an animated file, a
            folder of frames, or a tensor (C, T, H, W), of which the model gets frames at even distances.
            For a model with several inputs, a mapping from their names to the picture and the tensors; any other
            mapping is a mapping from names to pictures, or a row of a data set. A captioner without a caption explains
            each picture under its own caption.
        target: class index, class name, ``Contrast``, ``Counterfactual``, ``LogProbability``, or a callable from the
            module's output to one number per picture, (N,); the predicted class if None; a list for several targets.
        method: a name of ``list_methods()``, ``smoothgrad(NAME)``, or a method from ``get_method``; a list for several
            methods.
        layer: module name of a layer; the model's default layer if None; a list for several layers, or "all" for all of
            ``model.layers``.
        precision: "fp32" runs the model in its own dtype, "bf16" and "fp16" run it under autocast, which is faster on
            hardware with such units (GPUs, CPUs with AMX or AVX-512 BF16). If it is slower, a warning tells by how
            much, once for each model.
        progress: function of (done, total) that slow methods call, and that may raise an error to cancel them; if None,
            a progress bar appears after one second.

    Returns:
        One ``Explanation``; or ``Explanations`` if any argument is a list: all combinations in the order picture,
        target, method, layer, from one forward pass.

    Raises:
        ModelError: if the model is not from ``load`` or ``wrap``, fails, or needs more memory than there is.
        PictureError: if a picture cannot be read, or the pictures of a batch have different sizes.
        TargetError: if there is no such class, or the target cannot be computed.
        MethodError: if there is no such method, or it does not apply to the model or layer.
        LayerError: if there is no such layer, or it has no map.
        PromptError: if the model needs a text and has none.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load()
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(model, image).title
        'Grad-CAM · stage4 · polka-dotted'
        >>> explanations = cw.explain(model, image, ["waffled", "lined"], layer=["stage3", "stage4"])
        >>> len(explanations), explanations[0].title
        (4, 'Grad-CAM · stage3 · waffled')
    """
    require_model(model, "explain", image)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    image = as_batch(image if model.frames is None else as_clips(image))
    if isinstance(target, (np.ndarray, torch.Tensor)) and target.ndim == 1:
        target = target.tolist()
    if isinstance(layer, str) and layer == "all" and not model.has_layer("all"):
        layer = [x.name for x in model.layers]
    targets, methods, layers = _as_list(target), _as_list(method), _as_list(layer)
    is_sequence = any(
        isinstance(v, (list, tuple)) for v in (image, target, method, layer)
    ) or is_tensor_batch(model.preprocess, image)
    if not (targets and methods and layers):
        raise MethodError("Nothing to explain: a list of targets, methods or layers is empty.")
    selected = [get_method(m) for m in methods]
    names = [model.layer(n).name for n in layers]
    pixels = model.pixels(image)
    # Pictures run one by one if they influence each other in a batch, or if each has its own text or detections.
    runs_alone = model.mixes_pictures or is_asked_per_picture(model)
    parts = pixels.split(1) if runs_alone else (pixels,)
    items: list[Explanation] = []
    for number, part in enumerate(parts):
        given = (model if len(parts) == 1 else model.with_inputs_of(number)).with_text_for(part)
        with translated_device_errors(model.name, model.device):
            resolved = [None if t is None else resolve_target(given, t) for t in targets]
            for m in selected:
                for name in names:
                    m.check(given, name)
            trace = Trace(
                given,
                part,
                [] if all(m.at_input for m in selected) else names,
                precision=precision,
                with_input=any(m.needs_input for m in selected),
                with_attention=any(m.needs_attention for m in selected),
            )
            items += compute_explanations(trace, resolved, selected, names, progress=progress)
    if len(parts) > 1:
        each = len(items) // len(parts)
        items = [replace(e, picture=n // each) for n, e in enumerate(items)]
    items = [e.of_clip(model) for e in items]
    return Explanations(items) if is_sequence else items[0]


def compute_explanations(
    trace: Trace,
    targets: Sequence[Target | None],
    methods: Sequence[Method],
    layers: Sequence[str],
    *,
    progress: Progress | None = None,
) -> Explanations:
    """Compute the explanations of all combinations from one trace.

    Args:
        trace: recorded forward pass of N pictures.
        targets: targets; None for the predicted class.
        methods: methods that apply at the layers.
        layers: module names of the layers.
        progress: as in ``explain``.

    Returns:
        All combinations, in the order picture, target, method, layer.
    """
    with torch.no_grad(), autocast_off(trace.logits.device):
        predicted = predicted_target(trace.model, trace.logits) if None in targets else None
        resolved = [t if t is not None else predicted for t in targets]
        return _combinations(trace, resolved, methods, layers, progress)  # type: ignore[arg-type]


def raw_maps(
    trace: Trace,
    targets: Sequence[Target],
    methods: Sequence[Method],
    layers: Sequence[str],
    progress: Progress | None = None,
) -> dict[tuple[int, int, str], torch.Tensor]:
    """Compute the raw maps of all combinations from one trace.

    The caller must be within ``torch.no_grad()`` and without autocast. The maps are not checked, and may contain NaN.

    Args:
        trace: recorded forward pass of N pictures.
        targets: targets.
        methods: methods that apply at the layers.
        layers: module names of the layers.
        progress: as in ``explain``.

    Returns:
        Maps (N, h, w), unscaled, by (index of the target, index of the method, layer).
    """
    if any(m.needs_gradients for m in methods):
        trace.store_gradients(targets)
    for m in methods:
        if m.prepare is not None and len(targets) > 1:
            m.prepare(trace, targets, **dict(m.options))
    raws: dict[tuple[int, int, str], torch.Tensor] = {}
    for i, target in enumerate(targets):
        for j, m in enumerate(methods):
            # A map at the input is the same for every layer.
            for layer in layers[:1] if m.at_input else layers:
                steps = m.steps(trace, target, layer)
                raws[i, j, layer] = (
                    follow(steps, m.label, progress) if m.slow else next(steps)
                ).maps
            if m.at_input:
                raws.update({(i, j, layer): raws[i, j, layers[0]] for layer in layers[1:]})
    return raws


def _combinations(
    trace: Trace,
    targets: Sequence[Target],
    methods: Sequence[Method],
    layers: Sequence[str],
    progress: Progress | None,
) -> Explanations:
    raws = raw_maps(trace, targets, methods, layers, progress)
    saliency = _scale_by_shape(raws, methods, trace)
    pictures = [picture_facts(trace, n) for n in range(len(trace.pixels))]
    return Explanations(
        [
            build_explanation(
                picture,
                target,
                m,
                layer,
                raws[i, j, layer][picture.number].float().cpu().numpy(),
                saliency[i, j, layer][picture.number],
                part_values(trace, m, target, picture.number),
            )
            for picture in pictures
            for i, target in enumerate(targets)
            for j, m in enumerate(methods)
            for layer in layers
        ]
    )


@dataclass(frozen=True)
class PictureFacts:
    """What all explanations of one picture have in common.

    Attributes:
        number: index of the picture in the trace.
        pixels: the picture as the model gets it, uint8 (H, W, 3), read-only.
        prediction: the model's top classes.
        model: name of the model.
        text: question or caption; None for a model without text input.
    """

    number: int
    pixels: np.ndarray
    prediction: Prediction
    model: str
    text: str | None


def picture_facts(trace: Trace, number: int) -> PictureFacts:
    """Return what all explanations of a picture of a trace have in common."""
    pixels = shades(trace.pixels[number])
    pixels.flags.writeable = False
    prediction = trace.model.prediction(trace.logits[number])
    return PictureFacts(number, pixels, prediction, trace.model.name, trace.model.text)


def build_explanation(
    picture: PictureFacts,
    target: Target,
    method: Method,
    layer: str,
    raw: np.ndarray,
    saliency: np.ndarray,
    parts: PartValues | None = None,
) -> Explanation:
    """Build an explanation from its raw map (h, w), its saliency (H, W) and the values of its parts."""
    return Explanation(
        saliency=saliency,
        raw=raw,
        target=target.targets[picture.number] if isinstance(target, PerPictureTarget) else target,
        method=method.name,
        method_label=method.label,
        layer=AT_INPUT if method.at_input else layer,
        prediction=picture.prediction,
        pixels=picture.pixels,
        model=picture.model,
        picture=picture.number,
        text=picture.text,
        options=method.options,
        tone_mapped=method.tone_mapped,
        parts=parts,
    )


def part_values(trace: Trace, method: Method, target: Target, picture: int) -> PartValues | None:
    """Return the values of a picture's parts, of a method whose units are parts and whose map has been computed."""
    own = target.targets[picture] if isinstance(target, PerPictureTarget) else target
    return method.part_values(trace, own, picture)


def _scale_by_shape(
    raws: dict[tuple[int, int, str], torch.Tensor], methods: Sequence[Method], trace: Trace
) -> dict[tuple[int, int, str], np.ndarray]:
    """Convert maps (N, h, w) to saliency (N, H, W), all maps of one shape and scale at once."""
    size = trace.pixels.shape[-2:]
    groups: dict[tuple[Any, ...], list[tuple[int, int, str]]] = {}
    for key, raw in raws.items():
        frames = trace.model.map_frames(key[2], raw.shape[-2:], size)
        groups.setdefault((raw.shape, methods[key[1]].scale, frames), []).append(key)
    scaled: dict[tuple[int, int, str], np.ndarray] = {}
    for (_, scale, frames), keys in groups.items():
        saliency = scale_saliency(torch.cat([raws[k].float() for k in keys]), size, scale, frames)
        scaled.update(zip(keys, saliency.reshape(len(keys), -1, *size), strict=True))
    return scaled


def scale_saliency(
    raw: torch.Tensor,
    size: Sequence[int],
    scale: str = "maximum",
    frames: tuple[int, int] | None = None,
) -> np.ndarray:
    """Convert raw maps to saliency as a NumPy array, and check that they are finite.

    Args:
        raw: maps (N, h, w).
        size: height H and width W of the saliency.
        scale: "maximum" or "range", as in ``saliency_maps``.
        frames: numbers of frames of the maps and of the clip, as in ``enlarge``; None for pictures.

    Returns:
        float32 (N, H, W) in [0, 1].

    Raises:
        MethodError: if a map contains NaN or infinity.
    """
    if not torch.isfinite(raw).all():
        raise MethodError(
            "The map contains NaN or infinity: the target has no finite gradient there, or half precision "
            "overflowed. Use precision='fp32' and a model in float32, or another target."
        )
    return saliency_maps(raw, size, scale, frames).cpu().numpy()


def saliency_maps(
    raw: torch.Tensor,
    size: Sequence[int],
    scale: str = "maximum",
    frames: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Convert raw maps to saliency: the positive part, upsampled and divided by its maximum.

    Saliency is linear in the positive part of the map; brightening for display is separate (``tone_mapping``).

    Args:
        raw: maps (N, h, w) of any scale. Negative values are set to zero before upsampling, so that they do not reduce
            positive neighbors.
        size: height H and width W of the saliency.
        scale: "maximum" divides by each map's maximum; "range" subtracts each map's minimum first, for methods whose
            values have no zero (RISE).
        frames: numbers of frames of the maps and of the clip, as in ``enlarge``; None for pictures.

    Returns:
        float32 (N, H, W) in [0, 1], on the device of the maps.
    """
    if scale == "range":
        raw = raw - raw.amin((1, 2), keepdim=True)
    maps = enlarge(raw.relu().float(), size, frames)
    peak = maps.amax((1, 2), keepdim=True)
    peak = peak.where(peak > 0, torch.ones_like(peak))  # a map of all zeros stays all zeros
    return (maps / peak).clamp(max=1)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
