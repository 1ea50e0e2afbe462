"""Predictions: from a model's logits to named probabilities.

What the numbers mean is in ``scores``; class names and their look-up are in ``class_names``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex

import torch

from ..errors import TargetError
from .class_names import find_class
from .scores import log_probabilities_of, number_text, probabilities_of

if TYPE_CHECKING:
    from .text_inputs import ParsedPrompt

__all__ = ["ClassScores", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for one picture: its classes, most probable first, or its quantities in their order.

    Attributes:
        indices: class indices.
        names: class names.
        probabilities: probabilities in [0, 1]; for ``scores="value"`` the quantities themselves.
        scores: kind of the model's outputs, "softmax", "sigmoid", "log" or "value" (see ``wrap``).
        unit: unit of quantities, such as "years"; empty otherwise.

    Example:
        >>> import camwidget as cw
        >>> prediction = cw.load().predict(cw.zoo.samples("zoo/textures")[0].image, top=2)
        >>> print(prediction)
        polka-dotted 0.93, waffled 0.06
        >>> prediction.names, prediction.indices
        (('polka-dotted', 'waffled'), (6, 8))
    """

    indices: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    scores: str = "softmax"
    unit: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Class names with their numbers, such as "striped 0.97" or "age 58.2 years"."""
        pairs = zip(self.names, self.probabilities, strict=True)
        return tuple(f"{name} {number_text(p, self.scores, self.unit)}" for name, p in pairs)

    def __str__(self) -> str:
        return ", ".join(self.lines)


class ClassScores:
    """Classes of a model, and the rules from its logits to probabilities and predictions.

    Attributes:
        name: name of the model.
        classes: class names, one an output.
        scores: kind of the outputs: "softmax", "sigmoid", "log" or "value".
        unit: unit of quantities; empty otherwise.
    """

    name: str
    classes: tuple[str, ...]
    scores: str
    unit: str
    _index: dict[str, int]

    @property
    def no_classes(self) -> str:
        """Reason why the model has no classes; empty for a model with classes."""
        return ""

    @property
    def parsed_prompt(self) -> ParsedPrompt | None:
        """The parsed current text; None for a model without text."""
        return None

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Convert outputs (…, classes) to probabilities in [0, 1] of the same shape; quantities stay as they are."""
        return probabilities_of(logits, self.scores)

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Convert outputs (…, classes) to logarithms of probabilities, differentiably."""
        return log_probabilities_of(logits, self.scores)

    def predicted(self, logits: torch.Tensor) -> list[int]:
        """Return the default class of each picture, from logits (N, classes)."""
        return self.most_probable(self.probabilities(logits.float()))

    def most_probable(self, probabilities: torch.Tensor) -> list[int]:
        """Return the default class of each picture, from probabilities (N, classes).

        It is the most probable class, the first of equally probable ones; the first of several quantities; or the class
        that the parsed text defines, such as the whole caption.

        Raises:
            TargetError: if the model has no classes.
        """
        parsed_prompt = self.parsed_prompt
        if not self.classes:
            raise TargetError(f"There is no class to choose, since {self.no_classes}")
        if parsed_prompt is not None and parsed_prompt.default is not None:
            return [parsed_prompt.default] * len(probabilities)
        if self.scores == "value":
            return [0] * len(probabilities)
        # NumPy's argmax takes the first of equal values, as the list of classes does; torch's takes any.
        return probabilities.detach().cpu().numpy().argmax(1).tolist()  # type: ignore[no-any-return]

    def why_no_slope(self, output: Any, index: int, picture: int) -> str:
        """Return why a class's score has no gradient at a picture, with the remedy; empty where it has one.

        Args:
            output: what the module returned for a batch.
            index: class index.
            picture: index of the picture in the batch.
        """
        return ""

    def ordered(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the class indices (C,) in display order: most probable first; quantities in their own order."""
        if self.scores == "value":
            return torch.arange(len(probabilities))
        return probabilities.detach().cpu().argsort(descending=True, stable=True)

    def prediction(self, logits: torch.Tensor, top: int = 5) -> Prediction:
        """Return logits (classes,) as the ``top`` most probable classes with their probabilities."""
        values = self.probabilities(logits.detach().float()).cpu()
        chosen = tuple(self.ordered(values)[:top].tolist())
        names = tuple(self.classes[i] for i in chosen)
        numbers = tuple(values[list(chosen)].tolist())
        return Prediction(chosen, names, numbers, self.scores, self.unit)

    def category(self, index: int) -> str:
        """Return what a class is of: its name, without the number that tells detections of one kind apart."""
        return self.classes[index]

    def class_index(self, target: str | SupportsIndex) -> int:
        """Return the index of a class.

        Args:
            target: class index, or class name in any case.

        Raises:
            TargetError: if there is no such class, or the name is ambiguous.

        Example:
            >>> import camwidget as cw
            >>> cw.load().class_index("Polka-Dotted")
            6
        """
        return find_class(target, self._index, self.name)
