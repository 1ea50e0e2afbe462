"""Run a module, and read one row of logits for each picture from whatever it returns."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ..errors import ModelError, warn
from ..runtime.error_reports import error_line
from .final_activation import ActivationRecorder, Ending, SkippedActivation, looks_like, undo
from .outputs import Place, ScoredOutput, as_scores, at_place, describe_output, locate_scores
from .scores import check_log

__all__ = ["OutputReader", "picture_keyword"]

#: By which name a picture is passed where it cannot go first.
_PICTURES = ("pixel_values", "image", "images", "pixels", "picture", "x", "input", "inputs")
#: Heads whose place nothing takes, so that a net returns its features.
_HEADS = ("fc", "head", "heads", "classifier", "last_linear")
#: Of transformers' configurations.
#: How far probabilities may be from [0, 1], and their sum from 1.
_ROUGHLY = 0.05
_PROBLEMS = {"regression": "value", "multi_label_classification": "sigmoid"}


@dataclass
class OutputReader:
    """What one pass told of a module's output: where the scores are, what they mean, what the module ends in.

    A module that ends in a softmax or sigmoid is read as if it did not: what goes in are its logits. One logit for two
    classes becomes two, −z and z, so that both can be explained, and their probabilities add up to 1.

    Attributes:
        name: what to call the model.
        asked: the place of the scores, as it was passed; None to find it.
        declared: the rule for the scores, as it was passed; None to find it.
        names: how many class names there are; None if that is not known.
        keyword: by which name the module takes the picture; None if it comes first.
        scores: the rule; one of ``scores.SCORES`` other than "probability".
        place: where the scores are; None for a model without classes.
        why: why it has none.
        columns: how many scores the module itself gives.
        channels: how many maps a layer has that is the answer itself: those scores, or those of every pixel.
        ending: what it ends in.
        is_recorded: whether what goes into that ending was seen; else the ending is undone by arithmetic.
    """

    name: str
    asked: Place | None = None
    declared: str | None = None
    names: int | None = None
    keyword: str | None = None
    scores: str = "softmax"
    place: Place | None = None
    why: str = ""
    columns: int = 0
    channels: int = 0
    ending: Ending | None = None
    is_recorded: bool = False
    is_two_sided: bool = False
    _is_settled: bool = field(default=False, repr=False)
    _recorder: ActivationRecorder | None = field(default=None, repr=False)

    # -- every pass ----------------------------------------------------------------------------

    def call(
        self, module: nn.Module, inputs: torch.Tensor, extras: Mapping[str, torch.Tensor]
    ) -> Any:
        """The module's output for inputs (N, C, H, W), as an ``ScoredOutput`` where its logits are no part of it."""
        if not self._is_settled:
            with ActivationRecorder() as self._recorder:
                return self._run(module, inputs, extras)
        if self.ending is None and not self.is_two_sided:
            return self._run(module, inputs, extras)
        with ActivationRecorder() as recorder:
            returned = self._run(module, inputs, extras)
        scores = self._scores(returned, len(inputs))
        if scores is None:
            return returned
        logits = scores
        if self.is_recorded:
            found = recorder.before(scores)
            if found is None or found[0] != self.ending:
                raise ModelError(
                    f"{self.name} ended in a {self.ending} when it was first run, and does not for these inputs. Wrap "
                    "it without that."
                )
            logits = found[1]
        elif self.ending is not None:
            self._check_ending(scores)
            logits = undo(scores, self.ending)
        return ScoredOutput(returned, self._both(logits))

    def _check_ending(self, scores: torch.Tensor) -> None:
        """Refuse numbers that the ending, which was told by those of other pictures, cannot have made."""
        assert self.ending is not None
        values = scores.detach().double()
        if bool(torch.isnan(values).any()):
            return  # that is said elsewhere
        is_log = self.ending.startswith("log")
        parts = values.exp() if is_log else values
        # Generous: many classes in low precision add up to 1 only roughly.
        in_range = bool(((parts >= -_ROUGHLY) & (parts <= 1 + _ROUGHLY)).all())
        adds_up = "softmax" not in self.ending or bool(((parts.sum(1) - 1).abs() <= _ROUGHLY).all())
        if in_range and adds_up:
            return
        kind = "logarithms of probabilities" if is_log else "probabilities"
        raise ModelError(
            f"{self.name} answers {float(values.min()):.3g} to {float(values.max()):.3g} here, which are no {kind}, "
            f"though its first answers looked like it ({self.ending}). If they are logits, wrap a module that adds a "
            "constant to all of them, such as 1: their softmax stays the same."
        )

    def logits(self, returned: Any, count: int) -> torch.Tensor | None:
        """The logits (N, classes) in what ``call`` returned; None if they are not where they were."""
        return (
            returned.logits if isinstance(returned, ScoredOutput) else self._scores(returned, count)
        )

    def read_copy(self, copy: Any, inputs: torch.Tensor) -> Any:
        """The logits of a copy of the module, computed by it alone: its ending is left out rather than undone."""
        if self.ending is None:
            returned = copy(inputs) if self.keyword is None else copy(**{self.keyword: inputs})
        else:
            with SkippedActivation(self.ending, self.columns):
                returned = copy(inputs) if self.keyword is None else copy(**{self.keyword: inputs})
        if self.place is None:
            return returned
        found = at_place(returned, self.place)
        # As it is where it can be: who follows a tensor knows it by its identity.
        if isinstance(found, torch.Tensor) and found.ndim != 2:
            found = as_scores(found, len(inputs), self.columns)
        return found if found is None else self._both(found)

    def with_columns(self, count: int) -> OutputReader:
        """The same for another number of scores: what a text makes of some models."""
        return self if count == self.columns else replace(self, columns=count)

    def _run(self, module: nn.Module, inputs: torch.Tensor, extras: Mapping[str, Any]) -> Any:
        if self.keyword is None:
            return module(inputs, **extras)
        return module(**{self.keyword: inputs}, **extras)

    def _scores(self, returned: Any, count: int) -> torch.Tensor | None:
        if self.place is None:
            return None
        try:
            found = at_place(returned, self.place)
        except (KeyError, IndexError, TypeError, AttributeError):
            return None
        if not isinstance(found, torch.Tensor):
            return None
        return as_scores(found, count, self.columns or None)

    def _both(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.cat([-logits, logits], 1) if self.is_two_sided else logits

    # -- the first pass ------------------------------------------------------------------------

    def settle(
        self, returned: Any, module: nn.Module, inputs: torch.Tensor, extras: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Find out what a module's first output means, and return the logits that it computes, (1, columns).

        These are part of the first pass: they have its graph.

        Args:
            returned: what ``call`` gave last.
            module: whose; it is run again where its output looks like probabilities.
            inputs: of which picture.
            extras: the inputs beside it.

        Raises:
            ModelError: if it is not clear which of its outputs, or what they are.
        """
        recorder, self._recorder, self._is_settled = self._recorder, None, True
        if isinstance(returned, Iterator):
            raise ModelError(
                f"{self.name} returns {describe_output(returned)}, which can be read only once, so that nothing in it "
                "can be explained. Wrap a module whose forward returns the class scores themselves, or a list of what "
                "it yields."
            )
        if self.asked is not None:
            self.place = self.asked
            self._check_asked(returned, len(inputs))
        else:
            located = locate_scores(returned, len(inputs), self.names)
            self.place, self.why, self.channels = located.place, located.why, located.channels
        scores = self._scores(returned, len(inputs))
        if scores is None:
            self.place = None
            return None
        self.columns = self.channels = scores.shape[1]
        other: torch.Tensor | None = None
        if bool(scores.isfinite().all()) and (
            looks_like(scores) or _is_unit(scores) or _are_percent(scores)
        ):
            with torch.no_grad():  # one picture may be a coincidence
                other = self._scores(self._run(module, _other(inputs), extras), len(inputs))
        if self.asked is None and self._is_embedding(module, scores, other):
            self.place, self.columns = None, 0
            return None
        seen = looks_like(scores) & looks_like(other) if other is not None else frozenset()
        self.scores, found = self._rule(module, seen, scores, other, recorder)
        self.is_two_sided = self.columns == 1 and self.names == 2 and self.scores == "sigmoid"
        return scores if found is None else found

    def _check_asked(self, returned: Any, count: int) -> None:
        try:
            found = at_place(returned, self.place or ())
        except Exception as error:  # someone's own function
            raise ModelError(
                f"output={self._asked_text()} is not in what {self.name} returns, {describe_output(returned)} "
                f"({error_line(error)})."
            ) from error
        if not isinstance(found, torch.Tensor) or as_scores(found, count) is None:
            raise ModelError(
                f"output={self._asked_text()} is {describe_output(found)}, and class scores are (N, classes): "
                f"({count}, …) here. A callable can make them, such as output=lambda out: out.mean((2, 3))."
            )

    def _asked_text(self) -> str:
        place = self.asked or ()
        steps = [getattr(s, "__name__", "…") if callable(s) else repr(s) for s in place]
        return steps[0] if len(steps) == 1 else f"({', '.join(steps)})"

    def _is_embedding(
        self, module: nn.Module, scores: torch.Tensor, other: torch.Tensor | None
    ) -> bool:
        """Whether a row is no class scores but features of the picture, where nobody said that it is."""
        if self.names is not None or self.declared is not None or self.columns == 1:
            return False
        heads = {h: getattr(module, h) for h in _HEADS if hasattr(module, h)}
        # Where another head has parameters, that may be the one.
        is_headless = not any(
            isinstance(m, nn.Module) and [*m.parameters()] for m in heads.values()
        )
        removed = [h for h, m in heads.items() if isinstance(m, nn.Identity) and is_headless]
        if getattr(module, "num_classes", None) == 0:
            self.why = f"it was made with num_classes=0, and returns its {self.columns} features"
        elif removed and self.place == ():
            self.why = (
                f"its {removed[0]!r} is an Identity, so that it returns its {self.columns} features"
            )
        elif (
            other is not None
            and _is_unit(scores)
            and _is_unit(other)
            and not looks_like(scores) - {"sigmoid"}
        ):
            self.why = f"its {self.columns} outputs have length 1, as an embedding has"
        else:
            return False
        self.why += (
            ". Wrap it with a classifier's head; or, if they are class scores all the same, pass their names as "
            "classes=[…] to camwidget.wrap"
        )
        return True

    def _rule(
        self,
        module: nn.Module,
        seen: frozenset[Ending],
        scores: torch.Tensor,
        other: torch.Tensor | None,
        recorder: ActivationRecorder | None,
    ) -> tuple[str, torch.Tensor | None]:
        """The rule for the scores; and the logits, where the module ends in something that hides them."""
        problem = getattr(getattr(module, "config", None), "problem_type", None)
        wanted = self.declared or _PROBLEMS.get(problem if isinstance(problem, str) else "")
        if wanted in ("value", "log"):
            if wanted == "log":
                check_log(scores, self.name)
            return wanted, None
        if self.columns > 1 and other is not None and bool((torch.cat([scores, other]) == 1).all()):
            raise ModelError(
                f"{self.name} gives probability 1 to every class: its softmax goes over the pictures of a batch, not "
                "over the classes. Use softmax(1), or leave it out."
            )
        found: torch.Tensor | None = None
        if seen:
            recorded = None if recorder is None else recorder.before(scores)
            if recorded is not None and recorded[0] in seen:
                self.ending, found = recorded
                self.is_recorded = True
            elif seen & {"softmax", "log_softmax"} and not _is_one_hot(scores):
                # Rows that add up to 1 are no coincidence, unless they are of zeros and ones, which rectifiers make;
                # numbers between 0 and 1 may be one.
                self.ending = "softmax" if "softmax" in seen else "log_softmax"
        if self.ending is None and wanted == "probability":
            values = scores.detach()
            if "sigmoid" not in looks_like(values):
                raise ModelError(
                    f"{self.name} answers {float(values.min()):.3g} to {float(values.max()):.3g}, which are no "
                    "probabilities. Leave scores='probability' out."
                )
            self.ending = "sigmoid"
        if self.ending is not None:
            rule = "softmax" if self.ending in ("softmax", "log_softmax") else "sigmoid"
            if wanted not in (None, "probability", rule) and self.columns > 1:
                raise ModelError(
                    f"{self.name} ends in a {self.ending}, which scores={wanted!r} contradicts. Leave scores out: "
                    "it is recognised."
                )
            return rule, undo(scores, self.ending) if found is None else found
        if self.columns == 1:
            if wanted is None and self.names != 2:
                raise ModelError(
                    f"{self.name} has a single output, and it is not clear what it is. Say so to camwidget.wrap: "
                    "scores='value' (and unit='years', say) for a quantity; classes=[NAME, NAME] for one logit "
                    "that decides between two classes; scores='sigmoid' for one label."
                )
            return "sigmoid", None
        if wanted is None:
            self._doubt(scores, other)
        return wanted or "softmax", None

    def _doubt(self, scores: torch.Tensor, other: torch.Tensor | None) -> None:
        """Warn where numbers that are taken for logits may be probabilities: of two pictures, all lie in [0, 1] or add
        up to 100.
        """
        if other is None:
            return
        rows = torch.cat([scores.detach(), other.detach()]).double()
        if _are_percent(rows):
            raise ModelError(
                f"The {self.columns} outputs of {self.name} add up to 100, as percentages do. Wrap it without that "
                "factor, or with output=lambda out: out / 100."
            )
        if bool(((rows >= 0) & (rows <= 1)).all()):
            warn(
                f"The outputs of {self.name} all lie between 0 and 1, and are taken for logits. If they are "
                "probabilities say so: camwidget.wrap(…, scores='probability')."
            )


def _are_percent(scores: torch.Tensor) -> bool:
    """Whether every row is of numbers ≥ 0 that add up to 100."""
    rows = scores.detach().double()
    return bool((rows >= 0).all()) and bool(((rows.sum(1) - 100).abs() < 0.1).all())


def _is_unit(scores: torch.Tensor) -> bool:
    """Whether every row has length 1, as normalised embeddings do."""
    return scores.shape[1] > 3 and bool(
        ((scores.detach().double().norm(dim=1) - 1).abs() < 1e-3).all()
    )


def _other(inputs: torch.Tensor) -> torch.Tensor:
    """Another picture, of the same statistics."""
    return inputs.flip(-1).roll(inputs.shape[-2] // 3, -2) * 0.7


def picture_keyword(module: nn.Module, extras: Mapping[str, Any]) -> str | None:
    """By which name a module takes the picture; None if it is its first argument.

    Raises:
        ModelError: if it takes only named arguments, and none has a name that says it.
    """
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return None
    kinds = inspect.Parameter
    positional = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD, kinds.VAR_POSITIONAL)
    first = next((p for p in parameters if p.kind in positional), None)
    named = [
        p
        for p in parameters
        if p.name not in extras and p.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    names = [p.name for p in named]
    if first is not None and first.name not in extras:
        # Models of text and picture often take the text first.
        return _PICTURES[0] if _PICTURES[0] in names[1:] else None
    needed = [p.name for p in named if p.default is kinds.empty]
    likely = [*(n for n in _PICTURES if n in names), *needed[: len(needed) == 1]]
    if likely:
        return likely[0]
    if not named:  # named arguments of any kind
        return None
    raise ModelError(
        f"{type(module).__name__} takes the picture by name, and it is not clear by which: {', '.join(names)}. Wrap it "
        "in a module whose forward takes the picture first."
    )


def _is_one_hot(scores: torch.Tensor) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())
