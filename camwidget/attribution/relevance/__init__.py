"""Relevance propagation: one forward pass in which each operation has a rule, and the rules.

The methods that use it are in ``attribution.methods.relevance``.
"""

from .propagation import RelevancePass
from .rules import (
    ATTENTION_RULES,
    EXCITATION,
    LRP,
    ZPLUS,
    Rules,
    with_attention,
    with_gamma,
    with_positive,
)
from .tracked_tensor import UnsupportedOperation

__all__ = [
    "ATTENTION_RULES",
    "EXCITATION",
    "LRP",
    "ZPLUS",
    "RelevancePass",
    "Rules",
    "UnsupportedOperation",
    "with_attention",
    "with_gamma",
    "with_positive",
]
