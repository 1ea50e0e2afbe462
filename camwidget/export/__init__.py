"""What a model says of a picture as files for any browser: no network, no kernel."""

from .index import save_index
from .page import Page, save_page

__all__ = ["Page", "save_index", "save_page"]
