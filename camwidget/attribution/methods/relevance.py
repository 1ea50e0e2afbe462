"""Relevance methods: LRP, Relevance-CAM, excitation backprop and c-MWP."""

from __future__ import annotations

import logging
import weakref

import torch

from ...errors import CamwidgetError, MethodError, TargetError
from ...models.scores import are_close
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ...runtime.error_reports import first_line, log_error
from ..relevance import EXCITATION, LRP, POSITIVE, Rules, Unruled, Walk
from ..targets import Target, score_of
from ..trace import Trace
from .registry import method

__all__ = ["contrastive_excitation", "excitation_backprop", "lrp", "relevance_cam"]

_GROUP = "Relevance"
_NEEDS = (
    "a network of convolutions, linear layers, ReLUs, batch normalisation, pooling and additions"
)
_REMEDY = "Use 'gradcam' or 'layercam', which ask for gradients only."


# -- where it applies ----------------------------------------------------------------------------

#: By model: why relevance cannot be followed, or the layers at which it can be read. What a network is
#: made of does not change with training; values are never kept.
_verdicts: weakref.WeakKeyDictionary[VisionModel, str | frozenset[str]] = (
    weakref.WeakKeyDictionary()
)
_lock = fork_safety.lock()


def _reason(model: VisionModel, layer: str | None) -> str | None:
    with _lock:
        verdict = _verdicts.get(model)
    if verdict is None:
        # Without the lock: it waits for the model, which may be held by who waits for this.
        verdict = _judge(model)
        with _lock:
            verdict = _verdicts.setdefault(model, verdict)
    if isinstance(verdict, str):
        return verdict
    if layer is not None and model.layer(layer).name not in verdict:
        return f"no relevance goes through layer {layer!r}. Choose another layer, or 'gradcam'."
    return None


def _judge(model: VisionModel) -> str | frozenset[str]:
    side = 64 if model.preprocess.geometry is None else 256
    bands = 3 if model.preprocess.channels == 1 else model.preprocess.channels
    noise = torch.rand((side, side, bands), generator=torch.Generator().manual_seed(0))
    pixels = _reduced(model, model.pixels(noise.mul(255).to(torch.uint8).numpy()))
    try:
        with torch.no_grad():
            walk = _walk(model, pixels, LRP, None)
            _check_logits(walk.logits, model.logits(pixels), model)
    except MethodError as error:
        return str(error).removeprefix("Relevance cannot be computed: ")
    return walk.readable


def _reduced(model: VisionModel, pixels: torch.Tensor) -> torch.Tensor:
    """A large picture (1, C, H, W) smaller, where the model takes it: all of its activations are kept on the way."""
    times = min(pixels.shape[-2:]) // 256
    if times < 2:
        return pixels
    smaller = pixels[..., ::times, ::times].contiguous()
    try:
        model.logits(smaller)
    except (
        Exception
    ) as error:  # in its own way a module says that it takes pictures of one size only
        message = "Relevance is judged on the picture at its full size."
        log_error(error, message, model, level=logging.DEBUG)
        return pixels
    return smaller


def _reason_at_input(model: VisionModel, layer: str) -> str | None:
    return _reason(model, None)


# -- what they share -----------------------------------------------------------------------------


def _walk(
    model: VisionModel,
    pixels: torch.Tensor,
    rules: Rules,
    layers: tuple[str, ...] | None,
    negated: frozenset[int] = frozenset(),
) -> Walk:
    problem: Exception
    if model.extras(1):
        raise MethodError(
            f"Relevance cannot be computed: {model.name} takes inputs beside the picture, which would "
            f"have their share. {_REMEDY}"
        )
    try:
        with model.undisturbed() as held:
            inputs = model.inputs(pixels.clone() if pixels.is_inference() else pixels)
            return Walk(held.module, inputs, rules, layers, negated, model.read_copy)
    except Unruled as error:
        problem = error
        text = f"{model.name} cannot be followed: {error}. {_REMEDY}"
    except MethodError:
        raise
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        problem = error
        text = f"a copy of {model.name} does not run ({error}). {_REMEDY}"
    raise MethodError(f"Relevance cannot be computed: {text}") from problem


def _check_logits(found: torch.Tensor, expected: torch.Tensor, model: VisionModel) -> None:
    """What is explained must be the model: a hook that changes its output is not in the copy, say."""
    tolerance = 0.2 if model.dtype in (torch.float16, torch.bfloat16) else 0.01
    expected = expected.to(found)
    if found.shape == expected.shape:
        if not found.numel():  # a module without logits, whose targets are callables
            return
        if are_close(found, expected, tolerance, torch.finfo(found.dtype).tiny):
            return
    raise MethodError(
        f"Relevance cannot be computed: a copy of {model.name} without hooks answers otherwise than it does. {_REMEDY}"
    )


def _followed(
    trace: Trace, rules: Rules, layer: str | None, negated: frozenset[int] = frozenset()
) -> Walk:
    """A walk through the trace's model with its pictures, checked to answer as the model does."""
    layers = () if layer is None else (trace.model.layer(layer).name,)
    walk = _walk(trace.model, trace.pixels, rules, layers, negated)
    if not negated and not torch.allclose(
        walk.logits, trace.logits.to(walk.logits), rtol=1e-3, atol=1e-4
    ):
        # The trace may be of lower precision: ask the model itself.
        _check_logits(walk.logits, trace.model.logits(trace.pixels), trace.model)
    return walk


def _handed(
    model: VisionModel, walk: Walk, start: torch.Tensor, layer: str | None = None
) -> torch.Tensor:
    """Relevance at a layer's own output, or at the input."""
    try:
        with model.undisturbed(runs=False):
            return walk.relevance(start, layer)
    except CamwidgetError:
        raise
    except RuntimeError as error:  # a checkpointed part is run again, and finds other operations
        raise MethodError(
            f"Relevance cannot be computed: {model.name} cannot be followed back "
            f"({first_line(error)}). {_REMEDY}"
        ) from error


def _at(trace: Trace, walk: Walk, start: torch.Tensor, layer: str) -> torch.Tensor:
    """Relevance at the layer as maps (N, K, h, w)."""
    relevance = _handed(trace.model, walk, start, trace.model.layer(layer).name)
    maps = trace.model.maps(relevance, trace.pixels.shape[-2:])
    # The trace found maps there, else nobody would be asked.
    assert maps is not None
    return maps


def _shares(target: Target, logits: torch.Tensor) -> torch.Tensor:
    """``∂score/∂logits`` (N, classes): one-hot for a class, 1 and −1 for a contrast."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = logits.detach().clone().requires_grad_()
        score = score_of(target, leaf, leaf)
        shares = (
            torch.autograd.grad(score.sum(), leaf, allow_unused=True)[0]
            if score.requires_grad
            else None
        )
    if shares is None:
        raise TargetError(
            f"The target {target.label!r} does not depend on the logits in a way that can be differentiated. "
            "Compute it from the logits it is given, without detach."
        )
    return shares


def _prior(target: Target, logits: torch.Tensor) -> torch.Tensor:
    """The target as a probability of each output unit (N, classes), as excitation backprop starts from."""
    shares = _shares(target, logits)
    total = shares.sum(1, keepdim=True)
    if bool((shares < 0).any()) or bool((total <= 0).any()):
        raise MethodError(
            "Excitation backprop starts from a probability of each output, and a score that falls as some output rises "
            f"({target.label!r}) gives none. Name a class, or use 'lrp' or 'gradcam'."
        )
    return shares / total


# -- the methods ---------------------------------------------------------------------------------


@method(
    "lrp",
    label="LRP",
    citation="Bach et al. 2015, PLoS ONE, doi:10.1371/journal.pone.0130140",
    summary="Divides the score among the pixels, layer by layer, by what each unit contributed.",
    needs=_NEEDS,
    group=_GROUP,
    reason=_reason_at_input,
    needs_gradients=False,
    at_input=True,
    own_passes=True,
    tone_mapped=True,
)
def lrp(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Layer-wise relevance propagation, eqs. 1 to 3 of Bach et al. 2015: ``Σ_pixels R = … = Σ_j R_j = score``.

    The rules are a composite, as section 10.3 of Montavon et al. 2019 (doi:10.1007/978-3-030-28954-6_10) and
    Kohlbrenner et al. 2020 (arXiv:1910.09840) advise: LRP-ε in linear layers (Bach, eq. 58, ε = 1e-20), α1β0, that is
    z+, in convolutions (eq. 60), and flat at the picture (Lapuschkin et al. 2019). It is zennit's EpsilonPlusFlat.
    BatchNorm is merged into the linear operation before it; where there is none it passes relevance on, element by
    element, as activations do. Additions and averages share by contribution. Biases keep their part, so that
    the sum is the score only without them.

    The start is ``∂score/∂logits · logits``: the logit for a class, and for a contrast z_a − z_b its two terms.

    Returns:
        (N, H, W) at the picture, whatever the layer; signed, summed over the channels.
    """
    walk = _followed(trace, LRP, None)
    return _handed(trace.model, walk, _shares(target, walk.logits) * walk.logits).sum(1)


@method(
    "relevancecam",
    label="Relevance-CAM",
    citation="Lee et al. 2021, CVPR, pp. 14944–14953",
    summary="Maps weighted by their relevance for this class rather than the others; clear at shallow layers too.",
    needs=_NEEDS,
    group=_GROUP,
    reason=_reason,
    needs_gradients=False,
    own_passes=True,
)
def relevance_cam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Relevance-CAM of Lee et al. 2021: ``L = Σ_k α_k A_k`` with ``α_k = Σ_xy R_k(x, y)``.

    ``R_k`` is the relevance of channel k at the layer. It starts contrastively, ``R_t = z_t`` at the class and
    ``R_n = −z_t/N`` at each other of N classes, and goes down by the z+ rule (α1β0, eq. 60 of Bach et al. 2015)
    without biases. As in the authors' code (github.com/mongeoroo/Relevance-CAM), others get 1/N rather than
    1/(N − 1), and additions share by signed contribution. z+ does not know the sign of z_t, and a class with a
    negative logit would get the map of its opposite; the magnitude is taken (the authors' code starts from 1),
    so that the scale is the paper's and the sign is right. A score of several logits starts from
    each with its derivative.

    Signed: the paper does not rectify.

    Returns:
        (N, h, w).
    """
    walk = _followed(trace, POSITIVE, layer)
    own = _shares(target, walk.logits) * walk.logits.abs()
    others = (own.sum(1, keepdim=True) - own) / own.shape[1]
    weights = _at(trace, walk, own - others, layer).sum((2, 3))
    activation = trace.activation(layer)
    return torch.einsum("nkhw,nk->nhw", activation, weights.to(activation))


@method(
    "excitation-backprop",
    label="Excitation backprop",
    citation="Zhang et al. 2016, ECCV, arXiv:1608.00507",
    summary="The probability of each place to win when the class's unit asks, layer by layer, what excited it.",
    needs=_NEEDS,
    group=_GROUP,
    reason=_reason,
    needs_gradients=False,
    own_passes=True,
)
def excitation_backprop(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Marginal winning probability at the layer, section 3.2 of Zhang et al. 2016, summed over the channels.

    ``P(a_j) = Σ_i P(a_j | a_i) P(a_i)`` with ``P(a_j | a_i) = Z_i â_j w_ji`` if ``w_ji ≥ 0``, else 0, and
    ``Z_i = 1 / Σ_j â_j w_ji`` over the same j. Biases take no part. Additions are units with weights 1.
    The paper has activations â ≥ 0; where a network has others (linear bottlenecks), those products â_j w_ji share
    that have the sign of what they add up to, which is the same where all are ≥ 0.

    Returns:
        (N, h, w), ≥ 0. The sum is 1, less what went to units that only their bias excites; a class whose unit
        is rectified and silent has no winner, and the sum 0.

    Raises:
        MethodError: if the target is not a class, or a sum of classes.
    """
    walk = _followed(trace, EXCITATION, layer)
    return _at(trace, walk, _prior(target, walk.logits), layer).sum(1)


@method(
    "c-mwp",
    label="c-MWP",
    citation="Zhang et al. 2016, ECCV, arXiv:1608.00507",
    summary="Excitation backprop of the class less that of its opposite, so that what all classes share cancels.",
    needs=_NEEDS,
    group=_GROUP,
    reason=_reason,
    needs_gradients=False,
    own_passes=True,
)
def contrastive_excitation(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Contrastive marginal winning probability, section 3.3 of Zhang et al. 2016.

    The class's unit has a dual with the negated weights of the last linear operation. From the layer below on,
    winning probabilities are linear in what comes from above (eq. 5), so that the difference of the two
    goes down as the difference of two passes of excitation backprop. The dual is a unit of the network like
    the first: where its output is rectified or pooled (SqueezeNet), its own responses count there.

    Signed, as the difference is; the paper shows the positive part, which is also what becomes saliency.

    Returns:
        (N, h, w); sums to 0, as far as both passes sum to 1.

    Raises:
        MethodError: if the target is not a class, or a sum of classes.
    """
    walk = _followed(trace, EXCITATION, layer)
    prior = _prior(target, walk.logits)
    dual = _followed(trace, EXCITATION, layer, walk.classifiers())
    return (_at(trace, walk, prior, layer) - _at(trace, dual, prior, layer)).sum(1)
