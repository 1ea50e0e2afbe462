"""Explanation methods: each is a function of (trace, target, layer) in a registry.

A new method belongs here, in the module of its family. Rules of relevance propagation belong in
``attribution.relevance``; what several methods use to run the model belongs in ``attribution``.
"""

# The order of these imports is the order in which menus and tables list the methods.
from . import cam, refinecam, factorization  # isort: skip
from . import score, backprop, averaged, relevance, attention, perturbation, parts, control_maps  # isort: skip
from .registry import Method, Step, get_method, list_methods

__all__ = [
    "Method",
    "Step",
    "attention",
    "averaged",
    "backprop",
    "cam",
    "control_maps",
    "factorization",
    "get_method",
    "list_methods",
    "parts",
    "perturbation",
    "refinecam",
    "relevance",
    "score",
]
