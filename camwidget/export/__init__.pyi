"""The public names of the package, each loaded when it is first used."""

from .index import save_index as save_index
from .saved_page import Page as Page
from .saved_page import save_page as save_page
