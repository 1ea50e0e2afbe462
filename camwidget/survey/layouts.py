"""``lay_out``: a position in the plane for each picture of a survey, near to pictures that are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._validation import check_integer
from ..errors import CamwidgetError
from .clusters import learn, represent, spectral_vectors
from .result import SurveyResult

__all__ = ["LAYOUTS", "lay_out"]

#: How positions are computed, by name.
LAYOUTS = ("pca", "tsne", "spectral")

#: Dimensions that t-SNE starts from.
_REDUCED = 50


def lay_out(
    survey: SurveyResult, by: str = "features", layout: str = "pca", *, seed: int = 0
) -> NDArray[np.float64]:
    """Compute a position in the plane for each picture, near to pictures that are alike.

    Args:
        survey: from ``survey_pictures``.
        by: what is compared, as in ``find_clusters``: "features", "maps", "shapes" or "embeddings".
        layout: "pca", the two principal components; "tsne", t-SNE (van der Maaten and Hinton 2008), which shows groups
            more clearly and takes a minute for 10,000 pictures; or "spectral", the second and third eigenvector of
            spectral relevance analysis.
        seed: seed of the random numbers, ≥ 0.

    Returns:
        float64 (pictures, 2), between -1 and 1.

    Raises:
        CamwidgetError: if scikit-learn is not installed, or a name is unknown.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> found = cw.survey.survey_pictures(model, cw.zoo.samples("zoo/biased"))
        >>> cw.survey.lay_out(found, "embeddings").shape
        (8, 2)
    """
    vectors = represent(survey, by)
    if layout not in LAYOUTS:
        raise CamwidgetError(f"layout is one of {', '.join(map(repr, LAYOUTS))}, not {layout!r}.")
    seed = check_integer("seed", seed, 0)
    points = np.zeros((len(vectors), 2))
    if len(vectors) > 2:
        found = _positions(vectors, layout, seed)
        points[:, : found.shape[1]] = found[:, :2]
    points -= (
        (points.max(0, initial=-np.inf) + points.min(0, initial=np.inf)) / 2 if len(points) else 0
    )
    return points / max(float(np.abs(points).max(initial=0.0)), 1e-12)


def _positions(vectors: NDArray[np.float32], layout: str, seed: int) -> NDArray[np.float64]:
    count = len(vectors)
    if layout == "spectral":
        points = spectral_vectors(vectors, seed)[1][:, 1:3]
        if points.shape[1] == 2:
            return np.asarray(points)
    size = min(_REDUCED if layout == "tsne" else 2, count, vectors.shape[1])
    reduced = learn().decomposition.PCA(size, random_state=seed).fit_transform(vectors)
    if layout == "tsne" and count > 4:
        perplexity = min(30.0, (count - 1) / 3)
        tsne = learn().manifold.TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        reduced = tsne.fit_transform(reduced)
    return np.asarray(reduced, np.float64)
