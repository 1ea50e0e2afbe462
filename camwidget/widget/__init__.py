"""The notebook widgets: ``Explorer`` and its parts, ``Quiz``, and ``FootprintExample`` for lessons."""

from .explorer import Explorer
from .footprint_example import FootprintExample
from .quiz import Quiz

__all__ = ["Explorer", "FootprintExample", "Quiz"]
