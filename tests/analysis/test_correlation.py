"""Correlation of maps, compared with scipy."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from camwidget.analysis.correlation import (
    average_ranks,
    correlation,
    rank_correlation,
    standardized_ranks,
)

#: Few values, so that there are many ties.
VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=2, max_size=30)


@pytest.mark.full
@settings(deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_ranks_and_correlations_are_scipys(values: list[float], random: object) -> None:
    other = [*values]
    random.shuffle(other)  # type: ignore[attr-defined]
    first, second = torch.tensor(values), torch.tensor(other)
    assert average_ranks(first).tolist() == stats.rankdata(values).tolist()
    if len(set(values)) == 1:
        assert math.isnan(correlation(first, second))
        assert math.isnan(rank_correlation(first, second))
        return
    expected = stats.spearmanr(first.numpy(), second.numpy()).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)
    expected = stats.pearsonr(first.double().numpy(), second.double().numpy()).statistic
    assert correlation(first, second) == pytest.approx(expected, abs=1e-9)


def test_a_map_as_large_as_a_picture() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand((224, 224), generator=generator)
    second = (first + torch.rand((224, 224), generator=generator)).relu()
    first[:100] = 0  # as most of many maps is
    expected = stats.spearmanr(first.flatten().numpy(), second.flatten().numpy()).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(first, first) == pytest.approx(1, abs=1e-12)
    assert rank_correlation(first, -first) == pytest.approx(-1, abs=1e-12)


def test_what_ranks_nothing_has_no_correlation() -> None:
    plain, tenth = torch.rand(50), torch.full((50,), 0.1)  # whose mean is not quite a tenth
    broken = plain.clone()
    broken[3] = math.nan
    for other in (tenth, broken):
        assert standardized_ranks(other) is None
        assert math.isnan(correlation(plain, other)) and math.isnan(rank_correlation(other, plain))
