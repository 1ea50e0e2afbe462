"""The notebook widgets: ``Explorer`` and its parts, ``Survey``, ``Quiz``, and ``FootprintExample`` for lessons."""

from .explorer import Explorer
from .footprint_example import FootprintExample
from .quiz import Quiz
from .survey import Survey

__all__ = ["Explorer", "FootprintExample", "Quiz", "Survey"]
