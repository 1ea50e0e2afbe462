"""Short texts about scenes, such as "a striped ball left of a red thing": whether one is true, and of which things.

As in the names of the classes, a color and a shape without a texture mean a plain thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import PromptError
from .captions import RELATIONS, relation
from .drawing.scene_objects import COLORS, SHAPES, TEXTURES
from .sample import Sample
from .scenes import CATEGORIES, CLASSES, Scene
from .scenes import draw as draw_scene
from .scenes import gallery as scenes_gallery
from .vocabulary import END, Vocabulary

if TYPE_CHECKING:
    import torch

ANYTHING = "thing"
"""Word for a thing of any shape."""

SYNONYMS: dict[str, str] = {
    "ball": "disc",
    "circle": "disc",
    "box": "square",
    "spotted": "dotted",
}
"""Words that mean the same as a word of the scenes."""

_CONNECTIONS = frozenset({"and", *(word for how in RELATIONS for word in how.split())})

LONGEST = 11
"""Greatest number of words of a text."""

VOCABULARY = Vocabulary([*CATEGORIES, *SYNONYMS, *RELATIONS, ANYTHING, "a", "and"])

TEXTS: dict[str, str] = {name: f"a {name}" for name in CLASSES}
"""The texts that are the classes until others are given, by name: one for each class of the scenes."""


@dataclass(frozen=True)
class Description:
    """A text, taken apart.

    Attributes:
        phrases: the properties that each of its noun phrases names.
        relation: how two things lie, one of ``RELATIONS``; None if the text does not say it.
    """

    phrases: tuple[frozenset[str], ...]
    relation: str | None = None

    @classmethod
    def of(cls, text: str) -> Description | None:
        """Take a text apart; None if a word is unknown, or it names nothing."""
        words = text.casefold().split()
        if not set(words) <= set(VOCABULARY.words):
            return None
        phrases = [
            frozenset(SYNONYMS.get(word, word) for word in part) - {"a"}
            for is_connection, part in groupby(words, _CONNECTIONS.__contains__)
            if not is_connection
        ]
        how = next((r for r in RELATIONS if f" {r} " in f" {' '.join(words)} "), None)
        named = tuple(map(_properties, filter(None, phrases)))
        return cls(named, how) if named else None


def _properties(phrase: frozenset[str]) -> frozenset[str]:
    """The properties that a noun phrase names, with the texture that goes without saying."""
    is_plain = phrase & set(COLORS) and phrase & set(SHAPES) and not phrase & set(TEXTURES)
    return (phrase | {"plain"} if is_plain else phrase) - {ANYTHING}


@dataclass(frozen=True)
class Facts:
    """What a scene shows.

    Attributes:
        things: shape, color and texture of each thing.
        relations: how two things lie, by their numbers.
    """

    things: tuple[frozenset[str], ...]
    relations: dict[tuple[int, int], str]

    @classmethod
    def of(cls, scene: Scene) -> Facts:
        """The facts of a scene."""
        pairs = permutations(range(len(scene.objects)), 2)
        return cls(
            tuple(frozenset(obj.words) for obj in scene.objects),
            {(a, b): relation(scene.masks[a], scene.masks[b]) for a, b in pairs},
        )

    def fitting(self, phrase: frozenset[str]) -> list[int]:
        """The numbers of the things that have all named properties."""
        return [n for n, thing in enumerate(self.things) if phrase <= thing]

    def confirm(self, text: Description) -> bool:
        """Return whether a text of one or two phrases is true."""
        found = [self.fitting(phrase) for phrase in text.phrases]
        if len(found) == 1:
            return bool(found[0])
        pairs = [(a, b) for a in found[0] for b in found[1] if a != b]
        if text.relation is None:
            return bool(pairs)
        return any(self.relations[pair] == text.relation for pair in pairs)


@dataclass(frozen=True, eq=False)
class DescribedScene(Scene):
    """A scene that knows the evidence for any text of the vocabulary."""

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Find the evidence for a text: the things that its noun phrases fit.

        Args:
            target: a class name or another text, such as "a striped ball".
            text: unused.

        Returns:
            bool (H, W), all false if a phrase fits nothing; None if a word is unknown.
        """
        described = Description.of(target)
        if described is None:
            return None
        facts = Facts.of(self)
        found = [facts.fitting(phrase) for phrase in described.phrases]
        mask = np.zeros(self.image.shape[:2], bool)
        for numbers in found if all(found) else []:
            mask |= self.masks[numbers].any(0)
        return mask


def describe(rng: np.random.Generator, facts: Facts) -> str:
    """A true text about a scene: of one thing with some or all of its properties, or of two things."""
    chosen = [int(n) for n in rng.permutation(len(facts.things))[:2]]
    if len(chosen) == 2 and rng.random() < 0.3:
        one, other = (_phrase(rng, facts.things[n]) for n in chosen)
        how = "and" if rng.random() < 0.3 else facts.relations[chosen[0], chosen[1]]
        return f"{one} {how} {other}"
    return _phrase(rng, facts.things[chosen[0]])


def _phrase(rng: np.random.Generator, thing: frozenset[str]) -> str:
    color, texture, shape = (next(iter(thing & set(kind))) for kind in (COLORS, TEXTURES, SHAPES))
    named = [color, "" if texture == "plain" else texture, shape]
    if rng.random() < 0.3:
        # One or two properties only. A color and a shape alone would say that the thing is plain.
        kept = [(0,), (1,), (2,), (0, 1), (1, 2)][rng.integers(5)]
        named = [word if n in kept else "" for n, word in enumerate((color, texture, shape))]
        named[2] = named[2] or ANYTHING
    return " ".join(["a", *(_synonym(rng, word) for word in named if word)])


def _synonym(rng: np.random.Generator, word: str) -> str:
    others = [synonym for synonym, meant in SYNONYMS.items() if meant == word]
    return str(rng.choice([word, *others])) if others else word


def tokenize(text: str) -> torch.Tensor:
    """The numbers (1, LONGEST) of a text's words, padded with ends.

    Raises:
        PromptError: if a word is unknown, or there are too many.
    """
    import torch

    from ..models.text_inputs import words_of

    words = words_of(text, VOCABULARY.words)
    if len(words) > LONGEST:
        raise PromptError(
            f"The text {text[:40]!r} has {len(words)} words, and the model takes at most {LONGEST}. Shorten it."
        )
    return torch.tensor([padded(words)])


def padded(words: Sequence[str]) -> list[int]:
    """The numbers of known words, with ends up to the greatest number of words."""
    return [*VOCABULARY.numbers(words), *[END] * (LONGEST - len(words))]


def draw(seed: int) -> DescribedScene:
    """Draw the scene of a seed, with the evidence for texts; the picture is that of ``scenes.draw``."""
    return _described(draw_scene(seed))


def gallery() -> list[Sample]:
    """The scenes of `zoo/scenes`, with the evidence for texts."""
    return [_described(scene) for scene in scenes_gallery() if isinstance(scene, Scene)]


def _described(scene: Scene) -> DescribedScene:
    return DescribedScene(scene.image, scene.labels, scene.masks, scene.classes, scene.objects)
