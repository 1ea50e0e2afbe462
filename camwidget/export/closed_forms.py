"""Maps at the layer before global average pooling, computed from its features and the head's weights alone.

There the gradient of a class's score is ``w_k / Z`` at each of the Z cells, or 0 where a rectifier stops it, and a
score without a channel, or of some cells alone, is a sum. js/src/core/classActivation.ts has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ..attribution.stance import explained_class, stance_of
from ..attribution.targets import Target

__all__ = ["FORWARD_FORMS", "GRADIENT_FORMS", "PooledHead", "Terms", "closed_form", "terms_of"]

#: Methods of the class-activation family with a closed form.
GRADIENT_FORMS = ("cam", "gradcam", "gradcam++", "layercam", "hirescam", "xgradcam")

#: Methods that rerun the model, and have a closed form where only a head follows.
FORWARD_FORMS = ("ablationcam", "recipro-cam")

#: A score as a sum: classes, each with its sign.
Terms: TypeAlias = "Sequence[tuple[int, int]]"

#: The mask of Recipro-CAM along each axis; the outer product of two is its Gaussian.
_RECIPRO = (0.25, 0.5, 0.25)


@dataclass(frozen=True, eq=False)
class PooledHead:
    """A linear head behind global average pooling, with the features that it gets for one picture.

    Attributes:
        features: maps (K, h, w), rectified where the head rectifies them.
        matrix: weights (classes, K).
        bias: (classes,).
        gated: whether a rectifier stands between the linear map and the pooling.
        probabilities: from logits (N, classes) to probabilities.
    """

    features: np.ndarray = field(repr=False)
    matrix: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    gated: bool
    probabilities: Callable[[np.ndarray], np.ndarray]

    @property
    def cell_scores(self) -> np.ndarray:
        """What each cell adds to the classes' scores, (classes, h, w), without the bias."""
        scores: np.ndarray = np.einsum("ck,khw->chw", self.matrix, self.features)
        return scores

    def pooled(self, scores: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Logits (…,) from scores of cells (…, h, w) without the bias."""
        found = scores + bias[..., None, None]
        result: np.ndarray = (np.maximum(found, 0) if self.gated else found).mean((-2, -1))
        return result


def terms_of(target: Target) -> Terms:
    """The terms of a resolved class, counterfactual or contrast."""
    index, stance = explained_class(target), stance_of(target)
    if stance.kind == "against":
        return [(index, -1)]
    return [(index, 1)] if stance.other is None else [(index, 1), (stance.other, -1)]


def closed_form(name: str, head: PooledHead, terms: Terms) -> np.ndarray:
    """Compute a raw map (h, w) by the equation of a method.

    Args:
        name: a name of ``GRADIENT_FORMS`` (see ``attribution.methods.cam``) or ``FORWARD_FORMS``
            (``attribution.methods.score``).
        head: the head with its features.
        terms: what is explained.
    """
    if name == "recipro-cam":
        return _recipro(head, terms)
    if name == "ablationcam":
        return _ablation(head, terms)
    features = head.features
    area = features.shape[1] * features.shape[2]
    gradient = np.zeros(features.shape)
    for index, sign in terms:
        weights = sign * head.matrix[index][:, None, None].astype(np.float64)
        if head.gated and name != "cam":
            weights = weights * (head.cell_scores[index] + head.bias[index] > 0)
        gradient += weights / area
    if name == "cam":
        return np.asarray((features * gradient).sum(0) * area)
    if name == "hirescam":
        return np.asarray((features * gradient).sum(0))
    if name == "layercam":
        return np.asarray(np.maximum((features * np.maximum(gradient, 0)).sum(0), 0))
    total = features.sum((1, 2))
    if name == "gradcam":
        weights = gradient.mean((1, 2))
    elif name == "gradcam++":
        positive = np.maximum(gradient, 0)
        below = 2 + total[:, None, None] * positive
        alpha = np.divide(1, below, out=np.zeros_like(below), where=below != 0)
        weights = (alpha * positive).sum((1, 2))
    else:  # XGrad-CAM
        weighted = (features * gradient).sum((1, 2))
        weights = np.divide(weighted, total, out=np.zeros_like(weighted), where=total != 0)
    return np.asarray(np.maximum(np.einsum("k,khw->hw", weights, features), 0))


def _ablation(head: PooledHead, terms: Terms) -> np.ndarray:
    features, scores = head.features, head.cell_scores
    unchanged, without = 0.0, np.zeros(len(features))
    for index, sign in terms:
        unchanged += sign * float(head.pooled(scores[index], head.bias[index]))
        parts = head.matrix[index][:, None, None] * features
        without += sign * head.pooled(scores[index] - parts, head.bias[index])
    weights = (unchanged - without) / (abs(unchanged) or 1)
    return np.asarray(np.maximum(np.einsum("k,khw->hw", weights, features), 0))


def _recipro(head: PooledHead, terms: Terms) -> np.ndarray:
    height, width = head.features.shape[1:]
    down, across = (_bands(length) for length in (height, width))
    scores = head.cell_scores
    found = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            mask = down[y][:, None] * across[x]
            logits = head.pooled(scores * mask, head.bias)
            if len(terms) == 1 and terms[0][1] == 1:
                found[y, x] = head.probabilities(logits[None])[0][terms[0][0]]
            else:
                found[y, x] = sum(sign * logits[index] for index, sign in terms)
    return found


def _bands(length: int) -> np.ndarray:
    """By position along an axis the factor of each cell, (length, length)."""
    bands = np.zeros((length, length))
    for at in range(length):
        for step, factor in zip((-1, 0, 1), _RECIPRO, strict=True):
            if 0 <= at + step < length:
                bands[at, at + step] = factor
    return bands
