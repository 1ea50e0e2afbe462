"""Text inputs of models: a question to answer, or a caption to score.

A model declares its ``Prompt``: the name of the text, and the parser that gives a ``ParsedPrompt``. No other code
depends on whether a text is a question or a caption.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch

from ..errors import ModelError, PromptError

__all__ = ["ParsedPrompt", "Prompt", "check_prompt", "read_text", "words_of"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
#: Number of known words that an error message lists.
_LISTED = 40


@dataclass(frozen=True)
class ParsedPrompt:
    """Result of parsing a text for a model.

    Attributes:
        inputs: the module's inputs besides the picture, by name: tensors with one row, (1, …).
        classes: names of the outputs under this text, in order; None if the text does not change them.
        words: the text's words in reading order, each with the output (class index) that stands for it, or None if it
            cannot be chosen.
        default: the output that is explained by default; None for the one with the highest score. For a caption it is
            the whole caption, since its most probable word would be "the".
    """

    inputs: Mapping[str, torch.Tensor]
    classes: tuple[str, ...] | None = None
    words: tuple[tuple[str, int | None], ...] = field(default=())
    default: int | None = None


@runtime_checkable
class Prompt(Protocol):
    """Protocol of a model's text input."""

    @property
    def name(self) -> str:
        """Name of the text, such as "question" or "caption"; the keyword of ``model.given``."""

    @property
    def hint(self) -> str:
        """One sentence on what to write."""

    @property
    def examples(self) -> tuple[str, ...]:
        """Texts that can be parsed, at least one."""

    def read(self, text: str) -> ParsedPrompt:
        """Parse a text.

        Args:
            text: a text that is not empty, with single blanks.

        Raises:
            PromptError: if the text cannot be parsed; it names unknown words and known ones (see ``words_of``).
        """

    # Any: a model holds its prompt, so that this module is below that of ``VisionModel``.
    def propose(self, model: Any, pixels: torch.Tensor) -> str | None:
        """The text that the model itself has for a picture, as a captioner has; None if it has none.

        It is called with the module in evaluation mode, and without graph.

        Args:
            model: the ``VisionModel`` whose module to run.
            pixels: the picture, float32 (1, C, H, W) in [0, 1].
        """


def words_of(text: str, known: Collection[str] | None = None, *, name: str = "text") -> list[str]:
    """Split a text into words in lower case, without punctuation; a word may contain an apostrophe or a hyphen.

    Args:
        text: the text.
        known: vocabulary in lower case; None for any word.
        name: name of the text, for error messages.

    Raises:
        PromptError: if there is no word, or a word is not in the vocabulary.
    """
    words = [w.replace("’", "'") for w in _WORD.findall(text.casefold())]
    if not words:
        raise PromptError(f"The {name} has no word in it: {text!r}. Write one in words.")
    unknown = [] if known is None else [w for w in dict.fromkeys(words) if w not in known]
    if not unknown:
        return words
    assert known is not None
    near = [n for w in unknown for n in difflib.get_close_matches(w, known, n=2, cutoff=0.7)]
    hint = f" Did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?" if near else ""
    listed = sorted(known)
    more = f", … ({len(listed)} in all)" if len(listed) > _LISTED else ""
    one = len(unknown) == 1
    raise PromptError(
        f"The {name} has {'an unknown word' if one else 'unknown words'}: {', '.join(map(repr, unknown))}.{hint} "
        f"Known words: {', '.join(listed[:_LISTED])}{more}."
    )


def read_text(prompt: Prompt, text: str) -> tuple[str, ParsedPrompt]:
    """Normalize the blanks of a text, and parse it.

    Raises:
        PromptError: if it is not a string, is empty, or cannot be parsed.
    """
    if not isinstance(text, str):
        raise PromptError(f"The {prompt.name} is a text, not {type(text).__name__}.")
    tidy = " ".join(text.split())
    if not tidy:
        raise PromptError(f"The {prompt.name} is empty. Write one, such as {prompt.examples[0]!r}.")
    return tidy, prompt.read(tidy)


def check_prompt(prompt: Prompt) -> None:
    """Raise a ``ModelError`` if a prompt lacks an attribute that it must have."""
    if not isinstance(prompt, Prompt):
        raise ModelError(
            "prompt has name, hint, examples, read and propose (camwidget.models.text_inputs.Prompt); "
            f"{type(prompt).__name__} has not all of them."
        )
    if not prompt.name.isidentifier():
        raise ModelError(
            f"A prompt's name is that of an argument, such as 'question', not {prompt.name!r}."
        )
    if not prompt.examples:
        raise ModelError(f"The {prompt.name} needs at least one text in examples.")
