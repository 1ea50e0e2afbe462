"""Plan of an evaluation: everything that is computed for each picture, checked before anything runs."""

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
from typing import Any, Literal

import torch

from .._version import __version__
from ..attribution.methods import Method, get_method
from ..attribution.precision import check_precision
from ..errors import DataError, MethodError, MetricError
from ..metrics import Metric, get_metric
from ..metrics.settings import listed, whole
from ..models.layer_table import AT_INPUT
from ..models.vision_model import VisionModel
from .data import Data, a_count

__all__ = ["FIXED", "Combination", "Plan", "facts_of", "make_plan", "weights_print"]

#: Columns of every row, beside the metrics'.
FIXED = (
    "run",
    "facts",
    "batch",
    "rest",
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
    """A method at a layer: what a row of the table is.

    Attributes:
        method: its settings are in its name, where they tell it from another.
        layer: at which the map is made.
        shown: the layer as it is listed: the input, for a method whose map is the picture's own.
    """

    method: Method
    layer: str
    shown: str


@dataclass(frozen=True, eq=False)
class Plan:
    """What is computed of every picture.

    Attributes:
        model: left as it is.
        combinations: methods and layers, those of one method together.
        metrics: of different names.
        target: which class of a picture is explained.
        precision, seed: as in ``evaluate``.
        batch: how many pictures are worked on together.
    """

    model: VisionModel
    combinations: tuple[Combination, ...]
    metrics: tuple[Metric, ...]
    target: Literal["label", "predicted"]
    precision: str
    seed: int
    batch: int

    @property
    def wants(self) -> set[str]:
        """What the metrics need of the data: "truth", "label"."""
        return {need for m in self.metrics for need in m.needs} - {"method"}

    @property
    def has_own_texts(self) -> bool:
        """Whether each picture is explained under a text of its own, with the classes that come with it."""
        return self.model.prompt is not None and self.model.text is None

    @property
    def one_by_one(self) -> bool:
        """Whether pictures may not share a pass: they would have a part in each other's answers, or texts differ."""
        return self.model.mixes_pictures or self.has_own_texts


def make_plan(
    model: VisionModel,
    methods: str | Method | Sequence[str | Method],
    metrics: str | Metric | Sequence[str | Metric],
    layers: str | Sequence[str | None] | None,
    target: str,
    precision: str,
    seed: int,
    batch: int,
) -> Plan:
    """What is to be computed.

    Raises:
        MethodError, MetricError, LayerError, DataError: if anything of it is unknown, or does not apply.
    """
    named = _named([get_method(m) for m in listed(methods)])
    scored = _named([get_metric(m) for m in listed(metrics)])
    if not named or not scored:
        raise MetricError("Nothing to evaluate: the list of methods or metrics is empty.")
    for metric in scored:
        if metric.name in FIXED:
            raise MetricError(f"A metric cannot be called {metric.name!r}: a column of results is.")
    if layers == "all" and not model.has_layer("all"):
        layers = [x.name for x in model.layers]
    names = list(dict.fromkeys(model.layer(n).name for n in listed(layers)))
    if not names:
        raise MethodError("Nothing to evaluate: the list of layers is empty.")
    if target not in ("label", "predicted"):
        raise DataError(
            f'target is "label", each picture\'s true class, or "predicted", the model\'s own; not {target!r}.'
        )
    own_text = model.prompt is not None and model.text is None
    if own_text and target == "label":
        raise DataError(
            f"{model.name} has another text, and other classes, for each picture, so that no label is one of them: "
            'pass target="predicted", or a text with model.given(…).'
        )
    check_precision(precision)
    seed = whole("seed", seed, 0)
    batch = a_count("batch", batch)
    combinations = []
    for method in named:
        for name in names[:1] if method.at_input else names:
            method.check(model, name)
            combinations.append(Combination(method, name, AT_INPUT if method.at_input else name))
    return Plan(model, tuple(combinations), tuple(scored), target, precision, seed, batch)  # type: ignore[arg-type]


def _named(chosen: list[Any]) -> list[Any]:
    """Methods or metrics, those of one name with their settings in it.

    Raises:
        MetricError: if there is one twice.
    """
    times = Counter(c.name for c in chosen)
    named = [replace(c, name=c.name + _told_apart(c)) if times[c.name] > 1 else c for c in chosen]
    twice = [name for name, count in Counter(c.name for c in named).items() if count > 1]
    if twice:
        raise MetricError(
            f"{', '.join(map(repr, twice))} is asked for twice: leave one out, or give it other settings."
        )
    return named


def _told_apart(chosen: Method | Metric) -> str:
    """The settings in parentheses, if there are any beside the method that its name tells of."""
    said = [f"{k}={_plain(v)}" for k, v in chosen.options if not isinstance(v, Method)]
    return f"({', '.join(said)})" if said else ""


def facts_of(plan: Plan, data: Data) -> dict[str, Any]:
    """What the numbers of a run depend on, as JSON has it: a run with other facts is another run."""
    return {
        "camwidget": __version__,
        "torch": torch.__version__,
        "device": plan.model.device.type,
        "model": plan.model.name,
        "weights": weights_print(plan.model),
        "methods": {c.method.name: _settings(c.method) for c in plan.combinations},
        "layers": [[c.method.name, c.shown] for c in plan.combinations],
        "metrics": {m.name: _settings(m) for m in plan.metrics},
        "target": plan.target,
        "precision": plan.precision,
        "seed": plan.seed,
        "batch": plan.batch,
        "pictures": data.total,
        "names and classes": data.print(),
    }


def weights_print(model: VisionModel) -> str:
    """A fingerprint of all that a model's answers depend on: weights, architecture, preprocessing, classes, text."""
    digest = hashlib.sha256()
    state = model.module.state_dict()
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            digest.update(f"{name}={_plain(tensor)}".encode())
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous()
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    for name, module in model.module.named_modules():
        said = _plain([type(module).__qualname__, module.extra_repr()])
        digest.update(json.dumps([name, said]).encode())
    preprocess = {k: _plain(v) for k, v in sorted(vars(model.preprocess).items())}
    digest.update(
        json.dumps([preprocess, model.classes, model.text, model.scores, model.place]).encode()
    )
    return digest.hexdigest()[:16]


def _settings(chosen: Method | Metric) -> dict[str, Any]:
    """All settings, those that were left as they are among them."""
    function: Callable[..., Any] = chosen.function
    usual = {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    return {name: _plain(value) for name, value in {**usual, **dict(chosen.options)}.items()}


def _plain(value: Any) -> Any:
    """A setting as JSON has it; of anything else its description, without its place in memory."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Integral):  # numpy's among them
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return _placeless(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Method):
        return [value.name, _settings(value)]
    return _placeless(repr(value))


def _placeless(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
