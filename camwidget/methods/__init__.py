"""Explanation methods: each is a function of (trace, target, layer), entered into a registry."""

from . import cam
from .registry import Method, get_method, list_methods

__all__ = ["Method", "cam", "get_method", "list_methods"]
