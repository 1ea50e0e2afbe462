"""Random anatomy of a beetle, seen from above, in units of its own.

The first axis runs along the body to the head, the second across it. Without mandibles or snout, a beetle is about 1.4
units long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .strokes import Oval, Stroke

_SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Body:
    """The shapes of one beetle.

    Attributes:
        wings: the wing cases.
        neck: the shield in front of the wing cases.
        head: the head.
        limbs: six legs and two antennae.
        parts: the distinguishing part of each class, one list of strokes each: mandibles of a stag beetle, snout of a
            weevil. A drawn beetle has one of them.
    """

    wings: Oval
    neck: Oval
    head: Oval
    limbs: tuple[Stroke, ...]
    parts: tuple[tuple[Stroke, ...], tuple[Stroke, ...]]


def random_body(rng: np.random.Generator) -> Body:
    """A random beetle, with the parts of both classes."""
    wings = Oval(-0.3, rng.uniform(0.46, 0.54), rng.uniform(0.31, 0.41), rng.uniform(-0.06, 0.12))
    neck = Oval(0.24, rng.uniform(0.18, 0.22), wings.wide * rng.uniform(0.76, 0.92), -0.1)
    head = Oval(0.47, rng.uniform(0.14, 0.17), rng.uniform(0.15, 0.19))
    limbs = [_leg(rng, n, side, wings.wide) for n in range(3) for side in _SIDES]
    limbs += [_antenna(rng, side) for side in _SIDES]
    return Body(wings, neck, head, tuple(limbs), (_mandibles(rng), _snout(rng)))


def _stroke(points: list[tuple[float, float]], radii: list[float]) -> Stroke:
    return Stroke(np.array(points, np.float32), np.array(radii, np.float32))


def _polyline(
    a: float, b: float, side: float, lengths: list[float], turns: list[float], radii: list[float]
) -> Stroke:
    """A stroke of straight segments, each at an angle from the body's axis; ``side`` mirrors them."""
    points = [(a, b)]
    for length, turn in zip(lengths, turns, strict=True):
        a, b = a + length * float(np.cos(turn)), b + side * length * float(np.sin(turn))
        points.append((a, b))
    return _stroke(points, radii)


def _leg(rng: np.random.Generator, number: int, side: float, wide: float) -> Stroke:
    """Leg `number` from the front: thigh, shin, and a thin foot."""
    at = (0.27, 0.05, -0.16)[number]
    thigh = (1.0, 1.62, 2.05)[number] + float(rng.normal(0.0, 0.12))
    # The front legs bend forwards, the others backwards.
    bend = (-0.55, 0.5, 0.55)[number] + float(rng.normal(0.0, 0.12))
    foot = thigh + bend * 0.6 + float(rng.normal(0.0, 0.15))
    scale = float(rng.uniform(0.92, 1.08))
    return _polyline(
        at,
        side * 0.62 * wide,
        side,
        [0.3 * scale, 0.24 * scale, 0.13 * scale],
        [thigh, thigh + bend, foot],
        [0.05, 0.042, 0.03, 0.016],
    )


def _antenna(rng: np.random.Generator, side: float) -> Stroke:
    """A thin feeler, bent at the elbow, with a club at its end."""
    turn = float(rng.normal(1.25, 0.1))
    bend = turn - float(rng.uniform(0.3, 0.8))
    return _polyline(
        0.5, side * 0.12, side, [0.15, 0.1, 0.05], [turn, bend, bend], [0.018, 0.016, 0.02, 0.034]
    )


def _mandibles(rng: np.random.Generator) -> tuple[Stroke, ...]:
    """Two sickles before the head, each forked by a tooth on its inner side."""
    length, bow = float(rng.uniform(0.46, 0.58)), float(rng.uniform(0.13, 0.2))
    tooth, reach = float(rng.uniform(0.5, 0.68)), float(rng.uniform(0.1, 0.15))
    strokes = []
    for side in _SIDES:
        own = length * float(rng.uniform(0.96, 1.04))
        t = np.linspace(0.0, 1.0, 9)
        b = 0.1 + bow * np.sin(np.pi * t**0.9) - 0.04 * t
        strokes.append(
            _stroke(
                [(0.55 + own * s, side * w) for s, w in zip(t, b, strict=True)],
                list(0.066 - 0.042 * t**1.5),
            )
        )
        root = 0.1 + bow * float(np.sin(np.pi * tooth**0.9)) - 0.04 * tooth
        strokes.append(
            _stroke(
                [(0.55 + own * tooth, side * root), (0.6 + own * tooth, side * (root - reach))],
                [0.045, 0.018],
            )
        )
    return tuple(strokes)


def _snout(rng: np.random.Generator) -> tuple[Stroke, ...]:
    """One long beak, curved to one side, a little thicker at the tip."""
    length = float(rng.uniform(0.52, 0.66))
    curve = float(rng.uniform(0.14, 0.34)) * float(rng.choice(_SIDES))
    t = np.linspace(0.0, 1.0, 9)
    points = [(0.52 + length * float(s), curve * float(s) ** 2) for s in t]
    return (_stroke(points, list(0.085 - 0.05 * t**0.6 + 0.03 * t**4)),)
