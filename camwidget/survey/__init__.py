"""Survey of a data set: what a model predicts for each picture, where its evidence lies, and what is alike.

``survey_columns`` computes what is kept of a picture beside its scores; ``surveying`` runs a survey, by the machinery
of ``evaluation``; ``result`` holds what it found; ``clusters`` and ``layouts`` group and arrange the pictures;
``intervening`` hides something in all of them and evaluates again.

Comparisons of saliency methods belong in ``evaluation``, what is shown in a notebook in ``widget``.
"""

from .clusters import Cluster, Clusters, find_clusters
from .intervening import Intervention, intervene
from .layouts import lay_out
from .result import SurveyResult
from .surveying import mistakes, survey_pictures

__all__ = [
    "Cluster",
    "Clusters",
    "Intervention",
    "SurveyResult",
    "find_clusters",
    "intervene",
    "lay_out",
    "mistakes",
    "survey_pictures",
]
