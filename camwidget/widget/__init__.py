"""The notebook widgets: ``Explorer`` and its parts, and ``Quiz``."""

from .explorer import Explorer
from .quiz import Quiz

__all__ = ["Explorer", "Quiz"]
