"""Checkpoints: the part of a checkpoint whose names and shapes fit a module.

Training programs save a state dict among other things, and under a prefix of their own. No list of their habits is kept
here: all tensors of a file get one name each, of the keys that lead to them, and the weights are where the names that
the module has follow a common beginning. So a prefix is taken off only if the module wants it off.
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

#: What weights can be read from: a file, its bytes, an open file, or a state dict.
Readable: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Mapping[str, Any]"

#: What some wrappers put into the middle of names: compiled, sharded, or recomputed parts of a module.
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

#: Entries beside the weights: counters of averaging, of batch normalisation, and of profilers.
_COUNTERS = {"num_batches_tracked", "n_averaged", "total_ops", "total_params"}

#: Weights averaged over the training.
_AVERAGED = re.compile(r"(^|[._])(ema|swa|avg|averaged?)([._]|$)", re.IGNORECASE)

#: Deeper than anything is nested in a checkpoint.
_DEPTH = 40


@dataclass(frozen=True)
class _Entry:
    """A tensor of a file: the keys to the state dict that it is in, joined by dots, and itself."""

    container: str
    tensor: torch.Tensor


@dataclass(frozen=True)
class _Part:
    """The tensors of a file under a common beginning of their names.

    Attributes:
        prefix: the beginning, which ends in a dot unless it is empty.
        state: the tensors by what follows it.
        fitting: how many of them the module has, in its own shapes.
        unknown: the names of the same state dict that it has not.
        is_complete: whether nothing is missing, and nothing unknown.
    """

    prefix: str
    state: dict[str, torch.Tensor]
    fitting: int
    unknown: tuple[str, ...]
    is_complete: bool

    @property
    def name(self) -> str:
        """How it is asked for in ``read_weights``."""
        return self.prefix.rstrip(".")

    @property
    def is_averaged(self) -> bool:
        return _AVERAGED.search(self.prefix) is not None


class Checkpoint:
    """All tensors of a file.

    Args:
        source: a file, its bytes, or a state dict.
        part: only what is under this name in it.

    Attributes:
        label: what to call it.
        names: of all tensors.
    """

    def __init__(self, source: Readable, part: str = "") -> None:
        self.label, content = _opened(source)
        self._entries = dict(_entries(content, "", "", _DEPTH))
        if not self._entries:
            raise WeightsError(
                f"{self.label} holds no weights{_found(content)}. Save them with {SAVE}, or as safetensors."
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
        """The names of all tensors."""
        return tuple(self._entries)

    def tensors(self, prefix: str = "") -> dict[str, torch.Tensor]:
        """The tensors under a prefix, by the rest of their names."""
        return {
            name[len(prefix) :]: entry.tensor
            for name, entry in self._entries.items()
            if name.startswith(prefix)
        }

    def part_for(self, wanted: Mapping[str, torch.Tensor]) -> _Part:
        """The part that fits a module's state dict best.

        Raises:
            WeightsError: if several parts fit, with other weights, and none is plainly meant.
        """
        parts = self._parts(self._entries, wanted)
        if any(_WRAPPERS & set(name.split(".")) for name in self._entries):
            bare = {_unwrapped(name): entry for name, entry in self._entries.items()}
            parts += self._parts(bare, wanted)
        complete = [p for p in parts if p.is_complete]
        plain = [p for p in complete if not p.is_averaged]
        chosen = max(parts, key=lambda p: p.fitting)
        if complete:
            chosen = (plain or complete)[0]
        others = [p for p in complete if not _alike(p, chosen)]
        rivals = [p for p in others if p.is_averaged == chosen.is_averaged]
        ask = f"camwidget.loading.checkpoints.read_weights(file, {(rivals or others or [chosen])[0].name!r})"
        if rivals:
            raise WeightsError(
                f"{self.label} holds several sets of weights that fit: {_named([chosen, *others])}. Say which: "
                f"weights={ask}."
            )
        if others:
            warn(
                f"{self.label} holds the weights {chosen.name!r}, which are taken, and {_named(others)}, averaged over "
                f"the training. For these: weights={ask}."
            )
        return chosen

    @staticmethod
    def _parts(entries: Mapping[str, _Entry], wanted: Mapping[str, torch.Tensor]) -> list[_Part]:
        """The parts that have any of the wanted names; the file as a whole, if there is none."""
        containers: dict[str, str] = {}
        for name, entry in entries.items():
            pieces = name.split(".")
            for place in range(len(pieces)):
                if ".".join(pieces[place:]) in wanted:
                    prefix = "".join(f"{piece}." for piece in pieces[:place])
                    containers.setdefault(prefix, entry.container)
        needed = {name for name in wanted if not _is_counter(name)}
        parts = []
        for prefix, container in (containers or {"": ""}).items():
            inside = {n[len(prefix) :]: e for n, e in entries.items() if n.startswith(prefix)}
            state = {n: e.tensor for n, e in inside.items()}
            fitting = {n for n, t in state.items() if n in wanted and t.shape == wanted[n].shape}
            unknown = tuple(
                n
                for n, e in inside.items()
                # What lies in another container is something else: an optimiser's, say.
                if n not in wanted and not _is_counter(n) and e.container == container
            )
            complete = needed <= fitting and not unknown
            parts.append(_Part(prefix, state, len(fitting), unknown, complete))
        return parts


def read_weights(source: Readable, part: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a file by name, read without running any code from it.

    Args:
        source: a file of torch.save or safetensors, its bytes, or an open file.
        part: the keys to a state dict in it, joined by dots, such as "state_dict_ema" or "state_dict.teacher"; all if
            empty.

    Returns:
        The names with all keys to them, but the part, joined by dots. ``load(…, weights=)`` takes them.

    Raises:
        WeightsError: if the file is missing or damaged, or holds no weights, or has no such part.
    """
    return Checkpoint(source, part).tensors(f"{part}." if part else "")


def fill(module: nn.Module, checkpoint: Checkpoint, name: str) -> None:
    """Load a checkpoint's weights into a module, strictly.

    Args:
        module: whose state dict says what is wanted.
        checkpoint: where it is.
        name: what to call the module.

    Raises:
        WeightsError: if they were made for another architecture.
    """
    wanted = module.state_dict()
    part = checkpoint.part_for(wanted)
    _check(part, wanted, checkpoint.label, name)
    ordered = OrderedDict((n, t) for n, t in part.state.items() if n in wanted)
    copy_metadata(ordered, wanted)
    module.load_state_dict(ordered, strict=False)


def _check(part: _Part, wanted: Mapping[str, torch.Tensor], label: str, name: str) -> None:
    state = part.state
    missing = [n for n in wanted if n not in state and not _is_counter(n)]
    extra = part.unknown
    other = [n for n in wanted if n in state and state[n].shape != wanted[n].shape]
    packed = [
        n
        for n in wanted
        if n in state
        and wanted[n].is_floating_point()
        and (not state[n].is_floating_point() or state[n].is_quantized)
    ]
    if packed:
        raise WeightsError(
            f"{label} has quantised weights ({packed[0]} is {str(state[packed[0]].dtype)[6:]}), which {name} has not. "
            "Pass the weights from before the quantisation."
        )
    if not (missing or extra or other):
        return
    shapes = [f"{n} is {tuple(state[n].shape)}, not {tuple(wanted[n].shape)}" for n in other]
    found = [
        *(f"{len(missing)} are missing (first: {missing[0]})" for _ in missing[:1]),
        *(f"{len(extra)} are unknown (first: {extra[0]})" for _ in extra[:1]),
        *shapes[:2],
    ]
    # A head for other classes differs in its first dimension only.
    counts = {state[n].shape[0] for n in other if state[n].shape[1:] == wanted[n].shape[1:]}
    is_head = len(counts) == 1 and all(state[n].shape[1:] == wanted[n].shape[1:] for n in other)
    remedy = (
        f"It is for {counts.pop()} classes: pass their names, classes=[…]."
        if is_head and len(other) <= 4 and not missing and not extra
        else "Load them into the architecture that they were trained for; if that is a module of your own, load them "
        "there and pass it to camwidget.wrap."
    )
    under = f" (under {part.name!r})" if part.name else ""
    raise WeightsError(f"{label} does not fit {name}{under}: {'; '.join(found)}. {remedy}")


# -- what is in a file ----------------------------------------------------------------------


def _opened(source: Any) -> tuple[str, Any]:
    """What to call a source, and what it holds.

    Raises:
        WeightsError: if it is nothing that weights can be read from.
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
        remedy = " Of a module: its state_dict(); or the module itself goes to camwidget.wrap(module, …)."
    if isinstance(source, zipfile.ZipFile):
        remedy = " Of an archive open the file in it: archive.open(name)."
    if isinstance(source, bool):
        remedy = " For the pretrained weights leave weights= out."
    raise WeightsError(
        f"weights= takes a file of weights, or a state dict, not {type(source).__name__}.{remedy}"
    )


def _entries(value: Any, prefix: str, container: str, depth: int) -> Iterator[tuple[str, _Entry]]:
    """Every tensor under a value, with its name; ``container`` is the prefix of the state dict that it is in."""
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


def _found(content: Any) -> str:
    """What is there instead of weights."""
    if isinstance(content, Mapping):
        keys = ", ".join(repr(str(key)) for key in [*content][:5])
        return f", but {keys}" if keys else ": it is empty"
    return f", but an object {type(content).__name__}"


def _unwrapped(name: str) -> str:
    return ".".join(piece for piece in name.split(".") if piece not in _WRAPPERS)


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in _COUNTERS


def _alike(one: _Part, other: _Part) -> bool:
    """Whether two parts are the same weights."""
    return one is other or (
        one.state.keys() == other.state.keys()
        and all(
            t is other.state[n]
            or (t.dtype == other.state[n].dtype and torch.equal(t, other.state[n]))
            for n, t in one.state.items()
        )
    )


def _named(parts: list[_Part]) -> str:
    return " and ".join(repr(part.name) for part in parts)
