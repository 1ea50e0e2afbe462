"""``Quiz``: multiple-choice questions about pictures, and the score at the end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import traitlets as t

from .._assets import STATIC
from ..analysis import human_attention, human_studies
from ..analysis.answer_sheets import AnswerSheet
from ..analysis.human_studies import Draft, Question
from ..analysis.pooled_answers import PooledAnswers, pool_answers, pool_sheets
from ..attribution.methods import Method
from ..errors import QuizError
from ..models.vision_model import VisionModel
from ..runtime import fork_safety
from ..runtime.error_reports import error_text
from .control.worker import Worker
from .host.lifetime import HeldWhileShown, weakly
from .host.static_outputs import StaticView
from .view.page_messages import CheckedMessages
from .view.quiz_answers import answered_question, checked_answer, encoded_marks, result_of
from .view.quiz_cards import card_of, failed_card

__all__ = ["Quiz", "QuizScore"]


class QuizScore(NamedTuple):
    """How many answers were right, of those given to questions that have a right answer."""

    right: int
    answered: int

    def __str__(self) -> str:
        return f"{self.right} of {self.answered} right"


class Quiz(CheckedMessages, HeldWhileShown, anywidget.AnyWidget):
    """Questions with pictures and options; after each answer what was right, and at the end the score.

    The numbers 1 to 9 choose an option, enter goes on. The questions lie in the page, so that a saved notebook can be
    played without a kernel. ``which_class`` and ``which_model`` make the two human studies of the Grad-CAM paper, and
    ``where`` compares maps with where a person looks. ``save`` writes the answers, and ``pool`` reads those of a class.

    Args:
        questions: each a ``Question``, or a function without arguments that returns one. Functions are called off
            the main thread, one after the other; one that fails is an error in the place of its question.
        title: a heading.
        source: what to say beneath the score, such as how others did.
        scale: what the mean of the questions' ``values`` means.

    Attributes:
        number: which question is shown, counted from 0; at the end, their count.
        answers: of each question the index of the chosen option, or what is marked on its picture as the runs of
            ``masking.user_mask.encode``; None before.

    Raises:
        QuizError: if there is no question.

    Example:
        >>> import camwidget as cw
        >>> strong, weak = cw.load("zoo/scenes"), cw.load("zoo/scenes-weak")
        >>> samples = [cw.zoo.scenes.draw(seed) for seed in range(12)]
        >>> quiz = cw.Quiz.which_model(strong, weak, samples, n=1).wait()
        >>> right = quiz.answer(0)
        >>> quiz.score.answered
        1
        >>> quiz.close()
    """

    _esm = (STATIC / "quiz.js").read_text("utf-8")
    _css = (STATIC / "quiz.css").read_text("utf-8")

    number = t.Int(0).tag(sync=True)
    answers: t.List = t.List([]).tag(sync=True)

    #: A random number of the answers, by which copies of a saved file are recognized; "" before the first answer, so
    #: that those who play a saved notebook have each their own.
    attempt = t.Unicode("").tag(sync=True)

    total = t.Int(0).tag(sync=True)
    cards: t.List = t.List([]).tag(sync=True)
    title = t.Unicode("").tag(sync=True)
    source = t.Unicode("").tag(sync=True)
    scale = t.Unicode("").tag(sync=True)

    def __init__(
        self, questions: Sequence[Draft], *, title: str = "", source: str = "", scale: str = ""
    ) -> None:
        drafts = _checked(questions)
        # Methods are called from the browser's thread and from the worker.
        self._lock = fork_safety.rlock()
        self._worker = Worker(("questions",), weakly(self._failed))
        self._questions: list[Question | None] = []  # None: it could not be made
        self._made: list[dict[str, Any]] = []
        ready = [draft for draft in drafts if isinstance(draft, Question)]
        if len(ready) == len(drafts):  # else the worker makes them, in their order
            self._made = [card_of(question) for question in ready]
            self._questions = list(ready)
        super().__init__(
            total=len(drafts),
            cards=list(self._made),
            answers=[None] * len(drafts),
            title=title,
            source=source,
            scale=scale,
        )
        if not self._made:
            self._worker.submit("questions", lambda: self._make(drafts))

    @classmethod
    def which_class(
        cls,
        model: VisionModel,
        images: Sequence[Any],
        n: int = 6,
        *,
        seed: int = 0,
        method: str | Method | Sequence[str | Method] = "gradcam",
        faithfulness: bool = False,
    ) -> Quiz:
        """Make the study of class discrimination of the Grad-CAM paper: for which of two classes is this map?

        There (Selvaraju et al. 2017, section 5.1), people were right for 61.23 % of the maps by Guided Grad-CAM,
        44.44 % by Guided Backpropagation and 53.33 % by Deconvolution.

        Args:
            model: from ``load`` or ``wrap``.
            images: a list of pictures. Something with ``image`` and ``names``, as the zoo's samples, tells which
                classes are present, and with ``masks`` where; for others, the question is about the model's two most
                probable classes.
            n: how many questions.
            seed: another number gives other questions.
            method: of the maps; or several, each for as many questions (to one), by which answers are counted.
            faithfulness: whether each map is also compared with occlusion's, which takes as long as that.

        Raises:
            QuizError: if fewer than ``n`` pictures show two classes.
        """
        drafts = human_studies.which_class(
            model, images, n=n, seed=seed, method=method, faithfulness=faithfulness
        )
        return cls(drafts, title="One map, two classes", source=human_studies.CLASS_STUDY)

    @classmethod
    def which_model(
        cls,
        strong: VisionModel,
        weak: VisionModel,
        images: Sequence[Any],
        n: int = 6,
        *,
        seed: int = 0,
        method: str | Method | Sequence[str | Method] = "gradcam",
        faithfulness: bool = False,
    ) -> Quiz:
        """Make the study of trust of the Grad-CAM paper: which of two models that agree is more reasonable?

        There (Selvaraju et al. 2017, section 5.2), on the same scale from −2 to +2, people gave VGG-16 over AlexNet
        a mean of +1.27 from maps by Guided Grad-CAM and +1.00 from maps by Guided Backpropagation.

        Args:
            strong: the model that is known to be better.
            weak: one of the same classes. Which of the two is A and which B is drawn by lot.
            images: a list of pictures, as for ``which_class``. Those are used that both models name alike and,
                where the classes present are known, rightly.
            n: how many questions.
            seed: another number gives other questions.
            method: of the maps, each at its model's default layer; or several, as for ``which_class``.
            faithfulness: as for ``which_class``.

        Raises:
            QuizError: if the models' classes differ, or fewer than ``n`` pictures qualify.
        """
        drafts = human_studies.which_model(
            strong, weak, images, n=n, seed=seed, method=method, faithfulness=faithfulness
        )
        return cls(
            drafts,
            title="One answer, two models",
            source=human_studies.MODEL_STUDY,
            scale=human_studies.MODEL_SCALE,
        )

    @classmethod
    def where(
        cls,
        model: VisionModel,
        images: Sequence[Any],
        n: int | None = None,
        *,
        seed: int = 0,
        methods: str | Method | Sequence[str | Method] = ("gradcam", "guided-gradcam", "random"),
    ) -> Quiz:
        """Make a quiz "Where did you look?": a person marks on a picture where they look to see a class.

        The marks are compared with the map of every method, and with the ground truth where it is known, by the rank
        correlation of means over 14 × 14 cells; equal cells share the average of their ranks. The paper has 0.136 for
        Grad-CAM and people's attention to questions.

        Args:
            model: from ``load`` or ``wrap``.
            images: a list of pictures, as for ``which_class``. A person is asked for a class that is present, or if
                that is not known for the predicted one.
            n: how many questions; one for each picture if None.
            seed: another number gives other questions.
            methods: of the maps, each at the model's default layer.

        Raises:
            QuizError: if there are fewer than ``n`` pictures.
        """
        drafts = human_attention.where(model, images, n=n, seed=seed, methods=methods)
        return cls(drafts, title="Where did you look?", source=human_attention.STUDY)

    @staticmethod
    def pool(
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    ) -> PooledAnswers:
        """Pool the answers that several people have saved, here or from a page.

        Args:
            source: a folder, whose files ``*.json`` are read with those of the folders below it, or files.

        Returns:
            Accuracy and mean on the scale by method, with intervals and beside the maps' faithfulness, correlations
            with marks, and all answers. Files that are no answers are named with the reason.

        Raises:
            QuizError: if there is no such folder or file, or no ``.json`` file.
        """
        return pool_answers(source)

    # -- for scripts -----------------------------------------------------------------------

    def answer(self, option: Any) -> bool | None:
        """Answer the question shown. ``next`` goes on.

        Args:
            option: an option's index or text; for a question about where one looks, the marks, a bool array (H, W) of
                the picture's size.

        Returns:
            Whether it is right; None where nothing is right or wrong.

        Raises:
            QuizError: if there is no such option, or the question is answered already.
            PictureError: if the marks do not fit the picture.
        """
        question = self._shown()
        if question.maps is not None:
            option = encoded_marks(option, self._made[self.number])
        elif isinstance(option, str):
            options = list(question.options)
            if option not in options:
                raise QuizError(f"There is no option {option!r}: {', '.join(map(repr, options))}.")
            option = options.index(option)
        if self.answers[self.number] is not None:
            raise QuizError(
                f"Question {self.number + 1} is answered already: call next() to go on, or restart()."
            )
        with self.hold_sync():
            self.answers = [
                *self.answers[: self.number],
                option,
                *self.answers[self.number + 1 :],
            ]
            self.attempt = self.attempt or uuid.uuid4().hex
        return option in question.right if question.right else None

    def next(self) -> Quiz:
        """Show the next question, or after the last the score."""
        self.number = min(self.number + 1, self.total)
        return self

    def restart(self) -> Quiz:
        """Forget all answers, and show the first question."""
        with self.hold_sync():
            self.answers = [None] * self.total
            self.number = 0
            self.attempt = ""
        return self

    def save(
        self, path: str | os.PathLike[str], *, name: str = "", overwrite: bool = False
    ) -> Path:
        """Write the answers as a JSON file for ``pool``. Nothing about the person is in it but the name, if given.

        Args:
            path: the file; ``.json`` is appended to a name without a suffix.
            name: of the person; "" for none.
            overwrite: whether an existing file is replaced.

        Returns:
            The file.

        Raises:
            FileExistsError: if the file exists.
            QuizError: if nothing is answered, or the name is no text.
        """
        if not isinstance(name, str):
            raise QuizError(f"name is a text, or '' for none, not {name!r}.")
        return self._sheet(name).save(path, overwrite=overwrite)

    @property
    def tally(self) -> PooledAnswers:
        """The answers so far by method, in the tables of ``pool``."""
        return pool_sheets([("", self._sheet(""))])

    def _sheet(self, name: str) -> AnswerSheet:
        made = zip(self._questions, self._made, self.answers, strict=False)
        questions = [answered_question(q, card, a) for q, card, a in made if q is not None]
        number = self.attempt or uuid.uuid4().hex
        return AnswerSheet(number, self.title, tuple(questions), name=name.strip())

    def wait(self, timeout: float | None = None) -> Quiz:
        """Block until all questions are made.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
        """
        if not self._worker.wait(timeout) and not self._worker.in_worker:
            raise TimeoutError(f"Still making questions after {timeout} s.")
        return self

    @property
    def questions(self) -> tuple[Question | None, ...]:
        """The questions made so far; None in the place of one that failed."""
        return tuple(self._questions)

    @property
    def finished(self) -> bool:
        """Whether every question that could be made is answered."""
        return len(self._questions) == self.total and all(
            answer is not None or question is None
            for question, answer in zip(self._questions, self.answers, strict=True)
        )

    @property
    def score(self) -> QuizScore:
        """The number of right answers, and of answers that can be right."""
        judged = [r["right"] for r in self.results if r["right"] is not None]
        return QuizScore(sum(judged), len(judged))

    @property
    def mean(self) -> float | None:
        """The mean of the ``values`` of the chosen options; None without any."""
        values = [r["value"] for r in self.results if r["value"] is not None]
        return sum(values) / len(values) if values else None

    @property
    def results(self) -> list[dict[str, Any]]:
        """Of each question made: its number from 1, prompt, method, options, the one chosen, the right ones, right,
        value, and for marks their correlations with the maps.
        """
        made = zip(self._questions, self._made, self.answers, strict=False)
        return [
            result_of(number, question, card, given)
            for number, (question, card, given) in enumerate(made, 1)
            if question is not None
        ]

    def page_content(self) -> dict[str, Any]:
        """Return the quiz for a saved page, once all questions are made: title, source, scale and cards."""
        self.wait()
        texts = {"title": self.title, "source": self.source, "scale": self.scale}
        return {**texts, "cards": list(self._made)}

    def close(self) -> None:
        """Stop making questions, and remove the quiz from every page."""
        if "_worker" in self.__dict__:  # else the arguments were refused
            self._worker.close()
            if self.comm is not None:
                self.layout.close()
        super().close()

    def _heard_from_page(self) -> bool:
        return self.is_heard

    def _static_view(self) -> StaticView:
        from .state.static_quiz import quiz_static_view

        with self._lock:
            cards = list(self._made)
        chosen = self.answers[self.number] if self.number < self.total else None
        mean = self.mean
        score = str(self.score) if self.score.answered else ""
        if mean is not None:
            score = f"mean {mean:+.2f}, {self.scale}"
        return quiz_static_view(self.title, cards, self.number, chosen, score)

    def __repr__(self) -> str:
        answered = sum(a is not None for a in self.answers)
        return f"Quiz({self.total} question{'s' * (self.total != 1)}, {answered} answered)"

    # -- what may be set -------------------------------------------------------------------

    @t.validate("number")
    def _valid_number(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] <= self.total:
            raise QuizError(
                f"There is no question {proposal['value']}: number is from 0 to {self.total}, the score."
            )
        return proposal["value"]

    @t.validate("answers")
    def _valid_answers(self, proposal: Any) -> list[Any]:
        answers = list(proposal["value"])
        if len(answers) != self.total:
            raise QuizError(f"answers has one entry a question: {self.total}, not {len(answers)}.")
        for number, answer in enumerate(answers):
            if answer is not None:
                ready = number < len(self._questions)
                question = self._questions[number] if ready else None
                checked_answer(number, question, self._made[number] if ready else {}, answer)
        return answers

    # -- making them -----------------------------------------------------------------------

    def _shown(self) -> Question:
        if self.number >= self.total:
            raise QuizError("There is no question left: call restart() to play again.")
        while self.number >= len(self._questions) and not self._worker.idle:
            self._worker.wait(0.05)
        question = self._questions[self.number] if self.number < len(self._questions) else None
        if question is None:
            raise QuizError(f"Question {self.number + 1} could not be made: call next() to go on.")
        return question

    def _make(self, drafts: Sequence[Draft]) -> Iterator[None]:
        for draft in drafts:
            question: Question | None = None
            try:
                question = draft if isinstance(draft, Question) else draft()
                card = card_of(question)
            except Exception as error:
                card = failed_card(error_text(error, self))
                question = None
            with self._lock:
                self._made.append(card)
                self._questions.append(question)
                self._publish()
            yield

    @t.observe("number")
    def _publish(self, change: Any = None) -> None:
        """Send the questions made so far if the one shown is missing in the browser, or their number has doubled.

        A trait is sent completely each time: sending it after every question would be quadratic in their number.
        """
        with self._lock:
            made, sent = len(self._made), len(self.cards)
            if made > sent and (made >= min(2 * sent, self.total) or self.number >= sent):
                self.cards = list(self._made)

    def _failed(self, kind: str, error: BaseException) -> None:
        # Only exceptions that are no Exception get here. A thread that waits for the questions must be released.
        text = error_text(error, self)
        with self._lock:
            missing = self.total - len(self._made)
            self._made += [failed_card(text)] * missing
            self._questions += [None] * missing
            self._publish()


def _checked(questions: Any) -> list[Draft]:
    if isinstance(questions, Question):
        raise QuizError("questions is a list of questions: put a single one in brackets.")
    try:
        drafts = list(questions)
    except TypeError:
        raise QuizError(
            f"questions is a list of camwidget.Question, not {type(questions).__name__}."
        ) from None
    if not drafts:
        raise QuizError("There is no question: pass a list of camwidget.Question.")
    for draft in drafts:
        if not isinstance(draft, Question) and not callable(draft):
            raise QuizError(
                f"Each of questions is a camwidget.Question, or a function that returns one, "
                f"not {type(draft).__name__}."
            )
    return drafts
