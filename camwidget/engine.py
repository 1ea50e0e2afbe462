"""``explain``: pictures × targets × methods × layers, from one remembered forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn import functional as nnF

from .errors import MethodError, ModelError
from .explanation import Explanation, Explanations
from .methods import Method, get_method
from .models import VisionModel
from .targets import EachTarget, Target, TargetLike, predicted_target, resolve_target
from .trace import Trace

__all__ = ["compute_explanations", "explain", "scale_saliency"]

T = TypeVar("T")


def explain(
    model: VisionModel,
    image: Any,
    target: TargetLike | Sequence[TargetLike | None] | None = None,
    method: str | Sequence[str] = "gradcam",
    layer: str | Sequence[str | None] | None = None,
    *,
    precision: str = "fp32",
) -> Explanation | Explanations:
    """Where in a picture a model has evidence for a target.

    Args:
        model: from ``load`` or ``wrap``.
        image: a path, PIL image, array or tensor (see ``open_picture``); a list of them, or a tensor
            (N, C, H, W), explains them as one batch.
        target: class index, class name, or a callable from logits (N, classes) to (N,);
            the predicted class if None; a list for several.
        method: a name of ``list_methods()``; a list for several.
        layer: a module name; the model's default layer if None; a list for several.
        precision: "fp32" runs the model in its own dtype, "bf16" or "fp16" under autocast.

    Returns:
        One ``Explanation``, or ``Explanations`` if anything is a list: every combination, in the
        order picture, target, method, layer, from one forward pass.

    Raises:
        PictureError, TargetError, MethodError, LayerError, ModelError: each names its remedy.
    """
    if not isinstance(model, VisionModel):
        raise ModelError(
            f"explain takes a model from camwidget.load or camwidget.wrap, not {type(model).__name__}: "
            "camwidget.wrap(module, …) makes one."
        )
    if isinstance(target, (np.ndarray, torch.Tensor)) and target.ndim == 1:
        target = target.tolist()
    targets, methods, layers = _listed(target), _listed(method), _listed(layer)
    many = any(isinstance(v, (list, tuple)) for v in (image, target, method, layer)) or (
        isinstance(image, torch.Tensor) and image.ndim == 4
    )
    if not (targets and methods and layers):
        raise MethodError("Nothing to explain: a list of targets, methods or layers is empty.")
    chosen = [get_method(m) for m in methods]
    names = [model.layer(n).name for n in layers]
    resolved = [None if t is None else resolve_target(model, t) for t in targets]
    for m in chosen:
        for name in names:
            m.check(model, name)
    trace = Trace(model, model.pixels(image), names, precision=precision)
    result = compute_explanations(trace, resolved, chosen, names)
    return result if many else result[0]


def compute_explanations(
    trace: Trace, targets: Sequence[Target | None], methods: Sequence[Method], layers: Sequence[str]
) -> Explanations:
    """Every combination from one trace; None stands for the predicted class."""
    with torch.no_grad(), torch.autocast(trace.logits.device.type, enabled=False):
        return _combinations(trace, targets, methods, layers)


def _combinations(
    trace: Trace, targets: Sequence[Target | None], methods: Sequence[Method], layers: Sequence[str]
) -> Explanations:
    predicted = predicted_target(trace.model, trace.logits)
    asked = [predicted if t is None else t for t in targets]
    if any(m.needs_gradients for m in methods):
        trace.remember_gradients(asked)
    shades = (trace.pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    if shades.shape[-1] == 1:
        shades = shades.repeat(3, axis=-1)
    shades.flags.writeable = False  # all explanations of a picture share it
    predictions = [trace.model.prediction(row) for row in trace.logits]
    size = trace.pixels.shape[-2:]
    maps: dict[tuple[Target, str, str], tuple[np.ndarray, np.ndarray]] = {}
    for layer in layers:  # the maps of a layer have one shape, and are scaled together
        keys = [(target, m.name, layer) for target in asked for m in methods]
        raws = [m.compute(trace, target, layer) for target in asked for m in methods]
        saliency = scale_saliency(torch.cat(raws), size).reshape(len(raws), -1, *size)
        for key, raw, scaled in zip(keys, raws, saliency, strict=True):
            maps[key] = raw.float().cpu().numpy(), scaled
    return Explanations(
        [
            Explanation(
                saliency=maps[target, m.name, layer][1][n],
                raw=maps[target, m.name, layer][0][n],
                target=target.targets[n] if isinstance(target, EachTarget) else target,
                method=m.name,
                method_label=m.label,
                layer=layer,
                prediction=prediction,
                pixels=shades[n],
                model=trace.model.name,
                picture=n,
            )
            for n, prediction in enumerate(predictions)
            for target in asked
            for m in methods
            for layer in layers
        ]
    )


def scale_saliency(raw: torch.Tensor, size: Sequence[int]) -> np.ndarray:
    """Maps (N, h, w) of any scale as float32 saliency (N, H, W): positive part, upsampled, own maximum 1.

    Rectified before upsampling, so that evidence against does not eat into evidence for beside it.
    """
    if not torch.isfinite(raw).all():
        raise MethodError(
            "The map contains NaN or infinity: the target has no finite gradient there, or half precision "
            "overflowed. Use precision='fp32' and a model in float32, or another target."
        )
    maps = nnF.interpolate(
        raw.relu()[:, None].float(), size=tuple(size), mode="bilinear", align_corners=False
    )[:, 0]
    peak = maps.amax((1, 2), keepdim=True)
    return (maps / peak.where(peak > 0, torch.ones_like(peak))).clamp(max=1).cpu().numpy()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
