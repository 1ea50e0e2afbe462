"""Inputs of a module besides the picture: tensors given by the user, and tensors made from a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import ModelError
from .text_inputs import ParsedPrompt

__all__ = ["ExtraInputs"]


@dataclass(frozen=True)
class ExtraInputs:
    """Inputs of a module besides the picture.

    Attributes:
        tensors: tensors by name, with one row or one row a picture.
        parsed_prompt: the parsed current text; None for a model without text.
    """

    tensors: Mapping[str, torch.Tensor]
    parsed_prompt: ParsedPrompt | None = None

    @classmethod
    def of(
        cls, inputs: Mapping[str, torch.Tensor] | None, parsed_prompt: ParsedPrompt | None
    ) -> ExtraInputs:
        """Check the inputs passed to ``wrap``.

        Raises:
            ModelError: if a value is not a tensor with rows.
        """
        read = None if parsed_prompt is None else _checked_prompt(parsed_prompt)
        return cls({} if inputs is None else _named_tensors(inputs), read)

    def check_names(self, names: Iterable[str], model: str, prompt: str | None) -> None:
        """Raise a ModelError for names of unknown inputs.

        Args:
            names: names of the inputs that were passed.
            model: the model's name, for the message.
            prompt: name of the text input; None without one.
        """
        unknown = [n for n in names if n not in self.tensors]
        if unknown:
            known = [*self.tensors, *([] if prompt is None else [prompt])]
            listed = ", ".join(map(repr, known)) or "none: name them in wrap(…, inputs={…})"
            raise ModelError(
                f"{model} takes no input {', '.join(map(repr, unknown))} in addition to the picture. It takes {listed}."
            )

    def with_tensors(self, inputs: Mapping[str, Any]) -> ExtraInputs:
        """Return the same inputs with other tensors, whose names are checked already."""
        return replace(self, tensors={**self.tensors, **_named_tensors(inputs)})

    def with_text(self, parsed_prompt: ParsedPrompt) -> ExtraInputs:
        """Return the same inputs with another text."""
        return replace(self, parsed_prompt=_checked_prompt(parsed_prompt))

    def split(
        self, inputs: Mapping[str, Any], model: str, prompt: str | None
    ) -> tuple[dict[str, Any], Any]:
        """Split a mapping of all inputs into those besides the picture, and the picture.

        Args:
            inputs: the inputs by name.
            model: the model's name, for the message.
            prompt: name of the text input; None without one.

        Returns:
            The inputs besides the picture, and the picture; ({}, None) for a mapping without such inputs.

        Raises:
            ModelError: if it is not clear which input is the picture.
        """
        known = {*self.tensors, *([] if prompt is None else [prompt])}
        others = {n: v for n, v in inputs.items() if n in known}
        pictures = [v for n, v in inputs.items() if n not in known]
        if not others:
            return {}, None
        if len(pictures) != 1:
            raise ModelError(
                f"{model} takes one picture in addition to {', '.join(map(repr, sorted(known)))}, but "
                f"{', '.join(map(repr, inputs))} has {len(pictures)} other inputs. Declare them with "
                "wrap(…, inputs={…})."
            )
        return others, pictures[0]

    def row(self, picture: int) -> dict[str, torch.Tensor]:
        """Return the rows of one picture, of the tensors with one row a picture."""
        return {n: v[picture : picture + 1] for n, v in self.tensors.items() if len(v) > 1}

    def rows(self, count: int, device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Return all inputs by name for a batch of ``count`` pictures.

        Raises:
            ModelError: if a tensor has neither one row nor one row a picture.
        """
        rows: dict[str, torch.Tensor] = {}
        read = {} if self.parsed_prompt is None else self.parsed_prompt.inputs
        for name, value in {**self.tensors, **read}.items():
            if len(value) not in (1, count):
                raise ModelError(
                    f"Input {name!r} has {len(value)} rows for {count} pictures: pass one row, or one a picture."
                )
            value = value.to(device, dtype if value.is_floating_point() else value.dtype)
            rows[name] = value.expand(count, *value.shape[1:]) if len(value) == 1 else value
        return rows


def _checked_prompt(parsed_prompt: ParsedPrompt) -> ParsedPrompt:
    inputs = _named_tensors(parsed_prompt.inputs)
    for name, value in inputs.items():
        if len(value) != 1:
            raise ModelError(
                f"The tensors of a parsed text have one row, (1, …); {name!r} has {len(value)}."
            )
    return parsed_prompt


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
    # In main memory, since a device may be lost with its contents.
    return {name: value.cpu() for name, value in inputs.items()}
