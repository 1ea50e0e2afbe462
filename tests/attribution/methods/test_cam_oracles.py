"""CAM, Grad-CAM and Grad-CAM++ against their equations and against independent implementations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace

ARCHITECTURES = [
    "resnet18",
    "vgg11",
    "squeezenet1_1",
    "mobilenet_v3_small",
    "densenet121",
    "convnext_tiny",
]


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-4) -> None:
    """Equal to ``tolerance`` relative to the map's maximum, and not for being empty."""
    theirs = theirs.reshape(ours.shape).to(ours)
    assert theirs.abs().max() > 0, "the oracle's map is empty: the comparison would prove nothing"
    assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


@pytest.fixture(scope="module", params=ARCHITECTURES)
def case(
    request: pytest.FixtureRequest, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> tuple[cw.VisionModel, Trace, int, torch.Tensor]:
    """A model in float64, a trace at its default layer, and a class with positive evidence."""
    model = random_model(request.param, torch.float64)
    noise = noise[:, :128, :128]  # float64 is slow, and the equations do not know the size
    trace = Trace(model, noise[None], [model.default_layer])
    targets = [resolve_target(model, i) for i in range(12)]
    trace.store_gradients(targets)
    compute = get_method("gradcam").compute
    strong = max(targets, key=lambda t: float(compute(trace, t, model.default_layer).max()))
    return model, trace, strong.index, model.inputs(noise[None])


def layer_of(model: cw.VisionModel) -> torch.nn.Module:
    return model.module.get_submodule(model.default_layer)


def ours(case: tuple, method: str) -> torch.Tensor:
    model, trace, index, _ = case
    return get_method(method).compute(trace, resolve_target(model, index), model.default_layer)


def test_gradcam_equals_captum(case: tuple) -> None:
    captum = pytest.importorskip("captum.attr", exc_type=ImportError)
    model, _, index, inputs = case
    oracle = captum.LayerGradCam(model.module, layer_of(model))
    agree(ours(case, "gradcam"), oracle.attribute(inputs, target=index, relu_attributions=True))


def test_gradcam_equals_torchcam(case: tuple) -> None:
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    model, _, index, inputs = case
    with torchcam.GradCAM(model.module, target_layer=model.default_layer) as oracle:
        scores = model.module(inputs.clone().requires_grad_())
        (theirs,) = oracle(index, scores, normalized=False)
    mine = ours(case, "gradcam")
    if model.name == "densenet121":
        # A functional in-place ReLU follows the layer and overwrites what torchcam remembers, activation and
        # gradient both: its map is that of the rectified maps, which is CAM, up to the mean's factor.
        cam = ours(case, "cam").relu()
        mine = cam / cam[0].numel()
    agree(mine, theirs.detach())


def activations_and_gradients(case: tuple) -> tuple[np.ndarray, np.ndarray]:
    """By plain autograd, with neither our trace nor anyone's hooks on the result."""
    model, _, index, inputs = case
    kept: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output)
        return output.clone()

    handle = layer_of(model).register_forward_hook(keep)
    try:
        logits = model.module(inputs.clone().requires_grad_())
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, index], kept[0])
    return kept[0].detach().numpy(), gradient.numpy()


def test_gradcam_equals_pytorch_grad_cam(case: tuple) -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    activation, gradient = activations_and_gradients(case)
    model, *_ = case
    with grad_cam.GradCAM(model.module, [layer_of(model)]) as oracle:
        weights = oracle.get_cam_weights(None, None, None, activation, gradient)
    theirs = np.maximum(np.einsum("nkhw,nk->nhw", activation, weights), 0)
    agree(ours(case, "gradcam"), torch.from_numpy(theirs))


def test_gradcam_plus_plus_equals_pytorch_grad_cam(case: tuple) -> None:
    """pytorch-grad-cam adds 1e-6 to α's denominator, where the paper has nothing and g² may be 1e-8.

    α is invariant to A → A/s, g → s·g, so that feeding it a large s makes its constant negligible.
    """
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    activation, gradient = activations_and_gradients(case)
    model, *_ = case
    scale = 1e8 / np.abs(gradient).max()
    with grad_cam.GradCAMPlusPlus(model.module, [layer_of(model)]) as oracle:
        weights = oracle.get_cam_weights(None, None, None, activation / scale, gradient * scale)
    theirs = np.maximum(np.einsum("nkhw,nk->nhw", activation, weights / scale), 0)
    agree(ours(case, "gradcam++"), torch.from_numpy(theirs))


def test_gradcam_plus_plus_equals_its_equation(case: tuple) -> None:
    """Eqs. 5, 10 and 19 of Chattopadhyay 2018, place by place, with nothing rearranged."""
    activation, gradient = (torch.from_numpy(a[0]) for a in activations_and_gradients(case))
    total = torch.zeros(activation.shape[1:], dtype=torch.float64)
    for maps, g in zip(activation, gradient, strict=True):
        alpha = torch.zeros_like(g)
        for i in range(g.shape[0]):
            for j in range(g.shape[1]):
                below = 2 * g[i, j] ** 2 + (maps * g[i, j] ** 3).sum()
                alpha[i, j] = g[i, j] ** 2 / below if below != 0 else 0
        total += (alpha * g.relu()).sum() * maps
    agree(ours(case, "gradcam++"), total.relu())


def test_torchcams_gradcam_plus_plus_leaves_the_division_out(case: tuple) -> None:
    """Torchcam 0.5 divides a copy (``alpha[mask].div_(…)``), so that its α is g² alone.

    Where we differ from it, this is all of the difference.
    """
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    model, _, index, inputs = case
    if model.name == "densenet121":
        pytest.skip("torchcam remembers an activation that an in-place ReLU overwrites there")
    with torchcam.GradCAMpp(model.module, target_layer=model.default_layer) as oracle:
        scores = model.module(inputs.clone().requires_grad_())
        (theirs,) = oracle(index, scores, normalized=False)
    activation, gradient = (torch.from_numpy(a) for a in activations_and_gradients(case))
    undivided = (gradient**2 * gradient.relu()).sum((2, 3))
    agree(torch.einsum("nkhw,nk->nhw", activation, undivided).relu(), theirs.detach())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5", "densenet121"])
def test_cam_equals_its_equation(
    name: str, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """Eq. 2 of Zhou 2016, and eq. 1: the map's mean and the bias make the logit."""
    model = random_model(name, torch.float64)
    exp = cw.explain(model, noise, target=5, method="cam")
    head = model.module.get_submodule(model.gap_head.module)
    features = Trace(model, noise[None], [exp.layer]).activation(exp.layer)[0]
    features = features.relu() if model.gap_head.rectified else features
    direct = sum(w * f for w, f in zip(head.weight[5].flatten(), features, strict=True))
    agree(torch.from_numpy(exp.raw), direct.detach())
    logit = model.logits(noise[None])[0, 5]
    assert exp.raw.mean() + float(head.bias[5]) == pytest.approx(float(logit), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "googlenet", "shufflenet_v2_x0_5"])
def test_gradcam_equals_cam_on_a_gap_head(
    name: str, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """Section 3 of Selvaraju 2017: Grad-CAM generalizes CAM, up to one factor."""
    model = random_model(name)
    exps = cw.explain(model, noise, target=list(range(12)), method=["cam", "gradcam"])
    compared = 0
    for index in range(12):
        by_weights, by_gradient = exps.select(target=index)
        if by_gradient.is_empty:
            continue
        assert (
            np.corrcoef(by_weights.saliency.ravel(), by_gradient.saliency.ravel())[0, 1] >= 0.9999
        )
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize("name", ["vgg11", "mobilenet_v3_small", "convnext_tiny", "alexnet"])
def test_cam_is_refused_with_a_remedy(
    name: str, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    with pytest.raises(cw.CamwidgetError, match="global average pooling.*gradcam"):
        cw.explain(random_model(name), noise, method="cam")


# -- the rest of the family -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "oracle", "signed"),
    [
        ("layercam", "LayerCAM", False),
        ("hirescam", "HiResCAM", True),
        ("xgradcam", "XGradCAM", False),
    ],
)
def test_gradient_family_equals_pytorch_grad_cam(
    case: tuple, name: str, oracle: str, signed: bool
) -> None:
    grad_cam = pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)
    activation, gradient = activations_and_gradients(case)
    model, *_ = case
    if name == "xgradcam":
        # It adds 1e-7 to the sum of each map, where the paper has nothing; maps may be scaled at will.
        activation = activation * 1e8
    with getattr(grad_cam, oracle)(model.module, [layer_of(model)]) as theirs:
        if name == "xgradcam":
            weights = theirs.get_cam_weights(None, None, None, activation, gradient)
            image = np.einsum("nkhw,nk->nhw", activation, weights) / 1e8
        else:
            image = theirs.get_cam_image(None, None, None, activation, gradient, False)
    image = torch.from_numpy(np.asarray(image))
    agree(ours(case, name), image if signed else image.relu())


@pytest.mark.parametrize(("name", "oracle"), [("layercam", "LayerCAM"), ("xgradcam", "XGradCAM")])
def test_gradient_family_equals_torchcam(case: tuple, name: str, oracle: str) -> None:
    torchcam = pytest.importorskip("torchcam.methods", exc_type=ImportError)
    model, _, index, inputs = case
    if model.name == "densenet121":
        pytest.skip("torchcam remembers an activation that an in-place ReLU overwrites there")
    with getattr(torchcam, oracle)(model.module, target_layer=model.default_layer) as theirs:
        scores = model.module(inputs.clone().requires_grad_())
        (image,) = theirs(index, scores, normalized=False)
    mine = ours(case, name)
    if name == "xgradcam":
        # It adds 1e-8 to the sum of each map, where the paper has nothing: with it, the same.
        activation, gradient = (torch.from_numpy(a) for a in activations_and_gradients(case))
        weights = (activation * gradient).sum((2, 3)) / (activation.sum((2, 3)) + 1e-8)
        mine = torch.einsum("nkhw,nk->nhw", activation, weights).relu()
    agree(mine, image.detach())


def test_eigencam_equals_its_equation(case: tuple) -> None:
    activation, _ = activations_and_gradients(case)
    matrix = activation[0].reshape(activation.shape[1], -1).T
    _, _, right = np.linalg.svd(matrix, full_matrices=False)
    image = (matrix @ right[0]).reshape(activation.shape[2:])
    image *= np.sign(image.sum())
    agree(ours(case, "eigencam"), torch.from_numpy(image))


def test_eigencam_takes_the_smaller_matrix(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """At a shallow layer, 56 × 56 places and 64 channels: the channels' matrix, not that of 3136 places."""
    model = random_model("resnet18", torch.float64)
    exp = cw.explain(model, noise, 0, "eigencam", "layer1")
    matrix = Trace(model, noise[None], ["layer1"]).activation("layer1")[0].flatten(1).T.numpy()
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    image = left[:, 0] * values[0]
    image *= np.sign(image.sum())
    agree(torch.from_numpy(exp.raw).flatten(), torch.from_numpy(image))


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_hirescam_equals_cam_on_a_gap_head(
    name: str, random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """With a uniform gradient nothing is lost by averaging, and the map's sum and the bias are the logit."""
    model = random_model(name, torch.float64)
    cam, hires = cw.explain(model, noise, 3, ["cam", "hirescam"])
    np.testing.assert_allclose(hires.raw * hires.raw.size, cam.raw, rtol=1e-4, atol=1e-6)
    logit = float(model.logits(noise[None])[0, 3])
    head = model.module.get_submodule(model.gap_head.module)
    assert hires.raw.sum() + float(head.bias[3].detach()) == pytest.approx(logit, rel=1e-3)


def test_gradcam_plus_plus_is_gradcam_where_alpha_is_equal(
    random_model: Callable[..., cw.VisionModel], noise: torch.Tensor
) -> None:
    """On a GAP head gradients are uniform, so α depends on the map only; with equal sums it is equal."""
    model = random_model("resnet18", torch.float64)
    trace = Trace(model, noise[None], ["layer4"])
    target = resolve_target(model, 3)
    activation = trace.activation("layer4")
    activation /= activation.sum((2, 3), keepdim=True).clamp(min=1e-30)  # equal sums
    gradient = trace.gradient(target, "layer4")
    gradient.copy_(torch.full_like(gradient, 0.25))  # equal gradients: equal α
    by_plus = get_method("gradcam++").compute(trace, target, "layer4")
    by_mean = get_method("gradcam").compute(trace, target, "layer4")
    agree(by_plus / by_plus.max(), by_mean / by_mean.max())
