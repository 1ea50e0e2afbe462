"""Questions about a scene, and what is true: the answer, and the things that it rests on.

One reading of a question serves the generator, the measures and what a person types: what is asked is
understood from its words, and answered from what was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .captions import RELATIONS, relation
from .drawing.things import COLOURS, SHAPES, TEXTURES, Thing
from .language import Vocabulary
from .scenes import SIZE, Scene
from .scenes import draw as draw_scene

if TYPE_CHECKING:
    import torch

    from ..models.prompts import ParsedPrompt
    from ..models.vision_model import VisionModel

COUNTS: tuple[str, ...] = ("0", "1", "2", "3")
ANSWERS: tuple[str, ...] = (*COLOURS, *SHAPES, *TEXTURES, *COUNTS, "yes", "no")
KINDS: tuple[str, ...] = ("colour", "shape", "texture", "count", "place", "presence")

_SINGULAR = {f"{shape}s": shape for shape in SHAPES}
_ASKED = {"colour": COLOURS, "shape": SHAPES, "texture": TEXTURES}

VOCABULARY = Vocabulary(
    (
        "what colour shape texture is the a thing things how many are there",
        *RELATIONS,
        *COLOURS,
        *SHAPES,
        *TEXTURES,
        *_SINGULAR,
    )
)
LONGEST = 8
"""Most words that a question of the generator has."""

_STREAM = 0x0A5C
_NUMBERS = (2, 3, 4)
"""How many things there are in a scene that is asked about."""


@dataclass(frozen=True)
class VqaAnswer:
    """What is true.

    Attributes:
        text: one of `ANSWERS`.
        about: numbers of the things that the answer rests on; none for "no" and "0".
        kind: one of `KINDS`.
    """

    text: str
    about: tuple[int, ...]
    kind: str


def answer(scene: Scene, question: str) -> VqaAnswer | None:
    """The answer to a question, or None: its words make no question, or what it names is not one thing."""
    words = [_SINGULAR.get(word, word) for word in question.split()]
    named = {word for word in words if word in (*COLOURS, *SHAPES, *TEXTURES)}
    about = tuple(n for n, thing in enumerate(scene.things) if named <= set(thing.words))
    if not named:
        return None
    if words[:2] == ["how", "many"]:
        return VqaAnswer(str(len(about)), about, "count") if len(about) < len(COUNTS) else None
    if words[:2] == ["is", "there"]:
        return VqaAnswer("yes" if about else "no", about, "presence")
    if len(about) != 1 or words[0] != "what":
        return None
    (one,) = about
    if words[1] in _ASKED:
        return VqaAnswer(_said(scene.things[one], words[1]), about, words[1])
    place = next((r for r in RELATIONS if f" {r} " in f" {' '.join(words)} "), None)
    there = [
        n
        for n in range(len(scene.things))
        if n != one and relation(scene.masks[n], scene.masks[one]) == place
    ]
    if len(there) != 1:
        return None
    return VqaAnswer(scene.things[there[0]].shape, (there[0],), "place")


def _said(thing: Thing, what: str) -> str:
    return next(word for word in thing.words if word in _ASKED[what])


def ask(rng: np.random.Generator, scene: Scene, kind: str) -> str | None:
    """A question of a kind that has an answer in this scene, or None if chance did not find one."""
    thing = scene.things[int(rng.integers(len(scene.things)))]
    if kind == "presence" and rng.random() < 0.5:  # for as many "no" as "yes"
        thing = Thing(*(str(rng.choice(a)) for a in (SHAPES, COLOURS, TEXTURES)))
    texture = "" if rng.random() < 0.5 else f"{thing.texture} "
    colour = "" if rng.random() < 0.5 else f"{thing.colour} "
    if kind == "count":
        by_shape = rng.random() < 0.5
        text = f"how many {f'{thing.shape}s' if by_shape else f'{thing.colour} things'} are there"
        if rng.random() < 0.15:
            text = f"how many {rng.choice(SHAPES)}s are there"
    elif kind == "presence":
        text = f"is there a {thing.colour} {texture}{thing.shape}"
    elif kind == "place":
        text = f"what is {rng.choice(RELATIONS)} the {colour}{thing.shape}"
    else:
        description = {
            "colour": f"{texture}{thing.shape}",
            "shape": f"{thing.colour} {texture}thing",
            "texture": f"{colour}{thing.shape}",
        }[kind]
        text = f"what {kind} is the {description}"
    return text if answer(scene, text) is not None else None


@dataclass(frozen=True, eq=False)
class VqaSample(Scene):
    """A scene with questions that have an answer.

    Attributes:
        questions: some, of different kinds.
    """

    questions: tuple[str, ...] = ()

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """The things that the answer to a question rests on, whichever answer is explained: bool (H, W).

        Args:
            target: the answer that is explained.
            text: the question; the scene's first if None.

        Returns:
            All false where the answer is that there is none; None if the question has no answer here.
        """
        found = answer(self, self.questions[0] if text is None else text)
        if found is None:
            return None
        about = self.masks[list(found.about)]
        return np.asarray(about.any(axis=0))


def draw(
    seed: int | np.random.Generator, number: int | None = None, *, size: int = SIZE
) -> VqaSample:
    """Draw one scene with questions; the same arguments always give the same picture.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: how many things; two to four at random if left out.
        size: side of the picture in pixels.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    scene = draw_scene(rng, int(rng.choice(_NUMBERS)) if number is None else number, size=size)
    found: list[str] = []
    for kind in rng.permutation(KINDS):
        # Not every scene has an answer of each kind.
        texts = (ask(rng, scene, str(kind)) for _ in range(6))
        text = next((t for t in texts if t is not None), None)
        if text is not None:
            found.append(text)
    return VqaSample(
        scene.image, scene.labels, scene.masks, scene.classes, scene.things, tuple(found)
    )


def gallery() -> list[VqaSample]:
    """A few scenes, to be met first: in all of them there is one star."""
    return [draw(seed) for seed in _GALLERY]


_GALLERY: Sequence[int] = (6, 13, 17, 18, 19, 23, 25, 29)


class QuestionPrompt:
    """A question beside the picture; its answers are the classes."""

    name = "question"
    hint = "Ask for a colour, shape, texture, number, place, or whether something is there."
    examples = (
        "what colour is the star",
        "how many discs are there",
        "what shape is the red thing",
        "what is left of the star",
        "what texture is the square",
        "is there a blue triangle",
    )

    def read(self, text: str) -> ParsedPrompt:
        """A question as the numbers of its words."""
        import torch

        from ..models.prompts import ParsedPrompt, words_of

        words = words_of(text, VOCABULARY.words, name=self.name)
        return ParsedPrompt(
            inputs={"question": torch.tensor([VOCABULARY.numbers(words)])},
            words=tuple((word, None) for word in words),
        )

    def propose(self, model: VisionModel, pixels: torch.Tensor) -> None:
        """A question comes from a person."""
        return
