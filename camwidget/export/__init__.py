"""What a model says of a picture as files for any browser: no network, no kernel."""

from .page import Saved, save_page

__all__ = ["Saved", "save_page"]
