"""Questions for human studies, and the two studies of the Grad-CAM paper.

Whether a map helps is asked of people in Selvaraju et al. 2017 (arXiv:1610.02391): section 5.1 shows them the map
of one of two classes and asks of which, section 5.2 shows them the maps of two models that agree and asks which
is the more reliable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .._validation import is_integer
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method, get_method
from ..errors import MethodError, QuizError
from ..images.ground_truth import fit_mask, share_inside
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import track

__all__ = [
    "CLASS_STUDY",
    "MODEL_SCALE",
    "MODEL_STUDY",
    "Draft",
    "Question",
    "which_class",
    "which_model",
]

#: A picture (anything that ``open_picture`` opens, or an ``Explanation``) and its caption, and outlines by name:
#: bool masks, drawn on it once the question is answered, the first in the accent colour.
Shown: TypeAlias = "tuple[Any, str] | tuple[Any, str, Mapping[str, np.ndarray]]"

CLASS_STUDY = (
    "In the paper's study, people named the right one of two classes for 61.23\u00a0% of the maps by Guided Grad-CAM, "
    "44.44\u00a0% by Guided Backpropagation and 53.33\u00a0% by Deconvolution; guessing gives 50\u00a0%. "
    "(Selvaraju et al. 2017, section 5.1: 90 pairs of a PASCAL VOC picture and a class.)"
)

MODEL_STUDY = (
    "In the paper's study, people gave VGG-16 over AlexNet a mean of +1.27 from maps by Guided Grad-CAM and +1.00 "
    "from maps by Guided Backpropagation, on this scale. (Selvaraju et al. 2017, section 5.2.)"
)

MODEL_SCALE = "from −2, clearly the weaker model, to +2, clearly the stronger"

_VERDICTS = ("clearly A", "slightly A", "about equal", "slightly B", "clearly B")


@dataclass(frozen=True, eq=False)
class Question:
    """A question with pictures and options.

    Attributes:
        prompt: what is asked.
        pictures: of each the picture (anything that ``open_picture`` opens, or an ``Explanation``, which is shown as
            its overlay) and its caption; and, as an optional third, outlines: bool masks (H, W) by name, drawn on
            the picture once it is answered, the first in the accent colour.
        options: at least two.
        answer: index of the right option, or of several; None where none is right or wrong.
        reveal: what to say once it is answered.
        values: what each option counts, for questions on a scale; the mean is shown at the end.
    """

    prompt: str
    pictures: Sequence[Shown]
    options: Sequence[str]
    answer: int | Sequence[int] | None = None
    reveal: str = ""
    values: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.options, str) or len(self.options) < 2:
            raise QuizError(f"A question has at least two options, not {self.options!r}.")
        if len(set(self.options)) < len(self.options):
            raise QuizError(f"Two options are the same: {', '.join(map(repr, self.options))}.")
        last = len(self.options) - 1
        for index in self.right:
            if not is_integer(index):
                raise QuizError(
                    f"answer is the index of the right option, from 0 to {last}, not {index!r}."
                )
            if not 0 <= index <= last:
                raise QuizError(
                    f"There is no option {index}: answer is an index from 0 to {last}, or None."
                )
        if self.values is not None and len(self.values) != len(self.options):
            raise QuizError(
                f"values has one number an option: {len(self.options)}, not {len(self.values)}."
            )
        for shown in self.pictures:
            if not isinstance(shown, tuple) or not 2 <= len(shown) <= 3:
                raise QuizError(
                    "Each of pictures is a tuple (picture, caption) or (picture, caption, outlines), "
                    f"not {type(shown).__name__}."
                )

    @property
    def right(self) -> tuple[int, ...]:
        """Indices of the right options; empty where none is right or wrong."""
        if self.answer is None:
            return ()
        return tuple(self.answer) if isinstance(self.answer, Sequence) else (self.answer,)


#: A question, or what makes one: it is called off the main thread, when its turn comes.
Draft: TypeAlias = "Question | Callable[[], Question]"


def which_class(
    model: VisionModel, images: Iterable[Any], *, n: int, seed: int, method: str | Method
) -> list[Draft]:
    """Of each picture the map of one of two classes: of which? Section 5.1 of Selvaraju et al. 2017.

    Args:
        model: from ``load`` or ``wrap``.
        images: pictures. Something with ``image`` and ``names`` (as the zoo's samples) tells which classes are
            present, two of which are asked about, and with ``masks`` also where; of others, the two classes that
            the model finds most probable.
        n: how many questions.
        seed: decides which pictures, in which order, and which of the two classes.
        method: of the map.

    Raises:
        QuizError: if fewer than ``n`` pictures qualify.
    """
    _check_models(model)
    if len(model.classes) < 2:
        raise QuizError(f"{model.name} has one class; this question needs two.")
    chosen = get_method(method)
    subjects = [_Subject.of(source) for source in _listed(images)]
    usable = [s for s in subjects if s.present is None or len(s.known_to(model)) >= 2]
    _check_count(len(usable), len(subjects), n, f"show two classes that {model.name} knows")
    order = np.random.default_rng(seed).permutation(len(usable))[:n]
    return [partial(_ask_class, model, usable[k], chosen, (seed, int(k))) for k in order]


def which_model(
    strong: VisionModel,
    weak: VisionModel,
    images: Iterable[Any],
    *,
    n: int,
    seed: int,
    method: str | Method,
) -> list[Draft]:
    """Of each picture the maps of two models that agree: which to trust? Section 5.2 of Selvaraju et al. 2017.

    Args:
        strong: the model that is known to be better.
        weak: one of the same classes.
        images: pictures, as for ``which_class``. Those count whose most probable class is the same for both models
            and, where the classes present are known, is among them.
        n: how many questions.
        seed: decides which pictures, in which order, and which model is A.
        method: of the maps, each at its model's default layer.

    Raises:
        QuizError: if the models have other classes, or fewer than ``n`` pictures qualify.
    """
    _check_models(strong, weak)
    if set(strong.classes) != set(weak.classes):
        other = sorted(set(strong.classes) ^ set(weak.classes))
        raise QuizError(
            f"{strong.name} and {weak.name} have different classes ({', '.join(other[:3])}"
            f"{', …' if len(other) > 3 else ''}): take two models of the same classes."
        )
    chosen = get_method(method)
    subjects = [_Subject.of(source) for source in _listed(images)]
    drafts: list[Draft] = []
    order = [int(k) for k in np.random.default_rng(seed).permutation(len(subjects))]
    for k in track(order, "Pictures on which both agree"):
        if len(drafts) == n:
            break
        subject = subjects[k]
        (name,) = strong.predict(subject.picture, top=1).names
        agreed = weak.predict(subject.picture, top=1).names == (name,)
        if agreed and (subject.present is None or name in subject.present):
            drafts.append(partial(_ask_model, strong, weak, subject, name, chosen, (seed, k)))
    _check_count(len(drafts), len(subjects), n, "are named alike, and rightly, by both models")
    return drafts


# -- what is known of a picture --------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Subject:
    """A picture with the classes that are present, where they are known, and where those are."""

    picture: Any
    present: tuple[str, ...] | None
    masks: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, source: Any) -> _Subject:
        # Only what carries its picture tells what is on it: a tensor has names of another kind.
        if not hasattr(source, "image"):
            return cls(source, None, {})
        names = getattr(source, "names", None)
        if names is None:
            return cls(source.image, None, {})
        masks: dict[str, np.ndarray] = {}
        found = getattr(source, "masks", None)
        for name, mask in zip(names, () if found is None else found, strict=False):
            masks[name] = masks[name] | mask if name in masks else np.asarray(mask, bool)
        return cls(source.image, tuple(dict.fromkeys(names)), masks)

    def known_to(self, model: VisionModel) -> list[str]:
        return [name for name in self.present or () if name in model.classes]

    def outlines(self, model: VisionModel, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Where these classes are, in the picture as the model gets it."""
        return {n: fit_mask(self.masks[n], model.preprocess) for n in names if n in self.masks}


# -- one question ----------------------------------------------------------------------------


def _ask_class(
    model: VisionModel, subject: _Subject, method: Method, seed: tuple[int, int]
) -> Question:
    rng = np.random.default_rng(seed)
    candidates = subject.known_to(model) or list(model.predict(subject.picture, top=2).names)
    pair = [str(name) for name in rng.choice(candidates, 2, replace=False)]
    # A map of nothing is of neither: then the other's is taken.
    found = (_explained(model, subject.picture, name, method) for name in pair)
    shown = next((e for e in found if not e.is_empty), None)
    if shown is None:
        raise MethodError(
            f"{method.label} finds no positive evidence for {pair[0]} or {pair[1]} in this picture: "
            "take another picture or another method."
        )
    right, other = shown.target.label, next(n for n in pair if n != shown.target.label)
    options = [right, other] if rng.random() < 0.5 else [other, right]
    outlines = subject.outlines(model, (right, other))
    reveal = [
        f"The map is {shown.method_label} for {right}.",
        f"The model says {', '.join(shown.prediction.lines[:2])}.",
    ]
    if len(outlines) == 2:
        on_right, on_other = (_share(shown, outlines[n]) for n in (right, other))
        reveal.append(f"Of the evidence, {on_right} lies on {right} and {on_other} on {other}.")
    return Question(
        "Which of the two does this map show evidence for?",
        [
            (shown.pixels, "the picture", outlines),
            (shown, "where the model has evidence for one of them", outlines),
        ],
        options,
        options.index(right),
        " ".join(reveal),
    )


def _ask_model(
    strong: VisionModel,
    weak: VisionModel,
    subject: _Subject,
    name: str,
    method: Method,
    seed: tuple[int, int],
) -> Question:
    strong_is_a = bool(np.random.default_rng(seed).random() < 0.5)
    models = (strong, weak) if strong_is_a else (weak, strong)
    a, b = (_explained(model, subject.picture, name, method) for model in models)
    on_a, on_b = (subject.outlines(model, (name,)) for model in models)
    # Of one name, as two trainings of one architecture have, no name tells them apart.
    called = "" if strong.name == weak.name else f": A is {models[0].name}, B is {models[1].name}"
    sure = (e.prediction.probabilities[0] for e in (a, b))
    reveal = [
        f"{'A' if strong_is_a else 'B'} is the stronger model{called}.",
        "A says {} {:.2f}, B {:.2f}.".format(name, *sure),
    ]
    if on_a and on_b:
        reveal.append(
            f"On {name} lies {_share(a, on_a[name])} of A's evidence, {_share(b, on_b[name])} of B's."
        )
    values = (2.0, 1.0, 0.0, -1.0, -2.0)
    return Question(
        f"Both models say {name}. Which would you trust more, from where each has evidence for it?",
        [(a.pixels, "the picture", on_a), (a, "model A", on_a), (b, "model B", on_b)],
        _VERDICTS,
        (0, 1) if strong_is_a else (3, 4),
        " ".join(reveal),
        values if strong_is_a else values[::-1],
    )


def _explained(model: VisionModel, picture: Any, name: str, method: Method) -> Explanation:
    # The quiz shows that it waits; a bar from another thread would land in some cell.
    found = explain(model, picture, name, method, progress=lambda done, total: None)
    assert isinstance(found, Explanation)
    return found


def _share(explanation: Explanation, mask: np.ndarray) -> str:
    share = share_inside(explanation.saliency, mask)
    return f"{0 if math.isnan(share) else 100 * share:.0f}\u00a0%"


# -- what is refused -------------------------------------------------------------------------


def _listed(images: Iterable[Any]) -> list[Any]:
    shape = getattr(images, "shape", None)
    if isinstance(images, (str, bytes)) or (shape is not None and len(shape) != 4):
        raise QuizError("images is a list of pictures: put a single one in brackets.")
    try:
        return list(images)
    except TypeError:
        raise QuizError(f"images is a list of pictures, not {type(images).__name__}.") from None


def _check_models(*models: VisionModel) -> None:
    for model in models:
        require_model(model, "A quiz")
        if model.scores == "value":
            raise QuizError(f"{model.name} gives quantities, and a quiz is about classes.")


def _check_count(found: int, given: int, n: int, what: str) -> None:
    if not is_integer(n, 1):
        raise QuizError(f"n is the number of questions, at least 1, not {n!r}.")
    if found < n:
        remedy = f"Pass more pictures, or n={found}." if found else "Pass other pictures."
        raise QuizError(f"{found} of {given} pictures {what}; n={n} are asked for. {remedy}")
