"""Textual explanation of a prediction, by the concepts of the units that raise or lower the score of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._validation import check_integer
from ..attribution.targets import TargetLike, predicted_target, resolve_target
from ..attribution.trace import Trace
from ..errors import LayerError, MethodError
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from .dissection import Dissection, active_regions

__all__ = ["TextualExplanation", "UnitReason", "describe_decision"]


@dataclass(frozen=True)
class UnitReason:
    """One unit's contribution to a decision.

    Attributes:
        unit: the channel's number.
        name: its concept, or "unit 17".
        concept: its concept, or None.
        importance: α, the mean gradient of the score over the unit's map; positive for, negative against.
        is_active: whether the unit is active (above its threshold) anywhere in this picture.
    """

    unit: int
    name: str
    concept: str | None
    importance: float
    is_active: bool


@dataclass(frozen=True)
class TextualExplanation:
    """An explanation of a prediction in the names of a layer's units.

    Attributes:
        label: name of the explained class or target.
        probability: the class's probability in [0, 1]; None for a target that is no class.
        reasons: the units with the most positive α, highest first.
        counter_reasons: the units with the most negative α, lowest first.
        layer: the layer's module name.
        model: the model's name.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> samples = cw.zoo.samples("zoo/textures")[:4]
        >>> explanation = cw.describe_decision(model, samples[0].image, cw.dissect(model, samples), top=2)
        >>> print(explanation)
        polka-dotted (0.93): mostly because of units ...; against it: ...
    """

    label: str
    probability: float | None
    reasons: tuple[UnitReason, ...]
    counter_reasons: tuple[UnitReason, ...]
    layer: str
    model: str

    @property
    def text(self) -> str:
        """The explanation as one sentence.

        Such as "disc (0.97): mostly because of units for red (4) and disc; against it: unit 17."
        """
        sure = "" if self.probability is None else f" ({self.probability:.2f})"
        reasons = _listed(self.reasons) or "no unit"
        against = _listed(self.counter_reasons) or "no unit"
        return f"{self.label}{sure}: mostly because of {reasons}; against it: {against}."

    def __str__(self) -> str:
        return self.text


def describe_decision(
    model: VisionModel,
    image: Any,
    dissection: Dissection,
    target: TargetLike | None = None,
    top: int = 5,
) -> TextualExplanation:
    """Explain a prediction by the names of a layer's units.

    Selvaraju et al. 2017 (arXiv:1610.02391, section "Textual explanations with Grad-CAM"). A unit's importance is α_k
    (eq. 1): the gradient of the score with respect to the unit's map, averaged over its positions. Raising a unit with
    positive α raises the score; raising one with negative α lowers it. The ``top`` units of either sign are named. At a
    layer that is followed only by global average pooling and a linear layer, α depends on the class alone and not on
    the picture; ``UnitReason.is_active`` tells which of the units are active in it.

    Args:
        model: the dissected model, or one with the same layer, such as the same model after more training.
        image: a path, PIL image, array or tensor; for a model with several inputs, a mapping.
        dissection: result of ``dissect``; its layer is used.
        target: class index, class name, target or callable; the predicted class if None.
        top: the greatest number of units for, and of units against, at least 1.

    Returns:
        The units with the highest and the lowest importance; ``str()`` of it is a sentence.

    Raises:
        MethodError: if ``top`` is below 1, or ``dissection`` is not from ``dissect``.
        LayerError: if the model has no such layer, or the layer has another number of units.
        ModelError: if ``model`` is not from ``load`` or ``wrap``.
        TargetError: if there is no such class.
        PictureError: if the picture cannot be read, or there is more than one.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> samples = cw.zoo.samples("zoo/textures")[:4]
        >>> dissection = cw.dissect(model, samples)
        >>> explanation = cw.describe_decision(model, samples[0].image, dissection, top=3)
        >>> explanation.label, len(explanation.reasons), explanation.reasons[0].importance > 0
        ('polka-dotted', 3, True)
    """
    require_model(model, "describe_decision", image, dissection)
    if not isinstance(dissection, Dissection):
        raise MethodError(
            "describe_decision takes as its third argument what camwidget.dissect(model, samples) returns, not "
            f"{type(dissection).__name__}."
        )
    top = check_integer("top", top, error=MethodError)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    pixels = model.preprocess.pixels(image)[None]
    explained = None if target is None else resolve_target(model, target)
    trace = Trace(model, pixels, [dissection.layer])
    maps = trace.activation(dissection.layer)
    if maps.shape[1] != len(dissection.units):
        raise LayerError(
            f"{dissection.layer!r} of {model.name} has {maps.shape[1]} units, the dissection of {dissection.model} "
            f"{len(dissection.units)}: dissect this model."
        )
    chosen = predicted_target(model, trace.logits) if explained is None else explained
    alpha = trace.gradient(chosen, dissection.layer)[0].mean((1, 2)).tolist()
    cut = maps.new_tensor(dissection.cuts)
    is_active = active_regions(maps, cut, pixels.shape[-2:])[0].flatten(1).any(1).tolist()
    reasons = [
        UnitReason(u.unit, u.name, u.concept, a, s)
        for u, a, s in zip(dissection.units, alpha, is_active, strict=True)
    ]
    index = chosen.index
    return TextualExplanation(
        label=chosen.label,
        probability=None
        if index is None or model.scores == "value"
        else float(model.probabilities(trace.logits.float())[0, index]),
        reasons=tuple(
            sorted((r for r in reasons if r.importance > 0), key=lambda r: -r.importance)[:top]
        ),
        counter_reasons=tuple(
            sorted((r for r in reasons if r.importance < 0), key=lambda r: r.importance)[:top]
        ),
        layer=dissection.layer,
        model=model.name,
    )


def _listed(reasons: Sequence[UnitReason]) -> str:
    """Units in words: concepts with their numbers of units, by the strongest unit, then the unnamed units."""
    counts: dict[str, int] = {}
    for reason in reasons:
        if reason.concept:
            counts[reason.concept] = counts.get(reason.concept, 0) + 1
    parts = [f"{name} ({n})" if n > 1 else name for name, n in counts.items()]
    total = sum(counts.values())
    named = f"{'units' if total > 1 else 'a unit'} for {_joined(parts)}" if parts else ""
    numbers = [str(r.unit) for r in reasons if not r.concept]
    nameless = f"{'units' if len(numbers) > 1 else 'unit'} {_joined(numbers)}" if numbers else ""
    return ", and ".join(filter(None, [named, nameless]))


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
