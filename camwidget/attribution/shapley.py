"""Shapley values of a function of coalitions: exact, or KernelSHAP's estimate with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

__all__ = ["ShapleyValues", "coalitions", "estimate_shapley_values"]


@dataclass(frozen=True)
class ShapleyValues:
    """Shapley values of n players.

    Attributes:
        values: float64 (n,); their sum is the value of all players together, less that of none.
        errors: standard errors, float64 (n,): 0 where the values are exact, infinite where the coalitions are too few
            to determine them.
    """

    values: torch.Tensor
    errors: torch.Tensor


def coalitions(players: int, samples: int, seed: int) -> torch.Tensor:
    """Return the coalitions whose values KernelSHAP asks for: all of them if there are no more than ``samples``.

    Otherwise they are drawn with the Shapley kernel's probabilities (eq. 3 of Lundberg and Lee 2017): the size s with
    a probability in proportion to ``1 / (s (n − s))``, and then any coalition of that size. Each second one is the
    complement of the one before it, which reduces the variance (Covert and Lee 2021, arXiv:2012.01536, section 4.2).

    Args:
        players: n, at least 2.
        samples: how many coalitions, without the empty one and the one of all; an odd number is rounded down.
        seed: seed of the random numbers.

    Returns:
        bool (coalitions, n).
    """
    if is_exact(players, samples):
        numbers = torch.arange(1, 2**players - 1)
        return (numbers[:, None] >> torch.arange(players)) % 2 == 1
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.arange(1, players).double()
    pairs = max(1, samples // 2)
    chosen = torch.multinomial(1 / (sizes * (players - sizes)), pairs, True, generator=generator)
    ranks = torch.rand(pairs, players, generator=generator).argsort(1).argsort(1)
    drawn = ranks <= chosen[:, None]
    return torch.stack([drawn, ~drawn], 1).flatten(0, 1)


def is_exact(players: int, samples: int) -> bool:
    """Return whether ``samples`` coalitions are all that there are of n players."""
    return players < 31 and 2**players - 2 <= samples


def estimate_shapley_values(
    members: torch.Tensor, values: torch.Tensor, empty: float, full: float, *, exact: bool
) -> ShapleyValues:
    """Estimate Shapley values by KernelSHAP, theorem 2 of Lundberg and Lee 2017.

    They minimize ``Σ π(z) (v(z) − v(0) − zᵀφ)²`` under ``Σ φ = v(1) − v(0)``. Drawn coalitions represent the weights π
    by how often they are drawn. The standard errors are those of a least-squares estimate from independent pairs of
    coalitions whose residuals differ in size (the sandwich estimator, White 1980, doi:10.2307/1912934).

    Args:
        members: bool (m, n), of ``coalitions``.
        values: value of each coalition (m,).
        empty: value of the empty coalition.
        full: value of all players together.
        exact: whether ``members`` are all coalitions. The estimate is exact then.
    """
    z, y = members.double(), values.double().cpu() - empty
    count, players = z.shape
    if exact:
        sizes = z.sum(1)
        weights = torch.tensor(
            [(players - 1) / (math.comb(players, int(s)) * s * (players - s)) for s in sizes],
            dtype=torch.float64,
        )
    else:
        weights = torch.full((count,), 1 / max(count, 1), dtype=torch.float64)
    moments = z.T @ (z * weights[:, None])
    inverse = torch.linalg.pinv(moments, hermitian=True)
    rows = inverse.sum(1)
    total = float(rows.sum())
    # The change of the solution with the right-hand side, along which the sum does not change.
    slope = inverse - torch.outer(rows, rows) / total if total else inverse
    offset = rows / total if total else torch.full((players,), 1 / players, dtype=torch.float64)
    found = slope @ (z.T @ (weights * y)) + offset * (full - empty)
    if exact:
        return ShapleyValues(found, torch.zeros(players, dtype=torch.float64))
    pairs = count // 2
    if pairs < players or int(torch.linalg.matrix_rank(moments, hermitian=True)) < players:
        return ShapleyValues(found, torch.full((players,), math.inf, dtype=torch.float64))
    residuals = z[: 2 * pairs] * (y - z @ found)[: 2 * pairs, None]
    scores = residuals.reshape(pairs, 2, players).sum(1) / 2
    spread = slope @ (scores.T @ scores / pairs**2) @ slope
    freedom = pairs / max(pairs - (players - 1), 1)
    return ShapleyValues(found, (spread.diagonal() * freedom).clamp(min=0).sqrt())
