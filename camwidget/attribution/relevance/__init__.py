"""Relevance propagation: one forward pass in which each operation has a rule, and the rules.

The methods that use it are in ``attribution.methods.relevance``.
"""

from .rules import EXCITATION, LRP, POSITIVE, Rules
from .walk import Unruled, Walk

__all__ = ["EXCITATION", "LRP", "POSITIVE", "Rules", "Unruled", "Walk"]
