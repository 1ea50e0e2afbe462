"""Registry of metrics: label, citation, range and direction of each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

import torch

from .._registry import Options, did_you_mean, with_settings
from ..errors import MetricError
from .cases import Change, Recomputation

__all__ = ["Metric", "Request", "Score", "get_metric", "list_metrics", "metric"]

#: What a metric may ask: the model's answers to changed pictures, or maps made anew.
Request: TypeAlias = list[Change] | Recomputation


@dataclass(frozen=True)
class Score:
    """What a metric says of a map.

    Attributes:
        value: the number; NaN where there is none.
        note: why there is none; empty otherwise.
        curve: the numbers that ``value`` sums up, if it is the area under a curve: evenly spaced from 0 to 1.
    """

    value: float
    note: str = ""
    curve: tuple[float, ...] | None = None


#: A function of a case that gives its score; or a generator that asks, gets answers, and returns the score.
#: To changes the answers are the target's probabilities, float64 (n,) on the CPU; to maps made anew, saliency
#: (n, H, W).
Compute: TypeAlias = Callable[
    ..., "float | Score | Generator[Request, torch.Tensor, float | Score]"
]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Metric:
    """A number that says how good a map is, as the registry lists it."""

    name: str
    label: str  #: as a person reads it
    citation: str  #: authors, year, and where; which equation
    summary: str  #: one sentence for a tooltip
    group: (
        str  #: "faithfulness", "robustness", "complexity", "randomisation", "agreement" or "truth"
    )
    range: tuple[float, float]  #: lowest and highest value
    better: Literal["higher", "lower"]
    function: Compute
    needs: tuple[
        str, ...
    ] = ()  #: of "truth", "label", "method" (a map that can be made anew), and "certainty"
    options: Options = ()  #: keyword arguments of the function
    takes_empty: bool = False  #: a map without any evidence has a score too, not just a note

    @property
    def reads_answers(self) -> bool:
        """Whether it is computed from what the model says of changed pictures."""
        return self.group == "faithfulness"

    def with_options(self, **options: Any) -> Metric:
        """The same metric with other settings.

        Raises:
            MetricError: if it has no such setting.
        """
        settings = with_settings(self.function, self.options, options, self.label, MetricError)
        return replace(self, options=settings)


_metrics: dict[str, Metric] = {}


def metric(
    name: str,
    *,
    label: str,
    citation: str,
    summary: str,
    group: str,
    range: tuple[float, float],
    better: Literal["higher", "lower"],
    needs: tuple[str, ...] = (),
    takes_empty: bool = False,
) -> Callable[[F], F]:
    """Enter a function of a case into the registry. Keyword-only arguments are settings."""

    def enter(function: F) -> F:
        _metrics[name] = Metric(
            name,
            label,
            citation,
            summary,
            group,
            range,
            better,
            function,
            needs,
            takes_empty=takes_empty,
        )
        return function

    return enter


def get_metric(name: str | Metric, **options: Any) -> Metric:
    """A metric by name, with settings if any: ``get_metric("deletion", baseline="blur")``.

    Raises:
        MetricError: if there is none, or it has no such setting; close names are suggested.
    """
    if isinstance(name, Metric):
        return name.with_options(**options)
    if isinstance(name, str) and name in _metrics:
        return _metrics[name].with_options(**options)
    raise MetricError(
        f"There is no metric {name!r}.{did_you_mean(name, _metrics)} Metrics: {', '.join(_metrics)}."
    )


def list_metrics() -> tuple[Metric, ...]:
    """All metrics, in the order in which they are shown."""
    return tuple(_metrics.values())
