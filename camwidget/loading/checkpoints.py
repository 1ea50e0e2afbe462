"""Checkpoints: the part of a checkpoint whose names and shapes fit a module.

Training programs save a state dict among other things, and under a prefix of their own. Instead of a list of known
layouts, all tensors of a file get one name each, made of the keys that lead to them; the weights are where the module's
names follow a common prefix. A prefix is thus removed only if the module's names require it.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import torch
from torch import nn

from .._compat.pytorch import copy_metadata
from ..errors import WeightsError, warn
from ..images.conversion import is_traversable
from .weights_files import SAVE, read_bytes, read_file

__all__ = ["Checkpoint", "Readable", "fill", "read_weights"]

#: Sources of weights: a file, its bytes, an open file, or a state dict.
Readable: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Mapping[str, Any]"

#: Name parts that wrappers insert: compiled, sharded, or checkpointed submodules.
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

#: Entries that are no weights: counters of averaging, batch normalization and profilers.
_COUNTERS = {"num_batches_tracked", "n_averaged", "total_ops", "total_params"}

#: Names of weights averaged over the training.
_AVERAGED = re.compile(r"(^|[._])(ema|swa|avg|averaged?)([._]|$)", re.IGNORECASE)

#: Depth to which nested content is searched.
_DEPTH = 40


@dataclass(frozen=True)
class _Entry:
    """A tensor of a file.

    Attributes:
        container: keys to the state dict that contains it, joined by dots.
        tensor: the tensor.
    """

    container: str
    tensor: torch.Tensor


@dataclass(frozen=True)
class _Part:
    """The tensors of a file whose names begin with a common prefix.

    Attributes:
        prefix: the prefix, which ends in a dot unless it is empty.
        state: the tensors by the rest of their names.
        fitting: number of tensors that the module has, in the same shapes.
        unknown: names in the same state dict that the module does not have.
        is_complete: whether no tensor is missing or unknown.
    """

    prefix: str
    state: dict[str, torch.Tensor]
    fitting: int
    unknown: tuple[str, ...]
    is_complete: bool

    @property
    def name(self) -> str:
        """Name of the part for ``read_weights``."""
        return self.prefix.rstrip(".")

    @property
    def is_averaged(self) -> bool:
        return _AVERAGED.search(self.prefix) is not None


class Checkpoint:
    """All tensors of a file.

    Args:
        source: a file, its bytes, or a state dict.
        part: name of the part to read; all if empty.

    Attributes:
        label: name of the file for messages.
        names: names of all tensors.

    Raises:
        WeightsError: if the source cannot be read, or holds no weights.
    """

    def __init__(self, source: Readable, part: str = "") -> None:
        self.label, content = _open_source(source)
        self._entries = dict(_entries(content, "", "", _DEPTH))
        if not self._entries:
            raise WeightsError(
                f"{self.label} holds no weights{_describe_content(content)}. Save them with {SAVE}, or as safetensors."
            )
        empty = next((n for n, e in self._entries.items() if e.tensor.is_meta), None)
        if empty is not None:
            raise WeightsError(
                f"{self.label} holds shapes without values ({empty!r} is on the device 'meta'), as of a module that "
                f"was made under torch.device('meta') and never loaded: {SAVE} once its weights are there."
            )
        if part:
            inside = {n: e for n, e in self._entries.items() if n.startswith(f"{part}.")}
            if not inside:
                tops = dict.fromkeys(name.partition(".")[0] for name in self._entries)
                raise WeightsError(
                    f"{self.label} has no part {part!r}; it has {', '.join([*tops][:8])}."
                )
            self._entries = inside

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors."""
        return tuple(self._entries)

    def tensors(self, prefix: str = "") -> dict[str, torch.Tensor]:
        """Return the tensors under a prefix, by the rest of their names."""
        return {
            name[len(prefix) :]: entry.tensor
            for name, entry in self._entries.items()
            if name.startswith(prefix)
        }

    def part_for(self, expected: Mapping[str, torch.Tensor]) -> _Part:
        """Return the part that fits a module's state dict best.

        Raises:
            WeightsError: if several parts with different weights fit equally.
        """
        parts = self._parts(self._entries, expected)
        if any(_WRAPPERS & set(name.split(".")) for name in self._entries):
            bare = {_without_wrappers(name): entry for name, entry in self._entries.items()}
            parts += self._parts(bare, expected)
        complete = [p for p in parts if p.is_complete]
        plain = [p for p in complete if not p.is_averaged]
        chosen = max(parts, key=lambda p: p.fitting)
        if complete:
            chosen = (plain or complete)[0]
        others = [p for p in complete if not _same_weights(p, chosen)]
        equal_candidates = [p for p in others if p.is_averaged == chosen.is_averaged]
        ask = f"camwidget.loading.checkpoints.read_weights(file, {(equal_candidates or others or [chosen])[0].name!r})"
        if equal_candidates:
            raise WeightsError(
                f"{self.label} holds several sets of weights that fit: {_quoted_names([chosen, *others])}. Choose "
                f"one: weights={ask}."
            )
        if others:
            warn(
                f"{self.label} holds the weights {chosen.name!r}, which are used, and {_quoted_names(others)}, "
                f"averaged over the training. To use these: weights={ask}."
            )
        return chosen

    @staticmethod
    def _parts(entries: Mapping[str, _Entry], expected: Mapping[str, torch.Tensor]) -> list[_Part]:
        """Return the parts that have any of the expected names; the whole file if there is none."""
        containers: dict[str, str] = {}
        for name, entry in entries.items():
            pieces = name.split(".")
            for place in range(len(pieces)):
                if ".".join(pieces[place:]) in expected:
                    prefix = "".join(f"{piece}." for piece in pieces[:place])
                    containers.setdefault(prefix, entry.container)
        needed = {name for name in expected if not _is_counter(name)}
        parts = []
        for prefix, container in (containers or {"": ""}).items():
            inside = {n[len(prefix) :]: e for n, e in entries.items() if n.startswith(prefix)}
            state = {n: e.tensor for n, e in inside.items()}
            fitting = {
                n for n, t in state.items() if n in expected and t.shape == expected[n].shape
            }
            unknown = tuple(
                n
                for n, e in inside.items()
                # Tensors in another container do not count, such as an optimizer's.
                if n not in expected and not _is_counter(n) and e.container == container
            )
            complete = needed <= fitting and not unknown
            parts.append(_Part(prefix, state, len(fitting), unknown, complete))
        return parts


def read_weights(source: Readable, part: str = "") -> dict[str, torch.Tensor]:
    """Read the tensors of a file by name, without running code from it.

    Args:
        source: a file of torch.save or safetensors, its bytes, or an open file.
        part: keys to a state dict in it, joined by dots, such as "state_dict_ema" or "state_dict.teacher"; all if
            empty.

    Returns:
        The tensors by the keys that lead to them, joined by dots, without the part. ``load(…, weights=)`` takes them.

    Raises:
        WeightsError: if the file is missing or damaged, holds no weights, or has no such part.

    Example:
        >>> import io
        >>> import torch
        >>> from camwidget.loading.checkpoints import read_weights
        >>> file = io.BytesIO()
        >>> torch.save({"state_dict": {"weight": torch.ones(2)}}, file)
        >>> list(read_weights(file, "state_dict"))
        ['weight']
    """
    return Checkpoint(source, part).tensors(f"{part}." if part else "")


def fill(module: nn.Module, checkpoint: Checkpoint, name: str) -> None:
    """Load a checkpoint's weights into a module, strictly.

    Args:
        module: module whose state dict is filled.
        checkpoint: the checkpoint.
        name: name of the module for messages.

    Raises:
        WeightsError: if the weights are of another architecture.
    """
    expected = module.state_dict()
    part = checkpoint.part_for(expected)
    _check_fit(part, expected, checkpoint.label, name)
    ordered = OrderedDict((n, t) for n, t in part.state.items() if n in expected)
    copy_metadata(ordered, expected)
    module.load_state_dict(ordered, strict=False)


def _check_fit(part: _Part, expected: Mapping[str, torch.Tensor], label: str, name: str) -> None:
    state = part.state
    missing = [n for n in expected if n not in state and not _is_counter(n)]
    extra = part.unknown
    other = [n for n in expected if n in state and state[n].shape != expected[n].shape]
    packed = [
        n
        for n in expected
        if n in state
        and expected[n].is_floating_point()
        and (not state[n].is_floating_point() or state[n].is_quantized)
    ]
    if packed:
        raise WeightsError(
            f"{label} has quantized weights ({packed[0]} is {str(state[packed[0]].dtype)[6:]}), which {name} has not. "
            "Pass the weights from before the quantization."
        )
    if not (missing or extra or other):
        return
    shapes = [f"{n} is {tuple(state[n].shape)}, not {tuple(expected[n].shape)}" for n in other]
    found = [
        *(f"{len(missing)} are missing (first: {missing[0]})" for _ in missing[:1]),
        *(f"{len(extra)} are unknown (first: {extra[0]})" for _ in extra[:1]),
        *shapes[:2],
    ]
    # A head for another number of classes differs in the first dimension only.
    counts = {state[n].shape[0] for n in other if state[n].shape[1:] == expected[n].shape[1:]}
    is_head = len(counts) == 1 and all(state[n].shape[1:] == expected[n].shape[1:] for n in other)
    remedy = (
        f"It is for {counts.pop()} classes: pass their names, classes=[…]."
        if is_head and len(other) <= 4 and not missing and not extra
        else "Load them into the architecture that they were trained for; if that is a module of your own, load them "
        "there and pass it to camwidget.wrap."
    )
    under = f" (under {part.name!r})" if part.name else ""
    raise WeightsError(f"{label} does not fit {name}{under}: {'; '.join(found)}. {remedy}")


# -- what is in a file ----------------------------------------------------------------------


def _open_source(source: Any) -> tuple[str, Any]:
    """Return a name for a source, and its content.

    Raises:
        WeightsError: if weights cannot be read from such a source.
    """
    if isinstance(source, Mapping):
        return "The state dict", source
    if isinstance(source, (str, os.PathLike)):
        if str(source).lower().startswith(("http://", "https://", "s3://", "gs://")):
            raise WeightsError(
                f"{source} is an address; nothing is fetched by one. Download it, and pass the file."
            )
        path = Path(source).expanduser()
        return path.name, read_file(path)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "The file given", read_bytes(bytes(source))
    if is_traversable(source):
        return source.name, read_bytes(source.read_bytes())
    if hasattr(source, "read") and not isinstance(source, zipfile.ZipFile):
        return "The file given", read_bytes(source)
    remedy = ""
    if isinstance(source, nn.Module):
        remedy = " Pass the module's state_dict(), or pass the module itself to camwidget.wrap(module, …)."
    if isinstance(source, zipfile.ZipFile):
        remedy = " Of an archive open the file in it: archive.open(name)."
    if isinstance(source, bool):
        remedy = " For the pretrained weights leave weights= out."
    raise WeightsError(
        f"weights= takes a file of weights, or a state dict, not {type(source).__name__}.{remedy}"
    )


def _entries(value: Any, prefix: str, container: str, depth: int) -> Iterator[tuple[str, _Entry]]:
    """Iterate over the tensors in a value with their names; ``container`` is the prefix of the enclosing state dict."""
    if depth < 0:  # an object that refers to itself
        return
    if isinstance(value, torch.Tensor):
        is_plain = value.layout == torch.strided or value.is_nested
        yield prefix, _Entry(container, (value if is_plain else value.to_dense()).detach())
        return
    if not isinstance(value, (Mapping, list, tuple)):
        return
    items: list[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
    )
    for key, item in items:
        name = f"{prefix}.{key}" if prefix else str(key)
        yield from _entries(item, name, prefix, depth - 1)


def _describe_content(content: Any) -> str:
    """Describe the content of a file without weights."""
    if isinstance(content, Mapping):
        keys = ", ".join(repr(str(key)) for key in [*content][:5])
        return f", but {keys}" if keys else ": it is empty"
    return f", but an object {type(content).__name__}"


def _without_wrappers(name: str) -> str:
    return ".".join(piece for piece in name.split(".") if piece not in _WRAPPERS)


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in _COUNTERS


def _same_weights(one: _Part, other: _Part) -> bool:
    """Return whether two parts have the same weights."""
    return one is other or (
        one.state.keys() == other.state.keys()
        and all(
            t is other.state[n]
            or (t.dtype == other.state[n].dtype and torch.equal(t, other.state[n]))
            for n, t in one.state.items()
        )
    )


def _quoted_names(parts: list[_Part]) -> str:
    return " and ".join(repr(part.name) for part in parts)
