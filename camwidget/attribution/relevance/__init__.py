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
from .supported_layers import (
    REMEDY,
    Reach,
    check_logits,
    reach_of,
    reason_at_input,
    reason_at_layer,
    reason_with_relu,
    relevance_pass,
)
from .tracked_tensor import UnsupportedOperation

__all__ = [
    "ATTENTION_RULES",
    "EXCITATION",
    "LRP",
    "REMEDY",
    "ZPLUS",
    "Reach",
    "RelevancePass",
    "Rules",
    "UnsupportedOperation",
    "check_logits",
    "reach_of",
    "reason_at_input",
    "reason_at_layer",
    "reason_with_relu",
    "relevance_pass",
    "with_attention",
    "with_gamma",
    "with_positive",
]
