"""Random fields: smooth noise on a picture, noise at arbitrary coordinates, and scattered cells.

All functions compute in float32 for speed, and draw from the generator they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
Index = NDArray[np.int32]

_TABLE = 64
"""Side of the random tables; a power of two, so that wrapping round is a bit mask."""

_AROUND = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))
"""A unit square and its eight neighbors."""


def step(x: Field, low: float | Field, high: float | Field) -> Field:
    """Smooth step: 0 below `low`, 1 above `high`, an S-curve between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def mix(a: float | Field, b: float | Field, t: Field) -> Field:
    """`a` where `t` is 0, `b` where it is 1."""
    return np.asarray(a + (b - a) * t, np.float32)


@lru_cache(maxsize=256)
def _spline(outputs: int, cells: int) -> Field:
    """Cubic B-spline weights, shape (outputs, cells + 3): one row a pixel."""
    at = (np.arange(outputs) + 0.5) / outputs * cells
    first = np.minimum(at.astype(int), cells - 1)
    t = at - first
    weights = np.zeros((outputs, cells + 3), np.float32)
    rows = np.arange(outputs)
    weights[rows, first] = (1 - t) ** 3 / 6
    weights[rows, first + 1] = (3 * t**3 - 6 * t**2 + 4) / 6
    weights[rows, first + 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
    weights[rows, first + 3] = t**3 / 6
    return weights


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: float) -> Field:
    """Noise with about `cells` bumps along the longer side, mostly within [-1, 1].

    Two small matrix products, so it is cheap however large the picture is.
    """
    longer = max(shape)
    down, across = (max(1, round(cells * side / longer)) for side in shape)
    grid = rng.uniform(-1.0, 1.0, (down + 3, across + 3)).astype(np.float32)
    return 1.6 * _spline(shape[0], down) @ grid @ _spline(shape[1], across).T


class Lattice:
    """Value noise in [0, 1] at arbitrary coordinates, with one bump per unit."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._table = rng.random((_TABLE, _TABLE), np.float32).ravel()

    def __call__(self, u: Field, v: Field) -> Field:
        """The noise at coordinates ``u`` and ``v``, which have equal shapes."""
        column, row = np.floor(u), np.floor(v)
        s, t = u - column, v - row
        s = s * s * (3.0 - 2.0 * s)
        t = t * t * (3.0 - 2.0 * t)
        left = column.astype(np.int32) & (_TABLE - 1)
        right = (left + 1) & (_TABLE - 1)
        top = (row.astype(np.int32) & (_TABLE - 1)) * _TABLE
        bottom = (top + _TABLE) & (_TABLE * _TABLE - 1)
        table = self._table
        upper = mix(table[top + left], table[top + right], s)
        lower = mix(table[bottom + left], table[bottom + right], s)
        return mix(upper, lower, t)


def per_index(rng: np.random.Generator, index: Index, low: float, high: float) -> Field:
    """One random number in [low, high) for each distinct integer in `index`."""
    table = rng.uniform(low, high, 4096).astype(np.float32)
    return np.asarray(table[index & 4095])


@dataclass(frozen=True)
class NearestPoints:
    """The scattered point nearest to each pixel; arrays have the shape of the pixels.

    Attributes:
        near: distance to the nearest point, divided by the point's radius.
        edge: distance to the border with the neighboring cell.
        du: first component of the vector from the nearest point to the pixel.
        dv: second component of that vector.
        key: an integer that identifies the point.
        radius: the point's radius.
    """

    near: Field
    edge: Field
    du: Field
    dv: Field
    key: Index
    radius: Field


def scatter(
    rng: np.random.Generator,
    u: Field,
    v: Field,
    *,
    jitter: float = 0.8,
    radii: tuple[float, float] = (1.0, 1.0),
) -> NearestPoints:
    """Scatter one point per unit square, and find the nearest point of each pixel.

    Points keep ``1 - jitter`` of the order of a regular grid. With different radii, larger points get larger cells.
    """
    table = rng.random((3, _TABLE * _TABLE), np.float32)
    offsets = 0.5 + jitter * (table[:2] - 0.5)
    sizes = radii[0] + (radii[1] - radii[0]) * table[2]
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = u - column.astype(np.float32), v - row.astype(np.float32)

    # Which of the nine squares round the pixel holds its nearest point, and its second nearest.
    near = np.full(u.shape, np.inf, np.float32)
    second = near.copy()
    first_square = np.zeros(u.shape, np.int32)
    second_square = first_square.copy()
    weights = 1.0 / (sizes * sizes)
    for square, (i, j) in enumerate(_AROUND):
        point = ((row + j) & (_TABLE - 1)) * _TABLE + ((column + i) & (_TABLE - 1))
        squared = (fu - i - offsets[0][point]) ** 2 + (fv - j - offsets[1][point]) ** 2
        if radii[0] != radii[1]:
            squared *= weights[point]
        closer = squared < near
        next_best = squared < second
        np.copyto(second_square, square, where=next_best)
        np.copyto(second_square, first_square, where=closer)
        np.copyto(first_square, square, where=closer)
        second = np.minimum(second, np.maximum(near, squared))
        near = np.minimum(near, squared)
    if radii[0] == radii[1]:
        near *= weights[0]

    key, du, dv = _from_point(first_square, column, row, fu, fv, offsets)
    _, du2, dv2 = _from_point(second_square, column, row, fu, fv, offsets)
    # Exact distance to the perpendicular bisector between the two nearest points.
    separation = np.hypot(du - du2, dv - dv2)
    edge = (du2**2 + dv2**2 - du**2 - dv**2) / (2.0 * np.maximum(separation, 1e-3))
    return NearestPoints(np.sqrt(near), edge, du, dv, key, sizes[key])


def _from_point(
    square: Index, column: Index, row: Index, fu: Field, fv: Field, offsets: Field
) -> tuple[Index, Field, Field]:
    """Number of the point in the square chosen for each pixel, and the vector from it."""
    i, j = np.array(_AROUND, np.int32).T
    di, dj = i[square], j[square]
    key = ((row + dj) & (_TABLE - 1)) * _TABLE + ((column + di) & (_TABLE - 1))
    du = np.asarray(fu - di - offsets[0][key], np.float32)
    dv = np.asarray(fv - dj - offsets[1][key], np.float32)
    return key, du, dv
