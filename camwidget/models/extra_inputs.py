"""Inputs of a module beside the picture: tensors given by the user, and those made from a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import ModelError
from .prompts import ParsedPrompt

__all__ = ["ExtraInputs"]


@dataclass(frozen=True)
class ExtraInputs:
    """The inputs of a module beside the picture.

    Attributes:
        tensors: by name, of one row, or one a picture.
        reading: what the text in force was read as; None where there is no text.
    """

    tensors: Mapping[str, torch.Tensor]
    reading: ParsedPrompt | None = None

    @classmethod
    def of(
        cls, inputs: Mapping[str, torch.Tensor] | None, reading: ParsedPrompt | None
    ) -> ExtraInputs:
        """What was passed to ``wrap``, checked.

        Raises:
            ModelError: if something is no tensor of rows.
        """
        read = None if reading is None else _read(reading)
        return cls({} if inputs is None else _named_tensors(inputs), read)

    def check_names(self, names: Iterable[str], model: str, prompt: str | None) -> None:
        """Raise a ModelError if there are names of no tensor.

        Args:
            names: what was given by name.
            model: the model's name, for the message.
            prompt: what the model's text is called; None if it takes none.
        """
        unknown = [n for n in names if n not in self.tensors]
        if unknown:
            known = [*self.tensors, *([] if prompt is None else [prompt])]
            listed = ", ".join(map(repr, known)) or "none: name them in wrap(…, inputs={…})"
            raise ModelError(
                f"{model} takes no input {', '.join(map(repr, unknown))} beside the picture. It takes {listed}."
            )

    def given(self, inputs: Mapping[str, Any]) -> ExtraInputs:
        """The same with other tensors; their names are known."""
        return replace(self, tensors={**self.tensors, **_named_tensors(inputs)})

    def told(self, reading: ParsedPrompt) -> ExtraInputs:
        """The same under another text."""
        return replace(self, reading=_read(reading))

    def row(self, picture: int) -> dict[str, torch.Tensor]:
        """Of the tensors with a row for each picture of a batch, the one of this picture."""
        return {n: v[picture : picture + 1] for n, v in self.tensors.items() if len(v) > 1}

    def rows(self, count: int, device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """All by name, for a batch of ``count``.

        Raises:
            ModelError: if there is neither one row nor one a picture.
        """
        rows: dict[str, torch.Tensor] = {}
        read = {} if self.reading is None else self.reading.inputs
        for name, value in {**self.tensors, **read}.items():
            if len(value) not in (1, count):
                raise ModelError(
                    f"Input {name!r} has {len(value)} rows for {count} pictures: pass one row, or one a picture."
                )
            value = value.to(device, dtype if value.is_floating_point() else value.dtype)
            rows[name] = value.expand(count, *value.shape[1:]) if len(value) == 1 else value
        return rows


def _read(reading: ParsedPrompt) -> ParsedPrompt:
    inputs = _named_tensors(reading.inputs)
    for name, value in inputs.items():
        if len(value) != 1:
            raise ModelError(
                f"A text is read as tensors of one row, (1, …); {name!r} has {len(value)}."
            )
    return reading


def _named_tensors(inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    if not isinstance(inputs, Mapping):
        raise ModelError(
            f"inputs is a mapping from names to tensors, such as {{'question': tensor}}, not {type(inputs).__name__}."
        )
    for name, value in inputs.items():
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            got = "a single number" if isinstance(value, torch.Tensor) else type(value).__name__
            raise ModelError(
                f"Input {name!r} is {got}; a tensor of one row, (1, …), or of one a picture is needed."
            )
    # In the computer's own memory: a device may be lost with what is on it.
    return {name: value.cpu() for name, value in inputs.items()}
