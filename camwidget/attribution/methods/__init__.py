"""Explanation methods: each is a function of (trace, target, layer) in a registry.

A new method belongs here, in the module of its family. Rules of relevance propagation belong in
``attribution.relevance``; what several methods use to run the model belongs in ``attribution``.
"""

# The order of these imports is the order in which menus and tables list the methods.
from . import cam, refinecam, factorization  # isort: skip
from . import score, backprop, averaged_gradients  # isort: skip
from . import relevance, attention, perturbation, parts, random_and_center  # isort: skip
from .registry import Method, Step, get_method, list_methods

__all__ = [
    "Method",
    "Step",
    "attention",
    "averaged_gradients",
    "backprop",
    "cam",
    "factorization",
    "get_method",
    "list_methods",
    "parts",
    "perturbation",
    "random_and_center",
    "refinecam",
    "relevance",
    "score",
]
