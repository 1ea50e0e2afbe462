"""``find_clusters``: groups of pictures with similar evidence, by spectral relevance analysis.

Lapuschkin et al. 2019 (Nature Communications 10:1096, arXiv:1902.10178, section "Methods", SpRAy) cluster the maps of a
class: reduced maps, a graph of nearest neighbors, the normalized graph Laplacian, and as many clusters as there are
eigenvalues before the gap. There the maps are compared cell by cell, so that the same evidence at two places is
different. Anders et al. 2022 (Information Fusion 77, arXiv:1912.11425) cluster what is relevant inside the model
instead; the default here is near to that: the layer's features under the map, wherever in the picture that lies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh

from .._validation import check_integer
from ..errors import CamwidgetError, DataError
from .result import SurveyResult

__all__ = ["REPRESENTATIONS", "Cluster", "Clusters", "find_clusters", "spectral_vectors"]

#: Clusters that a class may have, at most.
MOST = 8
#: Added to eigenvalues before they are compared: smaller ones count as 0.
_FLOOR = 0.01
#: Difference of mean shares from which on a concept describes a cluster.
_CLEAR = 0.05
#: A class of fewer pictures is not divided.
_FEWEST = 12
#: Pictures from which on each step of the k-means algorithm uses a part of them.
_BATCHED = 5000


@dataclass(frozen=True, eq=False)
class Cluster:
    """Pictures of one predicted class with similar evidence.

    Attributes:
        number: number of the cluster, from 0; the largest cluster of a class comes first.
        prediction: the predicted class.
        members: row numbers of the survey's table, int64 (n,); those nearest to the cluster's center come first.
        accuracy: the share of right predictions where the truth is known, from 0 to 1; NaN if it never is.
        mean_map: float32 (16, 16), the mean of the members' maps.
        words: the concepts that hold clearly more of these maps than of the others (by 0.05), as (name, mean share of
            these maps, of the other maps), the clearest first; empty without known concepts.
    """

    number: int
    prediction: str
    members: NDArray[np.int64] = field(repr=False)
    accuracy: float
    mean_map: NDArray[np.float32] = field(repr=False)
    words: tuple[tuple[str, float, float], ...] = ()

    def __len__(self) -> int:
        return len(self.members)

    @property
    def label(self) -> str:
        """A description: the predicted class, and the clearest concept."""
        return f"{self.prediction}: {self.words[0][0]}" if self.words else self.prediction


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of a survey.

    Attributes:
        by: what was compared, a name of ``find_clusters``.
        clusters: the clusters, by predicted class in the model's order, the largest first.
        numbers: number of each picture's cluster, int64 (pictures,).
        eigenvalues: the smallest eigenvalues of the graph Laplacian of each predicted class, ascending.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> clusters = cw.survey.find_clusters(cw.survey.survey_pictures(model, cw.zoo.samples("zoo/biased")))
        >>> [cluster.prediction for cluster in clusters]
        ['stag beetle', 'weevil']
    """

    by: str
    clusters: tuple[Cluster, ...]
    numbers: NDArray[np.int64] = field(repr=False)
    eigenvalues: dict[str, NDArray[np.float64]] = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row per cluster: prediction, number of pictures, accuracy, and the concepts."""
        return pd.DataFrame(
            {
                "prediction": [c.prediction for c in self.clusters],
                "pictures": [len(c) for c in self.clusters],
                "accuracy": [c.accuracy for c in self.clusters],
                "concepts": [
                    ", ".join(
                        f"{name} {here:.0%} (others {there:.0%})" for name, here, there in c.words
                    )
                    for c in self.clusters
                ],
            },
            index=pd.RangeIndex(len(self.clusters), name="cluster"),
        )

    def __len__(self) -> int:
        return len(self.clusters)

    def __iter__(self) -> Any:
        return iter(self.clusters)

    def __getitem__(self, number: int) -> Cluster:
        return self.clusters[number]


def find_clusters(
    survey: SurveyResult, by: str = "features", *, count: int | None = None, seed: int = 0
) -> Clusters:
    """Find groups of pictures with similar evidence, in each predicted class by itself.

    Args:
        survey: from ``survey_pictures``.
        by: what is compared: "features", the layer's features under the map, wherever it lies; "maps", the maps
            cell by cell, as in spectral relevance analysis; "shapes", the amplitudes of the maps' Fourier
            transforms, which do not change when a map is shifted; or "embeddings", the layer's features averaged over
            the picture.
        count: number of clusters of each predicted class, from 1 to 8; where the eigenvalues have their widest gap if
            None.
        seed: seed of the k-means algorithm, ≥ 0.

    Returns:
        The clusters, described by size, accuracy, mean map, and concepts where they are known.

    Raises:
        CamwidgetError: if scikit-learn is not installed, or ``by`` is unknown.
        DataError: if the survey has no picture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load("zoo/biased", device="cpu")
        >>> found = cw.survey.survey_pictures(model, cw.zoo.samples("zoo/biased"))
        >>> cw.survey.find_clusters(found, by="maps", count=1).table["pictures"].tolist()
        [3, 5]
    """
    vectors = represent(survey, by)
    if count is not None:
        count = _check_count(count)
    seed = check_integer("seed", seed, 0)
    if not len(survey):
        raise DataError("There is nothing to cluster: the survey has no picture.")
    numbers = np.full(len(survey), -1, np.int64)
    clusters: list[Cluster] = []
    eigenvalues: dict[str, NDArray[np.float64]] = {}
    for prediction in survey.classes:
        rows = np.flatnonzero((survey.table["prediction"] == prediction).to_numpy())
        if not len(rows):
            continue
        values, points = spectral_vectors(vectors[rows], seed)
        eigenvalues[prediction] = values
        wanted = count_by_gap(values) if count is None else min(count, len(rows))
        for members in _divide(points, wanted, seed):
            numbers[rows[members]] = len(clusters)
            clusters.append(_describe(survey, len(clusters), prediction, rows[members]))
    return Clusters(by, tuple(clusters), numbers, eigenvalues)


def _check_count(count: Any) -> int:
    number = check_integer("count", count)
    if number > MOST:
        raise CamwidgetError(f"count is from 1 to {MOST} clusters of a class, not {number}.")
    return number


def _of_unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = vectors.reshape(len(vectors), -1).astype(np.float32)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))


def _amplitudes(survey: SurveyResult) -> NDArray[np.float32]:
    # Padded: else a map at the border would be near to one at the opposite border.
    size = (2 * survey.maps.shape[1], 2 * survey.maps.shape[2])
    return np.abs(np.fft.rfft2(survey.maps.astype(np.float32), size)).astype(np.float32)


#: What can be compared, by name.
REPRESENTATIONS: dict[str, Callable[[SurveyResult], NDArray[np.float32]]] = {
    "features": lambda survey: survey.features,
    "maps": lambda survey: survey.maps.astype(np.float32),
    "shapes": _amplitudes,
    "embeddings": lambda survey: survey.embeddings,
}


def represent(survey: SurveyResult, by: str) -> NDArray[np.float32]:
    """Vectors of unit length (pictures, n) of what is compared.

    Raises:
        CamwidgetError: if there is no such representation.
    """
    if by not in REPRESENTATIONS:
        names = ", ".join(map(repr, REPRESENTATIONS))
        raise CamwidgetError(f"by is one of {names}, not {by!r}.")
    return _of_unit_length(REPRESENTATIONS[by](survey))


def learn() -> Any:
    """Import scikit-learn.

    Raises:
        CamwidgetError: if it is not installed.
    """
    try:
        import sklearn
        import sklearn.cluster
        import sklearn.decomposition
        import sklearn.manifold
        import sklearn.neighbors
    except ImportError as error:
        raise CamwidgetError(
            'Clusters and layouts of a survey take scikit-learn: pip install "camwidget[survey]".'
        ) from error
    return sklearn


def spectral_vectors(
    vectors: NDArray[np.float32], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Embed vectors by the normalized Laplacian of their graph of nearest neighbors.

    Ng, Jordan and Weiss 2001 (NIPS 14); the graph is symmetric, with weight 1 where two are neighbors of each other and
    ½ where one is.

    Args:
        vectors: (n, size).
        seed: seed of the eigenvalue solver's first vector.

    Returns:
        The smallest eigenvalues, ascending (k,), and the eigenvectors (n, k), with k at most 9.
    """
    count = len(vectors)
    if count < _FEWEST:
        return np.zeros(1), np.ones((count, 1))
    # Of the order of the logarithm of n, as a connected graph takes (von Luxburg 2007, section 8).
    neighbors = min(count - 1, max(10, int(3 * np.log(count))))
    graph = learn().neighbors.kneighbors_graph(vectors, neighbors)
    graph = 0.5 * (graph + graph.T)
    degree = np.asarray(graph.sum(1)).ravel()
    scaled = sparse.diags(degree**-0.5)
    laplacian = sparse.identity(count) - scaled @ graph @ scaled
    # Shifted below 0, where the Laplacian is singular.
    start = np.random.default_rng(seed).random(count)
    values, points = eigsh(laplacian.tocsc(), min(MOST + 1, count - 1), sigma=-1e-3, v0=start)
    order = np.argsort(values)
    return np.maximum(values[order], 0.0), points[:, order]


def count_by_gap(eigenvalues: NDArray[np.float64]) -> int:
    """The number of eigenvalues before the widest relative gap: as many clusters as eigenvalues near 0.

    The gap is relative, because the eigenvalues of a graph of nearest neighbors grow, and their differences with them.
    """
    if len(eigenvalues) < 2:
        return 1
    raised = eigenvalues + _FLOOR
    ratios: list[float] = (raised[1:] / raised[:-1]).tolist()
    return ratios.index(max(ratios)) + 1


def _divide(points: NDArray[np.float64], count: int, seed: int) -> list[NDArray[np.int64]]:
    """The members of each cluster, the largest cluster first, those nearest to its center first."""
    if count == 1 or points.shape[1] < 2:
        # Of one cluster, the typical members are those near to the middle of the embedding.
        rest = points[:, 1:4] if points.shape[1] > 1 else points
        distance = np.linalg.norm(rest - np.median(rest, axis=0), axis=1)
        return [np.argsort(distance, kind="stable")]
    chosen = points[:, : min(count, points.shape[1])]
    chosen = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)
    cluster = learn().cluster
    kind = cluster.KMeans if len(points) < _BATCHED else cluster.MiniBatchKMeans
    fitted = kind(count, n_init=10, random_state=seed).fit(chosen)
    distance = np.linalg.norm(chosen - fitted.cluster_centers_[fitted.labels_], axis=1)
    order = np.argsort(distance, kind="stable")
    groups = [order[fitted.labels_[order] == n] for n in range(count)]
    return sorted((group for group in groups if len(group)), key=len, reverse=True)


def _describe(
    survey: SurveyResult, number: int, prediction: str, members: NDArray[np.int64]
) -> Cluster:
    """A cluster with its accuracy, mean map and words."""
    known = survey.table["correct"].iloc[members].dropna()
    accuracy = float(known.astype(float).mean()) if len(known) else float("nan")
    mean_map = (survey.maps[members].astype(np.float32) / 255).mean(0)
    return Cluster(number, prediction, members, accuracy, mean_map, _words(survey, members))


def _words(
    survey: SurveyResult, members: NDArray[np.int64]
) -> tuple[tuple[str, float, float], ...]:
    """The concepts whose mean share of the maps is greater in the cluster than elsewhere, by the difference."""
    if survey.concepts.empty:
        return ()
    is_member = np.zeros(len(survey), bool)
    is_member[members] = True
    shares = survey.concepts.fillna(0.0).to_numpy()
    here = shares[is_member].mean(0)
    there = shares[~is_member].mean(0) if not is_member.all() else np.zeros_like(here)
    found = [
        (str(name), float(a), float(b))
        for name, a, b in zip(survey.concepts.columns, here, there, strict=True)
        if a - b >= _CLEAR
    ]
    return tuple(sorted(found, key=lambda word: word[2] - word[1])[:3])
