"""Quiz questions for human studies, and the two studies of the Grad-CAM paper.

Selvaraju et al. 2017 (arXiv:1610.02391) asked people whether maps help them: in section 5.1 which of two classes a map
explains, and in section 5.2 which of two models that predict the same class is more reliable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch

from .._validation import as_name_list, is_integer
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method, get_method
from ..errors import MethodError, QuizError
from ..images.ground_truth import fit_mask, share_inside
from ..models.argument_checks import require_model
from ..models.vision_model import VisionModel
from ..progress import track
from .answer_sheets import MAX_VALUE
from .correlation import rank_correlation

__all__ = [
    "CLASS_STUDY",
    "MODEL_SCALE",
    "MODEL_STUDY",
    "Draft",
    "Question",
    "Subject",
    "check_models",
    "listed_pictures",
    "method_list",
    "which_class",
    "which_model",
]

#: A picture (anything that ``explain`` takes, or an ``Explanation``) with its caption and, optionally, outlines by
#: name: bool masks, drawn after the answer, the first one in the accent color.
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
    """A quiz question with pictures and options.

    Attributes:
        prompt: the question's text.
        pictures: tuples (picture, caption) or (picture, caption, outlines). A picture is anything that ``explain``
            takes, or an ``Explanation``, which is shown as its overlay. Outlines are bool masks (H, W) by name, drawn
            on the picture after the answer, the first one in the accent color.
        options: the texts of the options, at least two; none if the answer is marks on the picture.
        answer: index of the correct option, or of several; None if no option is correct or wrong.
        reveal: the text shown after the answer.
        values: the score of each option, for questions on a scale; the quiz shows the mean at the end.
        study: "which class", "which model" or "where" of the quiz's own studies; "" otherwise.
        method: label of the method whose map is shown, by which answers are counted; "" if there is none.
        faithfulness: rank correlation of the map with occlusion's, in [-1, 1]; None if it was not measured.
        maps: for a question that is answered by marks on the first picture: maps (H, W) by name, of the shape of that
            picture or reduced to 14 × 14 cells, with which the marks are compared; None for one with options.

    Raises:
        QuizError: if there are fewer than two options or two equal ones, if ``answer`` is not an index of one, or if
            ``values``, ``maps`` or ``pictures`` have another form.

    Example:
        >>> import camwidget as cw
        >>> sample = cw.zoo.samples("zoo/textures")[0]
        >>> question = cw.Question(
        ...     "Which texture is this?", [(sample.image, "a picture")], ["polka-dotted", "lined"], answer=0
        ... )
        >>> question.right
        (0,)
    """

    prompt: str
    pictures: Sequence[Shown]
    options: Sequence[str] = ()
    answer: int | Sequence[int] | None = None
    reveal: str = ""
    values: Sequence[float] | None = None
    study: str = ""
    method: str = ""
    faithfulness: float | None = None
    maps: Mapping[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        if self.maps is not None:
            if self.options or self.values is not None or not self.pictures:
                raise QuizError(
                    "A question with maps is answered by marks on its first picture, and has no options or values."
                )
            if any(np.ndim(values) != 2 for values in self.maps.values()):
                raise QuizError("maps are arrays (H, W) by name.")
        elif isinstance(self.options, str) or len(self.options) < 2:
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
        if self.values is not None and not all(abs(v) <= MAX_VALUE for v in self.values):
            raise QuizError(f"values are numbers from -1e9 to 1e9, not {tuple(self.values)}.")
        for shown in self.pictures:
            if not isinstance(shown, tuple) or not 2 <= len(shown) <= 3:
                raise QuizError(
                    "Each of pictures is a tuple (picture, caption) or (picture, caption, outlines), "
                    f"not {type(shown).__name__}."
                )

    @property
    def right(self) -> tuple[int, ...]:
        """Indices of the correct options; empty if no option is correct or wrong."""
        if self.answer is None:
            return ()
        return tuple(self.answer) if isinstance(self.answer, Sequence) else (self.answer,)


#: A question, or a function that creates it, called in a worker thread when the question is due.
Draft: TypeAlias = "Question | Callable[[], Question]"


def which_class(
    model: VisionModel,
    images: Iterable[Any],
    *,
    n: int,
    seed: int,
    method: str | Method | Sequence[str | Method],
    faithfulness: bool = False,
) -> list[Draft]:
    """Draft questions of the class study: a person names which of two classes a map explains.

    Selvaraju et al. 2017, section 5.1.

    Args:
        model: from ``load`` or ``wrap``.
        images: the pictures. A sample with ``image`` and ``names`` (as in the zoo) provides the classes that are
            present, two of which are the options, and with ``masks`` their locations. For other pictures, the options
            are the two most probable classes.
        n: number of questions, at least 1.
        seed: seed of the choice of pictures, their order, and the explained class.
        method: method of the map, or several, each for as many questions (to one).
        faithfulness: whether each map is compared with occlusion's, which takes as long as that.

    Returns:
        Functions that create the questions.

    Raises:
        QuizError: if fewer than ``n`` pictures qualify.
    """
    check_models(model)
    if len(model.classes) < 2:
        raise QuizError(f"{model.name} has one class; this question needs two.")
    chosen = _dealt(method, n, seed)
    subjects = [Subject.of(source) for source in listed_pictures(images)]
    usable = [s for s in subjects if s.present is None or len(s.known_to(model)) >= 2]
    _check_count(len(usable), len(subjects), n, f"show two classes that {model.name} knows")
    order = np.random.default_rng(seed).permutation(len(usable))[:n]
    return [
        partial(_ask_class, model, usable[k], method, (seed, int(k)), faithfulness)
        for k, method in zip(order, chosen, strict=True)
    ]


def which_model(
    strong: VisionModel,
    weak: VisionModel,
    images: Iterable[Any],
    *,
    n: int,
    seed: int,
    method: str | Method | Sequence[str | Method],
    faithfulness: bool = False,
) -> list[Draft]:
    """Draft questions of the model study: a person compares two models with equal predictions.

    Selvaraju et al. 2017, section 5.2.

    Args:
        strong: the model that is known to be better.
        weak: a model with the same classes.
        images: the pictures, as for ``which_class``. A picture qualifies if both models predict the same class and that
            class, where the present classes are known, is present.
        n: number of questions, at least 1.
        seed: seed of the choice of pictures, their order, and which model is A.
        method: method of the maps, each at its model's default layer, or several, each for as many questions (to one).
        faithfulness: whether each map is compared with occlusion's; a question has the mean of its two.

    Returns:
        Functions that create the questions.

    Raises:
        QuizError: if the models have different classes, or fewer than ``n`` pictures qualify.
    """
    check_models(strong, weak)
    if set(strong.classes) != set(weak.classes):
        other = sorted(set(strong.classes) ^ set(weak.classes))
        raise QuizError(
            f"{strong.name} and {weak.name} have different classes ({', '.join(other[:3])}"
            f"{', …' if len(other) > 3 else ''}): take two models of the same classes."
        )
    chosen = _dealt(method, n, seed)
    subjects = [Subject.of(source) for source in listed_pictures(images)]
    drafts: list[Draft] = []
    order = [int(k) for k in np.random.default_rng(seed).permutation(len(subjects))]
    for k in track(order, "Pictures on which both agree"):
        if len(drafts) == n:
            break
        subject = subjects[k]
        (name,) = strong.predict(subject.picture, top=1).names
        agreed = weak.predict(subject.picture, top=1).names == (name,)
        if agreed and (subject.present is None or name in subject.present):
            method = chosen[len(drafts)]
            drafts.append(
                partial(_ask_model, strong, weak, subject, name, method, (seed, k), faithfulness)
            )
    _check_count(len(drafts), len(subjects), n, "are classified correctly by both models")
    return drafts


# -- ground truth of a picture ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture with the classes that are present and their masks, where known."""

    picture: Any
    present: tuple[str, ...] | None
    masks: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, source: Any) -> Subject:
        """Return the subject of a picture, or of a sample."""
        # Only samples with an image have class names: the ``names`` of a tensor are those of its dimensions.
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
        """Return the classes that are present and that the model has."""
        return [name for name in self.present or () if name in model.classes]

    def outlines(self, model: VisionModel, names: Sequence[str]) -> dict[str, np.ndarray]:
        """The masks of some classes at the model's input size."""
        return {n: fit_mask(self.masks[n], model.preprocess) for n in names if n in self.masks}


# -- one question ----------------------------------------------------------------------------


def _ask_class(
    model: VisionModel,
    subject: Subject,
    method: Method,
    seed: tuple[int, int],
    faithfulness: bool,
) -> Question:
    rng = np.random.default_rng(seed)
    candidates = subject.known_to(model) or list(model.predict(subject.picture, top=2).names)
    pair = [str(name) for name in rng.choice(candidates, 2, replace=False)]
    # An empty map explains neither class: the map of the other class is used then.
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
        *_control_note(method),
        f"The model predicts {', '.join(shown.prediction.lines[:2])}.",
    ]
    if len(outlines) == 2:
        on_right, on_other = (_share(shown, outlines[n]) for n in (right, other))
        reveal.append(f"{on_right} of the evidence is on {right}, {on_other} on {other}.")
    return Question(
        "Which of the two does this map show evidence for?",
        [
            (shown.pixels, "the picture", outlines),
            (shown, "where the model has evidence for one of them", outlines),
        ],
        options,
        options.index(right),
        " ".join(reveal),
        study="which class",
        method=method.label,
        faithfulness=_faithfulness(model, subject.picture, shown) if faithfulness else None,
    )


def _control_note(method: Method) -> list[str]:
    """Say of a control that its map could not be read; nothing of other methods."""
    made = {"random": "made of random numbers", "center": "the same for every picture and class"}
    if method.name not in made:
        return []
    return [f"Such a map is {made[method.name]}, as a control: nobody can read it."]


def _ask_model(
    strong: VisionModel,
    weak: VisionModel,
    subject: Subject,
    name: str,
    method: Method,
    seed: tuple[int, int],
    faithfulness: bool,
) -> Question:
    strong_is_a = bool(np.random.default_rng(seed).random() < 0.5)
    models = (strong, weak) if strong_is_a else (weak, strong)
    a, b = (_explained(model, subject.picture, name, method) for model in models)
    on_a, on_b = (subject.outlines(model, (name,)) for model in models)
    # Two trainings of one architecture have the same name, which does not distinguish them.
    called = "" if strong.name == weak.name else f": A is {models[0].name}, B is {models[1].name}"
    sure = (e.prediction.probabilities[0] for e in (a, b))
    reveal = [
        f"{'A' if strong_is_a else 'B'} is the stronger model{called}.",
        *_control_note(method),
        "A predicts {} with {:.2f}, B with {:.2f}.".format(name, *sure),
    ]
    if on_a and on_b:
        reveal.append(
            f"{_share(a, on_a[name])} of A's evidence and {_share(b, on_b[name])} of B's is on {name}."
        )
    values = (2.0, 1.0, 0.0, -1.0, -2.0)
    return Question(
        f"Both models predict {name}. Which one would you trust more, judging by where its evidence is?",
        [(a.pixels, "the picture", on_a), (a, "model A", on_a), (b, "model B", on_b)],
        _VERDICTS,
        (0, 1) if strong_is_a else (3, 4),
        " ".join(reveal),
        values if strong_is_a else values[::-1],
        study="which model",
        method=method.label,
        faithfulness=_mean(
            [_faithfulness(m, subject.picture, e) for m, e in zip(models, (a, b), strict=True)]
        )
        if faithfulness
        else None,
    )


def _explained(model: VisionModel, picture: Any, name: str, method: Method) -> Explanation:
    # The quiz shows a waiting state; a progress bar from a worker thread would appear in an arbitrary cell.
    found = explain(model, picture, name, method, progress=lambda done, total: None)
    assert isinstance(found, Explanation)
    return found


def _faithfulness(model: VisionModel, picture: Any, explanation: Explanation) -> float | None:
    """Rank correlation of a map with occlusion's, as the metric ``occlusion-correlation``; None if undefined."""
    side = max(1, min(explanation.saliency.shape) // 7)
    occlusion = get_method("occlusion", window=side, stride=max(1, side // 2))
    other = _explained(model, picture, explanation.target.label, occlusion)
    found = rank_correlation(
        torch.from_numpy(explanation.saliency), torch.from_numpy(other.saliency)
    )
    return None if math.isnan(found) else found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _share(explanation: Explanation, mask: np.ndarray) -> str:
    share = share_inside(explanation.saliency, mask)
    return f"{0 if math.isnan(share) else 100 * share:.0f}\u00a0%"


# -- methods ---------------------------------------------------------------------------------


def method_list(methods: str | Method | Sequence[str | Method]) -> list[Method]:
    """Return one method, or several, as a list.

    Raises:
        MethodError: if a method is unknown.
        QuizError: if there is none.
    """
    given = [methods] if isinstance(methods, Method) else as_name_list(methods, "method")
    found = [get_method(one) for one in given]
    if not found:
        raise QuizError("A quiz about maps needs a method: name one of list_methods().")
    return found


def _dealt(methods: str | Method | Sequence[str | Method], n: int, seed: int) -> list[Method]:
    """The method of each of ``n`` questions, in random order: each method for as many, to one."""
    found = method_list(methods)
    if not is_integer(n, 1):
        raise QuizError(f"n is the number of questions, at least 1, not {n!r}.")
    rng = np.random.default_rng((seed, 1))
    # Shuffled twice: which methods get one question more is drawn too.
    first = [found[k] for k in rng.permutation(len(found))]
    return [first[k % len(first)] for k in rng.permutation(n)]


# -- validation ------------------------------------------------------------------------------


def listed_pictures(images: Iterable[Any]) -> list[Any]:
    """Return the pictures of a quiz as a list.

    Raises:
        QuizError: if it is a single picture, or no list.
    """
    shape = getattr(images, "shape", None)
    if isinstance(images, (str, bytes)) or (shape is not None and len(shape) != 4):
        raise QuizError("images is a list of pictures: put a single one in brackets.")
    try:
        return list(images)
    except TypeError:
        raise QuizError(f"images is a list of pictures, not {type(images).__name__}.") from None


def check_models(*models: VisionModel) -> None:
    """Raise an error unless a quiz can be made about the models.

    Raises:
        ModelError: if one is not from ``load`` or ``wrap``.
        QuizError: if one has no classes.
    """
    for model in models:
        require_model(model, "A quiz")
        if model.scores == "value":
            raise QuizError(f"{model.name} predicts quantities; a quiz needs a model with classes.")


def _check_count(found: int, given: int, n: int, what: str) -> None:
    if found < n:
        remedy = f"Pass more pictures, or n={found}." if found else "Pass other pictures."
        raise QuizError(
            f"{found} of {given} pictures {what}; n={n} questions are requested. {remedy}"
        )
