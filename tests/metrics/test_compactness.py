"""Complexity and sparseness, compared with Quantus."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from case_helpers import case, number
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

quantus = pytest.importorskip("quantus")

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8),
    elements=st.floats(0, 1, width=16),
).filter(lambda values: values.max() > 1e-3)


def theirs(kind: Any, values: np.ndarray) -> float:
    metric = kind(abs=False, normalise=False, disable_warnings=True, display_progressbar=False)
    batch = values.astype(np.float64)[None, None]
    (score,) = metric(
        model=None, x_batch=np.zeros((1, 3, *values.shape)), y_batch=np.zeros(1), a_batch=batch
    )
    return float(score)


def test_as_quantus_has_them() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.random((40, 50)), rng.random((40, 50)) ** 8, np.eye(64)):
        made = case(values)
        exact = made.saliency.double().numpy()
        # Quantus adds 1e-12 within the logarithm.
        assert number(made, "complexity") == pytest.approx(
            theirs(quantus.Complexity, exact), abs=1e-7
        )
        # Quantus adds 1e-7 to every pixel.
        assert number(made, "sparseness") == pytest.approx(
            theirs(quantus.Sparseness, exact), abs=1e-4
        )
        assert number(made, "sparseness") != theirs(quantus.Sparseness, exact)


@settings(deadline=None)
@given(MAPS)
def test_as_their_formulas_have_them(values: np.ndarray) -> None:
    made, flat = case(values), values.astype(np.float64).ravel()
    entropy = stats.entropy(flat / flat.sum())
    assert number(made, "complexity") == pytest.approx(entropy, abs=1e-9)
    # The Gini index is half the mean difference of two values, over their mean.
    differences = np.abs(flat[:, None] - flat[None])
    gini = differences.mean() / (2 * flat.mean())
    assert number(made, "sparseness") == pytest.approx(gini, abs=1e-9)


def test_the_ends_of_their_ranges() -> None:
    one = np.zeros((6, 7))
    one[2, 3] = 1
    assert number(case(one), "complexity") == 0
    assert number(case(one), "sparseness") == pytest.approx(1 - 1 / 42)
    flat = np.full((6, 7), 0.3)
    assert number(case(flat), "complexity") == pytest.approx(math.log(42))
    assert number(case(flat), "sparseness") == pytest.approx(0, abs=1e-12)
