"""Generator of scenes of one or two objects with a caption: "a red striped disc left of a blue square"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .drawing.scene_objects import OBJECTS, SHAPES
from .scenes import CATEGORIES, SIZE, Scene
from .scenes import draw as draw_scene
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

    from ..models.text_inputs import ParsedPrompt
    from ..models.vision_model import VisionModel

FULL_CAPTION = "whole caption"
"""Name of the output for all words together."""

RELATIONS: tuple[str, ...] = ("left of", "right of", "above", "below")
MAX_WORDS = 10
"""Greatest number of words in a generated caption."""

VOCABULARY = Vocabulary(
    [*(f"a {obj.name}" for obj in OBJECTS), *RELATIONS],
)

_STREAM = 0xCA97
_LARGE, _SMALL = (0.19, 0.24), (0.11, 0.14)
"""Ranges of the radius of the object that is named first, and of the other."""


@dataclass(frozen=True, eq=False)
class CaptionSample(Scene):
    """A scene with its caption; the larger object is named first.

    Attributes:
        caption: the description of the scene.
    """

    caption: str = ""

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Find the evidence for a word of a caption: the objects of its noun phrase.

        Args:
            target: a word of the caption, "a #5" for the fifth word if it occurs twice, or the full caption.
            text: the caption; the scene's own if None.

        Returns:
            bool (H, W). For a preposition and for the full caption, all named objects; all false if the phrase names
            nothing in the picture; None for no word of the caption.
        """
        words = (self.caption if text is None else text).split()
        number = word_index(target, words)
        if number is None:
            return None
        phrases = phrases_of(words)
        explained = [p for p in phrases if number in p] or phrases
        found = np.zeros(self.image.shape[:2], bool)
        for phrase in explained:
            named = {words[n] for n in phrase} & set(CATEGORIES)
            for obj, mask in zip(self.objects, self.masks, strict=True):
                if named and named <= {*obj.words, "plain"}:
                    found |= mask
        return found


def word_index(target: str, words: list[str]) -> int | None:
    """The index of the caption's word that an output stands for; -1 for the full caption, None for no word."""
    if target == FULL_CAPTION:
        return -1
    word, _, number = target.partition(" #")
    if number.isdigit() and 1 <= int(number) <= len(words):
        return int(number) - 1
    return words.index(word) if word in words else None


def phrases_of(words: list[str]) -> list[range]:
    """The word indices of each noun phrase, from its "a" to its shape."""
    phrases: list[range] = []
    start = 0
    for n, word in enumerate(words):
        if word == "a":
            start = n
        if word in SHAPES:
            phrases.append(range(start, n + 1))
            start = n + 1
    return phrases


def draw(
    seed: int | np.random.Generator, number: int | None = None, *, size: int = SIZE
) -> CaptionSample:
    """Draw one scene with its caption; equal arguments give equal pictures.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: number of objects, one or two; random (two more often) if None.
        size: side of the picture in pixels.

    Raises:
        ValueError: for another number.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    if number is None:
        number = 1 if rng.random() < 0.2 else 2
    if number not in (1, 2):
        raise ValueError(f"a caption describes one or two things, not {number}")
    radii = [float(rng.uniform(*r)) for r in (_LARGE, _SMALL)[:number]]
    scene = draw_scene(rng, number, radii=radii, size=size)
    return CaptionSample(
        scene.image, scene.labels, scene.masks, scene.classes, scene.objects, caption_of(scene)
    )


def caption_of(scene: Scene) -> str:
    """The caption of a scene of one or two objects, the larger one first."""
    first, *rest = scene.objects
    if not rest:
        return f"a {first.name}"
    return f"a {first.name} {relation(*scene.masks[:2])} a {rest[0].name}"


def relation(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> str:
    """The position of one object relative to another, along the axis of their greater distance."""
    x, y = (
        float(np.mean(a) - np.mean(b)) for a, b in zip(_places(one), _places(other), strict=True)
    )
    if abs(x) > abs(y):
        return "left of" if x < 0 else "right of"
    return "above" if y < 0 else "below"


def _places(mask: NDArray[np.bool_]) -> tuple[NDArray[np.signedinteger], NDArray[np.signedinteger]]:
    rows, columns = np.nonzero(mask)
    return columns, rows


def gallery() -> list[CaptionSample]:
    """A few scenes chosen by eye."""
    return [draw(seed) for seed in (4, 9, 1, 15, 22, 6, 30, 2)]


class CaptionPrompt:
    """Parser of captions; each word, and the full caption, becomes a target."""

    name = "caption"
    hint = "Describe the picture, or try other words; each word of the caption becomes a target."
    examples = (
        "a red striped disc left of a blue square",
        "a yellow star",
        "a green dotted triangle above a red star",
    )

    def read(self, text: str) -> ParsedPrompt:
        """Parse a caption into word numbers and targets."""
        import torch

        from ..models.text_inputs import ParsedPrompt, words_of

        words = words_of(text, VOCABULARY.words, name=self.name)
        return ParsedPrompt(
            inputs={"caption": torch.tensor([VOCABULARY.numbers(words)])},
            classes=(FULL_CAPTION, *words),
            words=tuple((word, n) for n, word in enumerate(words, 1)),
            default=0,
        )

    def propose(self, model: VisionModel, pixels: torch.Tensor) -> str:
        """The caption that the model generates."""
        numbers = model.module.generate(model.inputs(pixels))  # type: ignore[operator]
        return VOCABULARY.text(numbers[0].tolist())
