"""Saved pages: a picture's explanations as interactive HTML files that need neither a network nor a kernel.

Code that needs a kernel belongs in ``widget``; code that masks pictures or computes maps in ``masking`` and
``attribution``.
"""

from .index import save_index
from .saved_page import Page, save_page

__all__ = ["Page", "save_index", "save_page"]
