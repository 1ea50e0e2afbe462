"""The notebook widget: ``Explorer`` and its parts."""

from .explorer import Explorer

__all__ = ["Explorer"]
