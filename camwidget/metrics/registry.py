"""Registry of metrics, with the label, citation, range and direction of each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

import torch

from .._registry import Options, did_you_mean, with_settings
from ..errors import MetricError
from .cases import ChangedPicture, Recomputation

__all__ = ["Metric", "Request", "Score", "get_metric", "list_metrics", "metric"]

#: A metric's request: predictions for changed pictures, or recomputed maps.
Request: TypeAlias = list[ChangedPicture] | Recomputation


@dataclass(frozen=True)
class Score:
    """The value of a metric for one map.

    Attributes:
        value: the value, within ``Metric.range``; NaN if the map has none.
        note: the reason for a value of NaN; empty otherwise.
        curve: for an area under a curve, the curve's values at evenly spaced positions from 0 to 1.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> score = cw.measure(model, picture, cw.explain(model, picture), "deletion")["deletion"]
        >>> 0 <= score.value <= 1, len(score.curve) > 2
        (True, True)
    """

    value: float
    note: str = ""
    curve: tuple[float, ...] | None = None


#: A function from a case to its score, or a generator that yields requests, is sent the results and returns the score.
#: The result for a list of changes is the target's probabilities, float64 (n,) on the CPU; for a recomputation the
#: saliency (n, H, W).
Compute: TypeAlias = Callable[
    ..., "float | Score | Generator[Request, torch.Tensor, float | Score]"
]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Metric:
    """A registered metric: a number that rates a saliency map.

    Attributes:
        name: unique name, in lower case.
        label: name for display.
        citation: authors, year, venue and equation.
        summary: one sentence for a tooltip.
        group: "faithfulness", "axiomatic", "robustness", "complexity", "randomization", "agreement" or "truth".
        range: lowest and highest value.
        better: whether higher or lower values are better.
        function: computes the score of a ``Case``.
        needs: requirements of a case: "truth", "label", "method" (a map that can be recomputed), "certainty", or
            "picture" (neighbors or distances in one picture, which a clip is not).
        options: keyword arguments of ``function``.
        takes_empty: whether a map of all zeros has a score.

    Example:
        >>> import camwidget as cw
        >>> metric = cw.get_metric("deletion")
        >>> metric.label, metric.range, metric.better
        ('Deletion', (0, 1), 'lower')
    """

    name: str
    label: str
    citation: str
    summary: str
    group: str
    range: tuple[float, float]
    better: Literal["higher", "lower"]
    function: Compute
    needs: tuple[str, ...] = ()
    options: Options = ()
    takes_empty: bool = False

    @property
    def reads_predictions(self) -> bool:
        """Whether the metric is computed from predictions for changed pictures."""
        return self.group in ("faithfulness", "axiomatic")

    def with_options(self, **options: Any) -> Metric:
        """The same metric with other settings.

        Args:
            **options: the settings to change, by name.

        Returns:
            A new metric; settings that are not named keep their values.

        Raises:
            MetricError: if the metric has no such setting.
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
    """Register a function of a ``Case`` as a metric; its keyword-only arguments become settings.

    Args:
        name: unique name, in lower case.
        label: name for display.
        citation: authors, year, venue and equation.
        summary: one sentence for a tooltip.
        group: "faithfulness", "axiomatic", "robustness", "complexity", "randomization", "agreement" or "truth".
        range: lowest and highest value.
        better: "higher" or "lower".
        needs: requirements of a case: "truth", "label", "method" (a map that can be recomputed), "certainty", or
            "picture" (neighbors or distances in one picture, which a clip is not).
        takes_empty: whether a map without any evidence has a score.

    Returns:
        A decorator that registers the function and returns it.

    Example:
        >>> from camwidget.metrics import Case, metric
        >>> register = metric(
        ...     "peak-row", label="Peak row", citation="none", summary="The row of the map's maximum.",
        ...     group="complexity", range=(0, 1), better="lower",
        ... )
        >>> def peak_row(case: Case) -> float:
        ...     height, width = case.saliency.shape
        ...     return int(case.saliency.argmax()) // width / height
    """

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
    """Look up a metric by name, and change its settings.

    Args:
        name: a name from ``list_metrics``, or a metric.
        **options: settings of the metric, by name.

    Returns:
        The metric with these settings.

    Raises:
        MetricError: if there is no such metric, with a suggestion of similar names, or no such setting.

    Example:
        >>> import camwidget as cw
        >>> metric = cw.get_metric("deletion", baseline="blur")
        >>> metric.name, metric.options
        ('deletion', (('baseline', 'blur'),))
    """
    if isinstance(name, Metric):
        return name.with_options(**options)
    if isinstance(name, str) and name in _metrics:
        return _metrics[name].with_options(**options)
    raise MetricError(
        f"There is no metric {name!r}.{did_you_mean(name, _metrics)} Metrics: {', '.join(_metrics)}."
    )


def list_metrics() -> tuple[Metric, ...]:
    """List all registered metrics in display order.

    Returns:
        The metrics, each with its name, label, citation, range and direction.

    Example:
        >>> import camwidget as cw
        >>> [metric.name for metric in cw.list_metrics()][:3]
        ['drop', 'increase', 'gain']
    """
    return tuple(_metrics.values())
