"""Saved pages: a picture's explanations as interactive HTML files that need neither a network nor a kernel.

What needs a kernel belongs in ``widget``. How a picture is masked and a map is made belongs in ``masking`` and
``attribution``: here it is only written down.
"""

from .index import save_index
from .page import Page, save_page

__all__ = ["Page", "save_index", "save_page"]
