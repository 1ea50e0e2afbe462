"""Mapping of a data set's labels to the model's classes."""

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
    """Conversion of a data set's labels to class indices of the model.

    Args:
        model: the model.
        given: the argument ``classes`` of ``evaluate``: from labels of the data to a class of the model, by index or
            name, or to None for no class.
        names: names of the data set's class numbers, as in ``dataset.classes``; None if the numbers are the model's.
        strict: whether a class that the model lacks is an error; otherwise the picture counts as unlabeled.
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
                f"classes is a mapping from the data's labels to classes of the model, not {type(given).__name__}."
            )
        self._mapping = {
            label: None if name is None else self._index(name, f"classes[{label!r}]")
            for label, name in (given or {}).items()
        }
        self._names = None if names is None else self._dataset_indices(list(names))

    def index(self, label: Any, name: str) -> int | None:
        """Convert a label to a class index of the model.

        Args:
            label: a number, a name or None.
            name: the picture's name, for messages.

        Returns:
            The index; None for no class.

        Raises:
            DataError: if the model has no such class.
        """
        if isinstance(label, (torch.Tensor, np.ndarray, np.generic)) and np.ndim(label) == 0:
            label = label.item()
        if label is None:
            return None
        if isinstance(label, (str, int)) and label in self._mapping:
            return self._mapping[label]
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

    def fingerprint(self) -> str:
        """A text that distinguishes mappings of the data set's classes."""
        return repr((sorted(map(repr, self._mapping.items())), self._names))

    def folder_classes(self, names: Sequence[str]) -> dict[str, int | None]:
        """Convert the names of class folders.

        Raises:
            DataError: with all names that the model lacks.
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

    def _dataset_indices(self, names: list[Any]) -> list[int | None] | None:
        """The model's indices of a dataset's class names; None if its numbers are the model's."""
        found = [self._find_synonym(n) for n in names]
        unknown = [str(n) for n, (is_known, _) in zip(names, found, strict=True) if not is_known]
        if not unknown:
            return [index for _, index in found]
        # Unless known names have other numbers. A few may: ImageNet has two classes named crane.
        in_place = [index == n for n, (is_known, index) in enumerate(found) if is_known]
        in_order = 2 * sum(in_place) >= len(in_place)
        if not self._mapping and in_order and len(names) == len(self.model.classes):
            return None  # as many classes under other names, such as WordNet's numbers
        if not self.strict:
            return [index for _, index in found]
        raise self._unknown(unknown, "classes")

    def _find_synonym(self, name: Any) -> tuple[bool, int | None]:
        """Whether any synonym of a class name is known, and its index."""
        for synonym in name if isinstance(name, (tuple, list)) else (name,):
            if synonym in self._mapping:
                return True, self._mapping[synonym]
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
            f"{self.model.name} has no class {shown}, which the data's {what} contain.{hint} Map them to classes: "
            f"{example}; None leaves pictures without a class."
        )

    def _index(self, label: Any, name: str) -> int:
        try:
            return self.model.class_index(label)
        except TargetError as error:
            remedy = "Map the data's labels with classes={…}."
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
