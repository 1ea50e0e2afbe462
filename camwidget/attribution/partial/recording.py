"""Recording of a forward pass: its operations on tensors that were computed from the picture, and their results.

The operations are those that PyTorch dispatches to its kernels, into which modules, functions, methods and compiled
TorchScript are all resolved. Nothing is patched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..._compat.pytorch import DispatchMode, mutated_arguments, operation_name

__all__ = [
    "RecordedOperation",
    "Source",
    "UnrecordableError",
    "record",
    "sources_in",
    "substituted",
]

#: Operations by which a tensor's values leave PyTorch, and may decide what the module does next.
_READ_BY_PYTHON = frozenset(
    {"aten::_local_scalar_dense", "aten::equal", "aten::is_nonzero", "aten::nonzero"}
)

#: Methods by which a tensor's memory leaves PyTorch without an operation.
_GIVES_MEMORY = frozenset(
    {"numpy", "__array__", "tolist", "data_ptr", "storage", "untyped_storage", "__dlpack__"}
)

#: Views of memory by explicit strides. Poolings use them to mark the memory format of a single cell.
_STRIDED = frozenset({"aten::as_strided", "aten::as_strided_"})


class UnrecordableError(Exception):
    """The pass cannot be repeated from its operations. It leads to another way of running, and is never shown."""


@dataclass(frozen=True)
class Source:
    """Placeholder of an argument that an earlier operation computed.

    Attributes:
        index: index of that operation.
    """

    index: int


@dataclass(eq=False)
class RecordedOperation:
    """An operation whose result depends on the picture.

    Attributes:
        name: name without namespace and without the underscore of the in-place form, such as "relu".
        function: the operation as dispatched; None for the picture itself.
        args: its arguments, with ``Source`` in place of tensors that depend on the picture.
        kwargs: its keyword arguments, likewise.
        is_in_place: whether it writes into its first argument.
        output: which of several results this is; None if there is one.
        value: the result for the recorded picture; None once it is not needed.
        shape: shape of the result.
        sources: indices of the operations that it reads.
    """

    name: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    is_in_place: bool
    output: int | None
    value: torch.Tensor | None
    shape: torch.Size
    sources: tuple[int, ...]


def record(
    run: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor
) -> tuple[list[RecordedOperation], torch.Tensor]:
    """Record the operations from an input to the result that are needed for the result.

    Args:
        run: function of the input to the result, which may run any module; called once.
        inputs: the input, which may be modified in place.

    Returns:
        The operations in their order, the input first and the result last; and the result.

    Raises:
        UnrecordableError: if the pass cannot be repeated: it reads values in Python, writes into part of a tensor that
            is used afterwards, or its result does not depend on the input.
    """
    recorder = _Recorder(inputs)
    with torch.no_grad(), recorder, _Readings(recorder):
        result = run(inputs)
    return recorder.operations_of(result), result


def sources_in(value: Any) -> Iterator[int]:
    """Iterate over the indices of the placeholders in arguments."""
    if isinstance(value, Source):
        yield value.index
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from sources_in(item)
    elif isinstance(value, dict):
        yield from sources_in(list(value.values()))


def substituted(value: Any, of: Callable[[int], Any]) -> Any:
    """Return arguments with each placeholder replaced by ``of(index)``."""
    if isinstance(value, Source):
        return of(value.index)
    if isinstance(value, (list, tuple)):
        return type(value)(substituted(item, of) for item in value)
    if isinstance(value, dict):
        return {key: substituted(item, of) for key, item in value.items()}
    return value


def _layout(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return where a tensor's elements are in its memory; the strides of single cells do not matter."""
    strides = [
        0 if size == 1 else stride
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    ]
    return tensor.shape, strides, tensor.storage_offset()


class _Readings(TorchFunctionMode):
    """Function mode that refuses to give a recorded tensor's memory away, which is no operation that is dispatched."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _GIVES_MEMORY and args and self._recorder.knows(args[0]):
            raise UnrecordableError(f"{name} gives a tensor's memory away")
        return func(*args, **(kwargs or {}))


class _Recorder(DispatchMode):
    """Dispatch mode that notes each operation of the calling thread on a tensor computed from the picture."""

    def __init__(self, inputs: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations = [
            RecordedOperation("input", None, (), {}, False, None, inputs, inputs.shape, ()),
        ]
        #: By identity of a tensor, its operation and the tensor, which has to live as long as its identity counts.
        self._known: dict[int, tuple[int, torch.Tensor]] = {id(inputs): (0, inputs)}
        self._stale: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        template = self._template((args, kwargs))
        sources = tuple(sources_in(template))
        if not sources:
            return func(*args, **kwargs)
        name = operation_name(func.overloadpacket)
        if name in _READ_BY_PYTHON:
            raise UnrecordableError(f"{name} reads the values of a tensor")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UnrecordableError(f"{name} draws random numbers")
        if name in _STRIDED:
            before = _layout(args[0])
            result = func(*args, **kwargs)
            if _layout(result) != before:
                raise UnrecordableError(f"{name} gives memory another shape")
            self._known[id(result)] = sources[0], result
            return result
        written = mutated_arguments(func)
        if written:
            self._prepare_writing(name, written, args)
        result = func(*args, **kwargs)
        outputs = [result] if isinstance(result, torch.Tensor) else result
        if not isinstance(outputs, (list, tuple)):
            raise UnrecordableError(f"{name} returns {type(result).__name__}")
        short = name.partition("::")[2].removesuffix("_") if written else name.partition("::")[2]
        for position, output in enumerate(outputs):
            if isinstance(output, torch.Tensor):
                self._known[id(output)] = len(self._operations), output
                place = None if output is result else position
                operation = RecordedOperation(
                    short,
                    func,
                    template[0],
                    template[1],
                    bool(written),
                    place,
                    output,
                    output.shape,
                    sources,
                )
                self._operations.append(operation)
        return result

    def _prepare_writing(self, name: str, written: list[int], args: tuple[Any, ...]) -> None:
        """Keep the values that an operation in place is about to overwrite, if it writes into its first argument."""
        target = args[0] if args else None
        known = self._known.get(id(target))
        if written != [0] or known is None or not isinstance(target, torch.Tensor):
            raise UnrecordableError(
                f"{name} writes into a tensor that does not depend on the picture"
            )
        memory = target.untyped_storage().data_ptr()
        for index, tensor in self._known.values():
            if tensor is not target and tensor.untyped_storage().data_ptr() == memory:
                self._stale.add(index)
                self._operations[index].value = tensor.clone()
        self._operations[known[0]].value = target.clone()

    def knows(self, tensor: Any) -> bool:
        """Return whether a tensor depends on the picture."""
        return id(tensor) in self._known

    def _template(self, value: Any) -> Any:
        """Return arguments with placeholders for tensors that depend on the picture."""
        if isinstance(value, torch.Tensor):
            known = self._known.get(id(value))
            if known is None:
                return value
            if known[0] in self._stale:
                raise UnrecordableError(
                    "a part of a tensor is written, and the whole used afterwards"
                )
            return Source(known[0])
        if isinstance(value, (list, tuple)):
            return type(value)(self._template(item) for item in value)
        if isinstance(value, dict):
            return {key: self._template(item) for key, item in value.items()}
        return value

    def operations_of(self, result: torch.Tensor) -> list[RecordedOperation]:
        """Return the operations that a result needs, renumbered, itself last."""
        known = self._known.get(id(result))
        if known is None or known[0] in self._stale:
            raise UnrecordableError("the result does not depend on the picture by known operations")
        needed = {0, known[0]}
        for index in range(known[0], 0, -1):
            if index in needed:
                needed.update(self._operations[index].sources)
        order = sorted(needed)
        number = {old: new for new, old in enumerate(order)}
        chosen = [self._operations[old] for old in order]
        for operation in chosen[1:]:
            operation.args = substituted(operation.args, lambda i: Source(number[i]))
            operation.kwargs = substituted(operation.kwargs, lambda i: Source(number[i]))
            operation.sources = tuple(number[i] for i in operation.sources)
        return chosen
