"""The public names of the package, each loaded when it is first used."""

from .evaluating import evaluate as evaluate
from .evaluation import Evaluation as Evaluation
from .radar_geometry import radar_outline as radar_outline
from .radar_geometry import rank_scores as rank_scores
