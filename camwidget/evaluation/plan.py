"""Plan of an evaluation: everything that is computed for each picture, validated before the run."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, Protocol

import torch

from .._compat.pytorch import HOOKS, USUAL_ATTRIBUTES
from .._version import __version__
from ..attribution.methods import Method, get_method
from ..attribution.precision import check_precision
from ..attribution.trace import Trace
from ..errors import DataError, MethodError, MetricError
from ..metrics import Case, Metric, get_metric
from ..metrics.scoring import check_input_kind
from ..metrics.settings import as_list, check_integer
from ..models.findings import is_asked_per_picture
from ..models.layer_table import AT_INPUT
from ..models.vision_model import VisionModel
from .data import Data, check_count
from .items import OpenedItem

__all__ = [
    "FIXED",
    "Combination",
    "EvaluationPlan",
    "ExtraColumns",
    "facts_of",
    "make_plan",
    "weights_fingerprint",
]

#: Columns of every row, besides those of the metrics.
FIXED = (
    "run",
    "facts",
    "batch",
    "rows_left",
    "picture",
    "name",
    "error",
    "label",
    "label_name",
    "target",
    "target_name",
    "prediction",
    "prediction_name",
    "confidence",
    "method",
    "layer",
    "fault",
    "notes",
    "curves",
)


@dataclass(frozen=True)
class Combination:
    """A method at a layer, one row of the summary table.

    Attributes:
        method: the method; its name contains its settings where they distinguish it from another.
        layer: the layer of the map.
        listed_layer: name of the layer in tables; "input" for a method that explains at the input.
    """

    method: Method
    layer: str
    listed_layer: str


class ExtraColumns(Protocol):
    """Columns of a plan's rows that are no metrics, computed from the trace of a batch."""

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the columns depend on, in JSON types."""

    def columns(
        self, trace: Trace, opened: Sequence[OpenedItem], cases: Sequence[Case]
    ) -> list[dict[str, Any]]:
        """Compute the columns of each picture, in JSON types.

        Args:
            trace: the pictures' forward pass, which has the layer of every combination.
            opened: the pictures.
            cases: the first map of each picture.
        """


@dataclass(frozen=True, eq=False)
class EvaluationPlan:
    """Everything that is computed for each picture.

    Attributes:
        model: the model, left unchanged.
        combinations: methods and layers, grouped by method.
        metrics: the metrics, with distinct names.
        target: the explained class, the "label" or the "predicted" one.
        precision: as in ``evaluate``.
        seed: as in ``evaluate``.
        batch: number of pictures per batch.
        extra: computes further columns of each picture's first row; None for none.
        lenient: whether a metric that lacks what it needs for every picture is left empty, not refused.
    """

    model: VisionModel
    combinations: tuple[Combination, ...]
    metrics: tuple[Metric, ...]
    target: Literal["label", "predicted"]
    precision: str
    seed: int
    batch: int
    extra: ExtraColumns | None = None
    lenient: bool = False

    @property
    def needs(self) -> set[str]:
        """Requirements of the metrics on the data: "truth" and "label"."""
        return {need for m in self.metrics for need in m.needs} - {"method"}

    @property
    def text_per_picture(self) -> bool:
        """Whether each picture is explained with a text, or detections, and thus with classes, of its own."""
        return is_asked_per_picture(self.model)

    @property
    def unbatched(self) -> bool:
        """Whether pictures may not share a pass, because they would affect each other or have different texts."""
        return self.model.mixes_pictures or self.text_per_picture


def make_plan(
    model: VisionModel,
    methods: str | Method | Sequence[str | Method],
    metrics: str | Metric | Sequence[str | Metric],
    layers: str | Sequence[str | None] | None,
    target: str,
    precision: str,
    seed: int,
    batch: int,
) -> EvaluationPlan:
    """Validate the arguments of ``evaluate``, and create a plan.

    Raises:
        MethodError: if a method is unknown, or does not apply at a layer.
        MetricError: if a metric is unknown, or not defined for clips, which the model takes.
        LayerError: if a layer is unknown.
        DataError: if ``target`` or ``batch`` is not valid.
    """
    named = _with_unique_names([get_method(m) for m in as_list(methods)])
    scored = _with_unique_names([get_metric(m) for m in as_list(metrics)])
    if not named or not scored:
        raise MetricError("Nothing to evaluate: the list of methods or metrics is empty.")
    for metric in scored:
        check_input_kind(metric, model)
        if metric.name in FIXED:
            raise MetricError(
                f"A metric cannot be named {metric.name!r}: the results have a column of that name."
            )
    if layers == "all" and not model.has_layer("all"):
        layers = [x.name for x in model.layers]
    names = list(dict.fromkeys(model.layer(n).name for n in as_list(layers)))
    if not names:
        raise MethodError("Nothing to evaluate: the list of layers is empty.")
    if target not in ("label", "predicted"):
        raise DataError(
            f'target is "label", each picture\'s true class, or "predicted", the model\'s own; not {target!r}.'
        )
    if is_asked_per_picture(model) and target == "label":
        raise DataError(
            f"{model.name} has another text, or detections, and so other classes, for each picture, so that no label "
            'is one of them: pass target="predicted", or a text with model.given(…).'
        )
    check_precision(precision)
    seed = check_integer("seed", seed, 0)
    batch = check_count("batch", batch)
    combinations = []
    for method in named:
        for name in names[:1] if method.at_input else names:
            method.check(model, name)
            combinations.append(Combination(method, name, AT_INPUT if method.at_input else name))
    return EvaluationPlan(model, tuple(combinations), tuple(scored), target, precision, seed, batch)  # type: ignore[arg-type]


def _with_unique_names(chosen: list[Any]) -> list[Any]:
    """Methods or metrics, with their settings in the name where names would be equal.

    Raises:
        MetricError: if two are equal.
    """
    times = Counter(c.name for c in chosen)
    named = [
        replace(c, name=c.name + _settings_suffix(c)) if times[c.name] > 1 else c for c in chosen
    ]
    twice = [name for name, count in Counter(c.name for c in named).items() if count > 1]
    if twice:
        raise MetricError(
            f"{', '.join(map(repr, twice))} is listed twice with the same settings: remove one, or change its settings."
        )
    return named


def _settings_suffix(chosen: Method | Metric) -> str:
    """The settings in parentheses; empty without settings other than a method that the name contains."""
    shown = [f"{k}={_to_json(v)}" for k, v in chosen.options if not isinstance(v, Method)]
    return f"({', '.join(shown)})" if shown else ""


def facts_of(plan: EvaluationPlan, data: Data) -> dict[str, Any]:
    """Everything that the results of a run depend on, in JSON types; a run is resumed only if they are equal."""
    return {
        "camwidget": __version__,
        "torch": torch.__version__,
        "device": plan.model.device.type,
        "model": plan.model.name,
        "weights": weights_fingerprint(plan.model),
        "methods": {c.method.name: _settings(c.method) for c in plan.combinations},
        "layers": [[c.method.name, c.listed_layer] for c in plan.combinations],
        "metrics": {m.name: _settings(m) for m in plan.metrics},
        "target": plan.target,
        "precision": plan.precision,
        "seed": plan.seed,
        "batch": plan.batch,
        "pictures": data.total,
        "names and classes": data.fingerprint(),
        **({} if plan.extra is None else plan.extra.facts),
    }


def weights_fingerprint(model: VisionModel) -> str:
    """A hash of everything that predictions depend on: weights, architecture, preprocessing, classes and text."""
    digest = hashlib.sha256()
    state = model.module.state_dict()
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            digest.update(f"{name}={_to_json(tensor)}".encode())
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous()
        digest.update(values.flatten().view(torch.uint8).numpy())
    for name, module in model.module.named_modules():
        described = _to_json([type(module).__qualname__, module.extra_repr(), _attributes(module)])
        digest.update(json.dumps([name, described]).encode())
    preprocess = {k: _to_json(v) for k, v in sorted(vars(model.preprocess).items())}
    digest.update(
        json.dumps(
            [preprocess, model.classes, model.text, model.scores, model.output_path]
        ).encode()
    )
    return digest.hexdigest()[:16]


def _attributes(module: torch.nn.Module) -> dict[str, Any]:
    """A module's own numbers and texts by name, and the names of the functions that change what it computes."""
    state = vars(module)
    found: dict[str, Any] = {
        name: value
        for name, value in state.items()
        if name not in USUAL_ATTRIBUTES and isinstance(value, (bool, int, float, str))
    }
    for kind in HOOKS:
        found[kind] = [getattr(hook, "__qualname__", "") for hook in state[kind].values()]
    found["forward"] = getattr(state.get("forward"), "__qualname__", "")
    return dict(sorted(found.items()))


def _settings(chosen: Method | Metric) -> dict[str, Any]:
    """All settings, including the defaults."""
    function: Callable[..., Any] = chosen.function
    defaults = {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    return {name: _to_json(value) for name, value in {**defaults, **dict(chosen.options)}.items()}


def _to_json(value: Any) -> Any:
    """A setting in JSON types; other values by their description without memory addresses."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Integral):  # numpy's among them
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return _without_addresses(value)
    if isinstance(value, (list, tuple)):
        return [_to_json(v) for v in value]
    if isinstance(value, Method):
        return [value.name, _settings(value)]
    return _without_addresses(repr(value))


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
