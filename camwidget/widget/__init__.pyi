"""The public names of the package, each loaded when it is first used."""

from .explorer import Explorer as Explorer
from .footprint_example import FootprintExample as FootprintExample
from .quiz import Quiz as Quiz
from .survey import Survey as Survey
