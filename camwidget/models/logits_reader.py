"""Output reader: run a module, and read one row of logits a picture from its output."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ..errors import CamwidgetError, ModelError, warn
from ..images.film_strip import as_clip
from ..runtime.error_reports import error_line
from .final_activation import (
    ActivationRecorder,
    FinalActivation,
    SkippedActivation,
    invert_activation,
    possible_activations,
)
from .output_tensors import (
    OutputPath,
    ScoredOutput,
    as_scores,
    describe_output,
    locate_scores,
    value_at,
)
from .scores import check_log

__all__ = ["OutputReader", "picture_keyword"]

#: Names of arguments that take the picture, for modules where it is not the first argument.
_PICTURES = ("pixel_values", "image", "images", "pixels", "picture", "x", "input", "inputs")
#: Names of heads; a network whose head was removed returns features.
_HEADS = ("fc", "head", "heads", "classifier", "last_linear")
#: Tolerance of probabilities' range and sum, generous since many classes in low precision add up to 1 only roughly.
_TOLERANCE = 0.05
#: Kinds of scores by the ``problem_type`` of transformers' configurations.
_PROBLEMS = {"regression": "value", "multi_label_classification": "sigmoid"}


@dataclass
class OutputReader:
    """Reader of a module's output: where the scores are and what they mean, as found in the first pass.

    If a module ends in a softmax or sigmoid, the input of that function is read as logits. One logit for two classes z
    becomes two, −z and z, so that both classes can be explained and their probabilities add up to 1.

    Attributes:
        name: name of the model.
        requested: the path of the scores given by the user; None to find it.
        declared: the kind of the scores given by the user; None to find it.
        names: number of class names; None if unknown.
        finds_boxes: whether the module's output are boxes.
        frames: number of frames of the clips (N, C, T, H, W) that the module takes; its inputs are strips of them
            (see ``images.film_strip``). None for pictures.
        keyword: name of the argument that takes the picture; None if it is the first argument.
        scores: kind of the scores, one of ``scores.SCORES`` other than "probability".
        path: path of the scores; None for a model without classes.
        no_classes_reason: reason why the model has no classes.
        columns: number of scores in the module's output.
        channels: number of channels of a layer that is the output itself: those scores, or the scores of every pixel.
        final_activation: activation at the end of the module; None if there is none.
        is_source_recorded: whether the input of that activation is recorded; otherwise the activation is inverted.
        is_binary_logit: whether a single logit stands for two classes.
    """

    name: str
    requested: OutputPath | None = None
    declared: str | None = None
    names: int | None = None
    finds_boxes: bool = False
    frames: int | None = None
    keyword: str | None = None
    scores: str = "softmax"
    path: OutputPath | None = None
    no_classes_reason: str = ""
    columns: int = 0
    channels: int = 0
    final_activation: FinalActivation | None = None
    is_source_recorded: bool = False
    is_binary_logit: bool = False
    _is_interpreted: bool = field(default=False, repr=False)
    _recorder: ActivationRecorder | None = field(default=None, repr=False)

    # -- every pass ----------------------------------------------------------------------------

    def call(
        self, module: nn.Module, inputs: torch.Tensor, extras: Mapping[str, torch.Tensor]
    ) -> Any:
        """Run the module on inputs (N, C, H, W); return its output, or a ``ScoredOutput`` if it lacks the logits."""
        if not self._is_interpreted:
            with ActivationRecorder() as self._recorder:
                return self._run(module, inputs, extras)
        if self.final_activation is None and not self.is_binary_logit:
            return self._run(module, inputs, extras)
        with ActivationRecorder() as recorder:
            returned = self._run(module, inputs, extras)
        scores = self._scores(returned, len(inputs))
        if scores is None:
            return returned
        logits = scores
        if self.is_source_recorded:
            found = recorder.source_of(scores)
            if found is None or found[0] != self.final_activation:
                raise ModelError(
                    f"{self.name} ended in a {self.final_activation} when it was first run, and does not for these "
                    "inputs. Wrap it without that."
                )
            logits = found[1]
        elif self.final_activation is not None:
            self._check_ending(scores)
            logits = invert_activation(scores, self.final_activation)
        return ScoredOutput(returned, self._as_two_classes(logits))

    def _check_ending(self, scores: torch.Tensor) -> None:
        """Raise a ``ModelError`` for outputs that the final activation found in the first pass cannot have computed."""
        assert self.final_activation is not None
        values = scores.detach().double()
        if bool(torch.isnan(values).any()):
            return  # NaN is reported elsewhere
        is_log = self.final_activation.startswith("log")
        parts = values.exp() if is_log else values
        # With a tolerance: many classes in low precision add up to 1 only roughly.
        in_range = bool(((parts >= -_TOLERANCE) & (parts <= 1 + _TOLERANCE)).all())
        adds_up = "softmax" not in self.final_activation or bool(
            ((parts.sum(1) - 1).abs() <= _TOLERANCE).all()
        )
        if in_range and adds_up:
            return
        kind = "logarithms of probabilities" if is_log else "probabilities"
        raise ModelError(
            f"{self.name} returned values from {float(values.min()):.3g} to {float(values.max()):.3g}, which are "
            f"not {kind}, although its first outputs were (detected: {self.final_activation}). If they are logits, "
            "wrap a module "
            "that adds a constant to all of them, such as 1: their softmax stays the same."
        )

    def logits(self, returned: Any, count: int) -> torch.Tensor | None:
        """Return the logits (N, classes) in an output of ``call``; None if they are not at their path."""
        return (
            returned.logits if isinstance(returned, ScoredOutput) else self._scores(returned, count)
        )

    def read_copy(self, copy: Any, inputs: torch.Tensor) -> Any:
        """Return the logits of a copy of the module; a final activation is skipped rather than inverted."""
        if self.final_activation is None:
            returned = self._run(copy, inputs, {})
        else:
            with SkippedActivation(self.final_activation, self.columns):
                returned = self._run(copy, inputs, {})
        if self.path is None:
            return returned
        found = value_at(returned, self.path)
        # Unchanged where possible, since relevance propagation tracks tensors by identity.
        if isinstance(found, torch.Tensor) and found.ndim != 2:
            found = as_scores(found, len(inputs), self.columns)
        return found if found is None else self._as_two_classes(found)

    def with_columns(self, count: int) -> OutputReader:
        """Return the same reader for another number of scores, which a text defines in some models."""
        return self if count == self.columns else replace(self, columns=count)

    def _run(self, module: Any, inputs: torch.Tensor, extras: Mapping[str, Any]) -> Any:
        if self.frames is not None:
            inputs = as_clip(inputs, self.frames)
        if self.keyword is None:
            return module(inputs, **extras)
        return module(**{self.keyword: inputs}, **extras)

    def _scores(self, returned: Any, count: int) -> torch.Tensor | None:
        if self.path is None:
            return None
        try:
            found = value_at(returned, self.path)
        except (KeyError, IndexError, TypeError, AttributeError):
            return None
        if not isinstance(found, torch.Tensor):
            return None
        return as_scores(found, count, self.columns or None)

    def _as_two_classes(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.cat([-logits, logits], 1) if self.is_binary_logit else logits

    # -- the first pass ------------------------------------------------------------------------

    def interpret_first_output(
        self, returned: Any, module: nn.Module, inputs: torch.Tensor, extras: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Find the scores in the module's first output and what they mean.

        Args:
            returned: the result of ``call``.
            module: the module; it runs again if its output looks like probabilities.
            inputs: inputs of the first pass.
            extras: inputs besides the picture.

        Returns:
            The logits (1, columns), with the graph of the first pass; None for a model without classes.

        Raises:
            ModelError: if it is not clear which output has the scores, or what they mean.
        """
        recorder, self._recorder, self._is_interpreted = self._recorder, None, True
        if isinstance(returned, Iterator):
            raise ModelError(
                f"{self.name} returns {describe_output(returned)}, which can be read only once, so that nothing in it "
                "can be explained. Wrap a module whose forward returns the class scores themselves, or a list of what "
                "it yields."
            )
        if self.requested is not None:
            self.path = self.requested
            self._check_requested_path(returned, len(inputs))
        else:
            located = locate_scores(returned, len(inputs), self.names)
            self.path, self.no_classes_reason, self.channels = (
                located.path,
                located.why,
                located.channels,
            )
        scores = self._scores(returned, len(inputs))
        if scores is None:
            self.path = None
            return None
        self.columns = self.channels = scores.shape[1]
        other: torch.Tensor | None = None
        if bool(scores.isfinite().all()) and (
            possible_activations(scores) or _is_unit(scores) or _are_percent(scores)
        ):
            with torch.no_grad():  # a single picture may look so by chance
                other = self._scores(self._run(module, _other_picture(inputs), extras), len(inputs))
        if self.requested is None and self._is_embedding(module, scores, other):
            self.path, self.columns = None, 0
            return None
        seen = (
            possible_activations(scores) & possible_activations(other)
            if other is not None
            else frozenset()
        )
        self.scores, found = self._rule(module, seen, scores, other, recorder)
        self.is_binary_logit = self.columns == 1 and self.names == 2 and self.scores == "sigmoid"
        return scores if found is None else found

    def _check_requested_path(self, returned: Any, count: int) -> None:
        try:
            found = value_at(returned, self.path or ())
        except CamwidgetError:
            raise
        except Exception as error:  # a user's function may raise anything
            raise ModelError(
                f"output={self._requested_text()} is not in what {self.name} returns, {describe_output(returned)} "
                f"({error_line(error)})."
            ) from error
        if not isinstance(found, torch.Tensor) or as_scores(found, count) is None:
            raise ModelError(
                f"output={self._requested_text()} is {describe_output(found)}, and class scores are (N, classes): "
                f"({count}, …) here. A callable can make them, such as output=lambda out: out.mean((2, 3))."
            )

    def _requested_text(self) -> str:
        path = self.requested or ()
        steps = [getattr(s, "__name__", "…") if callable(s) else repr(s) for s in path]
        return steps[0] if len(steps) == 1 else f"({', '.join(steps)})"

    def _is_embedding(
        self, module: nn.Module, scores: torch.Tensor, other: torch.Tensor | None
    ) -> bool:
        """Return whether a row holds features of the picture rather than class scores."""
        if self.names is not None or self.declared is not None or self.columns == 1:
            return False
        heads = {h: getattr(module, h) for h in _HEADS if hasattr(module, h)}
        # A removed head does not matter if another head has parameters.
        is_headless = not any(
            isinstance(m, nn.Module) and [*m.parameters()] for m in heads.values()
        )
        removed = [h for h, m in heads.items() if isinstance(m, nn.Identity) and is_headless]
        if getattr(module, "num_classes", None) == 0:
            self.no_classes_reason = (
                f"it was made with num_classes=0, and returns its {self.columns} features"
            )
        elif removed and self.path == ():
            self.no_classes_reason = (
                f"its {removed[0]!r} is an Identity, so that it returns its {self.columns} features"
            )
        elif (
            other is not None
            and _is_unit(scores)
            and _is_unit(other)
            and not possible_activations(scores) - {"sigmoid"}
        ):
            self.no_classes_reason = (
                f"its {self.columns} outputs have length 1, as an embedding has"
            )
        else:
            return False
        self.no_classes_reason += (
            ". Wrap it with a classifier's head; or with kind='embedding', to compare pictures by it; or, if they are "
            "class scores all the same, pass their names as classes=[…] to camwidget.wrap"
        )
        return True

    def _rule(
        self,
        module: nn.Module,
        seen: frozenset[FinalActivation],
        scores: torch.Tensor,
        other: torch.Tensor | None,
        recorder: ActivationRecorder | None,
    ) -> tuple[str, torch.Tensor | None]:
        """Return the kind of the scores, and the logits if a final activation hides them."""
        problem = getattr(getattr(module, "config", None), "problem_type", None)
        kind = self.declared or _PROBLEMS.get(problem if isinstance(problem, str) else "")
        if kind in ("value", "log"):
            if kind == "log":
                check_log(scores, self.name)
            return kind, None
        if self.columns > 1 and other is not None and bool((torch.cat([scores, other]) == 1).all()):
            raise ModelError(
                f"{self.name} gives probability 1 to every class: its softmax is over the pictures of a batch, not "
                "over the classes. Use softmax(1), or leave it out."
            )
        found: torch.Tensor | None = None
        if seen:
            recorded = None if recorder is None else recorder.source_of(scores)
            if recorded is not None and recorded[0] in seen:
                self.final_activation, found = recorded
                self.is_source_recorded = True
            elif seen & {"softmax", "log_softmax"} and not _is_one_hot(scores):
                # Rows that add up to 1 are a softmax, except rows of zeros and ones, which rectifiers make; numbers
                # between 0 and 1 may be so by chance.
                self.final_activation = "softmax" if "softmax" in seen else "log_softmax"
        if self.final_activation is None and kind == "probability":
            values = scores.detach()
            if "sigmoid" not in possible_activations(values):
                raise ModelError(
                    f"{self.name} returned values from {float(values.min()):.3g} to {float(values.max()):.3g}, "
                    "which are not probabilities. Leave scores='probability' out."
                )
            self.final_activation = "sigmoid"
        if self.final_activation is not None:
            rule = "softmax" if self.final_activation in ("softmax", "log_softmax") else "sigmoid"
            if kind not in (None, "probability", rule) and self.columns > 1:
                raise ModelError(
                    f"{self.name} ends in a {self.final_activation}, which scores={kind!r} contradicts. Leave "
                    "scores out: it is recognized."
                )
            return rule, invert_activation(
                scores, self.final_activation
            ) if found is None else found
        if self.columns == 1:
            if kind is None and self.names != 2:
                raise ModelError(
                    f"{self.name} has a single output, and its meaning is not clear. Pass to camwidget.wrap: "
                    "scores='value' (and unit='years', say) for a quantity; classes=[NAME, NAME] for one logit "
                    "that decides between two classes; scores='sigmoid' for one label."
                )
            return "sigmoid", None
        if kind is None:
            self._check_ambiguity(scores, other)
        return kind or "softmax", None

    def _check_ambiguity(self, scores: torch.Tensor, other: torch.Tensor | None) -> None:
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
                f"The outputs of {self.name} are all between 0 and 1, and are treated as logits. If they are "
                "probabilities, use camwidget.wrap(…, scores='probability')."
            )


def _are_percent(scores: torch.Tensor) -> bool:
    """Return whether every row has numbers ≥ 0 that add up to 100."""
    rows = scores.detach().double()
    return bool((rows >= 0).all()) and bool(((rows.sum(1) - 100).abs() < 0.1).all())


def _is_unit(scores: torch.Tensor) -> bool:
    """Return whether every row has length 1, as normalized embeddings have."""
    return scores.shape[1] > 3 and bool(
        ((scores.detach().double().norm(dim=1) - 1).abs() < 1e-3).all()
    )


def _other_picture(inputs: torch.Tensor) -> torch.Tensor:
    """Return another picture with the same statistics."""
    return inputs.flip(-1).roll(inputs.shape[-2] // 3, -2) * 0.7


def picture_keyword(module: nn.Module, extras: Mapping[str, Any]) -> str | None:
    """Return the name of the argument by which a module takes the picture; None if it is the first argument.

    Raises:
        ModelError: if all arguments are named, and no name tells.
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
        # Models of text and picture often take the text as first argument.
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
