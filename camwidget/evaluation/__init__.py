"""Evaluation: many pictures, a batch at a time, scored by the metrics; kept as it comes, here or on a cluster.

``data`` and what it imports know where pictures come from, ``plan`` what is computed of each; ``work`` does it for a
batch, ``records`` keeps it, ``table`` sums it up. ``cluster`` is the only module that knows of Dask.
"""

from .evaluating import evaluate
from .evaluation import Evaluation
from .radar_geometry import radar_outline, rank_scores

__all__ = ["Evaluation", "evaluate", "radar_outline", "rank_scores"]
