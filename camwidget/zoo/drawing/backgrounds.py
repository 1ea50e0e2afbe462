"""Random backgrounds, plain or cluttered, without any of the textures of the classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .lighting import Light, Relief, shade
from .noise import Field, Lattice, mix, per_index, scatter, smooth_noise, step
from .palette import Ramp, lookup, mute, random_ramps
from .shapes import Silhouette, outline

Colors = NDArray[np.floating]
BackgroundFunction = Callable[[np.random.Generator, Field, Field, Ramp, Light], Colors]


def _wash(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """A soft gradient in a random direction with a faint cloud on it, within [0, 1]."""
    turn = rng.uniform(0.0, 6.28)
    slope = (x - 0.5) * np.float32(np.cos(turn)) + (y - 0.5) * np.float32(np.sin(turn))
    return np.clip(0.5 + 0.6 * slope + 0.12 * smooth_noise(rng, x.shape, 3.0), 0.0, 1.0)


def gradient(rng: np.random.Generator, x: Field, y: Field, ramp: Ramp, light: Light) -> Colors:
    """A soft wash from one tone to another."""
    return lookup(ramp, _wash(rng, x, y))


def clouds(rng: np.random.Generator, x: Field, y: Field, ramp: Ramp, light: Light) -> Colors:
    """Smooth noise of several sizes."""
    cells = float(rng.uniform(2.5, 6.0))
    tone = 0.5 + sum(
        smooth_noise(rng, x.shape, cells * 2.0**octave) * np.float32(0.32 * 0.55**octave)
        for octave in range(4)
    )
    return lookup(ramp, np.asarray(tone, np.float32))


def pebbles(rng: np.random.Generator, x: Field, y: Field, ramp: Ramp, light: Light) -> Colors:
    """Large smooth river stones on sand."""
    scale = np.float32(rng.uniform(3.6, 5.2))
    u = x * scale + np.float32(0.13) * smooth_noise(rng, x.shape, 7.0) + 7.0
    v = y * scale + np.float32(0.13) * smooth_noise(rng, x.shape, 7.0) + 7.0
    cells = scatter(rng, u, v, jitter=0.75, radii=(0.56, 0.56))
    blur = 2.5 * float(scale) / x.shape[1]
    stone = step(np.minimum(1.0 - cells.near, cells.edge), -0.02, blur)
    speck = Lattice(rng)(x * 60.0, y * 60.0) - 0.5
    sand = 0.3 + 0.1 * _wash(rng, x, y) + 0.1 * speck - 0.25 * step(-cells.near, -1.3, -0.95)
    tone = mix(sand, per_index(rng, cells.key, 0.35, 0.9) + 0.05 * speck, stone)
    dome = np.sqrt(np.clip(1.05 - cells.near**2, 0.0, 1.0)) * stone
    return shade(Relief(tone, 0.22 * dome, 0.03), ramp, light, float(scale) / x.shape[1])


def terrazzo(rng: np.random.Generator, x: Field, y: Field, ramp: Ramp, light: Light) -> Colors:
    """Angular chips of stone strewn in a plain floor."""
    scale = np.float32(rng.uniform(7.0, 11.0))
    warp = np.float32(0.2)
    u = x * scale + warp * smooth_noise(rng, x.shape, 14.0) + 3.0
    v = y * scale + warp * smooth_noise(rng, x.shape, 14.0) + 3.0
    cells = scatter(rng, u, v, jitter=1.0)
    blur = 1.5 * float(scale) / x.shape[1]
    inset = per_index(rng, cells.key, 0.05, 0.6)
    chip = step(cells.edge - inset, -blur, blur)
    tone = mix(0.45 + 0.1 * _wash(rng, x, y), per_index(rng, cells.key, 0.0, 1.0), chip)
    return lookup(ramp, tone)


def strokes(rng: np.random.Generator, x: Field, y: Field, ramp: Ramp, light: Light) -> Colors:
    """A few broad curved brush strokes, each its own way."""
    tone = _wash(rng, x, y)
    for _ in range(int(rng.integers(4, 9))):
        turn = rng.uniform(0.0, 6.28)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        dx, dy = x - np.float32(rng.random()), y - np.float32(rng.random())
        along, across = dx * c + dy * s, dy * c - dx * s
        across = across + np.float32(rng.uniform(-0.8, 0.8)) * along**2
        half, length = rng.uniform(0.015, 0.07), rng.uniform(0.15, 0.45)
        stroke = 1.0 - step(np.abs(across), 0.8 * half, half + 0.008)
        stroke *= 1.0 - step(np.abs(along), 0.9 * length, length)
        tone = mix(tone, float(rng.uniform(0.0, 1.0)), 0.8 * stroke)
    return lookup(ramp, tone)


_BACKGROUNDS: tuple[tuple[BackgroundFunction, float], ...] = (
    (gradient, 0.26),
    (clouds, 0.26),
    (pebbles, 0.14),
    (terrazzo, 0.17),
    (strokes, 0.17),
)


def _plain_shapes(
    rng: np.random.Generator, colors: Colors, x: Field, y: Field, ramp: Ramp, light: Light
) -> Colors:
    """A few untextured objects, so that no silhouette alone indicates a class."""
    blur = 1.0 / x.shape[1]
    lx, ly = light.direction
    for _ in range(int(rng.integers(1, 5))):
        shape = Silhouette(
            float(rng.random()), float(rng.random()), float(rng.uniform(0.04, 0.14)), outline(rng)
        )
        inside = shape.inside(x, y)
        shadow = step(inside, -0.05, 0.03)[..., None]
        body = float(rng.uniform(0.1, 0.95))
        toward = ((x - shape.x) * lx + (y - shape.y) * ly) / shape.radius
        surface = lookup(ramp, body + 0.1 * toward)
        alpha = step(inside, -blur, blur)[..., None]
        colors = colors * (1.0 - 0.22 * shadow)
        colors = colors + (surface - colors) * alpha
    return colors


def background(
    rng: np.random.Generator, x: Field, y: Field, base: Ramp, light: Light, *, gray: float = 1.0
) -> Colors:
    """Draw a random background in muted tones.

    Args:
        rng: random generator.
        x: horizontal picture coordinate in [0, 1], (H, W).
        y: vertical picture coordinate in [0, 1], (H, W).
        base: color ramp.
        light: direction of the light.
        gray: factor of the saturation; lower values mute the background where color distinguishes the objects.

    Returns:
        float32 (H, W, 3), roughly in [0, 1].
    """
    low = float(rng.choice([0.12, 0.4, 0.62]))
    high = low + float(rng.uniform(0.2, 0.36))
    ramp = mute(base, low, high, gray * float(rng.uniform(0.3, 0.75)))
    kind = rng.choice(len(_BACKGROUNDS), p=[share for _, share in _BACKGROUNDS])
    colors = _BACKGROUNDS[kind][0](rng, x, y, ramp, light)
    if rng.random() < 0.35:
        accent = mute(random_ramps(rng)[0], 0.25, 0.9, 0.7 * gray)
        colors = _plain_shapes(rng, colors, x, y, accent, light)
    return colors
