"""Non-negative matrix factorization: a matrix of positive numbers as a sum of a few outer products of such vectors."""

from __future__ import annotations

import torch

__all__ = ["nonnegative_factors"]

#: In place of a denominator of zero, where a whole row or column of a factor is zero.
_TINY = 1e-12
#: What counts as zero in a factor to start from, where rounding would decide; as in scikit-learn.
_FAINT = 1e-6
#: As many for every matrix: were they ended by the error, rounding would decide between two results.
_UPDATES = 200


def nonnegative_factors(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Factorize a matrix, ``min ‖A − H W‖`` with ``H ≥ 0`` and ``W ≥ 0``, by multiplicative updates.

    The updates are those of Lee and Seung 2001 (theorem 1) for the Euclidean distance,
    ``H ← H ⊙ A Wᵀ / (H W Wᵀ)`` and ``W ← W ⊙ Hᵀ A / (Hᵀ H W)``, none of which raises the error. They start from the
    singular vectors of A (``initial_factors``), so that the result is the same each time.

    Args:
        matrix: A (n, m), float64, ≥ 0.
        rank: number of columns of H and rows of W, from 1 to min(n, m).

    Returns:
        H (n, rank) and W (rank, m). The rows of W have unit length or are 0; the products with the most energy come
        first.
    """
    scale = matrix.max().clamp(min=torch.finfo(matrix.dtype).tiny)
    unit = matrix / scale
    left, right = initial_factors(unit, rank)
    for _ in range(_UPDATES):
        left = left * (unit @ right.T) / (left @ (right @ right.T)).clamp(min=_TINY)
        right = right * (left.T @ unit) / ((left.T @ left) @ right).clamp(min=_TINY)
    lengths = right.norm(dim=1)
    left = left * lengths * scale
    right = right / lengths.clamp(min=_TINY)[:, None]
    order = left.norm(dim=0).argsort(descending=True, stable=True)
    return left[:, order], right[order]


def initial_factors(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factors to start from, by NNDSVD (Boutsidis and Gallopoulos 2008, doi:10.1016/j.patcog.2007.09.010).

    Of each pair of singular vectors, the parts of one sign are taken whose product is larger. Zeros, which
    multiplicative updates would keep, are replaced by the mean of the matrix (NNDSVDa).

    Args:
        matrix: A (n, m), ≥ 0, of a scale near 1.
        rank: number of factors.

    Returns:
        H (n, rank) and W (rank, m), > 0 unless A is 0.
    """
    columns, values, rows = _largest_singular_vectors(matrix, rank)
    left, right = torch.zeros_like(columns), torch.zeros_like(rows)
    for k in range(rank):
        u, v = columns[:, k], rows[k]
        if k == 0:  # of one sign, since the matrix is
            parts = [(u.abs(), v.abs())]
        else:
            parts = [(u.clamp(min=0), v.clamp(min=0)), ((-u).clamp(min=0), (-v).clamp(min=0))]
        u, v = max(parts, key=lambda pair: float(pair[0].norm() * pair[1].norm()))
        size = u.norm() * v.norm()
        if size > 0:
            root = (values[k] * size).sqrt()
            left[:, k], right[k] = root * u / u.norm(), root * v / v.norm()
    mean = matrix.mean()
    return torch.where(left > _FAINT, left, mean), torch.where(right > _FAINT, right, mean)


def _largest_singular_vectors(
    matrix: torch.Tensor, rank: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return U (n, rank), the singular values (rank,) and Vᵀ (rank, m), by the smaller of AᵀA and AAᵀ."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    tall = matrix if is_tall else matrix.T
    squares, vectors = torch.linalg.eigh(tall.T @ tall)
    values = squares.flip(0)[:rank].clamp(min=0).sqrt()
    short = vectors.flip(1)[:, :rank]
    long = tall @ short / values.clamp(min=_TINY)
    return (long, values, short.T) if is_tall else (short, values, long.T)
