"""State that a module's forward changes for a test to see.

Passes run on copies of the module's structure, whose attributes are their own; other objects are shared.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

__all__ = ["SharedState"]


class SharedState(nn.Module):
    """A module whose ``passes`` and ``fails`` are the same in all its copies."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = SimpleNamespace(passes=0, fails=False)

    @property
    def passes(self) -> int:
        return self.shared.passes

    @passes.setter
    def passes(self, value: int) -> None:
        self.shared.passes = value

    @property
    def fails(self) -> Any:
        return self.shared.fails

    @fails.setter
    def fails(self, value: Any) -> None:
        self.shared.fails = value
