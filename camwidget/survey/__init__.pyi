"""The public names of the package, each loaded when it is first used."""

from .clusters import Cluster as Cluster
from .clusters import Clusters as Clusters
from .clusters import find_clusters as find_clusters
from .intervening import Intervention as Intervention
from .intervening import intervene as intervene
from .layouts import lay_out as lay_out
from .result import SurveyResult as SurveyResult
from .surveying import mistakes as mistakes
from .surveying import survey_pictures as survey_pictures
