"""Relevance methods: LRP, Relevance-CAM, excitation backprop and c-MWP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch

from ..._validation import check_number
from ...errors import CamwidgetError, MethodError, TargetError
from ...models.vision_model import VisionModel
from ...runtime.error_reports import first_line
from ..relevance import (
    ATTENTION_RULES,
    EXCITATION,
    LRP,
    REMEDY,
    ZPLUS,
    RelevancePass,
    Rules,
    check_logits,
    reach_of,
    reason_at_input,
    reason_at_layer,
    reason_with_relu,
    relevance_pass,
    with_attention,
    with_gamma,
    with_positive,
)
from ..target_scores import score_of
from ..targets import Target
from ..trace import Trace
from .registry import method
from .settings import Range
from .target_reasons import prior_of_outputs

__all__ = ["contrastive_excitation", "excitation_backprop", "lrp", "relevance_cam"]

_GROUP = "Relevance"
_NEEDS_RELU = (
    "a network of convolutions, linear layers, ReLUs, batch normalization, pooling and additions"
)
_NEEDS = f"{_NEEDS_RELU}; or a transformer"
#: γ in networks with attention, normalization or smooth activation functions.
_GAMMA = 0.25


# -- shared steps --------------------------------------------------------------------------------


def _rules(model: VisionModel, plain: Rules, attention: str, linear: Rules) -> Rules:
    """Return the rules of a pass: those for networks of ReLUs, or those for all others.

    Args:
        model: the model.
        plain: rules for networks of ReLUs.
        attention: name of the rules for attention.
        linear: rules for networks with attention, normalization, gates or smooth activation functions.

    Raises:
        MethodError: if there are no rules for attention of that name.
    """
    if attention not in ATTENTION_RULES:
        raise MethodError(
            f"rule is one of {', '.join(map(repr, ATTENTION_RULES))}, not {attention!r}."
        )
    return with_attention(linear, attention) if _has_smooth_parts(model) else plain


def _has_smooth_parts(model: VisionModel) -> bool:
    """Return whether rules for networks of ReLUs alone do not go through a model's network."""
    reach = reach_of(model)
    return reach.transformer is not None or reach.failure is not None


def _usual_gamma(model: VisionModel) -> float | None:
    """Return the γ that applies where none is given; None for the composite in networks of ReLUs."""
    return _GAMMA if _has_smooth_parts(model) else None


def _checked_pass(
    trace: Trace,
    rules: Rules,
    layer: str | None,
    negated: frozenset[int] = frozenset(),
    *,
    is_reused: bool = False,
) -> RelevancePass:
    """Run a relevance pass of the trace's model on its pictures, checked to have the trace's logits."""
    layers = () if layer is None else (trace.model.layer(layer).name,)
    forward = relevance_pass(trace.model, trace.pixels, rules, layers, negated, is_reused=is_reused)
    if not negated and not torch.allclose(
        forward.logits, trace.logits.to(forward.logits), rtol=1e-3, atol=1e-4
    ):
        # The trace may be in lower precision: compare with the model itself.
        check_logits(forward.logits, trace.model.logits(trace.pixels), trace.model)
    return forward


def _relevance_at(
    model: VisionModel, forward: RelevancePass, start: torch.Tensor, layer: str | None = None
) -> torch.Tensor:
    """Return relevance at a layer's own output, or at the input if None."""
    try:
        with model.isolated(runs=False):
            return forward.relevance(start, layer)
    except CamwidgetError:
        raise
    except RuntimeError as error:  # a checkpointed part runs again, with other operations
        raise MethodError(
            f"Relevance cannot be computed: {model.name} cannot be followed back "
            f"({first_line(error)}). {REMEDY}"
        ) from error


def _relevance_maps(
    trace: Trace, forward: RelevancePass, start: torch.Tensor, layer: str
) -> torch.Tensor:
    """Return relevance at the layer as maps (N, K, h, w)."""
    relevance = _relevance_at(trace.model, forward, start, trace.model.layer(layer).name)
    maps = trace.model.maps(relevance, trace.pixels.shape[-2:])
    # The trace has maps at the layer, and relevance has the shape of the layer's output.
    assert maps is not None
    return maps


def _score_gradient(target: Target, logits: torch.Tensor) -> torch.Tensor:
    """Return ``∂score/∂logits`` (N, classes): one-hot for a class, 1 and −1 for a contrast.

    Raises:
        TargetError: if the score is not differentiable in the logits.
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = logits.detach().clone().requires_grad_()
        score = score_of(target, leaf, leaf)
        gradient = (
            torch.autograd.grad(score.sum(), leaf, allow_unused=True)[0]
            if score.requires_grad
            else None
        )
    if gradient is None:
        raise TargetError(
            f"The target {target.label!r} does not depend on the logits in a way that can be differentiated. "
            "Compute it from the logits it is given, without detach."
        )
    return gradient


def _prior(target: Target, logits: torch.Tensor) -> torch.Tensor:
    """Return the prior probability of each output unit (N, classes), from which excitation backprop starts.

    Raises:
        MethodError: if the target is not a class or a sum of classes.
    """
    gradient = _score_gradient(target, logits)
    total = gradient.sum(1, keepdim=True)
    if bool((gradient < 0).any()) or bool((total <= 0).any()):
        raise MethodError(
            "Excitation backprop starts from a probability of each output, and a score that falls as some output rises "
            f"({target.label!r}) gives none. Name a class, or use 'lrp' or 'gradcam'."
        )
    return gradient / total


# -- methods -------------------------------------------------------------------------------------


def _lrp_rules(model: VisionModel, rule: str, gamma: float | None) -> Rules:
    """Return the rules of LRP for a model, from its checked settings."""
    if gamma is None:
        return _rules(model, LRP, rule, with_gamma(LRP, _GAMMA))
    rules = with_gamma(LRP, check_number("gamma", gamma, 0, error=MethodError))
    return _rules(model, rules, rule, rules)


def _prepare_lrp(
    trace: Trace, targets: Sequence[Target], *, rule: str = "attn", gamma: float | None = None
) -> None:
    """Compute and store the maps of several targets by one forward pass, ``("lrp", rules, target)`` in the memory."""
    rules = _lrp_rules(trace.model, rule, gamma)
    wanted = [t for t in dict.fromkeys(targets) if ("lrp", rules, t) not in trace.memory]
    if not wanted:
        return
    forward = _checked_pass(trace, rules, None, is_reused=len(wanted) > 1)
    for target in wanted:
        start = _score_gradient(target, forward.logits) * forward.logits
        relevance = _relevance_at(trace.model, forward, start).sum(1)
        trace.memory["lrp", rules, target] = relevance


#: Why no relevance is propagated through a model of clips.
NO_RULES_IN_TIME = (
    "the rules of propagation are implemented for two-dimensional convolutions and pooling. Use 'gradcam', or "
    "'integrated-gradients' at the input."
)


@method(
    "lrp",
    label="LRP",
    citation="Bach et al. 2015, PLoS ONE, doi:10.1371/journal.pone.0130140",
    summary="Divides the score among the pixels, layer by layer, by what each unit contributed.",
    needs=_NEEDS,
    group=_GROUP,
    reason=reason_at_input,
    needs_gradients=False,
    at_input=True,
    own_passes=True,
    tone_mapped=True,
    prepare=_prepare_lrp,
    clips=NO_RULES_IN_TIME,
)
def lrp(
    trace: Trace,
    target: Target,
    layer: str,
    *,
    rule: str = "attn",
    gamma: Annotated[
        float | None,
        Range(
            0,
            help="γ: how much more contributions with the output's sign count, in all linear layers and convolutions. "
            "Empty in networks of ReLUs: 0 in linear layers, z+ in convolutions",
            usual=1,
            default_for=_usual_gamma,
        ),
    ] = None,
) -> torch.Tensor:
    """Layer-wise relevance propagation, eqs. 1 to 3 of Bach et al. 2015: ``Σ_pixels R = … = Σ_j R_j = score``.

    In networks of ReLUs, the rules are a composite, as section 10.3 of Montavon et al. 2019
    (doi:10.1007/978-3-030-28954-6_10) and Kohlbrenner et al. 2020 (arXiv:1910.09840) advise: LRP-ε in linear layers
    (Bach, eq. 58, ε = 1e-20), α1β0, that is z+, in convolutions (eq. 60), and flat at the picture (Lapuschkin et al.
    2019). It is zennit's EpsilonPlusFlat. BatchNorm is merged into the linear operation before it; a BatchNorm without
    one passes relevance through elementwise, as activations do. Additions and averages distribute by contribution.

    In networks with attention, normalization of activations, gates or smooth activation functions, the rules are those
    of Achtibat et al. 2024 (arXiv:2402.05602, "attn") or of Ali et al. 2022 (arXiv:2202.07304, "cp"): LRP-γ in linear
    layers and convolutions, a normalization's scale is a constant, and GELU, SiLU and their like pass relevance
    through. In an attention, "attn" gives half of the relevance to the values and half, through softmax, to queries and
    keys; "cp" gives all of it to the values.

    Biases, positional embeddings and class tokens absorb relevance, so that the sum equals the score only in a network
    without them; with "attn", softmax keeps the sum approximately only.

    Propagation starts from ``∂score/∂logits · logits``: the logit for a class, and the two terms of z_a − z_b for a
    contrast.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is distributed.
        layer: unused: the map is at the input.
        rule: "attn" or "cp", the rules for attention; of no effect in networks without it.
        gamma: γ ≥ 0 of LRP-γ in linear layers and convolutions but for the first; 0 is LRP-ε. None is the composite
            above in networks of ReLUs, and 0.25 in others.

    Returns:
        Maps (N, H, W), signed, summed over the channels.

    Raises:
        MethodError: if the model has an operation without a rule, or a setting is out of range.
        TargetError: if the target is not differentiable in the logits.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="lrp").raw.shape
        (192, 192)
    """
    _prepare_lrp(trace, [target], rule=rule, gamma=gamma)
    relevance: torch.Tensor = trace.memory["lrp", _lrp_rules(trace.model, rule, gamma), target]
    return relevance


@method(
    "relevancecam",
    label="Relevance-CAM",
    citation="Lee et al. 2021, CVPR, pp. 14944–14953",
    summary="Maps weighted by their relevance for this class rather than the others; clear at shallow layers too.",
    needs=_NEEDS,
    group=_GROUP,
    reason=reason_at_layer,
    needs_gradients=False,
    own_passes=True,
    clips=NO_RULES_IN_TIME,
)
def relevance_cam(trace: Trace, target: Target, layer: str, *, rule: str = "attn") -> torch.Tensor:
    """Relevance-CAM of Lee et al. 2021: ``L = Σ_k α_k A_k`` with ``α_k = Σ_xy R_k(x, y)``.

    ``R_k`` is the relevance of channel k at the layer. Propagation starts contrastively, with ``R_t = z_t`` at the
    class and ``R_n = −z_t/N`` at each other of N classes, and uses the z+ rule (α1β0, eq. 60 of Bach et al. 2015)
    without biases. As in the authors' code (github.com/mongeoroo/Relevance-CAM), the other classes get 1/N rather than
    1/(N − 1), and additions distribute by signed contribution. z+ ignores the sign of z_t, so that a class with a
    negative logit would get the map of its opposite; the magnitude of z_t is used (the authors' code starts from 1),
    which keeps the paper's scale and gives the right sign. For a score of several logits, each starts with its
    derivative. The map is signed: the paper does not rectify. In networks with attention, the rules of ``lrp`` are used
    with z+ in linear layers and convolutions.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is distributed.
        layer: layer whose feature maps are weighted.
        rule: "attn" or "cp", the rules for attention, as in ``lrp``.

    Returns:
        Maps (N, h, w) at the layer's resolution.

    Raises:
        LayerError: if no relevance goes through the layer.
        MethodError: if the model has an operation without a rule, or a setting is out of range.
        TargetError: if the target is not differentiable in the logits.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="relevancecam").raw.shape
        (12, 12)
    """
    rules = _rules(trace.model, ZPLUS, rule, with_positive(ZPLUS))
    forward = _checked_pass(trace, rules, layer)
    start = _score_gradient(target, forward.logits) * forward.logits.abs()
    others = (start.sum(1, keepdim=True) - start) / start.shape[1]
    weights = _relevance_maps(trace, forward, start - others, layer).sum((2, 3))
    activation = trace.activation(layer)
    return torch.einsum("nkhw,nk->nhw", activation, weights.to(activation))


@method(
    "excitation-backprop",
    label="Excitation backprop",
    citation="Zhang et al. 2016, ECCV, arXiv:1608.00507",
    summary="The probability that each position excites the class's unit, passed down layer by layer.",
    needs=_NEEDS_RELU,
    group=_GROUP,
    reason=reason_with_relu,
    target_reason=prior_of_outputs,
    needs_gradients=False,
    own_passes=True,
    clips=NO_RULES_IN_TIME,
)
def excitation_backprop(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Marginal winning probability at the layer, section 3.2 of Zhang et al. 2016, summed over the channels.

    ``P(a_j) = Σ_i P(a_j | a_i) P(a_i)`` with ``P(a_j | a_i) = Z_i â_j w_ji`` if ``w_ji ≥ 0``, else 0, and
    ``Z_i = 1 / Σ_j â_j w_ji`` over the same j. Biases take no part. Additions are units with weights 1.
    The paper assumes activations â ≥ 0; in a network with negative ones (linear bottlenecks), the products â_j w_ji
    with the sign of their sum count, which is the paper's rule where all are ≥ 0.

    Args:
        trace: recorded forward pass of N pictures.
        target: a class, or a sum of classes.
        layer: layer at which the probabilities are read.

    Returns:
        Maps (N, h, w), ≥ 0. The sum is 1 minus the probability of units that only their bias excites; it is 0 for a
        class whose output is rectified to zero.

    Raises:
        LayerError: if no relevance goes through the layer.
        MethodError: if the target is not a class or a sum of classes, or the model has an operation without a rule.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> raw = cw.explain(cw.load(), image, method="excitation-backprop").raw
        >>> raw.shape, round(float(raw.sum()), 2)
        ((12, 12), 1.0)
    """
    forward = _checked_pass(trace, EXCITATION, layer)
    return _relevance_maps(trace, forward, _prior(target, forward.logits), layer).sum(1)


@method(
    "c-mwp",
    label="c-MWP",
    citation="Zhang et al. 2016, ECCV, arXiv:1608.00507",
    summary="Excitation backprop of the class minus that of its opposite, so that what all classes share cancels.",
    needs=_NEEDS_RELU,
    group=_GROUP,
    reason=reason_with_relu,
    target_reason=prior_of_outputs,
    needs_gradients=False,
    own_passes=True,
    clips=NO_RULES_IN_TIME,
)
def contrastive_excitation(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Contrastive marginal winning probability, section 3.3 of Zhang et al. 2016.

    The class's unit has a dual unit with the negated weights of the last linear operation. Below that operation,
    winning probabilities are linear in those of the layer above (eq. 5), so that the contrastive probability is the
    difference of two passes of excitation backprop. Where the output is rectified or pooled (SqueezeNet), the dual
    unit's own responses count. The map is signed; the paper shows its positive part, from which saliency is made.

    Args:
        trace: recorded forward pass of N pictures.
        target: a class, or a sum of classes.
        layer: layer at which the probabilities are read.

    Returns:
        Maps (N, h, w), signed; the sum is 0 if the sums of both passes are 1.

    Raises:
        LayerError: if no relevance goes through the layer.
        MethodError: if the target is not a class or a sum of classes, or the model has an operation without a rule.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> raw = cw.explain(cw.load(), image, method="c-mwp").raw
        >>> raw.shape, abs(float(raw.sum())) < 1e-3
        ((12, 12), True)
    """
    forward = _checked_pass(trace, EXCITATION, layer)
    prior = _prior(target, forward.logits)
    last = forward.last_linear_operations()
    difference = _relevance_maps(trace, forward, prior, layer)
    del forward  # each pass is larger than anything else here
    dual = _checked_pass(trace, EXCITATION, layer, last)
    return (difference - _relevance_maps(trace, dual, prior, layer)).sum(1)
