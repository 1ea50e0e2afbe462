"""Replay of a recorded pass for a batch of pictures that differ from the recorded one in a region each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import torch

from .geometry import ChangedRegion
from .patches import cut, put, repeated, whole_region, with_surroundings
from .plan import Plan, plan_pass, rules_of, whole_cost
from .prepared_convolutions import prepared, weight_bytes
from .recording import RecordedOperation, record, substituted
from .rules import GlobalMean, Padding, Pointwise, Rule, Sliding, unpadded_settings

__all__ = ["RecordedPass"]

#: Arguments with the whole shape of a result, the batch first, by operation.
_RESHAPING = frozenset({"view", "_unsafe_view", "reshape", "expand", "_reshape_alias"})


class RecordedPass:
    """A forward pass of one picture, which can be repeated for pictures that differ from it in a region.

    Args:
        run: function of the module's input (1, C, H, W) to the logits (1, classes); called once.
        inputs: the input; left unchanged.
        prepare_within: size in bytes up to which convolutions are prepared, activations included; 0 if they are not.

    Attributes:
        logits: logits (1, classes) of the recorded picture.
        cost: multiplications and moved elements of the pass.

    Raises:
        UnrecordableError: if the pass cannot be repeated from its operations.
    """

    def __init__(
        self,
        run: Callable[[torch.Tensor], torch.Tensor],
        inputs: torch.Tensor,
        *,
        prepare_within: int = 0,
    ) -> None:
        operations, logits = record(run, inputs.clone())
        self.logits = logits.clone()
        self._weight_bytes = 0
        self._set(operations)
        weights = weight_bytes(operations)
        if self.nbytes + weights <= prepare_within:
            with torch.no_grad():
                self._set(prepared(operations))
            self._weight_bytes = weights
        for index, operation in enumerate(self._operations):
            if index not in self._needed:
                operation.value = None

    def _set(self, operations: list[RecordedOperation]) -> None:
        self._operations = operations
        self._rules = rules_of(operations)
        self._uses = Counter(i for operation in operations for i in operation.sources)
        self.cost = whole_cost(operations, self._rules)
        self._needed = _needed(operations, self._rules)

    @property
    def nbytes(self) -> int:
        """Size of the stored activations in bytes, with that of prepared weights."""
        values = [self._operations[index].value for index in self._needed]
        memory = {
            v.untyped_storage().data_ptr(): v.untyped_storage().nbytes()
            for v in values
            if v is not None
        }
        return sum(memory.values()) + self._weight_bytes

    def plan(self, changed: ChangedRegion) -> Plan:
        """Plan the pass for pictures that differ in a region of the input."""
        return plan_pass(self._operations, self._rules, changed)

    def run(self, patches: torch.Tensor, plan: Plan) -> torch.Tensor:
        """Compute the logits of pictures that differ from the recorded one.

        Args:
            patches: what the pictures have in the region, as input of the module: (N, C, h, w); it may be overwritten.
            plan: plan for that region.

        Returns:
            Logits (N, classes). They equal those of whole passes up to the order of floating-point additions.
        """
        with torch.no_grad():
            replay = _Replay(self._operations, plan, patches, self._uses.copy())
            for index in range(1, len(self._operations)):
                replay.compute(index, self._rules[index])
            return replay.values[len(self._operations) - 1]

    def update(self, patch: torch.Tensor, plan: Plan) -> torch.Tensor:
        """Compute the logits of a changed picture, and make it the recorded one.

        Args:
            patch: what the changed picture has in the region, as input of the module: (1, C, h, w).
            plan: plan for that region.

        Returns:
            Logits (1, classes), as of ``run``. No error adds up over many updates: nothing is a correction of what was
            computed before.
        """
        with torch.no_grad():
            replay = _Replay(self._operations, plan, patch, self._uses.copy(), keeps=True)
            for index in range(1, len(self._operations)):
                replay.compute(index, self._rules[index])
            for index, value in replay.kept.items():
                operation, region = self._operations[index], plan.regions[index]
                if region is None:
                    operation.value = value
                else:
                    assert operation.value is not None
                    put(operation.value, whole_region(operation.value), value, region)
            self.logits = replay.values[len(self._operations) - 1].clone()
            return self.logits

    @property
    def inputs(self) -> torch.Tensor:
        """Input (1, C, H, W) of the recorded picture; only to read."""
        value = self._operations[0].value
        assert value is not None
        return value


class _Replay:
    """The values of one batch, each dropped after its last use.

    Attributes:
        values: by index of an operation, the rows in its region, or all of the result.
        kept: those of them that are recorded, if they are kept.
    """

    def __init__(
        self,
        operations: list[RecordedOperation],
        plan: Plan,
        patches: torch.Tensor,
        uses: Counter[int],
        *,
        keeps: bool = False,
    ) -> None:
        self._operations = operations
        self._regions = plan.regions
        self._uses = uses
        self._count = len(patches)
        self._keeps = keeps
        self.values: dict[int, torch.Tensor] = {0: patches}
        self.kept = dict(self.values) if keeps else {}
        self._kept_memory = {_memory(value) for value in self.kept.values()}
        #: Whole results, of operations with a region.
        self._whole: dict[int, torch.Tensor] = {}

    def compute(self, index: int, rule: Any) -> None:
        """Compute the result of an operation from the values before it."""
        operation, region = self._operations[index], self._regions[index]
        corrects = isinstance(rule, GlobalMean) and not self._keeps
        if corrects and self._regions[operation.sources[0]] is not None:
            value = self._corrected_mean(operation)
        elif region is None:
            value = self._call(operation, self._whole_value)
        elif isinstance(rule, Sliding):
            value = self._slide(operation, rule, region)
        elif isinstance(rule, Padding):
            value = self.values[operation.sources[0]]
        else:
            value = self._call(operation, lambda i: self._value_in(i, region))
        self.values[index] = value
        if self._keeps and operation.value is not None:
            self.kept[index] = value
            self._kept_memory.add(_memory(value))
        for source in operation.sources:
            self._uses[source] -= 1
            if not self._uses[source]:
                self.values.pop(source, None)
                self._whole.pop(source, None)

    def _slide(
        self, operation: RecordedOperation, rule: Sliding, region: ChangedRegion
    ) -> torch.Tensor:
        (source,) = operation.sources
        place = ChangedRegion(rule.rows.inputs(region.rows), rule.columns.inputs(region.columns))
        inputs = self._around(source, place, rule.fill)
        args = list(operation.args)
        args[0] = inputs
        if operation.name == "convolution":
            args[4] = [0, 0]
        else:  # a pooling
            args = [inputs, *unpadded_settings(operation)]
        result = operation.function(*args, **operation.kwargs)  # type: ignore[misc]
        return _chosen(operation, result)

    def _corrected_mean(self, operation: RecordedOperation) -> torch.Tensor:
        """Return the mean over all cells: that of the recorded picture, corrected by what has changed."""
        (source,) = operation.sources
        region, base = self._regions[source], self._operations[source].value
        assert region is not None and base is not None and operation.value is not None
        change = (self.values[source] - cut(base, region, 0.0)).sum((2, 3)) / prod(base.shape[2:])
        return change.reshape(self._count, *operation.value.shape[1:]) + operation.value

    def _call(
        self, operation: RecordedOperation, value_of: Callable[[int], torch.Tensor]
    ) -> torch.Tensor:
        args = list(substituted(operation.args, value_of))
        kwargs = substituted(operation.kwargs, value_of)
        if operation.is_in_place and (
            self._uses[operation.sources[0]] > 1 or _memory(args[0]) in self._kept_memory
        ):
            args[0] = args[0].clone()
        if operation.name in _RESHAPING:
            args[1] = [args[1][0] * self._count, *args[1][1:]]
        return _chosen(operation, operation.function(*args, **kwargs))  # type: ignore[misc]

    def _around(self, index: int, place: ChangedRegion, fill: float) -> torch.Tensor:
        """Return a part of an operation's result that has a region."""
        region, base = self._regions[index], self._operations[index].value
        assert region is not None
        if region == place:
            return self.values[index]
        assert base is not None
        return with_surroundings(base, self.values[index], region, place, fill)

    def _value_in(self, index: int, region: ChangedRegion) -> torch.Tensor:
        return self._around(index, region, 0.0)

    def _whole_value(self, index: int) -> torch.Tensor:
        region = self._regions[index]
        if region is None:
            return self.values[index]
        if index not in self._whole:
            base = self._operations[index].value
            assert base is not None
            self._whole[index] = repeated(base, self.values[index], region)
        return self._whole[index]


def _needed(operations: list[RecordedOperation], rules: list[Rule]) -> set[int]:
    """Return the operations around whose changed cells something is put together."""
    needed = {0}
    for index, (operation, rule) in enumerate(zip(operations, rules, strict=True)):
        if isinstance(rule, Pointwise) and len(operation.sources) == 1:
            continue
        if isinstance(rule, Sliding) and rule.is_pointwise:
            continue
        needed.update(operation.sources)
        if isinstance(rule, GlobalMean):
            needed.add(index)
    return needed


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _chosen(operation: RecordedOperation, result: Any) -> torch.Tensor:
    """Return the result that the operation stands for, of one or several."""
    chosen: torch.Tensor = result if operation.output is None else result[operation.output]
    return chosen
