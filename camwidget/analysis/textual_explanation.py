"""Textual explanation: the names of the units that speak for a class and of those that speak against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._validation import whole
from ..attribution.targets import TargetLike, predicted_target, resolve_target
from ..attribution.trace import Trace
from ..errors import LayerError, MethodError
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from .dissection import Dissection, answers

__all__ = ["TextualExplanation", "UnitReason", "describe_decision"]


@dataclass(frozen=True)
class UnitReason:
    """One unit's part in a decision.

    Attributes:
        unit: its number.
        name: its concept, or "unit 17".
        concept: its concept, or None.
        importance: α, the mean gradient of the score over the unit's map; its sign says for or against.
        answers: whether the unit exceeds its threshold anywhere in this picture.
    """

    unit: int
    name: str
    concept: str | None
    importance: float
    answers: bool


@dataclass(frozen=True)
class TextualExplanation:
    """Why a model decided as it did, in the names of its units.

    Attributes:
        label: what is explained.
        probability: of the class, where the target is one; None of a quantity.
        reasons: the units with the most positive α, highest first.
        counter_reasons: the units with the most negative α, lowest first.
        layer: the layer's module name.
        model: the model's name.
    """

    label: str
    probability: float | None
    reasons: tuple[UnitReason, ...]
    counter_reasons: tuple[UnitReason, ...]
    layer: str
    model: str

    @property
    def text(self) -> str:
        """One sentence, such as "disc (0.97): mostly because of units for red (4) and disc; against it: unit 17."."""
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
    """Put a decision into words (Selvaraju et al. 2017, section "Textual explanations with Grad-CAM").

    A unit's importance is α_k, eq. 1 there: the gradient of the score at the unit's map, averaged over its places. Of
    units with positive α more raises the score, of those with negative α it lowers it. The ``top`` of either are
    given by name. At a layer with nothing but global average pooling and a linear layer behind it α depends on the
    class alone, not on the picture: ``UnitReason.answers`` says which of the units see anything in it.

    Args:
        model: the model that was dissected, or one with the same layer, such as after more training.
        image: a path, PIL image, array or tensor; for a model with several inputs, a mapping.
        dissection: from ``dissect``; its layer is taken.
        target: class index, class name, target or callable; the predicted class if None.
        top: how many units for, and how many against, at most.

    Raises:
        MethodError: if ``top`` is not at least 1.
        LayerError: if the model has no such layer, or it has other units.
        TargetError: if there is no such class.
        PictureError: if there is more than one picture.
    """
    require_model(model, "describe_decision", image, dissection)
    if not isinstance(dissection, Dissection):
        raise MethodError(
            "describe_decision takes as its third argument what camwidget.dissect(model, samples) returns, not "
            f"{type(dissection).__name__}."
        )
    top = whole("top", top, error=MethodError)
    if isinstance(image, Mapping):
        model, image = model.split_inputs(image)
    pixels = model.preprocess.pixels(image)[None]
    wanted = None if target is None else resolve_target(model, target)
    trace = Trace(model, pixels, [dissection.layer])
    maps = trace.activation(dissection.layer)
    if maps.shape[1] != len(dissection.units):
        raise LayerError(
            f"{dissection.layer!r} of {model.name} has {maps.shape[1]} units, the dissection of {dissection.model} "
            f"{len(dissection.units)}: dissect this model."
        )
    chosen = predicted_target(model, trace.logits) if wanted is None else wanted
    alpha = trace.gradient(chosen, dissection.layer)[0].mean((1, 2)).tolist()
    cut = maps.new_tensor(dissection.cuts)
    seen = answers(maps, cut, pixels.shape[-2:])[0].flatten(1).any(1).tolist()
    reasons = [
        UnitReason(u.unit, u.name, u.concept, a, s)
        for u, a, s in zip(dissection.units, alpha, seen, strict=True)
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
    """Units as a person lists them: concepts by the α of their strongest unit, with how many, then the nameless."""
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
