"""Plan of a partial pass: which region of each operation's result is computed, and what it costs, by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .geometry import ChangedRegion, Span, joined
from .recording import RecordedOperation
from .rules import GlobalMean, Padding, Pointwise, Rule, Sliding, Whole, rule_of

__all__ = ["Plan", "plan_pass", "rules_of", "whole_cost"]

#: If at least this share of a layer's cells changes, the whole layer is computed: copying single cells would cost more
#: than it saves.
_NEARLY_ALL = 0.8


@dataclass(frozen=True)
class Plan:
    """What a partial pass computes.

    Attributes:
        regions: region of each operation's result; None where all of it is computed.
        cost: multiplications and moved elements for one row.
    """

    regions: tuple[ChangedRegion | None, ...]
    cost: int


def rules_of(operations: list[RecordedOperation]) -> list[Rule]:
    """Return the rule of each operation; the first is the picture, which has none, and gets that of a copy."""
    rules: list[Rule] = [Pointwise(0)]
    for operation in operations[1:]:
        rules.append(rule_of(operation, [operations[i].shape for i in operation.sources]))
    return rules


def whole_cost(operations: list[RecordedOperation], rules: list[Rule]) -> int:
    """Return what a pass costs that computes everything, as ``Plan.cost``."""
    return sum(
        _cost_of_all(operation, operations, rule)
        for operation, rule in zip(operations, rules, strict=True)
    )


def plan_pass(
    operations: list[RecordedOperation], rules: list[Rule], changed: ChangedRegion
) -> Plan:
    """Plan the pass of a batch of inputs that differ from the recorded one in a region.

    Args:
        operations: recorded operations.
        rules: of ``rules_of``.
        changed: region of the input.
    """
    regions: list[ChangedRegion | None] = [changed]
    cost = 0
    for operation, rule in zip(operations[1:], rules[1:], strict=True):
        sources = [regions[i] for i in operation.sources]
        known = [region for region in sources if region is not None]
        region: ChangedRegion | None = None
        if len(known) == len(sources) and not isinstance(rule, (Whole, GlobalMean)):
            region = _reached(rule, known, operation)
        if region is not None and region.area >= _NEARLY_ALL * prod(operation.shape[2:]):
            # A pointwise operation keeps its region, which need not be merged into the full result.
            pointwise = isinstance(rule, Pointwise) or (
                isinstance(rule, Sliding) and rule.is_pointwise
            )
            region = region if pointwise and len(set(known)) == 1 else None
        regions.append(region)
        if region is None:
            cost += _cost_of_all(operation, operations, rule)
        else:
            assert not isinstance(rule, (Whole, GlobalMean))
            cost += region.area * rule.cost
            if isinstance(rule, Sliding) and not rule.is_pointwise:
                read = (
                    rule.rows.inputs(region.rows).length
                    * rule.columns.inputs(region.columns).length
                )
                cost += 2 * read * operations[operation.sources[0]].shape[1]
    return Plan(tuple(regions), cost)


def _reached(
    rule: Rule, sources: list[ChangedRegion], operation: RecordedOperation
) -> ChangedRegion:
    """Return the region of an operation's result that can change if its sources change in these regions."""
    height, width = operation.shape[2:]
    if isinstance(rule, Sliding):
        (source,) = sources
        return ChangedRegion(
            rule.rows.outputs(source.rows, height), rule.columns.outputs(source.columns, width)
        )
    if isinstance(rule, Padding):
        (source,) = sources
        return ChangedRegion(source.rows.shifted(rule.top), source.columns.shifted(rule.left))
    return ChangedRegion(
        _union([s.rows for s in sources], height), _union([s.columns for s in sources], width)
    )


def _union(spans: list[Span], size: int) -> Span:
    return spans[0] if len(set(spans)) == 1 else joined(spans, size)


def _cost_of_all(
    operation: RecordedOperation, operations: list[RecordedOperation], rule: Rule
) -> int:
    if isinstance(rule, Whole):
        return rule.cost
    if isinstance(rule, GlobalMean):
        return rule.cost * prod(operations[operation.sources[0]].shape[2:])
    return rule.cost * prod(operation.shape[2:])
