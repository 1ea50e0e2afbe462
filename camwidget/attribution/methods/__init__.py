"""Explanation methods: each is a function of (trace, target, layer), entered into a registry."""

# In the order in which they are shown.
from . import cam, score, backprop, averaged, relevance, perturbation, control  # isort: skip
from .registry import Method, Step, get_method, list_methods

__all__ = [
    "Method",
    "Step",
    "averaged",
    "backprop",
    "cam",
    "control",
    "get_method",
    "list_methods",
    "perturbation",
    "relevance",
    "score",
]
