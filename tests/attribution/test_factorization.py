"""Deep feature factorization: the updates against scikit-learn's, evidence against its equation, and the method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget import errors
from camwidget.attribution import matrix_factorization
from camwidget.attribution.matrix_factorization import initial_factors, nonnegative_factors
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import ClassTarget, Counterfactual
from camwidget.attribution.trace import Trace

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES = 3


def low_rank(rows: int, columns: int, rank: int, noise: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator).double()

    # Sparse factors, which have one solution.
    left, right = (draw(rows, rank) - 0.5).relu(), (draw(rank, columns) - 0.5).relu()
    return left @ right + noise * draw(rows, columns)


def error(matrix: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> float:
    return float((matrix - left @ right).norm() / matrix.norm())


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_updates_equal_scikit_learns(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    nmf = pytest.importorskip("sklearn.decomposition")
    matrix = low_rank(*shape, 4, noise=0.2)
    matrix = matrix / matrix.max()
    left, right = initial_factors(matrix, 3)
    monkeypatch.setattr(matrix_factorization, "_UPDATES", 20)
    ours = nonnegative_factors(matrix, 3)
    first, second, _ = nmf.non_negative_factorization(
        matrix.numpy(), left.numpy().copy(), right.numpy().copy(), n_components=3,
        init="custom", solver="mu", tol=0, max_iter=20,
    )  # fmt: skip
    torch.testing.assert_close(ours[0] @ ours[1], torch.from_numpy(first @ second))
    torch.testing.assert_close(ours[1].norm(dim=1), torch.ones(3).double())


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_factors_are_as_good_as_scikit_learns(noise: float) -> None:
    nmf = pytest.importorskip("sklearn.decomposition")
    matrix = low_rank(60, 40, 4, noise)
    ours = error(matrix, *nonnegative_factors(matrix, 4))
    solver = nmf.NMF(4, init="nndsvda", solver="mu", max_iter=200, tol=0)
    first = torch.from_numpy(solver.fit_transform(matrix.numpy()))
    assert ours <= 1.01 * error(matrix, first, torch.from_numpy(solver.components_)) + 1e-3
    if not noise:
        assert ours < 0.02


def test_the_start_is_the_same_for_both_signs_of_the_singular_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = low_rank(20, 9, 4, 0.1)
    before = initial_factors(matrix, 4)
    decompose = torch.linalg.eigh

    def flipped(square: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, vectors = decompose(square)
        return values, -vectors

    monkeypatch.setattr(torch.linalg, "eigh", flipped)
    for one, other in zip(before, initial_factors(matrix, 4), strict=True):
        torch.testing.assert_close(one, other)


def test_fewer_independent_rows_than_factors() -> None:
    matrix = low_rank(20, 9, 1)
    left, right = nonnegative_factors(matrix, 3)
    assert torch.isfinite(left).all() and torch.isfinite(right).all()
    assert error(matrix, left, right) < 1e-2


# -- factorize ------------------------------------------------------------------------------------


class Net(nn.Module):
    """A linear head on the mean of a rectified layer, so that evidence adds up to the score."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 4, 2), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU()
        )
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


def model_of(module: nn.Module) -> cw.VisionModel:
    return cw.wrap(module.eval(), cw.Preprocess(16), classes=["a", "b", "c"], name="net")


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand((count, 3, 16, 16), generator=torch.Generator().manual_seed(5))


def test_parts_and_evidence_are_their_equations() -> None:
    module = Net()
    model = model_of(module)
    found = cw.factorize(model, pictures(), parts=3, target=["a", "c"], layer="features")
    activation = module.features(pictures()).detach().double().numpy()
    n, channels, h, w = activation.shape
    assert found.raw.shape == (n, 3, h, w) and found.maps.shape == (n, 3, 16, 16)
    assert found.targets == (("a", "c"),) * n and found.layer == "features"
    assert found.maps.max((0, 2, 3)) == pytest.approx(1, abs=1e-6)
    assert (found.raw >= 0).all() and (found.concepts >= 0).all()
    left = activation - np.einsum("nphw,pk->nkhw", found.raw, found.concepts)
    assert found.explained == pytest.approx(1 - (left**2).sum() / (activation**2).sum(), abs=1e-5)
    weight = module.head.weight.detach().double().numpy()
    for i in range(n):
        for j, c in enumerate((0, 2)):
            for part in range(3):
                # The gradient at a place is the class's weight divided by the number of places.
                shares = [
                    weight[c, k] / (h * w) * found.raw[i, part, y, x] * found.concepts[part, k]
                    for k in range(channels) for y in range(h) for x in range(w)
                ]  # fmt: skip
                assert found.evidence[i, j, part] == pytest.approx(sum(shares), rel=1e-4, abs=1e-6)
    scores = model.logits(pictures()).numpy()[:, [0, 2]]
    total = found.evidence.sum(2) + found.rest + module.head.bias.detach().numpy()[[0, 2]]
    np.testing.assert_allclose(total, scores, rtol=1e-4, atol=1e-5)


def test_pictures_share_their_concepts_and_areas_are_the_strongest_part() -> None:
    samples = cw.zoo.samples("zoo/textures")
    model, image = cw.load(), samples[0].image
    found = cw.factorize(model, [image, image])
    np.testing.assert_array_equal(found.raw[0], found.raw[1])
    again = cw.factorize(model, [image, image])
    np.testing.assert_array_equal(again.maps, found.maps)
    shown = found.areas >= 0
    assert 0.1 < shown.mean() < 0.9
    np.testing.assert_array_equal(found.areas[shown], found.maps.argmax(1)[shown])
    # The part with the evidence for the class is on the object of that class.
    assert samples[0].evidence is not None
    inside = np.asarray(cw.localize(cw.explain(model, image)).box)
    assert found.targets == ((found.targets[0][0],),) * 2
    assert inside.size and found.evidence[0, 0].max() > 0
    assert len(found.plot().axes) == 6


@pytest.mark.parametrize("parts", [0, 9, 2.5, True, "3"])
def test_an_impossible_number_of_parts(parts: object) -> None:
    with pytest.raises(errors.MethodError, match="from 1 to 8"):
        cw.factorize(model_of(Net()), pictures(), parts=parts)  # type: ignore[arg-type]


def test_a_layer_without_positive_activations_says_so() -> None:
    class Below(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -x - 1

    module = Net()
    module.features.append(Below())
    with pytest.raises(errors.MethodError, match="no positive activation"):
        cw.factorize(model_of(module), pictures(), layer="features")


def test_more_parts_than_places() -> None:
    module = Net()
    module.features.append(nn.AdaptiveMaxPool2d((1, 2)))
    found = cw.factorize(model_of(module), pictures(1), parts=5, layer="features")
    assert found.raw.shape == (1, 5, 1, 2)
    assert not found.raw[:, 2:].any() and not found.concepts[2:].any()


# -- the method -----------------------------------------------------------------------------------


def test_the_method_shows_the_part_with_the_strongest_evidence() -> None:
    model = model_of(Net())
    for i in range(3):
        for target in (ClassTarget(1, "b"), Counterfactual("b").resolved(model)):
            one = cw.factorize(model, pictures()[i], parts=3, target=target, layer="features")
            evidence = one.evidence[0, 0]
            e = cw.explain(
                model, pictures()[i], target, get_method("deep-feature-factorization", parts=3),
                "features",
            )  # fmt: skip
            strongest = one.raw[0, evidence.argmax()]
            expected = strongest / strongest.sum() * evidence.max()
            np.testing.assert_allclose(e.raw, expected, rtol=1e-5, atol=1e-6)


def test_a_batch_is_its_pictures_each_factorized_alone() -> None:
    model = model_of(Net())
    entry = get_method("deep-feature-factorization", parts=2)
    target = ClassTarget(0, "a")
    batch = entry.compute(Trace(model, pictures(), ["features"]), target, "features")
    for i in range(3):
        trace = Trace(model, pictures()[i : i + 1], ["features"])
        torch.testing.assert_close(entry.compute(trace, target, "features")[0], batch[i])


def test_no_part_speaks_for_the_class() -> None:
    module = Net()
    nn.init.constant_(module.head.weight, -1.0)
    e = cw.explain(model_of(module), pictures()[0], 0, "deep-feature-factorization", "features")
    assert e.is_empty and (e.raw <= 0).all() and e.raw.any()
