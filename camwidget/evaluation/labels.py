"""Translation of a data set's labels to the model's classes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import torch

from ..errors import DataError, TargetError
from ..models.vision_model import VisionModel

__all__ = ["Labels"]


class Labels:
    """Classes of the data as indices of the model's classes.

    Args:
        model: whose classes.
        given: ``classes=…``: from what the data says to a class of the model, index or name, or None for no class.
        names: what the data's own numbers stand for, as in ``dataset.classes``; None if they are the model's.
        strict: whether a class that the model has not is an error; otherwise the picture counts as unlabelled.
    """

    def __init__(
        self,
        model: VisionModel,
        given: Mapping[Any, Any] | None,
        names: Sequence[Any] | None = None,
        *,
        strict: bool,
    ) -> None:
        self.model, self.strict = model, strict
        if not isinstance(given, (Mapping, NoneType)):
            raise DataError(
                f"classes is a mapping from what the data says to classes of the model, not {type(given).__name__}."
            )
        self._meant = {
            said: None if meant is None else self._index(meant, f"classes[{said!r}]")
            for said, meant in (given or {}).items()
        }
        self._names = None if names is None else self._own(list(names))

    def index(self, label: Any, name: str) -> int | None:
        """A picture's class as the model's index, None for none.

        Raises:
            DataError: if the model has no such class.
        """
        if isinstance(label, (torch.Tensor, np.ndarray, np.generic)) and np.ndim(label) == 0:
            label = label.item()
        if label is None:
            return None
        if isinstance(label, (str, int)) and label in self._meant:
            return self._meant[label]
        if self._names is not None and not isinstance(label, str):
            number = self._number(label, name)
            if not 0 <= number < len(self._names):
                raise DataError(
                    f"{name} is of class {number}, of {len(self._names)} that the data names."
                )
            return self._names[number]
        try:
            return self._index(label, name)
        except DataError:
            if self.strict:
                raise
            return None

    def print(self) -> str:
        """What tells one meaning of the data's classes from another."""
        return repr((sorted(map(repr, self._meant.items())), self._names))

    def named(self, names: Sequence[str]) -> dict[str, int | None]:
        """The classes of folders.

        Raises:
            DataError: with all the names that the model has not.
        """
        found: dict[str, int | None] = {}
        unknown: list[str] = []
        for name in names:
            try:
                found[name] = self.index(name, name)
            except DataError:
                unknown.append(name)
        if unknown:
            raise self._unknown(unknown, "folders")
        return found

    def _own(self, names: list[Any]) -> list[int | None] | None:
        """What the numbers of a dataset with names of its own stand for; None if they are the model's."""
        found = [self._any_of(n) for n in names]
        unknown = [str(n) for n, (is_known, _) in zip(names, found, strict=True) if not is_known]
        if not unknown:
            return [index for _, index in found]
        # Not if the names that are known stand elsewhere. (A few may: ImageNet has two cranes.)
        in_place = [index == n for n, (is_known, index) in enumerate(found) if is_known]
        in_order = 2 * sum(in_place) >= len(in_place)
        if not self._meant and in_order and len(names) == len(self.model.classes):
            return None  # as many classes under other names, such as WordNet's numbers
        if not self.strict:
            return [index for _, index in found]
        raise self._unknown(unknown, "classes")

    def _any_of(self, name: Any) -> tuple[bool, int | None]:
        """Whether a class is known, by any of its synonyms, and its index."""
        for synonym in name if isinstance(name, (tuple, list)) else (name,):
            if synonym in self._meant:
                return True, self._meant[synonym]
            try:
                return True, self.model.class_index(str(synonym))
            except TargetError:
                continue
        return False, None

    def _unknown(self, names: list[str], what: str) -> DataError:
        shown = ", ".join(map(repr, names[:8])) + (" …" if len(names) > 8 else "")
        example = f"classes={{{names[0]!r}: {self.model.classes[0]!r}, …}}"
        hint = ""
        try:
            self.model.class_index(names[0])
        except TargetError as error:
            hint = f" {error}"
        return DataError(
            f"Of the data's {what}, {self.model.name} has no class {shown}.{hint} Say which are meant: {example}; None "
            "leaves pictures without a class."
        )

    def _index(self, label: Any, name: str) -> int:
        try:
            return self.model.class_index(label)
        except TargetError as error:
            remedy = "Map what the data says with classes={…}."
            if self.model.scores == "value":
                remedy = (
                    f"{self.model.name} gives quantities, and a true value is no class: pass "
                    "target='predicted'."
                )
            elif isinstance(label, (list, tuple)) or np.ndim(label) == 1:
                remedy = (
                    "Of a picture with several labels give one, or the picture once with each, or pass "
                    "target='predicted'."
                )
            raise DataError(f"The class of {name} is {label!r}: {error} {remedy}") from error

    def _number(self, label: Any, name: str) -> int:
        try:
            return operator.index(label)
        except TypeError:
            raise DataError(
                f"The class of {name} is {type(label).__name__}; it is an index or a name."
            ) from None
