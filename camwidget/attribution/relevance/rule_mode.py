"""``RuleMode``: sees each operation of a relevance pass, and runs it with its relevance rule."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as nnF
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from . import operation_names
from .cosine_operations import CosineOperations
from .nonlinear_rules import signed_sum
from .operation import Operation, WorkingMemory, pass_through, propagate
from .rules import Rules
from .tracked_tensor import Role, TrackedTensor, UnsupportedOperation, tensors_in
from .transformer_operations import TransformerOperations

__all__ = ["RuleMode"]


class RuleMode(TorchFunctionMode):
    """Run each operation with its relevance rule, and refuse operations without one.

    Args:
        rules: propagation rules.
        negated: indices of linear operations whose weights are negated.
        picture: the tensor that the pass starts from.
        is_reused: whether relevance is propagated several times.
    """

    def __init__(
        self, rules: Rules, negated: frozenset[int], picture: torch.Tensor, is_reused: bool
    ) -> None:
        super().__init__()
        self._is_reused = is_reused
        self._memory = WorkingMemory()
        self._rules = rules
        self._negated = negated
        self._tracked = {id(picture): TrackedTensor(picture, is_picture=True)}
        #: By identity of a tensor that was written into, the tensor that holds its new values.
        self._replacements: dict[int, torch.Tensor] = {}
        #: By identity of a tensor of queries, keys and values, its parts.
        self._parts: dict[int, tuple[torch.Tensor, ...]] = {}
        self._operations: list[Operation] = []
        self._cosines = CosineOperations(self)
        self._transformer = (
            None if rules.attention is None else TransformerOperations(self, rules.attention)
        )
        #: The first operation that only ``TransformerOperations`` has a rule for.
        self.first_transformer_operation: UnsupportedOperation | None = None
        self._merges: list[tuple[TrackedTensor, torch.Tensor, torch.Tensor]] = []
        self._module_stack: list[str] = []

    def track_module(self, module: nn.Module, name: str) -> list[RemovableHandle]:
        """Register hooks that keep the name of the running module, for error messages; return them."""
        return [
            module.register_forward_pre_hook(lambda *args: self._module_stack.append(name)),
            module.register_forward_hook(lambda *args: self._exit_module()),
        ]

    def _exit_module(self) -> None:
        self._module_stack.pop()

    def forget(self) -> None:
        """Let go of the pass's tensors and operations; those that relevance goes through are in its graph."""
        for found in (self._tracked, self._replacements, self._parts):
            found.clear()
        self._operations.clear()
        self._merges.clear()

    def tracked(self, value: Any) -> TrackedTensor | None:
        """Return the record of a tensor; None if the tensor was not computed from the picture.

        Raises:
            UnsupportedOperation: if relevance cannot reach the tensor.
        """
        if not isinstance(value, torch.Tensor):
            return None
        while id(value) in self._replacements:
            value = self._replacements[id(value)]
        tracked = self._tracked.get(id(value))
        if value.requires_grad and (tracked is None or tracked.has_replaced_gradient):
            if type(value.grad_fn).__name__ == "CheckpointFunctionBackward":
                raise self.refusal(
                    "checkpointing with use_reentrant=True (switch it off, or pass use_reentrant=False)"
                )
            raise self.refusal("a function with a gradient of its own")
        if tracked is not None and tracked.is_stale:
            raise self.refusal("writing into a part of a tensor that is used afterwards")
        return tracked

    def merge_batch_norms(self) -> None:
        """Merge each BatchNorm into the linear operation before it, if nothing else reads that operation's output."""
        for tracked, scale, shift in self._merges:
            if tracked.uses == 1 and tracked.operation is not None:
                self._operations[tracked.operation].merge(scale, shift)

    def assign_final_rules(self, output: TrackedTensor) -> frozenset[int]:
        """Set the rules ``last`` and ``after``, and return the indices of the last linear operations."""
        found: set[int] = set()
        seen: set[int] = set()
        queue = [output]
        while queue:
            tracked = queue.pop()
            if id(tracked) in seen:
                continue
            seen.add(id(tracked))
            operation = None if tracked.operation is None else self._operations[tracked.operation]
            if operation is None or operation.weight is None:
                queue.extend(tracked.sources)
                rule = self._rules.after
            else:
                found.add(tracked.operation or 0)
                rule = self._rules.last
            if operation is not None and rule is not None:
                operation.rule = rule
        return frozenset(found)

    # -- one operation ------------------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = operation_names.function_name(func)
        if name in operation_names.METADATA:
            return func(*args, **kwargs)
        sources = tuple(
            k for k in (self.tracked(t) for t in tensors_in((args, kwargs))) if k is not None
        )
        if not sources or name in operation_names.CONSTANTS:
            with torch.no_grad():
                return func(*args, **kwargs)
        # A tensor that was written into is replaced by the tensor with its new values.
        target = args[0] if args else None
        args, kwargs = self._current(args), self._current(kwargs)
        for source in sources:
            source.uses += 1
        before = len(self._operations)
        # The module may run parts of itself under no_grad.
        with torch.enable_grad():
            result, role = self._run_with_role(name, func, args, kwargs, sources)
        self._track(result, sources, name, before, role)
        if (
            operation_names.is_in_place(name, args, kwargs)
            and isinstance(target, torch.Tensor)
            and result is not target
        ):
            self._replace_written(target, result)
        return result

    def _run_with_role(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: Any,
        sources: tuple[TrackedTensor, ...],
    ) -> tuple[Any, Role]:
        """Run an operation with its rule; return its result and the role of it."""
        cosine = self._cosines.run(name, func, args, kwargs, sources)
        if cosine is not None:
            return cosine
        if name in ("matmul", "__matmul__") and _is_by_constant(args, sources):
            product = self.linear("linear", nnF.linear, args[0], [args[1].mT], {}, sources[0])
            return product, Role.ACTIVATION
        if self._transformer is not None and kwargs.get("out") is None:
            first = self.first_transformer_operation
            if first is None:
                first = self.refusal(operation_names.HEAD_DESCRIPTIONS.get(name, name))
            found = self._transformer.run(name, func, args, kwargs, sources)
            if found is not None:
                self.first_transformer_operation = first
                return found
            if (
                name in operation_names.AFFINE
                and len(sources) == 1
                and self._transformer.adds_constant(name, args, kwargs, sources[0])
            ):
                return self._transformer.absorb(func, args, kwargs, sources[0]), Role.ACTIVATION
        return self._run(name, func, args, kwargs, sources), Role.ACTIVATION

    def _run(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: Any,
        sources: tuple[TrackedTensor, ...],
    ) -> Any:
        if kwargs.get("out") is not None:
            raise self.refusal(f"{name} with out=…")
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        if name == "__getitem__" and type(args[1]) is int and len(args[0]) == 3:
            return self._parts_of(args[0])[args[1]]
        if name in operation_names.MOVES or name in operation_names.MAXIMA:
            return func(*args, **kwargs)
        x, rest = (args[0], args[1:]) if args else (kwargs.pop("input", None), ())
        is_only_source = len(sources) == 1 and sources[0].tensor is x
        if name in operation_names.IDENTITIES and not kwargs.get(
            "training", rest[1] if len(rest) > 1 else True
        ):
            return x
        if name in operation_names.LINEAR and is_only_source:
            return self.linear(name, func, x, rest, kwargs, sources[0])
        if name == "batch_norm" and is_only_source:
            return self._batch_norm(func, x, rest, kwargs, sources[0])
        if (
            name in operation_names.ACTIVATIONS
            and is_only_source
            and _keeps_zero(func, x, rest, kwargs)
        ):
            return pass_through(x, lambda value: func(value, *rest, **kwargs))
        if name in operation_names.AVERAGES and is_only_source:
            return self._average(name, func, x, rest, kwargs)
        if name in operation_names.SUMS and len(sources) == 2 and kwargs.get("alpha", 1) == 1:
            return self._sum(x, rest[0] if rest else kwargs["other"])
        if name in operation_names.AFFINE and len(sources) == 1:
            return self._affine(name, func, x, rest, kwargs, sources[0])
        if len(sources) > 1:
            raise self.refusal(f"{name.rstrip('_') or name} of two activations")
        raise self.refusal(operation_names.HEAD_DESCRIPTIONS.get(name, name))

    def _parts_of(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return queries, keys and values in a tensor; together, their backward pass needs no zeros for the others."""
        if id(x) not in self._parts:
            self._parts[id(x)] = x.unbind(0)
        return self._parts[id(x)]

    def linear(
        self, name: str, func: Any, x: torch.Tensor, rest: Any, kwargs: Any, source: TrackedTensor
    ) -> torch.Tensor:
        """Run a linear operation with the rule of its kind; ``rest`` and ``kwargs`` are its other arguments."""
        rest = list(rest)
        weight = rest.pop(0) if rest else kwargs.pop("weight")
        bias = rest.pop(0) if rest else kwargs.pop("bias", None)
        if len(self._operations) in self._negated:
            weight, bias = -weight, None if bias is None else -bias
        rule = (
            self._rules.first
            if source.is_picture
            else self._rules.dense
            if name in ("linear", "cosine")
            else self._rules.convolution
        )
        operation = Operation(
            lambda value, w, b: func(value, w, b, *rest, **kwargs),
            rule,
            weight,
            bias,
            is_dense=name == "linear",
            memory=self._memory,
            is_reused=self._is_reused,
        )
        # The weights of transposed convolutions have the output's channels in another dimension.
        operation.mergeable = name != "cosine" and not name.startswith("conv_transpose")
        return self._propagate(x, operation)

    def _batch_norm(
        self, func: Any, x: torch.Tensor, rest: Any, kwargs: Any, source: TrackedTensor
    ) -> torch.Tensor:
        names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = {**dict(zip(names, rest, strict=False)), **kwargs}
        mean, variance = given.get("running_mean"), given.get("running_var")
        if given.get("training", False) or mean is None or variance is None:
            raise self.refusal("batch normalization by the batch's own statistics")
        scale = (variance + given.get("eps", 1e-5)).rsqrt()
        if given.get("weight") is not None:
            scale = scale * given["weight"]
        shift = -mean * scale
        if given.get("bias") is not None:
            shift = shift + given["bias"]
        before = None if source.operation is None else self._operations[source.operation]
        if before is not None and before.mergeable:
            self._merges.append((source, scale.detach(), shift.detach()))
        return pass_through(x, lambda value: func(value, *rest, **kwargs))

    def _average(self, name: str, func: Any, x: torch.Tensor, rest: Any, kwargs: Any) -> Any:
        def call(value: torch.Tensor, weight: None, bias: None) -> torch.Tensor:
            result: torch.Tensor = func(value, *rest, **kwargs)
            return result

        with torch.no_grad():
            shape = call(x, None, None).shape
        # A mean over the batch mixes the relevance of different pictures.
        if not shape or shape[0] != x.shape[0]:
            raise self.refusal(f"{name} over the batch")
        return self._propagate(x, Operation(call, self._rules.average))

    def _sum(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self._transformer is not None and x.shape == y.shape:  # the same rule, in one pass
            return signed_sum(x, y)
        both = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
        return self._propagate(both, Operation(lambda value, w, b: value.sum(-1), self._rules.sum))

    def _propagate(self, x: torch.Tensor, operation: Operation) -> torch.Tensor:
        self._operations.append(operation)
        return propagate(x, operation)

    def _affine(
        self, name: str, func: Any, x: Any, rest: Any, kwargs: Any, source: TrackedTensor
    ) -> torch.Tensor:
        """Run arithmetic with a constant: each element keeps all of its relevance."""
        if "div" in name and x is not source.tensor:
            raise self.refusal("division by an activation")

        def call(value: torch.Tensor) -> torch.Tensor:
            positional = [value if v is source.tensor else v for v in (x, *rest)]
            named = {k: value if v is source.tensor else v for k, v in kwargs.items()}
            result: torch.Tensor = func(*positional, **named)
            return result

        result = pass_through(source.tensor, call)
        if result.shape != source.tensor.shape:
            raise self.refusal(f"{name} with a constant of another shape")
        return result

    # -- tracking ---------------------------------------------------------------------------------

    def _track(
        self,
        result: Any,
        sources: tuple[TrackedTensor, ...],
        name: str,
        before: int,
        role: Role,
    ) -> None:
        """Record the tensors of an operation's result; ``before`` is the number of operations before it."""
        keeps_picture = (
            name in operation_names.MOVES or name in operation_names.AFFINE or name == "batch_norm"
        )
        is_picture = keeps_picture and all(source.is_picture for source in sources)
        operation = len(self._operations) - 1 if len(self._operations) > before else None
        refusal = None
        if not role.receives_relevance:
            same = [s.refusal for s in sources if s.role is role or role is Role.NO_RULE]
            refusal = next((r for r in same if r), None) or self.refusal(_described(name, role))
        for tensor in tensors_in(result):
            # Integers are indices of maxima, through which relevance does not go.
            if id(tensor) in self._tracked or not tensor.is_floating_point():
                continue
            self._tracked[id(tensor)] = TrackedTensor(
                tensor, sources, operation, is_picture, role, refusal
            )

    def _replace_written(self, target: torch.Tensor, result: torch.Tensor) -> None:
        """Record that an operation in place gave ``target`` the values of ``result``."""
        memory = target.untyped_storage().data_ptr()
        for tracked in self._tracked.values():
            tensor = tracked.tensor
            if tensor is not target and tensor is not result:
                tracked.is_stale |= tensor.untyped_storage().data_ptr() == memory
        self._replacements[id(target)] = result

    def _current(self, value: Any) -> Any:
        """Return an argument with tensors that were written into replaced by their new values."""
        if isinstance(value, torch.Tensor):
            tracked = self.tracked(value)
            return value if tracked is None else tracked.tensor
        if isinstance(value, (list, tuple)):
            changed = [self._current(v) for v in value]
            return type(value)(changed) if type(value) in (list, tuple) else value
        if isinstance(value, dict):
            return {k: self._current(v) for k, v in value.items()}
        return value

    def refusal(self, what: str) -> UnsupportedOperation:
        """Return the error for something that has no relevance rule, with the module that runs."""
        where = f" (in {self._module_stack[-1]})" if self._module_stack else ""
        return UnsupportedOperation(
            f"it uses {what}{where}, through which no relevance rule is defined here"
        )


def _described(name: str, role: Role) -> str:
    described = operation_names.HEAD_DESCRIPTIONS.get(name, name)
    return f"{name} of two activations" if role is Role.SCORES else described


def _is_by_constant(args: tuple[Any, ...], sources: tuple[TrackedTensor, ...]) -> bool:
    """Return whether the arguments of a product are an activation and a constant matrix."""
    return (
        len(sources) == 1
        and len(args) == 2
        and sources[0].tensor is args[0]
        and sources[0].role.receives_relevance
        and args[1].ndim == 2
    )


def _keeps_zero(func: Any, x: torch.Tensor, rest: Any, kwargs: Any) -> bool:
    """Return whether an activation function is 0 at 0; ReLU is, a clamp may not be."""
    with torch.no_grad():
        return not bool(func(torch.zeros_like(x[:1]), *rest, **kwargs).any())
