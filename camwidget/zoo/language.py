"""Words as numbers: the small vocabularies of captions and questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

END = 0
"""Number of what is not a word: the end of a text, and what fills it up to the length of others."""


class Vocabulary:
    """Words, each with a number from 1 on.

    Args:
        texts: where the words are taken from, in alphabetical order.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.words: tuple[str, ...] = tuple(sorted({w for text in texts for w in text.split()}))
        self._numbers = {word: n for n, word in enumerate(self.words, 1)}

    def __len__(self) -> int:
        """How many numbers there are, that of the end included."""
        return len(self.words) + 1

    def numbers(self, words: Sequence[str]) -> list[int]:
        """The numbers of words that are all known."""
        return [self._numbers[w] for w in words]

    def text(self, numbers: Iterable[int]) -> str:
        """The words of these numbers, up to the first end."""
        found: list[str] = []
        for number in numbers:
            if number == END:
                break
            found.append(self.words[number - 1])
        return " ".join(found)
