"""Class activation maps: weighted sums of a layer's feature maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from ...errors import MethodError
from ...models.vision_model import VisionModel
from ..targets import ClassTarget, PerPictureTarget, Target
from ..trace import Trace
from .registry import method
from .settings import Range
from .target_reasons import classes_compared_already, one_map_for_all, weights_of_a_class

__all__ = [
    "class_activation",
    "eigencam",
    "finercam",
    "gradcam",
    "gradcam_plus_plus",
    "hirescam",
    "layercam",
    "xgradcam",
]

_GROUP = "Class activation"


def _cam_reason(model: VisionModel, layer: str) -> str | None:
    """Return why CAM does not apply to the model at the layer; None if it does."""
    head = model.gap_head
    if head is None:
        return (
            "CAM needs global average pooling that feeds one linear layer or a 1×1 convolution, "
            f"which {model.name} does not have. Use 'gradcam', which needs neither."
        )
    if not model.is_same_layer(layer, head.layer):
        return (
            f"CAM is defined at the layer before the pooling, {head.layer!r}, only. "
            f"For {layer!r} use 'gradcam'."
        )
    return None


@method(
    "cam",
    label="CAM",
    citation="Zhou et al. 2016, CVPR, arXiv:1512.04150",
    summary="The class's own weights on the last maps; needs global average pooling before one linear layer.",
    formula="M = Σ_k w_k · A^k, with w_k the weights of the class in the linear layer",
    needs="global average pooling that feeds one linear layer or a 1×1 convolution",
    group=_GROUP,
    reason=_cam_reason,
    target_reason=weights_of_a_class,
    needs_gradients=False,
)
def class_activation(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Class activation mapping, eq. 2 of Zhou et al. 2016: ``M_c(x, y) = Σ_k w_k^c f_k(x, y)``.

    The map is signed: the paper does not rectify. The bias of the linear layer is left out, as in the paper.

    Args:
        trace: recorded forward pass of N pictures.
        target: a class.
        layer: the layer before global average pooling.

    Returns:
        Maps (N, h, w) at the layer's resolution.

    Raises:
        MethodError: if the target is not a class.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="cam").raw.shape
        (12, 12)
    """
    head = trace.model.gap_head
    assert head is not None  # Method.check has called _cam_reason before
    indices = _class_indices(trace, target, "CAM")
    features = trace.activation(layer)
    if head.rectified:
        features = features.relu()
    assert trace.head_weight is not None
    weight = trace.head_weight.flatten(1)
    # A single logit is the score of the second class against the first.
    if len(weight) == 1 and len(trace.model.classes) == 2:
        weight = torch.cat([-weight, weight])
    return torch.einsum("nkhw,nk->nhw", features, weight[indices].to(features.dtype))


@method(
    "gradcam",
    label="Grad-CAM",
    citation="Selvaraju et al. 2017, ICCV, arXiv:1610.02391",
    summary="Maps weighted by the mean gradient of the class's score; works on any convolutional network.",
    formula="M = ReLU(Σ_k α_k · A^k), with α_k = 1/Z · Σ_ij ∂S/∂A^k_ij over the Z cells",
    needs="gradients at the layer",
    group=_GROUP,
)
def gradcam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Grad-CAM, eqs. 1 and 2 of Selvaraju et al. 2017.

    ``α_k = (1/Z) Σ_ij ∂y/∂A^k_ij`` and ``L = ReLU(Σ_k α_k A^k)``; y is the score before softmax.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.

    Returns:
        Maps (N, h, w) at the layer's resolution, ≥ 0.

    Raises:
        LayerError: if the target's score has no gradient at the layer.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> explanation = cw.explain(cw.load(), image, method="gradcam", layer="stage3")
        >>> explanation.raw.shape, bool((explanation.raw >= 0).all())
        ((24, 24), True)
    """
    weights = trace.gradient(target, layer).mean((2, 3))
    return torch.einsum("nkhw,nk->nhw", trace.activation(layer), weights).relu()


@method(
    "gradcam++",
    label="Grad-CAM++",
    citation="Chattopadhyay et al. 2018, WACV, arXiv:1710.11063",
    summary="Grad-CAM with a weight per place, so that several objects of one class all count.",
    formula="M = ReLU(Σ_k w_k · A^k), with w_k = Σ_ij α^k_ij · ReLU(∂Y/∂A^k_ij), Y = exp(S), g = ∂S/∂A^k_ij, "
    "α^k_ij = g² / (2 g² + Σ_ab A^k_ab · g³)",
    needs="gradients at the layer, and activations that are not negative",
    group=_GROUP,
)
def gradcam_plus_plus(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Grad-CAM++, eqs. 5, 10 and 19 of Chattopadhyay et al. 2018, with ``Y = exp(S)``.

    ``α_ij = g_ij² / (2 g_ij² + Σ_ab A_ab · g_ij³)`` with ``g = ∂S/∂A``, ``w_k = Σ_ij α_ij ReLU(∂Y/∂A_ij)``
    and ``L = ReLU(Σ_k w_k A^k)``. Since ``∂Y/∂A = exp(S) · g``, the factor exp(S) only scales the whole map and is left
    out (it overflows). Numerator and denominator of α are divided by g², which is exact and keeps small gradients from
    underflowing in g³.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.

    Returns:
        Maps (N, h, w) at the layer's resolution, ≥ 0.

    Raises:
        LayerError: if the target's score has no gradient at the layer.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="gradcam++").raw.shape
        (12, 12)
    """
    activation, gradient = trace.activation(layer), trace.gradient(target, layer)
    # Only positive partial derivatives count: α is multiplied by zero for the others.
    positive = gradient.relu()
    # In place, since each of these tensors is as large as the layer.
    denominator = (activation.sum((2, 3), keepdim=True) * positive).add_(2)
    alpha = denominator.reciprocal().masked_fill_(denominator == 0, 0)
    weights = alpha.mul_(positive).sum((2, 3))
    return torch.einsum("nkhw,nk->nhw", activation, weights).relu()


@method(
    "layercam",
    label="LayerCAM",
    citation="Jiang et al. 2021, IEEE TIP, doi:10.1109/TIP.2021.3089943",
    summary="Each place weighted by its own positive gradient, so that shallow layers give fine maps.",
    formula="M = ReLU(Σ_k ReLU(∂S/∂A^k) · A^k), cell by cell",
    needs="gradients at the layer",
    group=_GROUP,
)
def layercam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """LayerCAM, eqs. 5 to 7 of Jiang et al. 2021: ``L = ReLU(Σ_k ReLU(∂y/∂A^k) · A^k)``, elementwise.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.

    Returns:
        Maps (N, h, w) at the layer's resolution, ≥ 0.

    Raises:
        LayerError: if the target's score has no gradient at the layer.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="layercam", layer="stage2").raw.shape
        (48, 48)
    """
    weights = trace.gradient(target, layer).relu()
    return weights.mul_(trace.activation(layer)).sum(1).relu()


@method(
    "hirescam",
    label="HiResCAM",
    citation="Draelos and Carin 2020, arXiv:2011.08891",
    summary="Gradient times activation without averaging: on a linear head, exactly what adds to the score.",
    formula="M = Σ_k ∂S/∂A^k · A^k, cell by cell",
    needs="gradients at the layer",
    group=_GROUP,
)
def hirescam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """HiResCAM, section 3.2 of Draelos and Carin 2020: ``L = Σ_k ∂y/∂A^k · A^k``, elementwise.

    The map is signed: the paper does not rectify. If only linear operations follow the layer (pooling included), the
    sum of the map plus the bias is the score.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.

    Returns:
        Maps (N, h, w) at the layer's resolution.

    Raises:
        LayerError: if the target's score has no gradient at the layer.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="hirescam").raw.shape
        (12, 12)
    """
    return (trace.gradient(target, layer) * trace.activation(layer)).sum(1)


@method(
    "xgradcam",
    label="XGrad-CAM",
    citation="Fu et al. 2020, BMVC, arXiv:2008.02312",
    summary="Grad-CAM with gradients weighted by the activation, so that the map's parts add up to the score.",
    formula="M = ReLU(Σ_k α_k · A^k), with α_k = Σ_ij A^k_ij · ∂S/∂A^k_ij / Σ_ij A^k_ij",
    needs="gradients at the layer, and maps that do not sum to zero",
    group=_GROUP,
)
def xgradcam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """XGrad-CAM, eq. 8 of Fu et al. 2020: ``α_k = Σ_ij (A^k_ij / Σ A^k) ∂y/∂A^k_ij``, then as Grad-CAM.

    Args:
        trace: recorded forward pass of N pictures.
        target: target whose score is explained.
        layer: layer whose feature maps are weighted.

    Returns:
        Maps (N, h, w) at the layer's resolution, ≥ 0.

    Raises:
        LayerError: if the target's score has no gradient at the layer.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> cw.explain(cw.load(), image, method="xgradcam").raw.shape
        (12, 12)
    """
    activation = trace.activation(layer)
    total = activation.sum((2, 3))
    weighted = (activation * trace.gradient(target, layer)).sum((2, 3))
    weights = torch.where(total != 0, weighted / total, torch.zeros_like(total))
    return torch.einsum("nkhw,nk->nhw", activation, weights).relu()


@method(
    "eigencam",
    label="Eigen-CAM",
    citation="Muhammad and Yeasin 2020, IJCNN, arXiv:2008.00299",
    summary="The first principal component of the layer's maps; it does not depend on the class.",
    formula="M = A · v₁, with v₁ the first right singular vector of A, cells × feature maps",
    needs="nothing but the activations",
    group=_GROUP,
    target_reason=one_map_for_all,
    needs_gradients=False,
)
def eigencam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Eigen-CAM, section III of Muhammad and Yeasin 2020: ``L = O · v₁``.

    O (h·w, K) holds the activations; v₁ is the first right singular vector of O. The sign of v₁ is arbitrary; this
    function chooses the one that makes the sum of the map positive.

    Args:
        trace: recorded forward pass of N pictures.
        target: unused: the map is the same for every target.
        layer: layer whose feature maps are decomposed.

    Returns:
        Maps (N, h, w) at the layer's resolution.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> explanation = cw.explain(cw.load(), image, method="eigencam")
        >>> explanation.raw.shape, bool(explanation.raw.sum() > 0)
        ((12, 12), True)
    """
    activation = trace.activation(layer)
    positions = activation.flatten(2).transpose(1, 2)
    scale = positions.abs().amax((1, 2), keepdim=True).clamp(min=torch.finfo(positions.dtype).tiny)
    unit = positions / scale
    # v₁ is the first eigenvector of Oᵀ·O, and O·v₁ = σ₁·u₁ with u₁ the first eigenvector of O·Oᵀ: the smaller of the
    # two matrices is decomposed.
    if unit.shape[1] > unit.shape[2]:
        _, vectors = torch.linalg.eigh(unit.transpose(1, 2) @ unit)
        first = (unit @ vectors[..., -1:])[..., 0] * scale[..., 0]
    else:
        values, vectors = torch.linalg.eigh(unit @ unit.transpose(1, 2))
        first = vectors[..., -1] * values[..., -1:].clamp(min=0).sqrt() * scale[..., 0]
    sign = torch.where(first.sum(1, keepdim=True) < 0, -1.0, 1.0)
    signed: torch.Tensor = first * sign
    return signed.reshape(len(activation), *activation.shape[2:])


def _one_class_reason(model: VisionModel, layer: str) -> str | None:
    """Return why a comparison of classes does not apply to the model; None if it does."""
    if len(model.classes) > 1:
        return None
    return (
        f"it compares classes, and {model.name} has {len(model.classes) or 'none'}. Use 'gradcam'."
    )


@method(
    "finercam",
    label="Finer-CAM",
    citation="Zhang et al. 2025, CVPR, arXiv:2501.11309",
    summary="Grad-CAM of the evidence that distinguishes the class from the most similar ones.",
    needs="gradients at the layer, and at least two classes",
    group=_GROUP,
    reason=_one_class_reason,
    target_reason=classes_compared_already,
)
def finercam(
    trace: Trace,
    target: Target,
    layer: str,
    *,
    strength: Annotated[
        float, Range(0, help="how much the classes like it are subtracted", usual=2)
    ] = 1.0,
    references: Annotated[int, Range(1, help="how many classes like it")] = 3,
) -> torch.Tensor:
    """Finer-CAM, section 3.2 of Zhang et al. 2025: Grad-CAM of ``y_c − γ · mean_d y_d``.

    The gradient is linear, so that the channel weights are those of c minus γ times the mean of those of the reference
    classes d. The reference classes are the ones whose logits are nearest to that of c in this picture.

    Args:
        trace: recorded forward pass of N pictures.
        target: a class.
        layer: layer whose feature maps are weighted.
        strength: γ, ≥ 0; 0 is Grad-CAM.
        references: number of reference classes, ≥ 1.

    Returns:
        Maps (N, h, w) at the layer's resolution, ≥ 0.

    Raises:
        MethodError: if the target is not a class, or a setting is out of range.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("finercam", references=2)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (12, 12)
    """
    indices = _class_indices(trace, target, "Finer-CAM")
    class_logits = trace.logits.gather(1, indices[:, None])
    distance = (trace.logits - class_logits).abs().scatter(1, indices[:, None], float("inf"))
    # The distance is infinite for the class itself and for classes that the model masks out.
    others = int(distance.isfinite().sum(1).min())
    nearest = distance.topk(min(references, others), largest=False).indices
    difference = _ReferenceContrast(
        tuple(indices.tolist()), tuple(map(tuple, nearest.tolist())), strength, target.label
    )
    return gradcam(trace, difference, layer)


@dataclass(frozen=True)
class _ReferenceContrast:
    """Target: the logit of each picture's class minus the mean logit of its reference classes."""

    classes: tuple[int, ...]
    references: tuple[tuple[int, ...], ...]
    strength: float
    label: str
    index: None = None

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the difference of logits, shape (N,)."""
        classes = torch.tensor(self.classes, device=logits.device)[:, None]
        references = torch.tensor(self.references, device=logits.device)
        class_logits = logits.gather(1, classes)[:, 0]
        return class_logits - self.strength * logits.gather(1, references).mean(1)


def _class_indices(trace: Trace, target: Target, label: str) -> torch.Tensor:
    """Return the index of the target's class in each picture, (N,).

    Raises:
        MethodError: if the target is not a class.
    """
    if isinstance(target, PerPictureTarget):
        indices = [t.index for t in target.targets]
    elif isinstance(target, ClassTarget):
        indices = [target.index] * len(trace.logits)
    else:
        raise MethodError(f"{label} explains classes, not {target.label!r}. Use 'gradcam' for it.")
    # A copy to a GPU that is not waited for.
    return torch.tensor(indices).to(trace.logits.device, non_blocking=True)
