"""Vocabularies of captions and questions: conversion between words and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

END = 0
"""Number of the end of a text, also used for padding."""


class Vocabulary:
    """A set of words, numbered alphabetically from 1.

    Args:
        texts: texts that contain the words.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.words: tuple[str, ...] = tuple(sorted({w for text in texts for w in text.split()}))
        self._numbers = {word: n for n, word in enumerate(self.words, 1)}

    def __len__(self) -> int:
        """The number of numbers, including that of the end."""
        return len(self.words) + 1

    def numbers(self, words: Sequence[str]) -> list[int]:
        """The numbers of known words."""
        return [self._numbers[w] for w in words]

    def text(self, numbers: Iterable[int]) -> str:
        """The words of numbers, up to the first end."""
        found: list[str] = []
        for number in numbers:
            if number == END:
                break
            found.append(self.words[number - 1])
        return " ".join(found)
