"""The folder of the built front end, which the package ships."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STATIC"]

#: Scripts and stylesheets that ``js/`` builds; committed, so that installing needs no Node.
STATIC = Path(__file__).parent / "static"
