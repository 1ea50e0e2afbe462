"""A file of ``torch.save`` read without running any code that it names.

``torch.load(weights_only=True)`` refuses a file that holds anything beside tensors and plain containers: a whole
module, the arguments of a training run, a learning rate schedule. Here such objects become ``Inert``: what was stored
in them, under their attributes' names, and none of their code. Nothing that a pickle can name is looked up: of all
names a dozen have a meaning, and that is a function of this module; every other name becomes a class of its own that
does nothing.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import IO, Any

import torch

__all__ = ["HarmfulNameError", "Inert", "read_inert"]

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
    "TypedStorage": torch.uint8,
}

#: Modules, and names of ``builtins``, that weights have no use for, and whoever wants to do harm has. (Pickles call
#: ``subprocess`` by its old name.)
_HARMFUL = {
    "os",
    "posix",
    "nt",
    "sys",
    "subprocess",
    "commands",
    "shutil",
    "socket",
    "runpy",
    "pty",
}
_HARMFUL |= {"importlib", "ctypes"}
_HARMFUL_BUILTINS = {"eval", "exec", "compile", "open", "__import__", "breakpoint", "input"}


class HarmfulNameError(Exception):
    """A pickle names something that could do harm where it is read in another way; the message is the name."""


class Inert(dict[Any, Any]):
    """An object of a pickle: its items, and its attributes in ``__dict__``. It does nothing."""

    #: The name of its class in the file.
    origin = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Inert:
        """Take whatever the object was made of, and leave it."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.__dict__.update({str(key): value for key, value in part.items()})

    def __call__(self, *args: Any, **kwargs: Any) -> Inert:
        """What a method would have made, if this is one."""
        return Inert()

    def append(self, value: Any) -> None:
        """Keep an item of what was a list."""
        self[len(self)] = value

    def extend(self, values: Iterable[Any]) -> None:
        """Keep the items of what was a list."""
        for value in values:
            self.append(value)

    # By identity, so that it can be a key; the items may refer to the object itself.
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


class _Function:
    """What a name in a file stands for that has a meaning here. It has no attributes that a pickle could set."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("A function has no state.")


def _tensor(
    storage: Any, offset: int, size: Iterable[int], stride: Iterable[int], *rest: Any
) -> Any:
    # What is stored as its negative or its conjugate says so last.
    if not isinstance(storage, torch.Tensor) or (rest and isinstance(rest[-1], dict) and rest[-1]):
        return None
    dtype = rest[2] if len(rest) > 2 and isinstance(rest[2], torch.dtype) else storage.dtype
    return storage.view(dtype).as_strided(tuple(size), tuple(stride), offset)


def _first(data: Any, *rest: Any) -> Any:
    return data


def _from_type(function: Any, kind: Any, args: Any, *rest: Any) -> Any:
    return function(*args) if isinstance(function, _Function) else None


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Function(OrderedDict),
    ("torch", "Size"): _Function(tuple),
    ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): _Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(_first),
    ("torch._utils", "_rebuild_parameter_with_state"): _Function(_first),
    ("torch._tensor", "_rebuild_from_type_v2"): _Function(_from_type),
    ("builtins", "set"): _Function(lambda *args: frozenset(*args)),
    ("__builtin__", "set"): _Function(lambda *args: frozenset(*args)),
}


class _Reader(pickle.Unpickler):
    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder
        self._storages: dict[str, torch.Tensor] = {}
        self._classes: dict[str, type[Inert]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for: never anything that is looked up."""
        if module.partition(".")[0] in _HARMFUL or (
            module in ("builtins", "__builtin__") and name in _HARMFUL_BUILTINS
        ):
            raise HarmfulNameError(f"{module}.{name}")
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.cuda", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch":
            dtype = vars(torch).get(name)
            if isinstance(dtype, torch.dtype):
                return dtype
        origin = f"{module}.{name}"
        return self._classes.setdefault(origin, type("Inert", (Inert,), {"origin": origin}))

    def persistent_load(self, pid: Any) -> Any:
        """The numbers of a storage, 1-D."""
        kind, dtype, key, *_ = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"unknown reference {kind!r}")
        if key not in self._storages:
            member = self._archive.getinfo(f"{self._folder}data/{key}")
            if member.compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError("compressed numbers")
            data = bytearray(self._archive.read(member))
            self._storages[key] = (
                torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            )
        return self._storages[key]


def read_inert(file: IO[bytes]) -> Any:
    """What was given to ``torch.save``, with ``Inert`` in the place of objects.

    Args:
        file: the zip archive that ``torch.save`` writes.

    Raises:
        HarmfulNameError: if it names something that no weights need.
        Exception: of many kinds, if it is no such file.
    """
    with zipfile.ZipFile(file) as archive:
        folder = next(n for n in archive.namelist() if n.endswith("data.pkl"))[: -len("data.pkl")]
        if f"{folder}byteorder" in archive.namelist():
            order = archive.read(f"{folder}byteorder")
            if order != b"little":
                raise pickle.UnpicklingError("big-endian numbers")
        with archive.open(f"{folder}data.pkl") as data:
            return _Reader(data, archive, folder).load()
