"""``explain``: every combination of picture, target, method and layer from one forward pass."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as nnF

from ..errors import MethodError
from ..execution.device import faults_named
from ..execution.isolated_pass import autocast_off
from ..images.containers import as_batch
from ..images.conversion import shades
from ..models.argument_checks import require_model
from ..models.layer_table import AT_INPUT
from ..models.vision_model import Prediction, VisionModel
from ..progress import Progress, follow
from .explanation import Explanation, Explanations
from .methods import Method, get_method
from .targets import EachTarget, Target, TargetLike, predicted_target, resolve_target
from .trace import Trace

__all__ = ["compute_explanations", "explain", "raw_maps", "saliency_maps", "scale_saliency"]

#: What is surely one picture; of a tensor, only its shape tells.
_Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | np.ndarray"
_Several: TypeAlias = "list[Any] | tuple[Any, ...]"


class _Settings(TypedDict, total=False):
    precision: str
    progress: Progress | None


# Whatever is a list makes the result one.
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
    """Where in a picture a model has evidence for a target.

    Args:
        model: from ``load`` or ``wrap``.
        image: a path, PIL image, array or tensor (see ``open_picture``); a list of them, a tensor (N, C, H, W), or
            another container (see ``picture_containers.list_entries``) explains them as one batch. Tensors of whole
            numbers are resized and cropped like any picture; floating-point ones are pixels in [0, 1] at the model's
            size already. For a model with
            several inputs, a mapping from their names to the picture and the tensors; any other mapping is pictures by
            name, or a row of a data set. A captioner without a caption explains each picture under its own.
        target: class index, class name, ``Contrast``, ``Counterfactual``, ``LogProbability``, or a callable from
            the model's output to (N,); the predicted class if None; a list for several.
        method: a name of ``list_methods()``, ``smoothgrad(NAME)``, or ``get_method`` with settings; a list for
            several.
        layer: a module name; the model's default layer if None; a list for several, or "all" for every one of
            ``model.layers``.
        precision: "fp32" runs the model in its own dtype, "bf16" or "fp16" under autocast: faster where the hardware
            has units for it (GPUs; of CPUs those with AMX or AVX-512 BF16). Elsewhere a warning says by how much it is
            slower, once for each model.
        progress: called with (done, total) by slow methods, and may raise to cancel them; a bar appears after
            a second if None.

    Returns:
        One ``Explanation``, or ``Explanations`` if anything is a list: every combination, in the
        order picture, target, method, layer, from one forward pass.

    Raises:
        PictureError, PromptError, TargetError, MethodError, LayerError, ModelError: each names its remedy.
    """
    require_model(model, "explain", image)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    image = as_batch(image)
    if isinstance(target, (np.ndarray, torch.Tensor)) and target.ndim == 1:
        target = target.tolist()
    if isinstance(layer, str) and layer == "all" and not model.has_layer("all"):
        layer = [x.name for x in model.layers]
    targets, methods, layers = _listed(target), _listed(method), _listed(layer)
    many = any(isinstance(v, (list, tuple)) for v in (image, target, method, layer)) or (
        isinstance(image, torch.Tensor) and image.ndim == 4
    )
    if not (targets and methods and layers):
        raise MethodError("Nothing to explain: a list of targets, methods or layers is empty.")
    chosen = [get_method(m) for m in methods]
    names = [model.layer(n).name for n in layers]
    pixels = model.pixels(image)
    # In some models a picture's answer depends on the others in its batch; in others each has a text of its own.
    own_text = model.prompt is not None and model.text is None
    parts = pixels.split(1) if model.mixes_pictures or own_text else (pixels,)
    items: list[Explanation] = []
    for number, part in enumerate(parts):
        given = (model if len(parts) == 1 else model.given_of(number)).told(part)
        with faults_named(model.name, model.device):
            resolved = [None if t is None else resolve_target(given, t) for t in targets]
            for m in chosen:
                for name in names:
                    m.check(given, name)
            trace = Trace(
                given,
                part,
                [] if all(m.at_input for m in chosen) else names,
                precision=precision,
                with_input=any(m.needs_input for m in chosen),
            )
            items += compute_explanations(trace, resolved, chosen, names, progress=progress)
    if len(parts) > 1:
        each = len(items) // len(parts)
        items = [replace(e, picture=n // each) for n, e in enumerate(items)]
    return Explanations(items) if many else items[0]


def compute_explanations(
    trace: Trace,
    targets: Sequence[Target | None],
    methods: Sequence[Method],
    layers: Sequence[str],
    *,
    progress: Progress | None = None,
) -> Explanations:
    """Every combination from one trace; None stands for the predicted class."""
    with torch.no_grad(), autocast_off(trace.logits.device):
        predicted = predicted_target(trace.model, trace.logits) if None in targets else None
        asked = [t if t is not None else predicted for t in targets]
        return _combinations(trace, asked, methods, layers, progress)  # type: ignore[arg-type]


def raw_maps(
    trace: Trace,
    targets: Sequence[Target],
    methods: Sequence[Method],
    layers: Sequence[str],
    progress: Progress | None = None,
) -> dict[tuple[int, int, str], torch.Tensor]:
    """Every combination's maps (N, h, w) from one trace, not scaled, by the places of target and method and the layer.

    Only within ``no_grad`` and without autocast. What is in them is not looked at: it may be NaN.
    """
    if any(m.needs_gradients for m in methods):
        trace.remember_gradients(targets)
    raws: dict[tuple[int, int, str], torch.Tensor] = {}
    for i, target in enumerate(targets):
        for j, m in enumerate(methods):
            # What is explained at the picture itself is the same for every layer.
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
    saliency = _scaled_together(raws, methods, trace.pixels.shape[-2:])
    pictures = [picture_of(trace, n) for n in range(len(trace.pixels))]
    return Explanations(
        [
            assemble(
                picture,
                target,
                m,
                layer,
                raws[i, j, layer][picture.number].float().cpu().numpy(),
                saliency[i, j, layer][picture.number],
            )
            for picture in pictures
            for i, target in enumerate(targets)
            for j, m in enumerate(methods)
            for layer in layers
        ]
    )


@dataclass(frozen=True)
class PictureFacts:
    """What the explanations of one picture share."""

    number: int  #: in the trace
    pixels: np.ndarray  #: uint8 (H, W, 3), read-only
    prediction: Prediction
    model: str
    text: str | None


def picture_of(trace: Trace, number: int) -> PictureFacts:
    """What the explanations of a trace's picture share."""
    pixels = shades(trace.pixels[number])
    pixels.flags.writeable = False
    prediction = trace.model.prediction(trace.logits[number])
    return PictureFacts(number, pixels, prediction, trace.model.name, trace.model.text)


def assemble(
    picture: PictureFacts,
    target: Target,
    method: Method,
    layer: str,
    raw: np.ndarray,
    saliency: np.ndarray,
) -> Explanation:
    """An explanation from its map, raw (h, w) and scaled (H, W)."""
    return Explanation(
        saliency=saliency,
        raw=raw,
        target=target.targets[picture.number] if isinstance(target, EachTarget) else target,
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
    )


def _scaled_together(
    raws: dict[tuple[int, int, str], torch.Tensor], methods: Sequence[Method], size: Sequence[int]
) -> dict[tuple[int, int, str], np.ndarray]:
    """Maps (N, h, w) as saliency (N, H, W), those of one shape and scale in one go."""
    alike: dict[tuple[torch.Size, str], list[tuple[int, int, str]]] = {}
    for key, raw in raws.items():
        alike.setdefault((raw.shape, methods[key[1]].scale), []).append(key)
    scaled: dict[tuple[int, int, str], np.ndarray] = {}
    for (_, scale), keys in alike.items():
        together = scale_saliency(torch.cat([raws[k].float() for k in keys]), size, scale)
        scaled.update(zip(keys, together.reshape(len(keys), -1, *size), strict=True))
    return scaled


def scale_saliency(raw: torch.Tensor, size: Sequence[int], scale: str = "maximum") -> np.ndarray:
    """Maps (N, h, w) as ``saliency_maps`` (N, H, W), for showing.

    Raises:
        MethodError: if there is NaN or infinity in them.
    """
    if not torch.isfinite(raw).all():
        raise MethodError(
            "The map contains NaN or infinity: the target has no finite gradient there, or half precision "
            "overflowed. Use precision='fp32' and a model in float32, or another target."
        )
    return saliency_maps(raw, size, scale).cpu().numpy()


def saliency_maps(raw: torch.Tensor, size: Sequence[int], scale: str = "maximum") -> torch.Tensor:
    """Maps (N, h, w) of any scale as float32 saliency (N, H, W) in [0, 1], on their device.

    It is linear in the positive part of the map: what is drawn brighter than that is so only where it is drawn
    (``tone_mapping``).

    Args:
        raw: the maps. Their positive part counts; it is taken before upsampling, so that evidence against does not
            eat into evidence for beside it.
        size: H and W.
        scale: "maximum" divides by each map's own maximum. "range" takes each map's minimum off first, where only
            differences within a map tell (RISE).
    """
    if scale == "range":
        raw = raw - raw.amin((1, 2), keepdim=True)
    maps = nnF.interpolate(
        raw.relu()[:, None].float(), size=tuple(size), mode="bilinear", align_corners=False
    )[:, 0]
    peak = maps.amax((1, 2), keepdim=True)
    peak = peak.where(peak > 0, torch.ones_like(peak))  # a map of all zeros stays one
    return (maps / peak).clamp(max=1)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
