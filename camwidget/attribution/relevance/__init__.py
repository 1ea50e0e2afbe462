"""Relevance, handed back through a network rule by rule: what the methods of ``methods/relevance.py`` share."""

from .rules import EXCITATION, LRP, POSITIVE, Rules
from .walk import Unruled, Walk

__all__ = ["EXCITATION", "LRP", "POSITIVE", "Rules", "Unruled", "Walk"]
