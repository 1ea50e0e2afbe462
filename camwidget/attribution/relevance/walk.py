"""One pass through a replica in which every operation can propagate relevance back.

The replica runs under a ``TorchFunctionMode`` of this thread, so that a ReLU or an addition is the same
thing whether it was written as a module, a function, a method or in place. Nothing is patched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ...errors import LayerError
from . import vocabulary as words
from .replica import replicate
from .rules import Operation, Rules, hand_on, passed

__all__ = ["Unruled", "Walk"]


class Unruled(Exception):  # noqa: N818 - it becomes the reason of a MethodError
    """The network does something through which relevance has no known way. The text says what, and where."""


@dataclass(eq=False)
class _Known:
    """A tensor that was computed from the picture."""

    tensor: torch.Tensor
    sources: tuple[_Known, ...] = ()
    operation: int | None = (
        None  #: index of the operation that made it, if that has a rule of its own
    )
    raw: bool = False  #: still the picture, moved or normalised: no rule but ``first`` fits
    uses: int = 0
    stale: bool = False  #: something was written into memory that it shares

    def __post_init__(self) -> None:
        self._made_by = type(self.tensor.grad_fn)

    @property
    def taken_over(self) -> bool:
        """Whether an ``autograd.Function`` around the operation put its own gradient in the rule's place."""
        return type(self.tensor.grad_fn) is not self._made_by


class Walk:
    """A forward pass that remembers how to hand relevance back.

    Args:
        module: what to run, in evaluation mode; a replica of it runs, the module itself is only read.
        inputs: (N, C, H, W), what the module takes.
        rules: how relevance is handed back.
        layers: module names at whose outputs relevance will be asked for; None for all.
        negated: indices of linear operations whose weights are to be negated.
        read: gives the logits of a replica of the module for inputs; its output if None.

    Attributes:
        logits: (N, classes), detached.
        readable: the layers at whose outputs relevance can be asked for.

    Raises:
        Unruled: for an operation that no rule is known for.
        MethodError: if the module cannot be copied.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: torch.Tensor,
        rules: Rules,
        layers: tuple[str, ...] | None = (),
        negated: frozenset[int] = frozenset(),
        read: Callable[[nn.Module, torch.Tensor], Any] | None = None,
    ) -> None:
        replica = replicate(module)
        parameter = next((p for p in replica.parameters() if p.is_floating_point()), inputs)
        self.input = inputs.detach().clone().to(parameter.dtype).requires_grad_()
        self._mode = _Mode(rules, negated, self.input)
        self._nodes: dict[str, torch.Tensor] = {}
        names = {m: n for n, m in replica.named_modules() if n}
        for part, name in names.items():
            self._mode.watch(part, name)
            if layers is None or name in layers:
                part.register_forward_hook(self._keep(name))
        with torch.inference_mode(False), torch.enable_grad(), self._mode:
            output = replica(self.input) if read is None else read(replica, self.input)
        self._output = self._mode.known(output)
        if self._output is None:
            raise Unruled("its output is computed in a way that cannot be followed")
        self.logits = self._output.tensor.detach()
        self._mode.merge()
        self._last = self._mode.finish(self._output)

    @property
    def readable(self) -> frozenset[str]:
        """Names of the modules whose output is a tensor that relevance goes through."""
        return frozenset(self._nodes)

    def relevance(self, start: torch.Tensor, layer: str | None = None) -> torch.Tensor:
        """Relevance at a layer's output, of its shape, or at the input if None.

        Args:
            start: relevance of the logits, of their shape.
            layer: one of the layers asked for.

        Raises:
            LayerError: if no relevance goes through the layer.
        """
        node = self.input if layer is None else self._nodes.get(layer)
        assert self._output is not None
        with torch.inference_mode(False), torch.enable_grad():
            (relevance,) = (
                torch.autograd.grad(
                    self._output.tensor,
                    [node],
                    start.to(self.logits),
                    retain_graph=True,
                    allow_unused=True,
                )
                if node is not None
                else (None,)
            )
        if relevance is None:
            raise LayerError(
                f"No relevance goes through layer {layer!r}: the output is computed beside it. Choose another "
                "layer, or 'gradcam'."
            )
        return relevance

    def classifiers(self) -> frozenset[int]:
        """Indices of the linear operations after which there is no other one: the last ones."""
        return self._last

    def _keep(self, name: str) -> Any:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            known = self._mode.known(output)
            if known is not None:
                self._nodes[name] = known.tensor

        return keep


class _Mode(TorchFunctionMode):
    """Runs each operation by its rule, and refuses those that have none."""

    def __init__(self, rules: Rules, negated: frozenset[int], picture: torch.Tensor) -> None:
        super().__init__()
        self._rules = rules
        self._negated = negated
        self._known = {id(picture): _Known(picture, raw=True)}
        self._written: dict[int, torch.Tensor] = {}  # what a tensor became in place
        self._operations: list[Operation] = []
        self._merges: list[tuple[_Known, torch.Tensor, torch.Tensor]] = []
        self._inside: list[str] = []

    def watch(self, module: nn.Module, name: str) -> None:
        """Know, while the module runs, where that is."""
        module.register_forward_pre_hook(lambda *args: self._inside.append(name))
        module.register_forward_hook(lambda *args: self._leave())

    def _leave(self) -> None:
        self._inside.pop()

    def known(self, value: Any) -> _Known | None:
        """What is known of a tensor, or None if it was not computed from the picture."""
        if not isinstance(value, torch.Tensor):
            return None
        while id(value) in self._written:
            value = self._written[id(value)]
        known = self._known.get(id(value))
        if value.requires_grad and (known is None or known.taken_over):
            if type(value.grad_fn).__name__ == "CheckpointFunctionBackward":
                raise self._refusal(
                    "checkpointing with use_reentrant=True (switch it off, or pass use_reentrant=False)"
                )
            raise self._refusal("a function with a gradient of its own")
        if known is not None and known.stale:
            raise self._refusal("writing into a part of a tensor that is used afterwards")
        return known

    def merge(self) -> None:
        """Merge each BatchNorm into the linear operation before it, where nothing else reads between them."""
        for known, scale, shift in self._merges:
            if known.uses == 1 and known.operation is not None:
                self._operations[known.operation].merge(scale, shift)

    def finish(self, output: _Known) -> frozenset[int]:
        """Give the operations of the output's end their rules, and return the indices of the last linear ones."""
        found: set[int] = set()
        seen: set[int] = set()
        queue = [output]
        while queue:
            known = queue.pop()
            if id(known) in seen:
                continue
            seen.add(id(known))
            operation = None if known.operation is None else self._operations[known.operation]
            if operation is None or operation.weight is None:
                queue.extend(known.sources)
                rule = self._rules.after
            else:
                found.add(known.operation or 0)
                rule = self._rules.last
            if operation is not None and rule is not None:
                operation.rule = rule
        return frozenset(found)

    # -- one operation ------------------------------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = words.operation_name(func)
        if name in words.METADATA:
            return func(*args, **kwargs)
        sources = tuple(
            k for k in (self.known(t) for t in _tensors((args, kwargs))) if k is not None
        )
        if not sources or name in words.CONSTANTS:
            with torch.no_grad():
                return func(*args, **kwargs)
        # A tensor that was written into stands for what it became.
        target = args[0] if args else None
        args, kwargs = self._current(args), self._current(kwargs)
        for source in sources:
            source.uses += 1
        # The module may run parts of itself under no_grad.
        before = len(self._operations)
        with torch.enable_grad():
            result = self._run(name, func, args, kwargs, sources)
        self._note(result, sources, name, before)
        if (
            words.writes(name, args, kwargs)
            and isinstance(target, torch.Tensor)
            and result is not target
        ):
            self._write(target, result)
        return result

    def _run(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: Any, sources: tuple[_Known, ...]
    ) -> Any:
        if kwargs.get("out") is not None:
            raise self._refusal(f"{name} with out=…")
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        if name in words.MOVES or name in words.MAXIMA:
            return func(*args, **kwargs)
        x, rest = (args[0], args[1:]) if args else (kwargs.pop("input", None), ())
        alone = len(sources) == 1 and sources[0].tensor is x
        if name in words.SAME and not kwargs.get("training", rest[1] if len(rest) > 1 else True):
            return x
        if name in words.LINEAR and alone:
            return self._linear(name, func, x, rest, kwargs, sources[0])
        if name == "batch_norm" and alone:
            return self._batch_norm(func, x, rest, kwargs, sources[0])
        if name in words.ACTIVATIONS and alone and _keeps_zero(func, x, rest, kwargs):
            return passed(x, lambda value: func(value, *rest, **kwargs))
        if name in words.AVERAGES and alone:
            return self._average(name, func, x, rest, kwargs)
        if name in words.SUMS and len(sources) == 2 and kwargs.get("alpha", 1) == 1:
            return self._sum(x, rest[0] if rest else kwargs["other"])
        if name in words.AFFINE and len(sources) == 1:
            return self._affine(name, func, x, rest, kwargs, sources[0])
        if len(sources) > 1:
            raise self._refusal(f"{name.rstrip('_') or name} of two activations")
        raise self._refusal(words.HEADS.get(name, name))

    def _linear(
        self, name: str, func: Any, x: torch.Tensor, rest: Any, kwargs: Any, source: _Known
    ) -> torch.Tensor:
        rest = list(rest)
        weight = rest.pop(0) if rest else kwargs.pop("weight")
        bias = rest.pop(0) if rest else kwargs.pop("bias", None)
        if len(self._operations) in self._negated:
            weight, bias = -weight, None if bias is None else -bias
        rule = (
            self._rules.first
            if source.raw
            else self._rules.dense
            if name == "linear"
            else self._rules.convolution
        )
        operation = Operation(
            lambda value, w, b: func(value, w, b, *rest, **kwargs), rule, weight, bias
        )
        operation.mergeable = not name.startswith(
            "conv_transpose"
        )  # which has its channels elsewhere
        return self._hand_on(x, operation)

    def _batch_norm(
        self, func: Any, x: torch.Tensor, rest: Any, kwargs: Any, source: _Known
    ) -> torch.Tensor:
        names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = {**dict(zip(names, rest, strict=False)), **kwargs}
        mean, variance = given.get("running_mean"), given.get("running_var")
        if given.get("training", False) or mean is None or variance is None:
            raise self._refusal("batch normalisation by the batch's own statistics")
        scale = (variance + given.get("eps", 1e-5)).rsqrt()
        if given.get("weight") is not None:
            scale = scale * given["weight"]
        shift = -mean * scale
        if given.get("bias") is not None:
            shift = shift + given["bias"]
        before = None if source.operation is None else self._operations[source.operation]
        if before is not None and before.mergeable:
            self._merges.append((source, scale.detach(), shift.detach()))
        return passed(x, lambda value: func(value, *rest, **kwargs))

    def _average(self, name: str, func: Any, x: torch.Tensor, rest: Any, kwargs: Any) -> Any:
        def call(value: torch.Tensor, weight: None, bias: None) -> torch.Tensor:
            result: torch.Tensor = func(value, *rest, **kwargs)
            return result

        with torch.no_grad():
            shape = call(x, None, None).shape
        # A mean over the pictures, or over everything, mixes what belongs to different explanations.
        if not shape or shape[0] != x.shape[0]:
            raise self._refusal(f"{name} over the batch")
        return self._hand_on(x, Operation(call, self._rules.average))

    def _sum(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        from zennit.layer import Sum

        both = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
        total = Sum(dim=-1)
        return self._hand_on(both, Operation(lambda value, w, b: total(value), self._rules.sum))

    def _hand_on(self, x: torch.Tensor, operation: Operation) -> torch.Tensor:
        self._operations.append(operation)
        return hand_on(x, operation)

    def _affine(
        self, name: str, func: Any, x: Any, rest: Any, kwargs: Any, source: _Known
    ) -> torch.Tensor:
        """An element's relevance is all its own, whatever the constant."""
        if "div" in name and x is not source.tensor:
            raise self._refusal("division by an activation")

        def call(value: torch.Tensor) -> torch.Tensor:
            own = [value if v is source.tensor else v for v in (x, *rest)]
            named = {k: value if v is source.tensor else v for k, v in kwargs.items()}
            result: torch.Tensor = func(*own, **named)
            return result

        result = passed(source.tensor, call)
        if result.shape != source.tensor.shape:
            raise self._refusal(f"{name} with a constant of another shape")
        return result

    # -- what is known afterwards -------------------------------------------------------------

    def _note(self, result: Any, sources: tuple[_Known, ...], name: str, before: int) -> None:
        keeps = name in words.MOVES or name in words.AFFINE or name == "batch_norm"
        raw = keeps and all(source.raw for source in sources)
        operation = len(self._operations) - 1 if len(self._operations) > before else None
        for tensor in _tensors(result):
            # Integers are places of maxima; who computes with them is not followed.
            if id(tensor) in self._known or not tensor.is_floating_point():
                continue
            self._known[id(tensor)] = _Known(tensor, sources, operation, raw)

    def _write(self, target: torch.Tensor, result: torch.Tensor) -> None:
        memory = target.untyped_storage().data_ptr()
        for known in self._known.values():
            tensor = known.tensor
            if tensor is not target and tensor is not result:
                known.stale |= tensor.untyped_storage().data_ptr() == memory
        self._written[id(target)] = result

    def _current(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            known = self.known(value)
            return value if known is None else known.tensor
        if isinstance(value, (list, tuple)):
            changed = [self._current(v) for v in value]
            return type(value)(changed) if type(value) in (list, tuple) else value
        if isinstance(value, dict):
            return {k: self._current(v) for k, v in value.items()}
        return value

    def _refusal(self, what: str) -> Unruled:
        where = f" (in {self._inside[-1]})" if self._inside else ""
        return Unruled(f"it uses {what}{where}, through which no relevance rule is defined here")


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _keeps_zero(func: Any, x: torch.Tensor, rest: Any, kwargs: Any) -> bool:
    """Whether an activation is 0 at 0, as ReLU is; a clamp need not be."""
    with torch.no_grad():
        return not bool(func(torch.zeros_like(x[:1]), *rest, **kwargs).any())
