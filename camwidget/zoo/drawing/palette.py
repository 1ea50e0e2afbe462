"""Color ramps from dark to light, with random variation and lookup."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .noise import Field

Ramp = NDArray[np.float32]
"""Five colors from dark to light, float32 of shape (5, 3) in [0, 1]."""

_RAMPS = {
    "honey": "3a1c08 86460f cf8520 f2bf52 fdeebd",
    "indigo": "141a3c 2b3d7c 4f6fb6 93b2e0 e4edfa",
    "moss": "16241a 38522c 6f8a41 b2c276 eef2cf",
    "rose": "3b1024 842648 c75c77 eba5ab fbe6e0",
    "terracotta": "351410 7f3320 c4643f e7a47c f9e2cd",
    "teal": "07282e 105a60 2f9390 86cdbf e2f5ea",
    "plum": "23122f 54306a 8e5fa3 c6a0d0 f1e3f4",
    "slate": "171b22 3d4854 748391 b1bcc4 eef1f2",
    "sand": "382a1c 776044 b5986f dcc7a0 f8efdc",
    "coral": "2e1a3a 8a2f55 e2605c f7a37c fde3c4",
    "dusk": "12193a 45407e a0648f e59d86 fbe3b6",
    "mustard": "13263c 3b5766 98905a deb54a f9e9bf",
    "mint": "102c3b 256d78 5db39b b2deb4 f3f7df",
    "cocoa": "27130f 5e3830 a06f60 dbb0a0 f9e8df",
    "lagoon": "1b1650 2b52a4 2b9bc8 7ed8d3 eafaea",
    "olive": "22200c 585524 99933f d5cc7c f7f3d6",
    "cherry": "2a0a12 741523 b93a3a e58c74 fbe5d0",
    "ink": "15181f 3a4358 8a8f99 d5d0c1 f8f3e6",
}

RAMPS: dict[str, Ramp] = {
    name: np.array(
        [[int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)] for color in text.split()],
        np.float32,
    )
    for name, text in _RAMPS.items()
}


def random_ramps(rng: np.random.Generator, n: int = 1) -> list[Ramp]:
    """``n`` different ramps with small random variations of hue and saturation."""
    names = rng.choice(sorted(RAMPS), n, replace=False)
    return [_vary(rng, RAMPS[name]) for name in names]


def _vary(rng: np.random.Generator, ramp: Ramp) -> Ramp:
    gray = ramp.mean(axis=1, keepdims=True)
    vivid = gray + (ramp - gray) * rng.uniform(0.75, 1.12)
    tint = rng.normal(0.0, 0.025, 3)
    return np.asarray(np.clip(vivid * (1.0 + tint), 0.0, 1.0), np.float32)


def mute(ramp: Ramp, low: float, high: float, color: float) -> Ramp:
    """A ramp for backgrounds: the tones from ``low`` to ``high``, with reduced saturation."""
    gray = ramp.mean(axis=1, keepdims=True)
    tones = np.linspace(low, high, 5, dtype=np.float32)[None, :]
    return np.asarray(lookup(gray + (ramp - gray) * np.float32(color), tones)[0])


def lookup(ramp: Ramp, tone: Field) -> NDArray[np.float32]:
    """The color of each tone in [0, 1]: float32 (..., 3)."""
    at = np.clip(tone, 0.0, 1.0) * 255.0
    t = np.linspace(0.0, len(ramp) - 1.0, 256)
    fine = np.stack([np.interp(t, np.arange(len(ramp)), channel) for channel in ramp.T], axis=1)
    return fine.astype(np.float32)[at.astype(np.int32)]
