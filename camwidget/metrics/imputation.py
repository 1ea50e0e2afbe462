"""Linear imputation of missing pixels from their neighbors.

Rong et al. 2022 (ROAD, arXiv:2202.00449): a missing pixel is the sum of 1/6 of each direct and 1/12 of each diagonal
neighbor, missing or not; at the picture's edge the weights of the existing neighbors are scaled up. This is a linear
system with one unknown per missing pixel. As a network of springs (links between missing pixels, anchors to known
ones) it is symmetric and positive definite, and is solved by conjugate gradients, preconditioned by a multigrid cycle
whose coarser networks merge two by two pixels. All operations run in torch, on the picture's device, for many masks at
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch.nn import functional as nnF

__all__ = ["impute"]

_DIRECT, _DIAGONAL = 1 / 6, 1 / 12

#: Greatest remaining error, in units of pixels in [0, 1]: a 400th of an 8-bit level.
_TOLERANCE = 1e-5
#: Bound of the iterations, more than any mask needs: rounding might keep the error above the tolerance.
_MOST = 100
#: Damping of the Jacobi sweeps.
_DAMPING = 0.8
#: Side of the coarsest network, small enough for a direct solution.
_SMALL = 8
#: Values (masks × channels × pixels) per batch, to fit the caches of a CPU or to fill a GPU.
_AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 25}

#: Index of a part of (N, C, H, W).
_Part: TypeAlias = "tuple[Any, ...]"


def impute(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """Fill in missing pixels of a picture.

    Args:
        pixels: float32 (C, H, W).
        missing: bool (N, H, W), the missing pixels of N copies; in each, at least one pixel is known.

    Returns:
        float32 (N, C, H, W); known pixels are unchanged.
    """
    if pixels.device.type == "mps":  # MPS has no double precision
        return impute(pixels.cpu(), missing.cpu()).to(pixels.device)
    most = _AT_ONCE.get(pixels.device.type, _AT_ONCE["cpu"])
    return torch.cat([_filled(pixels, m) for m in missing.split(max(1, most // pixels.numel()))])


def _filled(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    missing = missing[:, None]
    # A hole of width w amplifies rounding errors by w²: single precision is not accurate enough.
    system = _Pixels.of(missing.double())
    pull = system.unknown * _neighbor_sum((1 - system.unknown) * pixels.double())
    found = _solve(system, _Pixels.of(missing.to(pixels.dtype)), pull)
    return torch.where(missing, found.to(pixels.dtype), pixels)


def _neighbor_sum(values: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the neighbors of every pixel of (N, C, H, W); pixels beyond the edge count as 0."""
    # The outer product of (1, 2, 1) with itself, over 12, is the weights plus 1/3 in the center.
    padded = nnF.pad(values, (1, 1, 1, 1))
    across = 2 * padded[..., 1:-1]
    across += padded[..., :-2]
    across += padded[..., 2:]
    total = 2 * across[..., 1:-1, :]
    total += across[..., :-2, :]
    total += across[..., 2:, :]
    return total.div_(12).sub_(values, alpha=1 / 3)


def _solve(system: _Network, rough: _Network, pull: torch.Tensor) -> torch.Tensor:
    """Solve the system by preconditioned conjugate gradients, for each channel separately.

    Args:
        system: the network in double precision.
        rough: the same network in single precision, which is accurate enough for the preconditioner.
        pull: right-hand side (N, C, H, W).

    Returns:
        The unknowns, (N, C, H, W).
    """

    def guessed(rest: torch.Tensor) -> torch.Tensor:
        return rough.cycle(rest.to(rough.unknown.dtype)).to(rest.dtype)

    found = torch.zeros_like(pull)
    rest = pull
    guess = direction = guessed(rest)
    energy = _dot(rest, guess)
    for _ in range(_MOST):
        # The preconditioned residual approximates the error.
        if bool(guess.abs().amax() <= _TOLERANCE):
            break
        force = system.force(direction)
        step = _ratio(energy, _dot(direction, force))
        found = found + step * direction
        rest = rest - step * force
        guess = guessed(rest)
        energy, before = _dot(rest, guess), energy
        direction = guess + _ratio(energy, before) * direction
    return found


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum((-2, -1), keepdim=True)


def _ratio(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a / b``; 0 where b is 0, that is, where the solution is exact."""
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)


@dataclass
class _Network:
    """A network of unknowns, linked with each other and anchored to known values. Arrays are (N, 1, H, W).

    Attributes:
        unknown: 1 where there is an unknown.
        anchor: the sum of the weights of all links to known values.
        right: weight of the link to the right neighbor, 0 without a link, as in the next three.
        down: weight of the link to the neighbor below.
        falling: weight of the link to the neighbor below to the right.
        rising: weight of the link to the neighbor below to the left.
    """

    unknown: torch.Tensor
    anchor: torch.Tensor
    right: torch.Tensor
    down: torch.Tensor
    falling: torch.Tensor
    rising: torch.Tensor

    @cached_property
    def stiffness(self) -> torch.Tensor:
        """The sum of the weights of an unknown's links, the matrix's diagonal; 1 where there is no unknown."""
        total = self.anchor.clone()
        for link, first, second in self._links():
            total[first] += link
            total[second] += link
        return torch.where(total > 0, total, 1)

    @cached_property
    def sweep(self) -> torch.Tensor:
        """The factor of a damped Jacobi step."""
        return _DAMPING * self.unknown / self.stiffness

    @cached_property
    def inverse(self) -> torch.Tensor:
        """The matrix's inverse, (N, H·W, H·W)."""
        height, width = self.unknown.shape[-2:]
        one_each = torch.eye(height * width).to(self.unknown).reshape(1, -1, height, width)
        # Positions without an unknown stay at 0.
        free, fixed = one_each * self.unknown, one_each * (1 - self.unknown)
        inverse: torch.Tensor = torch.linalg.inv((self.force(free) + fixed).flatten(2))
        return inverse * self.unknown.flatten(2)

    @cached_property
    def coarser(self) -> _Network:
        """The network with two by two unknowns merged."""
        right, down, falling, rising = map(
            _quarters, (self.right, self.down, self.falling, self.rising)
        )
        to_left = nnF.pad(rising[0][0], (0, 1))[..., 1:]
        # Half the sum of the merged weights keeps the network equally stiff at twice the mesh width.
        return _Network(
            (_of_four(self.unknown) > 0).to(self.unknown.dtype),
            _of_four(self.anchor),
            (right[0][1] + right[1][1] + falling[0][1] + to_left) / 2,
            (down[1][0] + down[1][1] + falling[1][0] + rising[1][1]) / 2,
            falling[1][1] / 2,
            rising[1][0] / 2,
        )

    def force(self, heights: torch.Tensor) -> torch.Tensor:
        """The matrix times heights (N, C, H, W)."""
        total = self.stiffness * heights
        for link, first, second in self._links():
            total[first] -= link * heights[second]
            total[second] -= link * heights[first]
        return total

    def cycle(self, rest: torch.Tensor) -> torch.Tensor:
        """An approximate solution for a residual (N, C, H, W): one V-cycle, linear, symmetric and positive definite."""
        if max(rest.shape[-2:]) <= _SMALL:
            return (rest.flatten(2) @ self.inverse).reshape(rest.shape)
        found = self.sweep * rest
        coarse = self.coarser.cycle(_of_four(rest - self.force(found)))
        height, width = rest.shape[-2:]
        found += self.unknown * nnF.interpolate(coarse, scale_factor=2)[..., :height, :width]
        return found + self.sweep * (rest - self.force(found))

    def _links(self) -> Iterator[tuple[torch.Tensor, _Part, _Part]]:
        """The links of each direction, with the index of their first and of their second end."""
        every, but_last, but_first = slice(None), slice(-1), slice(1, None)
        for link, first, second in (
            (self.right, (every, but_last), (every, but_first)),
            (self.down, (but_last, every), (but_first, every)),
            (self.falling, (but_last, but_last), (but_first, but_first)),
            (self.rising, (but_last, but_first), (but_first, but_last)),
        ):
            yield link[(..., *first)], (..., *first), (..., *second)


class _Pixels(_Network):
    """The finest network, whose constant weights allow a fast matrix product."""

    @classmethod
    def of(cls, unknown: torch.Tensor) -> _Pixels:
        """The network of the missing pixels, 1 in ``unknown`` (N, 1, H, W)."""
        padded = nnF.pad(unknown, (1, 1, 0, 1))
        below = padded[..., 1:, :]
        return cls(
            unknown,
            unknown * _neighbor_sum(1 - unknown),
            _DIRECT * unknown * padded[..., :-1, 2:],
            _DIRECT * unknown * below[..., 1:-1],
            _DIAGONAL * unknown * below[..., 2:],
            _DIAGONAL * unknown * below[..., :-2],
        )

    @cached_property
    def stiffness(self) -> torch.Tensor:
        return _neighbor_sum(torch.ones_like(self.unknown))

    def force(self, heights: torch.Tensor) -> torch.Tensor:
        return (self.stiffness * heights - _neighbor_sum(heights)) * self.unknown


def _of_four(values: torch.Tensor) -> torch.Tensor:
    """The sums of two by two values, (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
    return nnF.avg_pool2d(values, 2, ceil_mode=True, divisor_override=1)


def _quarters(values: torch.Tensor) -> list[list[torch.Tensor]]:
    """The values at each position of two by two blocks, by row and column, each (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
    height, width = values.shape[-2:]
    values = nnF.pad(values, (0, width % 2, 0, height % 2))
    return [[values[..., row::2, column::2] for column in (0, 1)] for row in (0, 1)]
