"""Generator of scenes with questions, their answers, and the objects that each answer depends on.

One parser answers questions from the drawn scene, for the generator, the evaluation and users' input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .captions import RELATIONS, relation
from .drawing.scene_objects import COLORS, SHAPES, TEXTURES, SceneObject
from .scenes import SIZE, Scene
from .scenes import draw as draw_scene
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

    from ..models.text_inputs import ParsedPrompt
    from ..models.vision_model import VisionModel

COUNTS: tuple[str, ...] = ("0", "1", "2", "3")
ANSWERS: tuple[str, ...] = (*COLORS, *SHAPES, *TEXTURES, *COUNTS, "yes", "no")
KINDS: tuple[str, ...] = ("color", "shape", "texture", "count", "place", "presence")

_SINGULAR = {f"{shape}s": shape for shape in SHAPES}
_ATTRIBUTES = {"color": COLORS, "shape": SHAPES, "texture": TEXTURES}

VOCABULARY = Vocabulary(
    (
        "what color shape texture is the a thing things how many are there",
        *RELATIONS,
        *COLORS,
        *SHAPES,
        *TEXTURES,
        *_SINGULAR,
    )
)
MAX_WORDS = 8
"""Greatest number of words in a generated question."""

_STREAM = 0x0A5C
_OBJECT_COUNTS = (2, 3, 4)
"""Numbers of objects in a scene with questions."""


@dataclass(frozen=True)
class VqaAnswer:
    """The correct answer to a question.

    Attributes:
        text: one of ``ANSWERS``.
        about: indices of the objects that the answer depends on; none for "no" and "0".
        kind: one of ``KINDS``.
    """

    text: str
    about: tuple[int, ...]
    kind: str


def answer(scene: Scene, question: str) -> VqaAnswer | None:
    """Answer a question; None if it cannot be parsed, or its description does not fit exactly one object."""
    words = [_SINGULAR.get(word, word) for word in question.split()]
    named = {word for word in words if word in (*COLORS, *SHAPES, *TEXTURES)}
    about = tuple(n for n, obj in enumerate(scene.objects) if named <= set(obj.words))
    if not named:
        return None
    if words[:2] == ["how", "many"]:
        return VqaAnswer(str(len(about)), about, "count") if len(about) < len(COUNTS) else None
    if words[:2] == ["is", "there"]:
        return VqaAnswer("yes" if about else "no", about, "presence")
    if len(about) != 1 or words[0] != "what":
        return None
    (one,) = about
    if words[1] in _ATTRIBUTES:
        return VqaAnswer(_attribute(scene.objects[one], words[1]), about, words[1])
    place = next((r for r in RELATIONS if f" {r} " in f" {' '.join(words)} "), None)
    others = [
        n
        for n in range(len(scene.objects))
        if n != one and relation(scene.masks[n], scene.masks[one]) == place
    ]
    if len(others) != 1:
        return None
    return VqaAnswer(scene.objects[others[0]].shape, (others[0],), "place")


def _attribute(obj: SceneObject, what: str) -> str:
    return next(word for word in obj.words if word in _ATTRIBUTES[what])


def generate_question(rng: np.random.Generator, scene: Scene, kind: str) -> str | None:
    """A random question of a kind with an answer in this scene; None if the drawn question has none."""
    obj = scene.objects[int(rng.integers(len(scene.objects)))]
    if kind == "presence" and rng.random() < 0.5:  # balances "no" and "yes"
        obj = SceneObject(*(str(rng.choice(a)) for a in (SHAPES, COLORS, TEXTURES)))
    texture = "" if rng.random() < 0.5 else f"{obj.texture} "
    color = "" if rng.random() < 0.5 else f"{obj.color} "
    if kind == "count":
        by_shape = rng.random() < 0.5
        text = f"how many {f'{obj.shape}s' if by_shape else f'{obj.color} things'} are there"
        if rng.random() < 0.15:
            text = f"how many {rng.choice(SHAPES)}s are there"
    elif kind == "presence":
        text = f"is there a {obj.color} {texture}{obj.shape}"
    elif kind == "place":
        text = f"what is {rng.choice(RELATIONS)} the {color}{obj.shape}"
    else:
        description = {
            "color": f"{texture}{obj.shape}",
            "shape": f"{obj.color} {texture}thing",
            "texture": f"{color}{obj.shape}",
        }[kind]
        text = f"what {kind} is the {description}"
    return text if answer(scene, text) is not None else None


@dataclass(frozen=True, eq=False)
class VqaSample(Scene):
    """A scene with questions.

    Attributes:
        questions: questions of different kinds that have an answer.
    """

    questions: tuple[str, ...] = ()

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Find the objects that the answer to a question depends on, whichever answer is explained.

        Args:
            target: the explained answer.
            text: the question; the scene's first one if None.

        Returns:
            bool (H, W), all false for "no" and "0"; None if the question has no answer here.
        """
        found = answer(self, self.questions[0] if text is None else text)
        if found is None:
            return None
        about = self.masks[list(found.about)]
        return np.asarray(about.any(axis=0))


def draw(
    seed: int | np.random.Generator, number: int | None = None, *, size: int = SIZE
) -> VqaSample:
    """Draw one scene with questions; equal arguments give equal pictures.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: number of objects; two to four at random if None.
        size: side of the picture in pixels.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    scene = draw_scene(
        rng, int(rng.choice(_OBJECT_COUNTS)) if number is None else number, size=size
    )
    found: list[str] = []
    for kind in rng.permutation(KINDS):
        # Some scenes have no question of a kind.
        texts = (generate_question(rng, scene, str(kind)) for _ in range(6))
        text = next((t for t in texts if t is not None), None)
        if text is not None:
            found.append(text)
    return VqaSample(
        scene.image, scene.labels, scene.masks, scene.classes, scene.objects, tuple(found)
    )


def gallery() -> list[VqaSample]:
    """A few scenes chosen by eye, each with exactly one star."""
    return [draw(seed) for seed in _GALLERY]


_GALLERY: Sequence[int] = (6, 13, 17, 18, 19, 23, 25, 29)


class QuestionPrompt:
    """Parser of questions; the answers are the classes."""

    name = "question"
    hint = "Ask for a color, shape, texture, number, place, or whether something is there."
    examples = (
        "what color is the star",
        "how many discs are there",
        "what shape is the red thing",
        "what is left of the star",
        "what texture is the square",
        "is there a blue triangle",
    )

    def read(self, text: str) -> ParsedPrompt:
        """Parse a question into word numbers."""
        import torch

        from ..models.text_inputs import ParsedPrompt, words_of

        # Both spellings are understood; the network was trained on one.
        words = words_of(
            text.casefold().replace("colour", "color"), VOCABULARY.words, name=self.name
        )
        return ParsedPrompt(
            inputs={"question": torch.tensor([VOCABULARY.numbers(words)])},
            words=tuple((word, None) for word in words),
        )

    def propose(self, model: VisionModel, pixels: torch.Tensor) -> None:
        """No proposal: the user asks the question."""
        return
