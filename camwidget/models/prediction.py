"""``Prediction``: the class probabilities of one picture."""

from __future__ import annotations

from dataclasses import dataclass

from .scores import number_text

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture: its classes, most probable first; or its quantities, in their order."""

    indices: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: tuple[
        float, ...
    ]  #: each in [0, 1], as ``scores`` say; of "value" the quantities themselves
    scores: str = "softmax"  #: what the numbers are; see ``wrap``
    unit: str = ""  #: of quantities

    @property
    def lines(self) -> tuple[str, ...]:
        """Each class with its number, "striped 0.97" or "age 58.2 years"."""
        pairs = zip(self.names, self.probabilities, strict=True)
        return tuple(f"{name} {number_text(p, self.scores, self.unit)}" for name, p in pairs)

    def __str__(self) -> str:
        return ", ".join(self.lines)
