"""Relevance propagation: one forward pass in which each operation has a rule, and the rules.

The methods that use it are in ``attribution.methods.relevance``.
"""

from .propagation import RelevancePass, UnsupportedOperation
from .rules import EXCITATION, LRP, ZPLUS, Rules

__all__ = ["EXCITATION", "LRP", "ZPLUS", "RelevancePass", "Rules", "UnsupportedOperation"]
