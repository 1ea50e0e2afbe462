"""Private API of PyTorch: what a module and a tensor hold, how operations are declared, nodes of autograd's graph."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn import functional as nnF
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from ..errors import CompatibilityError

try:
    from torch.utils._python_dispatch import TorchDispatchMode
except ImportError as error:
    raise CompatibilityError.of(
        "PyTorch", "torch.utils._python_dispatch.TorchDispatchMode"
    ) from error

__all__ = [
    "ACTIVATION_NODES",
    "BATCH_NORM",
    "CHECKPOINT_NODE",
    "CHECKS",
    "COMPILED_CALL",
    "COMPILED_KIND",
    "COMPILED_MODULE",
    "HOOKS",
    "PARTS",
    "TENSOR_HOLDERS",
    "USUAL_ATTRIBUTES",
    "DispatchMode",
    "argument_names",
    "body_of",
    "buffers_of",
    "cloned_tensors",
    "copy_metadata",
    "graph_changes",
    "has_amx_tiles",
    "is_rectifier",
    "mutated_arguments",
    "operation_name",
    "overload_name",
    "parameters_of",
    "parts_in",
    "require_module_attributes",
    "saved_names",
    "saved_tensors",
    "version_of",
]

V = TypeVar("V")
_LIBRARY = "PyTorch"

# -- tensors and state dicts -----------------------------------------------------------------


def version_of(tensor: torch.Tensor) -> int:
    """The number of in-place writes to a tensor. Inference tensors do not count it, and raise a RuntimeError."""
    try:
        return tensor._version
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "Tensor._version") from error


def copy_metadata(state: Any, source: Any) -> None:
    """Give a state dict the versions of modules that another one has, which some modules look up while loading."""
    try:
        state._metadata = source._metadata
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "the _metadata of a state dict") from error


def has_amx_tiles() -> bool:
    """Whether the processor multiplies matrices of bfloat16 in tiles (AMX)."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return bool(capabilities().get("amx_tile"))
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


# -- modules ---------------------------------------------------------------------------------

#: Attributes of every module.
USUAL_ATTRIBUTES = frozenset(vars(nn.Module()))
#: Those that hold parameters and buffers by name.
TENSOR_HOLDERS = ("_parameters", "_buffers")
#: The one that holds the modules inside a module by name.
PARTS = "_modules"
#: Those that hold hooks which are run with a module.
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
#: The code that ``Module.compile`` made, the class that ``torch.compile`` makes, and what that holds the module as.
COMPILED_CALL, COMPILED_KIND, COMPILED_MODULE = (
    "_compiled_call_impl",
    "OptimizedModule",
    "_orig_mod",
)
#: Base class of all batch normalizations, also those of other libraries.
BATCH_NORM: type[nn.Module] = nn.modules.batchnorm._BatchNorm


@functools.cache
def require_module_attributes() -> None:
    """Raise a CompatibilityError if modules store tensors, submodules or hooks in other attributes than read here."""
    missing = {*TENSOR_HOLDERS, PARTS, *HOOKS} - USUAL_ATTRIBUTES
    if missing:
        raise CompatibilityError.of(_LIBRARY, f"Module.{sorted(missing)[0]}")


def parts_in(module: nn.Module) -> dict[str, nn.Module | None]:
    """The direct submodules of a module, by name."""
    try:
        return module._modules
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "Module._modules") from error


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """A module's own parameters, by name."""
    try:
        return module._parameters
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "Module._parameters") from error


def buffers_of(module: nn.Module) -> dict[str, torch.Tensor | None]:
    """A module's own buffers, by name: the dictionary itself, so that one can be put back."""
    try:
        return module._buffers
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "Module._buffers") from error


#: Bytes up to which a tensor is copied together with others; what keeps one of these copies keeps all.
_MOST_TOGETHER = 1 << 18
#: Bytes to which a copy that begins behind another one is aligned, as one of its own would be.
_ALIGNMENT = 64


def cloned_tensors(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return copies of tensors, without graph.

    Small ones of one shape, type and device are copied by one operation: on a GPU, each operation takes some 10 µs to
    start.
    """
    groups: dict[Any, list[int]] = {}
    for number, tensor in enumerate(tensors):
        key = type(tensor), tensor.shape, tensor.dtype, tensor.device, tensor.layout
        groups.setdefault(key, []).append(number)
    copies = list(tensors)
    for numbers in groups.values():
        group = [tensors[number].detach() for number in numbers]
        for number, copy in zip(numbers, _copied(group), strict=True):
            copies[number] = copy
    return copies


def _copied(alike: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return copies of detached tensors of one class, shape, type, device and layout."""
    first = alike[0]
    nbytes = first.numel() * first.element_size()
    if (
        len(alike) > 1
        and type(first) is torch.Tensor
        and first.layout is torch.strided
        and first.ndim <= 1  # others have a memory format, which a clone keeps
        and nbytes <= _MOST_TOGETHER
        and (first.ndim == 0 or nbytes % _ALIGNMENT == 0)
    ):
        # ``data`` has its own version counter: writing into one copy is none into the others.
        return [row.data for row in torch.stack(alike).unbind()]
    return [tensor.clone() for tensor in alike]


# -- modes -----------------------------------------------------------------------------------


class DispatchMode(TorchDispatchMode):
    """Base class of dispatch modes of which PyTorch does not import its compiler, which takes two seconds."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)  # type: ignore[no-untyped-call]
        if "__torch_dispatch__" in cls.__dict__:
            cls.__torch_dispatch__ = _not_compiled(cls.__dict__["__torch_dispatch__"])  # type: ignore[method-assign]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from hiding the mode from its compiler by importing that; ``_not_compiled`` hides it."""
        return False


def _not_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that PyTorch's compiler, once a process has imported it, leaves alone."""
    hidden: Callable[..., Any] | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal hidden
        if hidden is None and "torch._dynamo" in sys.modules:
            hidden = torch.compiler.disable(function)
        return (hidden or function)(*args, **kwargs)

    return call


# -- operations ------------------------------------------------------------------------------


def argument_names(operation: Any) -> list[str]:
    """The names of an operation's arguments, in order."""
    try:
        return [argument.name for argument in operation._schema.arguments]
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "OpOverload._schema") from error


def mutated_arguments(operation: Any) -> list[int]:
    """The positions of the arguments that an operation writes into."""
    try:
        return [
            position
            for position, argument in enumerate(operation._schema.arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "OpOverload._schema") from error


def overload_name(operation: Any) -> str:
    """The name of an operation's overload, such as "default" or "Tensor"."""
    try:
        return str(operation._overloadname)
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "OpOverload._overloadname") from error


def operation_name(packet: Any) -> str:
    """The name of an operation with all its forms, "aten::rand_like"."""
    try:
        return str(packet._qualified_op_name)
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "OpOverloadPacket._qualified_op_name") from error


@functools.cache
def body_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a composite function of ``torch.nn.functional`` that is not given to modes as one operation.

    A ``TorchFunctionMode`` sees the operations that the returned function consists of instead. Functions that are not
    written in Python are returned unchanged.
    """
    code = getattr(function, "__code__", None)
    if not isinstance(function, FunctionType) or code is None:
        return function
    if "has_torch_function" not in code.co_names:
        raise CompatibilityError.of(_LIBRARY, f"has_torch_function in {function.__name__}")
    names = {**function.__globals__, "has_torch_function": lambda tensors: False}
    body = FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)
    body.__kwdefaults__ = function.__kwdefaults__
    return body


# -- nodes of autograd's graph ---------------------------------------------------------------

#: Nodes of activations that are no rectifiers. A gate (sigmoid, softmax) is no activation of a map.
ACTIVATION_NODES = {
    "GeluBackward0": "GELU",
    "SiluBackward0": "SiLU",
    "HardswishBackward0": "Hardswish",
    "EluBackward0": "ELU",
    "LeakyReluBackward0": "LeakyReLU",
    "MishBackward0": "Mish",
    "SoftplusBackward0": "Softplus",
    "TanhBackward0": "Tanh",
    "PreluKernelBackward0": "PReLU",
    "CeluBackward0": "CELU",
    "RreluWithNoiseBackward0": "RReLU",
    # What may be a rectifier written by hand, or not.
    "MaximumBackward0": "torch.maximum",
    "WhereBackward0": "torch.where",
}

#: The node of a part that is checkpointed with ``use_reentrant=True``.
CHECKPOINT_NODE = "CheckpointFunctionBackward"


def is_rectifier(node: Any) -> bool:
    """Whether a node is of ReLU or ReLU6, or of an equivalent clamp, hardtanh or threshold at zero."""
    name = node.name()
    if name == "ReluBackward0":
        return True
    if name == "HardtanhBackward0":
        return bool(node._saved_min_val == 0)
    if name in ("ClampMinBackward0", "ClampBackward0", "ClampBackward1"):
        return bool(getattr(node, "_saved_min", None) == 0)
    return bool(name == "ThresholdBackward0" and node._saved_threshold == 0)


def saved_tensors(node: Any) -> list[torch.Tensor]:
    """The result, input and condition that the node of an activation has saved, as far as there are any."""
    saved = (getattr(node, f"_saved_{name}", None) for name in ("result", "self", "condition"))
    return [value for value in saved if isinstance(value, torch.Tensor)]


@functools.lru_cache(maxsize=1024)
def saved_names(kind: Any) -> tuple[str, ...]:
    """The attributes in which the nodes of a kind of operation store their saved tensors."""
    own = tuple(name for name in dir(kind) if name.startswith("_saved_"))
    # Operations written in Python have all of it under one name.
    return (*own, "saved_tensors") if hasattr(kind, "saved_tensors") else own


@functools.cache
def graph_changes() -> str:
    """The assumptions about graph nodes of activations that this version of PyTorch breaks; empty if none."""
    failed = [name for name, check in CHECKS.items() if name.startswith("node of ") and not check()]
    return ", ".join(failed)


# -- checks ----------------------------------------------------------------------------------


def _node(function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    with torch.inference_mode(False), torch.enable_grad():
        return function(torch.ones(1, 1, 2, 2, requires_grad=True)).grad_fn


def _is_activation(label: str, function: Callable[[torch.Tensor], torch.Tensor]) -> bool:
    node = _node(function)
    return ACTIVATION_NODES.get(node.name()) == label and bool(saved_tensors(node))


def _rectifies(function: Callable[[torch.Tensor], torch.Tensor], no: Callable[..., Any]) -> bool:
    try:
        return is_rectifier(_node(function)) and not is_rectifier(_node(no))
    except AttributeError:
        return False


def _keeps_saved() -> bool:
    node = _node(torch.exp)
    return saved_names(node.__class__) == ("_saved_result",) and node._saved_result.numel() == 4


def _counts_writes() -> bool:
    tensor = torch.zeros(2)
    before = version_of(tensor)
    tensor.add_(1)
    return version_of(tensor) == before + 1


def _has_metadata() -> bool:
    class State(dict[str, Any]):
        """A dictionary that may have attributes."""

    state = State()
    copy_metadata(state, nn.BatchNorm2d(1).state_dict())
    return bool(vars(state)["_metadata"][""]["version"] >= 2)


def _holds_modules() -> bool:
    require_module_attributes()
    norm = nn.BatchNorm2d(1)
    return (
        COMPILED_CALL in dir(nn.Module)
        and isinstance(norm, BATCH_NORM)
        and [*parameters_of(norm)] == ["weight", "bias"]
        and "running_mean" in buffers_of(norm)
        and parts_in(nn.Sequential(norm)) == {"0": norm}
    )


def _holds_compiled() -> bool:
    module = nn.Identity()
    compiled: Any = torch.compile(module)
    return (
        type(compiled).__name__ == COMPILED_KIND and parts_in(compiled)[COMPILED_MODULE] is module
    )


def _declares_operations() -> bool:
    operation = torch.ops.aten.rand_like.default
    return (
        argument_names(operation)[0] == "self"
        and overload_name(operation) == "default"
        and operation_name(operation.overloadpacket) == "aten::rand_like"
    )


def _opens_attention() -> bool:
    seen: list[str] = []

    class Seen(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            seen.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    tokens, weight = torch.ones(1, 1, 2), torch.ones(6, 2)
    with Seen():
        body_of(nnF.multi_head_attention_forward)(
            *(tokens, tokens, tokens, 2, 1, weight, None, None, None, False, 0.0),
            *(torch.ones(2, 2), None, False),
            need_weights=False,
        )
    return "scaled_dot_product_attention" in seen and "multi_head_attention_forward" not in seen


def _dispatches() -> bool:
    class Seen(DispatchMode):
        """Notes which operations run."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.names: list[str] = []

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.names.append(operation_name(func.overloadpacket))
            return func(*args, **(kwargs or {}))

    with Seen() as seen:
        torch.zeros(1).exp()
    return "aten::exp" in seen.names


def _names_checkpoint() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = _node(lambda x: checkpoint(torch.exp, x, use_reentrant=True))
    return bool(node.name() == CHECKPOINT_NODE)


#: Description of each assumption, with the function that checks it.
CHECKS: Mapping[str, Callable[[], bool]] = {
    "Tensor._version": _counts_writes,
    "the _metadata of a state dict": _has_metadata,
    "what a Module holds": _holds_modules,
    "what torch.compile makes": _holds_compiled,
    "how operations are declared": _declares_operations,
    "TorchDispatchMode": _dispatches,
    "has_torch_function in multi_head_attention_forward": _opens_attention,
    "_saved_ attributes": _keeps_saved,
    "the node of a checkpoint": _names_checkpoint,
    "node of GELU": lambda: _is_activation("GELU", nnF.gelu),
    "node of SiLU": lambda: _is_activation("SiLU", nnF.silu),
    "node of Hardswish": lambda: _is_activation("Hardswish", nnF.hardswish),
    "node of ELU": lambda: _is_activation("ELU", nnF.elu),
    "node of LeakyReLU": lambda: _is_activation("LeakyReLU", nnF.leaky_relu),
    "node of Mish": lambda: _is_activation("Mish", nnF.mish),
    "node of Softplus": lambda: _is_activation("Softplus", nnF.softplus),
    "node of Tanh": lambda: _is_activation("Tanh", torch.tanh),
    "node of PReLU": lambda: _is_activation("PReLU", lambda x: nnF.prelu(x, torch.ones(1))),
    "node of CELU": lambda: _is_activation("CELU", nnF.celu),
    "node of maximum": lambda: _is_activation("torch.maximum", lambda x: torch.maximum(x, -x)),
    "node of where": lambda: _is_activation("torch.where", lambda x: torch.where(x > 0, x, -x)),
    "node of ReLU": lambda: _rectifies(nnF.relu, torch.tanh),
    "node of ReLU6": lambda: _rectifies(nnF.relu6, nnF.hardtanh),
    "node of clamp": lambda: _rectifies(lambda x: x.clamp(min=0), lambda x: x.clamp(min=-1)),
    "node of threshold": lambda: _rectifies(
        lambda x: nnF.threshold(x, 0, 0), lambda x: nnF.threshold(x, 1, 0)
    ),
}
