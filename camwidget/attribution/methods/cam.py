"""Class activation maps: weighted sums of a layer's feature maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..._validation import real, whole
from ...errors import MethodError
from ...models.vision_model import VisionModel
from ..targets import ClassTarget, EachTarget, Target
from ..trace import Trace
from .registry import method

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
    needs="global average pooling that feeds one linear layer or a 1×1 convolution",
    group=_GROUP,
    reason=_cam_reason,
    needs_gradients=False,
)
def class_activation(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Class activation mapping, eq. 2 of Zhou et al. 2016: ``M_c(x, y) = Σ_k w_k^c f_k(x, y)``.

    Signed: the paper does not rectify. The bias of the linear layer is left out, as there.

    Returns:
        (N, h, w).

    Raises:
        MethodError: if the target is not a class.
    """
    head = trace.model.gap_head
    assert head is not None  # the registry asked _cam_reason
    indices = _class_indices(trace, target, "CAM")
    features = trace.activation(layer)
    if head.rectified:
        features = features.relu()
    # No parameter where it is made of others: pruned, or normalised.
    weight: torch.Tensor = trace.module.get_submodule(head.module).weight.detach().flatten(1)  # type: ignore[operator]
    if (
        len(weight) == 1 and len(trace.model.classes) == 2
    ):  # one logit, for the second class against the first
        weight = torch.cat([-weight, weight])
    return torch.einsum("nkhw,nk->nhw", features, weight[indices].to(features.dtype))


@method(
    "gradcam",
    label="Grad-CAM",
    citation="Selvaraju et al. 2017, ICCV, arXiv:1610.02391",
    summary="Maps weighted by the mean gradient of the class's score; works on any convolutional network.",
    needs="gradients at the layer",
    group=_GROUP,
)
def gradcam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Grad-CAM, eqs. 1 and 2 of Selvaraju et al. 2017.

    ``α_k = (1/Z) Σ_ij ∂y/∂A^k_ij`` and ``L = ReLU(Σ_k α_k A^k)``, y being the score before softmax.

    Returns:
        (N, h, w), ≥ 0.
    """
    weights = trace.gradient(target, layer).mean((2, 3))
    return torch.einsum("nkhw,nk->nhw", trace.activation(layer), weights).relu()


@method(
    "gradcam++",
    label="Grad-CAM++",
    citation="Chattopadhyay et al. 2018, WACV, arXiv:1710.11063",
    summary="Grad-CAM with a weight per place, so that several objects of one class all count.",
    needs="gradients at the layer, and activations that are not negative",
    group=_GROUP,
)
def gradcam_plus_plus(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Grad-CAM++, eqs. 5, 10 and 19 of Chattopadhyay et al. 2018, with ``Y = exp(S)``.

    ``α_ij = g_ij² / (2 g_ij² + Σ_ab A_ab · g_ij³)`` with ``g = ∂S/∂A``, ``w_k = Σ_ij α_ij ReLU(∂Y/∂A_ij)``
    and ``L = ReLU(Σ_k w_k A^k)``. Since ``∂Y/∂A = exp(S) · g``, the factor exp(S) only scales the whole map and is left
    out (it overflows). Both sides of α are divided by g², which is exact and keeps small gradients from
    vanishing in g³.

    Returns:
        (N, h, w), ≥ 0.
    """
    activation, gradient = trace.activation(layer), trace.gradient(target, layer)
    # Only positive partial derivatives count; elsewhere α is multiplied by zero.
    positive = gradient.relu()
    denominator = 2 + activation.sum((2, 3), keepdim=True) * positive
    alpha = torch.where(denominator != 0, 1 / denominator, torch.zeros_like(denominator))
    weights = (alpha * positive).sum((2, 3))
    return torch.einsum("nkhw,nk->nhw", activation, weights).relu()


@method(
    "layercam",
    label="LayerCAM",
    citation="Jiang et al. 2021, IEEE TIP, doi:10.1109/TIP.2021.3089943",
    summary="Each place weighted by its own positive gradient, so that shallow layers give fine maps.",
    needs="gradients at the layer",
    group=_GROUP,
)
def layercam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """LayerCAM, eqs. 5 to 7 of Jiang et al. 2021: ``L = ReLU(Σ_k ReLU(∂y/∂A^k) · A^k)``, place by place.

    Returns:
        (N, h, w), ≥ 0.
    """
    weights = trace.gradient(target, layer).relu()
    return (weights * trace.activation(layer)).sum(1).relu()


@method(
    "hirescam",
    label="HiResCAM",
    citation="Draelos and Carin 2020, arXiv:2011.08891",
    summary="Gradient times activation without averaging: on a linear head, exactly what adds to the score.",
    needs="gradients at the layer",
    group=_GROUP,
)
def hirescam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """HiResCAM, section 3.2 of Draelos and Carin 2020: ``L = Σ_k ∂y/∂A^k · A^k``, place by place.

    Signed: the paper does not rectify. Where a linear map follows the layer (pooling included), the map's
    sum and the bias are the score.

    Returns:
        (N, h, w).
    """
    return (trace.gradient(target, layer) * trace.activation(layer)).sum(1)


@method(
    "xgradcam",
    label="XGrad-CAM",
    citation="Fu et al. 2020, BMVC, arXiv:2008.02312",
    summary="Grad-CAM with gradients weighted by the activation, so that the map's parts add up to the score.",
    needs="gradients at the layer, and maps that do not sum to zero",
    group=_GROUP,
)
def xgradcam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """XGrad-CAM, eq. 8 of Fu et al. 2020: ``α_k = Σ_ij (A^k_ij / Σ A^k) ∂y/∂A^k_ij``, then as Grad-CAM.

    Returns:
        (N, h, w), ≥ 0.
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
    summary="The main component of the layer's maps; it does not ask for a class, and is the same for all.",
    needs="nothing but the activations",
    group=_GROUP,
    needs_gradients=False,
)
def eigencam(trace: Trace, target: Target, layer: str) -> torch.Tensor:
    """Eigen-CAM, section III of Muhammad and Yeasin 2020: ``L = O · v₁``.

    O (h·w, K) holds the activations, v₁ is its first right singular vector. Its sign is free; the one
    that makes the map's sum positive is taken.

    Returns:
        (N, h, w), the same for every target.
    """
    activation = trace.activation(layer)
    places = activation.flatten(2).transpose(1, 2)
    scale = places.abs().amax((1, 2), keepdim=True).clamp(min=torch.finfo(places.dtype).tiny)
    unit = places / scale
    # v₁ is the first eigenvector of Oᵀ·O, and O·v₁ = σ₁·u₁ with u₁ that of O·Oᵀ: whichever is the smaller.
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
    if len(model.classes) > 1:
        return None
    return (
        f"it compares classes, and {model.name} has {len(model.classes) or 'none'}. Use 'gradcam'."
    )


@method(
    "finercam",
    label="Finer-CAM",
    citation="Zhang et al. 2025, CVPR, arXiv:2501.11309",
    summary="Grad-CAM of what tells the class from those most like it, rather than of all that speaks for it.",
    needs="gradients at the layer, and at least two classes",
    group=_GROUP,
    reason=_one_class_reason,
)
def finercam(
    trace: Trace, target: Target, layer: str, *, strength: float = 1.0, references: int = 3
) -> torch.Tensor:
    """Finer-CAM, section 3.2 of Zhang et al. 2025: Grad-CAM of ``y_c − γ · mean_d y_d``.

    The gradient is linear, so that this is the mean of the weights for each reference class d. These are the
    classes whose logits are nearest to that of c in this picture.

    Args:
        trace: of the pictures.
        target: a class.
        layer: where the maps are.
        strength: γ; 0 is Grad-CAM.
        references: how many classes to compare with.

    Returns:
        (N, h, w), ≥ 0.

    Raises:
        MethodError: if the target is not a class.
    """
    strength = real("strength", strength, 0, error=MethodError)
    references = whole("references", references, error=MethodError)
    indices = _class_indices(trace, target, "Finer-CAM")
    own = trace.logits.gather(1, indices[:, None])
    distance = (trace.logits - own).abs().scatter(1, indices[:, None], float("inf"))
    # Without the class itself, and those that the model masks out.
    others = int(distance.isfinite().sum(1).min())
    near = distance.topk(min(references, others), largest=False).indices
    finer = _Difference(
        tuple(indices.tolist()), tuple(map(tuple, near.tolist())), strength, target.label
    )
    return gradcam(trace, finer, layer)


@dataclass(frozen=True)
class _Difference:
    """Each picture's class minus the mean of its references."""

    classes: tuple[int, ...]
    references: tuple[tuple[int, ...], ...]
    strength: float
    label: str
    index: None = None

    def score(self, logits: torch.Tensor) -> torch.Tensor:
        """The difference of logits, shape (N,)."""
        own = logits.gather(1, torch.tensor(self.classes, device=logits.device)[:, None])[:, 0]
        others = logits.gather(1, torch.tensor(self.references, device=logits.device)).mean(1)
        return own - self.strength * others


def _class_indices(trace: Trace, target: Target, label: str) -> torch.Tensor:
    """The target's class in each picture, (N,).

    Raises:
        MethodError: if the target is not a class.
    """
    if isinstance(target, EachTarget):
        indices = [t.index for t in target.targets]
    elif isinstance(target, ClassTarget):
        indices = [target.index] * len(trace.logits)
    else:
        raise MethodError(f"{label} explains classes, not {target.label!r}. Use 'gradcam' for it.")
    return torch.tensor(indices, device=trace.logits.device)
