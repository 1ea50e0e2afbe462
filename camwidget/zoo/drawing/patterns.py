"""The ten textures, each a function from coordinates to a relief.

A pattern gets ``PatternCoordinates`` in units of its period, already rotated and shifted, and returns tones and
heights. Color and light are applied later, so that no class has a color of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .lighting import Light, Relief
from .noise import Field, Lattice, mix, per_index, scatter, smooth_noise, step

SQRT3 = 1.7320508


@dataclass(frozen=True)
class PatternCoordinates:
    """Coordinates of a pattern.

    Attributes:
        u: first coordinate of each pixel in periods, float32 (H, W).
        v: second coordinate of each pixel in periods, float32 (H, W).
        pixel: side of a pixel in periods.
        light_direction: unit vector in (u, v) towards the light.
    """

    u: Field
    v: Field
    pixel: float
    light_direction: tuple[float, float]

    def drift(self, rng: np.random.Generator, every: float) -> Field:
        """Slow noise, about one bump in `every` periods, mostly within [-1, 1]."""
        periods = max(self.u.shape) * self.pixel
        return smooth_noise(rng, self.u.shape, max(1.0, periods / every))

    def warped(self, rng: np.random.Generator, amount: float, every: float) -> PatternCoordinates:
        """The coordinates displaced by smooth noise of up to `amount` periods, so that lines bend."""
        u = self.u + np.float32(amount) * self.drift(rng, every)
        v = self.v + np.float32(amount) * self.drift(rng, every)
        return PatternCoordinates(u, v, self.pixel, self.light_direction)

    @staticmethod
    def place(
        x: Field, y: Field, *, period: float, angle: float, light: Light, pixel: float
    ) -> PatternCoordinates:
        """Coordinates in periods from picture coordinates; all arguments in the same unit."""
        c, s = np.float32(np.cos(angle) / period), np.float32(np.sin(angle) / period)
        lx, ly = light.direction
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        light_direction = (lx * cos + ly * sin, ly * cos - lx * sin)
        return PatternCoordinates(x * c + y * s, y * c - x * s, pixel / period, light_direction)


def _wrap(x: Field) -> Field:
    """The fractional part, in [0, 1)."""
    return x - np.floor(x)


def _bands(phase: Field, tones: list[float], widths: list[float], blur: float) -> Field:
    """Repeat bands of the given tones and relative widths once in every unit of `phase`."""
    edges = np.cumsum(widths) / np.sum(widths)
    at = _wrap(phase)
    tone = np.full_like(at, tones[0])
    for edge, (before, after) in zip(
        edges, zip(tones, tones[1:] + tones[:1], strict=True), strict=True
    ):
        tone += np.float32(after - before) * step(at, float(edge) - blur, float(edge))
    return tone


def bubbly(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Translucent bubbles of two sizes, the larger floating over the smaller."""
    g = grid.warped(rng, 0.15, 4.0)
    deep = float(rng.uniform(0.18, 0.5))
    tone = deep + 0.1 * grid.drift(rng, 5.0)
    glint = np.zeros_like(tone)
    height = np.zeros_like(tone)
    sx, sy = grid.light_direction
    for scale, radii in ((1.4, (0.22, 0.5)), (0.75, (0.36, 0.56))):
        cells = scatter(rng, g.u * scale, g.v * scale, jitter=0.7, radii=radii)
        rho = cells.near
        inside = step(1.0 - rho, 0.0, 2.5 * scale * grid.pixel / cells.radius)
        nu, nv = cells.du / cells.radius, cells.dv / cells.radius
        toward = nu * sx + nv * sy
        # Thin skin: clear in the middle, denser towards the rim; light gathers on the far side.
        rim = step(rho, 0.55, 0.97)
        far = step(-toward, 0.1, 0.8) * step(rho, 0.3, 0.75)
        body = tone + 0.06 + 0.3 * rim + 0.22 * far - 0.12 * step(toward, -0.3, 0.6) * (1 - rim)
        tone = mix(tone, body, inside)
        ring = np.exp(-(((rho - 0.93) / 0.06) ** 2)) * (0.25 + 0.2 * np.abs(toward))
        spot = np.exp(-((nu - 0.42 * sx) ** 2 + (nv - 0.42 * sy) ** 2) / 0.022)
        back = np.exp(-((nu + 0.6 * sx) ** 2 + (nv + 0.6 * sy) ** 2) / 0.03) * 0.35
        glint = mix(glint * 0.75, ring * 0.55 + spot * 0.95 + back, inside)
        # A soft dark line outside each bubble lifts it off what lies behind.
        tone = tone - 0.16 * np.exp(-(((rho - 1.06) / 0.07) ** 2)) * (1 - inside)
        height = mix(height, 0.12 * np.sqrt(np.clip(1.0 - rho**2, 0.0, 1.0)), inside)
    return Relief(tone, height, 0.1, glint)


def crosshatched(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Pen strokes crossing each other on paper, as an engraver shades."""
    paper = float(rng.uniform(0.82, 1.0))
    tone: Field = paper - 0.06 * np.abs(grid.drift(rng, 3.0))
    ink = float(rng.uniform(0.0, 0.25))
    crossing = float(rng.uniform(0.9, 1.57))
    directions = [-crossing / 2, crossing / 2]
    if rng.random() < 0.3:
        directions.append(0.0)
    spacing = float(rng.uniform(0.4, 0.55))
    pressure = Lattice(rng)
    for turn in directions:
        g = grid.warped(rng, 0.1, 6.0)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        along, across = g.u * c + g.v * s, (g.v * c - g.u * s) / np.float32(spacing)
        line = np.floor(across).astype(np.int32)
        # Each stroke sits a little off its place and swells and thins along its length.
        off = across - line - 0.5 - per_index(rng, line, -0.12, 0.12)
        press = pressure(along * 0.5, line.astype(np.float32) * 7.3)
        half = per_index(rng, line, 0.075, 0.125) * (0.6 + 0.8 * press)
        blur = 1.1 * grid.pixel / spacing
        stroke = 1.0 - step(np.abs(off), half - blur * 0.5, half + blur)
        end = _wrap(along / 5.0 + per_index(rng, line, 0.0, 1.0))
        whole = step(end, 0.0, 0.05) * step(1.0 - end, 0.0, 0.05)
        tone = mix(tone, ink, stroke * whole * (0.65 + 0.35 * press))
    return Relief(tone, np.zeros_like(tone), 0.0)


def fibrous(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Strands of hair or wood flowing side by side."""
    flow = float(rng.uniform(0.25, 1.0))
    v = grid.v + np.float32(flow) * grid.drift(rng, 5.0)
    v = v + np.float32(0.1) * grid.drift(rng, 1.5)
    u = grid.u
    # Fine strands over coarser ones; each is a thin ridge far longer than it is wide.
    strands = np.zeros_like(u)
    finest = 0.3 / grid.pixel
    for frequency, weight in ((1.6, 0.3), (3.4, 0.4), (6.0, 0.45)):
        frequency = min(frequency, finest)
        noise = Lattice(rng)(u * np.float32(0.07 * frequency), v * np.float32(frequency))
        strands += np.float32(weight) * (1.0 - np.abs(2.0 * noise - 1.0)) ** 1.5
    locks = Lattice(rng)(u * np.float32(0.08), v * np.float32(0.8))
    tone = 0.04 + 0.72 * strands + 0.36 * (locks - 0.35)
    # A band of sheen runs across the strands, as on combed hair.
    sheen = np.clip(grid.drift(rng, 4.0), 0.0, 1.0)
    return Relief(tone + 0.2 * sheen * strands, 0.16 * strands + 0.25 * locks, 0.12)


def honeycombed(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Hexagonal cells with thin raised walls, some of them filled."""
    g = grid.warped(rng, 0.1, 4.0)
    first_u, first_v = _wrap(g.u) - 0.5, (_wrap(g.v / SQRT3) - 0.5) * SQRT3
    other_u, other_v = _wrap(g.u - 0.5) - 0.5, (_wrap(g.v / SQRT3 - 0.5) - 0.5) * SQRT3
    nearer = first_u**2 + first_v**2 < other_u**2 + other_v**2
    x = np.where(nearer, first_u, other_u).astype(np.float32)
    y = np.where(nearer, first_v, other_v).astype(np.float32)
    edge = 0.5 - np.maximum(np.abs(x), 0.5 * np.abs(x) + 0.5 * SQRT3 * np.abs(y))
    cell = (np.rint(2.0 * (g.u - x)) + 61.0 * np.rint(2.0 * (g.v - y) / SQRT3)).astype(np.int32)
    wall = float(rng.uniform(0.045, 0.085))
    floor = step(edge, wall, wall + max(0.06, 1.5 * grid.pixel))
    bowl = step(edge, wall, 0.45)
    filled = per_index(rng, cell, 0.0, 1.0)
    sx, sy = grid.light_direction
    # The wall nearest the light throws its shadow into the cell; the far side catches light.
    lit = -(x * sx + y * sy)
    inside = 0.2 + 0.22 * filled + 0.5 * lit + 0.12 * bowl * (filled - 0.4)
    tone = mix(0.84 + 0.06 * grid.drift(rng, 3.0), inside, floor)
    spot = np.exp(-((x - 0.16 * sx) ** 2 + (y - 0.16 * sy) ** 2) / 0.007)
    glint = 0.4 * spot * step(filled, 0.45, 0.8) * floor
    return Relief(tone, -0.16 * floor - 0.04 * bowl, 0.25, glint)


def knitted(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Stocking stitch: columns of Vs, each arm a strand of twisted yarn."""
    g = grid.warped(rng, 0.08, 3.0)
    u, v = g.u, g.v / np.float32(rng.uniform(0.72, 0.85))
    column = np.floor(u)
    x = u - column - 0.5
    outward = 2.0 * np.abs(x)
    q = v + np.float32(0.85) * outward
    row = np.floor(q)
    across = q - row - 0.5
    # Each arm is a rounded strand that dips under its neighbors at both ends.
    thick = np.sqrt(np.clip(1.0 - (across / 0.52) ** 2, 0.0, 1.0))
    ends = np.clip(outward * (1.0 - outward) * 4.0, 0.0, 1.0) ** 0.45
    strand = thick * ends
    twist = np.sin(6.2832 * (1.9 * outward - 1.6 * across))
    fuzz = Lattice(rng)(g.u * 7.0, g.v * 7.0) - 0.5
    ground, motif = sorted(rng.choice([0.25, 0.45, 0.62, 0.8, 0.95], 2, replace=False))
    if rng.random() < 0.5:
        ground, motif = motif, ground
    color = np.full_like(u, ground)
    style = rng.random()
    if style < 0.35:  # stripes, a few rows deep
        rows = int(rng.integers(2, 5))
        color = np.where(np.mod(row, 2 * rows) < rows, ground, motif).astype(np.float32)
    elif style < 0.6:  # a small scattered motif
        every = int(rng.integers(3, 5))
        hit = (np.mod(column, every) == 0) & (np.mod(row + column // every * 2, every) == 0)
        color = np.where(hit, motif, ground).astype(np.float32)
    tone = color * (0.5 + 0.5 * strand) - 0.12 * (1 - strand) + 0.05 * twist + 0.08 * fuzz
    return Relief(tone, 0.2 * strand + 0.018 * twist, 0.03)


def lined(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Straight parallel lines: ticking, pinstripe or corduroy."""
    g = grid.warped(rng, 0.05, 6.0)
    style = rng.random()
    blur = 1.3 * grid.pixel
    if style < 0.35:  # one line on a ground
        tones, widths = [float(rng.uniform(0.8, 1.0)), float(rng.uniform(0.05, 0.4))], [1.0, 1.0]
        widths[1] = float(rng.uniform(0.4, 1.0))
    elif style < 0.7:  # a broad line and a fine one
        low, high = float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.8, 1.0))
        tones, widths = [high, low, high, float(rng.uniform(0.3, 0.6))], [1.0, 0.9, 0.7, 0.4]
        g = PatternCoordinates(g.u, g.v * np.float32(0.62), g.pixel, g.light_direction)
    else:  # corduroy: rounded ribs
        ridge = np.abs(np.sin(np.float32(np.pi) * g.v)) ** 0.7
        base = float(rng.uniform(0.45, 0.85))
        nap = Lattice(rng)(g.u * 1.5, g.v * 6.0) - 0.5
        return Relief(base * (0.35 + 0.65 * ridge) + 0.06 * nap, 0.25 * ridge, 0.04)
    if rng.random() < 0.5:
        tones = [1.02 - tone for tone in tones]
    tone = _bands(g.v, tones, widths, blur)
    weave = Lattice(rng)(g.u * 8.0, g.v * 8.0) - 0.5
    return Relief(tone + 0.05 * weave, 0.05 * tone, 0.05)


def polka_dotted(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Round dots in even rows on plain cloth."""
    g = grid.warped(rng, 0.06, 5.0)
    staggered = rng.random() < 0.65
    row = np.floor(g.v)
    u = g.u + 0.5 * np.mod(row, 2.0) if staggered else g.u
    x, y = _wrap(u) - 0.5, g.v - row - 0.5
    radius = float(rng.uniform(0.24, 0.36))
    dot = 1.0 - step(np.hypot(x, y), radius - grid.pixel, radius + grid.pixel)
    cloth, ink = (float(rng.uniform(0.75, 1.0)), float(rng.uniform(0.1, 0.45)))
    if rng.random() < 0.5:
        cloth, ink = ink, cloth
    dots = np.full_like(u, ink)
    if rng.random() < 0.35:  # dots of two tones
        second = np.float32(0.5 * (ink + 0.55))
        odd = np.mod(np.floor(u) + row, 2.0) > 0.5
        dots = np.where(odd, dots, second)
    weave = Lattice(rng)(g.u * 8.0, g.v * 8.0) - 0.5
    tone = mix(cloth + 0.04 * grid.drift(rng, 4.0), dots, dot) + 0.05 * weave
    return Relief(tone, 0.03 * dot, 0.05)


def veined(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """The net of veins in a leaf, or the veins of marble."""
    return _leaf(grid, rng) if rng.random() < 0.6 else _marble(grid, rng)


def _leaf(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    g = grid.warped(rng, 0.35, 2.5).warped(rng, 0.12, 0.8)
    surface = float(rng.uniform(0.3, 0.52)) + 0.12 * grid.drift(rng, 3.0)
    height = np.zeros_like(g.u)
    vein = np.zeros_like(g.u)
    for scale, width, strength in ((0.5, 0.075, 1.0), (1.15, 0.035, 0.6), (2.6, 0.02, 0.3)):
        cells = scatter(rng, g.u * np.float32(scale), g.v * np.float32(scale), jitter=0.95)
        edge = cells.edge / np.float32(scale)
        half = max(width, 0.6 * grid.pixel)
        vein = np.maximum(vein, strength * (1.0 - step(edge, half * 0.3, half * 1.8)))
        # The blade bulges a little between its veins.
        height = height + strength * 0.08 * step(edge, 0.0, 0.35 / scale)
    tone = mix(surface, 0.95 if rng.random() < 0.75 else 0.03, vein)
    return Relief(tone, height + 0.06 * vein, 0.14)


def _marble(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    pale = rng.random() < 0.6
    tone = (0.9 if pale else 0.2) + 0.1 * grid.drift(rng, 3.0)
    # Veins run mostly one way, and the fine ones branch off between the broad.
    g = grid.warped(rng, 0.35, 1.6).warped(rng, 0.12, 0.6)
    for scale, width, strength in ((0.6, 0.045, 1.0), (1.0, 0.03, 0.8), (1.8, 0.018, 0.5)):
        s = np.float32(scale)
        noise = Lattice(rng)(g.u * s * np.float32(0.45), (g.v + np.float32(0.4) * g.u) * s)
        noise = noise + 0.25 * (Lattice(rng)(g.u * s * 2.0, g.v * s * 2.0) - 0.5)
        ridge = np.abs(noise - 0.5) / s
        vein = strength * (1.0 - step(ridge, 0.2 * width, max(2.0 * width, grid.pixel)))
        haze = 0.24 * strength * np.exp(-ridge / np.float32(0.1))
        tone = mix(tone, 0.1 if pale else 0.95, np.clip(vein + haze, 0.0, 1.0))
    return Relief(tone, np.zeros_like(tone), 0.05)


def waffled(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """A square grid of raised bars round sunken pits."""
    g = grid.warped(rng, 0.05, 4.0)
    column, row = np.floor(g.u), np.floor(g.v)
    x, y = g.u - column - 0.5, g.v - row - 0.5
    # Between a square and a circle, so that corners are baked round.
    reach = (x**6 + y**6) ** np.float32(1.0 / 6.0)
    floor = float(rng.uniform(0.2, 0.27))
    bar = step(reach, floor, float(rng.uniform(0.38, 0.43)))
    crust = 0.12 * grid.drift(rng, 2.0) + 0.1 * (Lattice(rng)(g.u * 6.0, g.v * 6.0) - 0.5)
    pit = float(rng.uniform(0.3, 0.55))
    tone = mix(pit, float(rng.uniform(0.72, 0.88)), bar) + crust
    sx, sy = grid.light_direction
    tone = tone - (1.0 - bar) * 0.35 * (x * sx + y * sy)
    return Relief(tone, 0.26 * bar, 0.12)


def zigzagged(grid: PatternCoordinates, rng: np.random.Generator) -> Relief:
    """Bands that run up and down in sharp corners."""
    g = grid.warped(rng, 0.04, 5.0)
    run = float(rng.uniform(1.0, 1.6))
    rise = float(rng.uniform(0.35, 0.6)) * run
    corner = np.abs(2.0 * _wrap(g.u / np.float32(run)) - 1.0)
    phase = g.v + np.float32(rise) * corner
    tones = [float(rng.uniform(0.8, 1.0)), float(rng.uniform(0.05, 0.35))]
    widths = [1.0, float(rng.uniform(0.7, 1.2))]
    if rng.random() < 0.5:  # four bands of different tones, as in woven cloth
        tones = [tones[0], float(rng.uniform(0.5, 0.65)), tones[1], float(rng.uniform(0.4, 0.7))]
        widths = [1.0, 0.8, 1.0, 0.8]
        phase = phase * np.float32(0.55)
    tone = _bands(phase, tones, widths, 1.6 * grid.pixel)
    weave = Lattice(rng)(g.u * 8.0, phase * 8.0) - 0.5
    return Relief(tone + 0.06 * weave, 0.05 * tone, 0.05)


Pattern = Callable[[PatternCoordinates, np.random.Generator], Relief]

PATTERNS: dict[str, Pattern] = {
    "bubbly": bubbly,
    "crosshatched": crosshatched,
    "fibrous": fibrous,
    "honeycombed": honeycombed,
    "knitted": knitted,
    "lined": lined,
    "polka-dotted": polka_dotted,
    "veined": veined,
    "waffled": waffled,
    "zigzagged": zigzagged,
}
"""Every texture by its name, in alphabetical order."""
