"""Scenes of one or two things, and the sentence that describes each: "a red striped disc left of a blue square"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .drawing.things import SHAPES, THINGS
from .language import Vocabulary
from .scenes import CATEGORIES, SIZE, Scene
from .scenes import draw as draw_scene

if TYPE_CHECKING:
    import torch

    from ..models.prompts import ParsedPrompt
    from ..models.vision_model import VisionModel

WHOLE = "whole caption"
"""What the output that stands for all words together is called."""

RELATIONS: tuple[str, ...] = ("left of", "right of", "above", "below")
LONGEST = 10
"""Most words that a caption of the generator has."""

VOCABULARY = Vocabulary(
    [*(f"a {thing.name}" for thing in THINGS), *RELATIONS],
)

_STREAM = 0xCA97
_LARGE, _SMALL = (0.19, 0.24), (0.11, 0.14)
"""Radii of the thing that is named first, and of the other."""


@dataclass(frozen=True, eq=False)
class CaptionSample(Scene):
    """A scene and its caption; the larger thing is named first.

    Attributes:
        caption: what is to be seen.
    """

    caption: str = ""

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Where a word of a caption has its evidence: the thing of the phrase that the word is in.

        Args:
            target: a word of the caption; "a #5" is the fifth, where it is there twice; or the whole caption.
            text: the caption; the scene's own if None.

        Returns:
            Bool (H, W), for a word of place and for the whole caption all the things named; all false if what the
            phrase names is not in the picture; None if it is no word of the caption.
        """
        words = (self.caption if text is None else text).split()
        number = place_of(target, words)
        if number is None:
            return None
        phrases = phrases_of(words)
        asked = [p for p in phrases if number in p] or phrases
        found = np.zeros(self.image.shape[:2], bool)
        for phrase in asked:
            said = {words[n] for n in phrase} & set(CATEGORIES)
            for thing, mask in zip(self.things, self.masks, strict=True):
                if said and said <= {*thing.words, "plain"}:
                    found |= mask
        return found


def place_of(target: str, words: list[str]) -> int | None:
    """Which word of a caption an output stands for; -1 for the whole caption, None for none."""
    if target == WHOLE:
        return -1
    word, _, number = target.partition(" #")
    if number.isdigit() and 1 <= int(number) <= len(words):
        return int(number) - 1
    return words.index(word) if word in words else None


def phrases_of(words: list[str]) -> list[range]:
    """Places of the words of each noun phrase, from its "a" to its shape."""
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
    """Draw one scene with its caption; the same arguments always give the same picture.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: how many things, one or two; random (two more often) if left out.
        size: side of the picture in pixels.
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
        scene.image, scene.labels, scene.masks, scene.classes, scene.things, caption_of(scene)
    )


def caption_of(scene: Scene) -> str:
    """What a scene of one or two things shows, the larger one first."""
    first, *rest = scene.things
    if not rest:
        return f"a {first.name}"
    return f"a {first.name} {relation(*scene.masks[:2])} a {rest[0].name}"


def relation(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> str:
    """Where one thing is, seen from the other: along whichever axis they are further apart."""
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
    """A few scenes, to be met first."""
    return [draw(seed) for seed in (4, 9, 1, 15, 22, 6, 30, 2)]


class CaptionPrompt:
    """A caption beside the picture: each word is a target, and so is the whole."""

    name = "caption"
    hint = (
        "Describe the picture, or ask how well other words would fit: each word is then a target."
    )
    examples = (
        "a red striped disc left of a blue square",
        "a yellow star",
        "a green dotted triangle above a red star",
    )

    def read(self, text: str) -> ParsedPrompt:
        """A caption as the numbers of its words."""
        import torch

        from ..models.prompts import ParsedPrompt, words_of

        words = words_of(text, VOCABULARY.words, name=self.name)
        return ParsedPrompt(
            inputs={"caption": torch.tensor([VOCABULARY.numbers(words)])},
            classes=(WHOLE, *words),
            words=tuple((word, n) for n, word in enumerate(words, 1)),
            default=0,
        )

    def propose(self, model: VisionModel, pixels: torch.Tensor) -> str:
        """The caption that the model itself writes."""
        numbers = model.module.write(model.inputs(pixels))  # type: ignore[operator]
        return VOCABULARY.text(numbers[0].tolist())
