"""Tensors in a module's output of any structure, and which of them has the class scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn

from ..errors import ModelError

__all__ = [
    "OutputPath",
    "ScoreLocation",
    "ScoredOutput",
    "as_scores",
    "check_output_path",
    "describe_output",
    "has_row_per_picture",
    "is_plain",
    "locate_scores",
    "named_tensors_of",
    "pixel_scores_path",
    "tensors_of",
    "value_at",
]

#: Steps into an output: keys, indices, attributes, or callables of the value.
OutputPath: TypeAlias = tuple[Any, ...]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Names of class scores that need no further check.
_SURE = ("logits", "logits_per_image")
#: Names under which models return class scores, and sometimes other values.
_LIKELY = _words("out output scores pred preds prediction predictions probs probabilities")
#: Names of features and other values that are no class scores.
_FEATURES = _words(
    "attentions embed embedding embeddings embeds feat feats feature features hidden hidden_state hidden_states "
    "image_embed image_embeds last_hidden_state latent latents loss pooled pooler_output representation "
    "representations"
)
#: Names of a detector's boxes.
_BOXES = frozenset(("boxes", "pred_boxes"))

#: Depth to which nested outputs are searched.
_DEPTH = 4


@dataclasses.dataclass(frozen=True)
class ScoredOutput:
    """A module's output together with logits that are not part of it.

    Attributes:
        output: the module's output.
        logits: logits (N, classes), differentiable like the output.
    """

    output: Any
    logits: torch.Tensor


@dataclasses.dataclass(frozen=True)
class ScoreLocation:
    """Position of the class scores in an output.

    Attributes:
        path: steps to the scores; None if there are none.
        why: reason why there are none, with the remedy; empty otherwise.
        channels: number of scores per pixel, if every pixel has scores.
    """

    path: OutputPath | None
    why: str = ""
    channels: int = 0


# -- where the scores are ------------------------------------------------------------------------


def locate_scores(output: Any, count: int, classes: int | None = None) -> ScoreLocation:
    """Find the class scores in a module's output for ``count`` pictures.

    Of several candidates, the one with a telling name is chosen, or the only one with as many columns as there are
    ``classes``; of logits and their probabilities, the logits. Tensors named as features, such as a pooled output, and
    scores of every pixel are no candidates.

    Args:
        output: the module's output.
        count: number of pictures.
        classes: number of class names, if known.

    Raises:
        ModelError: if several tensors could be class scores.
    """
    if type(output).__module__ == "torch.return_types":
        raise ModelError(
            f"The module returns the result of {type(output).__name__}: values sorted by size, which no longer "
            "identify their classes. Return the logits themselves, or pass camwidget.wrap(…, output=…)."
        )
    found = list({id(t): (p, t) for p, t in reversed(list(_parts(output)))}.values())[::-1]
    if any(_name(path) in _BOXES for path, _ in found):
        return ScoreLocation(None, "it returns boxes")
    shaped = [(p, t) for p, t in found if _is_scores(t, count)]
    if not shaped:
        shaped = [(p, t) for p, t in found if as_scores(t, count) is not None]
    candidates = [(p, t) for p, t in shaped if _name(p) not in _FEATURES]
    candidates = [(p, t) for p, t in candidates if not _is_of(t, candidates)]
    columns = {p: _columns(t, count) for p, t in candidates}
    for fit in (
        [p for p in columns if columns[p] == classes],
        [p for p in columns if _name(p) == _SURE[0]],
        [p for p in columns if _name(p) in _SURE],
        [p for p in columns if _name(p) in _LIKELY],
        list(columns),
    ):
        if len(fit) == 1:
            return ScoreLocation(fit[0])
    if candidates:
        raise ModelError(
            f"The output has {len(candidates)} tensors that could be class scores, {_listed(found)}. Choose one: "
            f"camwidget.wrap(…, output={_written(candidates[-1][0])}), or a callable from the output to (N, classes)."
        )
    return _none(output, found, count)


def _none(output: Any, found: list[tuple[OutputPath, torch.Tensor]], count: int) -> ScoreLocation:
    """Return why an output has no class scores."""
    pixels = {p: t for p, t in found if t.ndim == 4 and len(t) == count and t.is_floating_point()}
    path = _pixel_path(found, pixels)
    if path is not None:
        first, second, third = pixels[path].shape[1:]
        # The first picture is square, unless a custom preprocessing makes another.
        axes, channels = ("(1, 2)", third) if first == second != third else ("(2, 3)", first)
        return ScoreLocation(
            None,
            f"it has a score for every pixel, {tuple(pixels[path].shape)}, not one for the picture. To explain regions "
            "of the picture pass kind='segments' to camwidget.wrap; to explain the mean over all pixels, "
            f"output=lambda out: {_code(path)}.mean({axes})",
            channels,
        )
    if any(_name(p) in _FEATURES for p, _ in found):
        return ScoreLocation(
            None,
            f"it has features only, {_listed(found)}. Wrap it with a classifier's head; or with kind='embedding', to "
            "compare pictures by them; or, if one of them is class scores all the same, pass output=… to "
            "camwidget.wrap",
        )
    if not found:
        return ScoreLocation(
            None,
            f"it returns {describe_output(output)}, without a tensor in it that can be found. Wrap a module whose "
            "forward returns the class scores, a tensor (N, classes)",
        )
    return ScoreLocation(
        None,
        "it has no tensor of shape (N, classes). Pass output=…, a callable that makes one, to camwidget.wrap",
    )


def _pixel_path(
    found: list[tuple[OutputPath, torch.Tensor]], pixels: Mapping[OutputPath, torch.Tensor]
) -> OutputPath | None:
    """Return which tensor has a score for every pixel: one with a telling name, or the first of at most two."""
    named = [p for p in pixels if _name(p) in (*_SURE, *_LIKELY)]
    if named or (pixels and len(found) <= 2):
        return (named or list(pixels))[0]
    return None


def pixel_scores_path(output: Any) -> OutputPath | None:
    """Return the path of the scores of every pixel, (N, classes, height, width), in an output; None if it has none."""
    found = list(_parts(output))
    return _pixel_path(found, {p: t for p, t in found if t.ndim == 4 and t.is_floating_point()})


def _is_scores(tensor: torch.Tensor, count: int) -> bool:
    """Whether a tensor is (N, classes) or (N,), or (N, classes, 1, 1), which a head has not squeezed."""
    if not has_row_per_picture(tensor, count):
        return False
    return tensor.ndim <= 2 or (tensor.ndim == 4 and tensor.shape[2:] == (1, 1))


def has_row_per_picture(tensor: torch.Tensor, count: int) -> bool:
    """Whether a tensor has one row of numbers for each picture: all axes but one have length 1."""
    if not tensor.is_floating_point() or not tensor.ndim or len(tensor) != count:
        return False
    return tensor.numel() == count * max(tensor.shape[1:], default=1) > 0


def as_scores(tensor: torch.Tensor, count: int, columns: int | None = None) -> torch.Tensor | None:
    """Return a tensor of class scores as (N, classes); None for any other tensor.

    Args:
        tensor: (N, classes), (N,), or either with more axes of length 1, such as (N, classes, 1, 1) and
            (N, 1, 1, classes). Of one picture also (classes,) or a single number: a module that squeezes its output
            gives these.
        count: N.
        columns: the number of classes, where that is known.
    """
    if not tensor.is_floating_point():
        return None
    found: torch.Tensor | None = None
    if has_row_per_picture(tensor, count):
        found = tensor[:, None] if tensor.ndim == 1 else tensor.flatten(1)
    if (found is None or columns not in (None, found.shape[1])) and count == 1 and tensor.ndim < 2:
        found = tensor.reshape(1, -1)
    return None if found is None or columns not in (None, found.shape[1]) else found


def _is_of(tensor: torch.Tensor, candidates: list[tuple[OutputPath, torch.Tensor]]) -> bool:
    """Return whether a tensor is the softmax or sigmoid of another one."""
    for _, other in candidates:
        if other is tensor or other.shape != tensor.shape or other.ndim < 2:
            continue
        own, logits = tensor.flatten(1), other.flatten(1)
        if any(torch.allclose(own, f, atol=1e-5) for f in (logits.softmax(1), logits.sigmoid())):
            return True
    return False


def _columns(tensor: torch.Tensor, count: int) -> int:
    found = as_scores(tensor, count)
    return 0 if found is None else found.shape[1]


# -- paths --------------------------------------------------------------------------------------


def check_output_path(output: Any) -> OutputPath:
    """Check the argument ``output`` of ``wrap``: a key, index, attribute, a tuple of these, or a callable.

    Raises:
        ModelError: if it is something else.
    """
    steps = output if isinstance(output, tuple) else (output,)
    if not steps or not all(isinstance(s, (str, int)) or callable(s) for s in steps):
        raise ModelError(
            "output is a key, an index or an attribute of what the module returns, a tuple of these, or a callable "
            f"from it to class scores (N, classes), not {output!r}."
        )
    return steps


def value_at(output: Any, path: OutputPath) -> Any:
    """Return the value at a path of an output."""
    for step in path:
        if isinstance(step, str) and not isinstance(output, Mapping):
            output = getattr(output, step)
        elif callable(step):
            output = step(output)
        else:
            output = output[step]
    return output


def _name(path: OutputPath) -> str:
    """Return the last name in a path in lower case; empty if it has only numbers."""
    return next((s.lower() for s in reversed(path) if isinstance(s, str)), "")


def _written(path: OutputPath) -> str:
    """Return a path as the argument ``output`` of ``wrap``."""
    return repr(path[0]) if len(path) == 1 else repr(path)


def _code(path: OutputPath) -> str:
    """Return a path as an expression of ``out``."""
    return "out" + "".join(f"[{step!r}]" for step in path)


def _children(output: Any) -> list[tuple[Any, Any]]:
    """Return the parts of an output by key, index or attribute."""
    if isinstance(output, Mapping):
        return list(output.items())
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return [(name, getattr(output, name)) for name in output._fields]
    if isinstance(output, (tuple, list)):
        return list(enumerate(output))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [(f.name, getattr(output, f.name)) for f in dataclasses.fields(output)]
    if hasattr(output, "__dict__") and not isinstance(output, (type, nn.Module, Callable)):  # type: ignore[arg-type]
        return [(name, value) for name, value in vars(output).items() if not name.startswith("_")]
    return []


def _parts(output: Any, path: OutputPath = ()) -> Iterator[tuple[OutputPath, torch.Tensor]]:
    """Iterate over the tensors in an output with their paths."""
    if isinstance(output, torch.Tensor):
        yield path, output
    elif len(path) < _DEPTH:
        for step, value in _children(output):
            yield from _parts(value, (*path, step))


def tensors_of(output: Any) -> Iterator[torch.Tensor]:
    """Iterate over the tensors in an output of any structure."""
    for _, tensor in _parts(output):
        yield tensor


def named_tensors_of(output: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Iterate over the tensors in an output with the last name that leads to each; empty if it has none."""
    for path, tensor in _parts(output):
        yield _name(path), tensor


# -- what it is ----------------------------------------------------------------------------------


def is_plain(returned: Any, logits: torch.Tensor) -> bool:
    """Return whether a module's output is its logits (N, classes) and nothing else."""
    # An embedding may have as many numbers as there are references.
    return (
        isinstance(returned, torch.Tensor)
        and returned.shape == logits.shape
        and torch.equal(returned.detach().to(logits), logits.detach())
    )


def _listed(found: list[tuple[OutputPath, torch.Tensor]]) -> str:
    named = [f"{_written(p)} {tuple(t.shape)}" if p else f"{tuple(t.shape)}" for p, t in found[:8]]
    return ", ".join([*named, *(["…"] if len(found) > 8 else [])])


def describe_output(output: Any) -> str:
    """Describe an output in a few words for an error message."""
    if isinstance(output, ScoredOutput):
        return describe_output(output.output)
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"a mapping with {', '.join(map(repr, list(output)[:6]))}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    if isinstance(output, Iterator):
        kind = type(output).__name__
        return f"a {kind}" if kind == "generator" else f"an iterator ({kind})"
    return "None" if output is None else f"an object of type {type(output).__name__}"
