"""Linear imputation of missing pixels from their neighbors.

Rong et al. 2022 (ROAD, arXiv:2202.00449): a missing pixel is 1/6 of each direct and 1/12 of each diagonal neighbour,
missing or not; at the picture's edge, where neighbours are wanting, the weights of the others are scaled up. That is a
linear system with an unknown a pixel. Seen as a network of springs (links between missing pixels, anchors to known
ones) it is symmetric and positive definite: conjugate gradients solve it, preconditioned by a multigrid cycle whose
coarser networks take two by two pixels as one. All in torch, so where the picture is, and for many masks at once.
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

#: Of the error that is left, in units of the pixels: an 8-bit level is 400 times as much.
_TOLERANCE = 1e-5
#: More iterations than any mask takes; a bound, should rounding keep the error above the tolerance.
_MOST = 100
#: Damping of the Jacobi sweeps.
_DAMPING = 0.8
#: Places a side of the coarsest network: few enough to be solved outright.
_SMALL = 8
#: Values (masks × channels × pixels) at once: few enough for a processor's caches, many for a GPU.
_AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 25}

#: An index of a part of (N, C, H, W).
_Part: TypeAlias = "tuple[Any, ...]"


def impute(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """A picture with parts of it filled in.

    Args:
        pixels: float32 (C, H, W).
        missing: bool (N, H, W), which pixels are filled in; each leaves at least one pixel of the picture.

    Returns:
        float32 (N, C, H, W), the other pixels as they are.
    """
    if pixels.device.type == "mps":  # it has no double precision
        return impute(pixels.cpu(), missing.cpu()).to(pixels.device)
    most = _AT_ONCE.get(pixels.device.type, _AT_ONCE["cpu"])
    return torch.cat([_filled(pixels, m) for m in missing.split(max(1, most // pixels.numel()))])


def _filled(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    missing = missing[:, None]
    # A hole of the width w makes rounding errors w² times as large: single precision would leave too little.
    system = _Pixels.of(missing.double())
    pull = system.unknown * _around((1 - system.unknown) * pixels.double())
    found = _solve(system, _Pixels.of(missing.to(pixels.dtype)), pull)
    return torch.where(missing, found.to(pixels.dtype), pixels)


def _around(values: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the neighbours of every pixel of (N, C, H, W); there is nothing beyond the edge."""
    # The product of (1, 2, 1) with itself over 12: the weights, and 1/3 in the middle.
    padded = nnF.pad(values, (1, 1, 1, 1))
    across = 2 * padded[..., 1:-1]
    across += padded[..., :-2]
    across += padded[..., 2:]
    total = 2 * across[..., 1:-1, :]
    total += across[..., :-2, :]
    total += across[..., 2:, :]
    return total.div_(12).sub_(values, alpha=1 / 3)


def _solve(system: _Network, rough: _Network, pull: torch.Tensor) -> torch.Tensor:
    """Heights (N, C, H, W) at which the system rests under a pull, by conjugate gradients, each channel on its own.

    ``rough`` is the system in single precision, which is enough for a direction.
    """

    def guessed(rest: torch.Tensor) -> torch.Tensor:
        return rough.cycle(rest.to(rough.unknown.dtype)).to(rest.dtype)

    found = torch.zeros_like(pull)
    rest = pull
    guess = direction = guessed(rest)
    energy = _dot(rest, guess)
    for _ in range(_MOST):
        # The preconditioned residual is about the error itself.
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
    """``a / b``, 0 where there is nothing left to do."""
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)


@dataclass
class _Network:
    """Unknowns, linked with each other and anchored to what is known. Each (N, 1, H, W), 0 where nothing is.

    Attributes:
        unknown: 1 where there is an unknown.
        anchor: the weights of all links to what is known.
        right, down, falling, rising: the weight of the link to the next place to the right, below, below to the right,
            and below to the left.
    """

    unknown: torch.Tensor
    anchor: torch.Tensor
    right: torch.Tensor
    down: torch.Tensor
    falling: torch.Tensor
    rising: torch.Tensor

    @cached_property
    def stiffness(self) -> torch.Tensor:
        """All that holds an unknown in place; 1 where there is none, to divide by."""
        total = self.anchor.clone()
        for link, here, there in self._links():
            total[here] += link
            total[there] += link
        return torch.where(total > 0, total, 1)

    @cached_property
    def sweep(self) -> torch.Tensor:
        """From a force to a step towards rest, by itself (Jacobi)."""
        return _DAMPING * self.unknown / self.stiffness

    @cached_property
    def inverse(self) -> torch.Tensor:
        """From forces to heights, (N, H·W, H·W)."""
        height, width = self.unknown.shape[-2:]
        one_each = torch.eye(height * width).to(self.unknown).reshape(1, -1, height, width)
        # What is no unknown stays at 0, whatever pulls.
        free, fixed = one_each * self.unknown, one_each * (1 - self.unknown)
        inverse: torch.Tensor = torch.linalg.inv((self.force(free) + fixed).flatten(2))
        return inverse * self.unknown.flatten(2)

    @cached_property
    def coarser(self) -> _Network:
        """Two by two unknowns as one."""
        right, down, falling, rising = map(
            _quarters, (self.right, self.down, self.falling, self.rising)
        )
        to_left = nnF.pad(rising[0][0], (0, 1))[..., 1:]
        # Half the weight of what is joined: of one material, a network is as stiff at any width of its mesh.
        return _Network(
            (_of_four(self.unknown) > 0).to(self.unknown.dtype),
            _of_four(self.anchor),
            (right[0][1] + right[1][1] + falling[0][1] + to_left) / 2,
            (down[1][0] + down[1][1] + falling[1][0] + rising[1][1]) / 2,
            falling[1][1] / 2,
            rising[1][0] / 2,
        )

    def force(self, heights: torch.Tensor) -> torch.Tensor:
        """What pulls the unknowns back from some heights (N, C, H, W): the system's matrix times them."""
        total = self.stiffness * heights
        for link, here, there in self._links():
            total[here] -= link * heights[there]
            total[there] -= link * heights[here]
        return total

    def cycle(self, rest: torch.Tensor) -> torch.Tensor:
        """About the heights that answer a force (N, C, H, W): a V-cycle, linear, symmetric and positive."""
        if max(rest.shape[-2:]) <= _SMALL:
            return (rest.flatten(2) @ self.inverse).reshape(rest.shape)
        found = self.sweep * rest
        coarse = self.coarser.cycle(_of_four(rest - self.force(found)))
        height, width = rest.shape[-2:]
        found += self.unknown * nnF.interpolate(coarse, scale_factor=2)[..., :height, :width]
        return found + self.sweep * (rest - self.force(found))

    def _links(self) -> Iterator[tuple[torch.Tensor, _Part, _Part]]:
        """Each direction's links, from where, and to where."""
        every, but_last, but_first = slice(None), slice(-1), slice(1, None)
        for link, here, there in (
            (self.right, (every, but_last), (every, but_first)),
            (self.down, (but_last, every), (but_first, every)),
            (self.falling, (but_last, but_last), (but_first, but_first)),
            (self.rising, (but_last, but_first), (but_first, but_last)),
        ):
            yield link[(..., *here)], (..., *here), (..., *there)


class _Pixels(_Network):
    """The finest network: all weights are the same, so that the matrix is quickly multiplied by."""

    @classmethod
    def of(cls, unknown: torch.Tensor) -> _Pixels:
        """The network of the missing pixels, 1 in (N, 1, H, W)."""
        padded = nnF.pad(unknown, (1, 1, 0, 1))
        below = padded[..., 1:, :]
        return cls(
            unknown,
            unknown * _around(1 - unknown),
            _DIRECT * unknown * padded[..., :-1, 2:],
            _DIRECT * unknown * below[..., 1:-1],
            _DIAGONAL * unknown * below[..., 2:],
            _DIAGONAL * unknown * below[..., :-2],
        )

    @cached_property
    def stiffness(self) -> torch.Tensor:
        return _around(torch.ones_like(self.unknown))

    def force(self, heights: torch.Tensor) -> torch.Tensor:
        return (self.stiffness * heights - _around(heights)) * self.unknown


def _of_four(values: torch.Tensor) -> torch.Tensor:
    """The sums of two by two, (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
    return nnF.avg_pool2d(values, 2, ceil_mode=True, divisor_override=1)


def _quarters(values: torch.Tensor) -> list[list[torch.Tensor]]:
    """Of two by two the upper and lower, and of these the left and right ones, each (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
    height, width = values.shape[-2:]
    values = nnF.pad(values, (0, width % 2, 0, height % 2))
    return [[values[..., row::2, column::2] for column in (0, 1)] for row in (0, 1)]
