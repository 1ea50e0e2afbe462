"""Evaluation of saliency methods on data sets: in batches, scored by the metrics, resumable, optionally on a cluster.

``data`` and the modules that it imports read pictures; ``plan`` determines what is computed; ``batch`` computes it for
one batch; ``results_file`` stores the rows; ``table`` summarizes them. Only ``dask_backend`` depends on Dask.

Scores of a single map belong in ``metrics``. Colors and figures that other packages draw too belong in ``plotting``.
"""

from .evaluating import evaluate
from .evaluation import Evaluation
from .radar_geometry import radar_outline, rank_scores

__all__ = ["Evaluation", "evaluate", "radar_outline", "rank_scores"]
