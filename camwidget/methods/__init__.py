"""Explanation methods: each is a function of (trace, target, layer), entered into a registry."""

from . import cam, control, relevance
from .registry import Method, get_method, list_methods

__all__ = ["Method", "cam", "control", "get_method", "list_methods", "relevance"]
