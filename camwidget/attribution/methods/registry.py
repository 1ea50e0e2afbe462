"""Registry of methods: label, citation, requirements, and when a method does not apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch

from ..._registry import Options, did_you_mean, with_settings
from ...errors import MethodError
from ...models.vision_model import VisionModel
from ..targets import EachTarget, Target
from ..trace import Trace

__all__ = ["Method", "Step", "get_method", "list_methods", "method", "wrapper"]

F = TypeVar("F", bound=Callable[..., Any])

#: (trace, target, layer) to maps (N, h, w) at the layer's own resolution.
Compute = Callable[..., torch.Tensor]
#: (trace, target, layer, picture) to the picture's map (h, w), again and again as it takes shape.
Grow = Callable[..., "Iterator[Step]"]
#: (model, layer name) to the reason why the method does not apply there, or None.
Applies = Callable[[VisionModel, str], "str | None"]


@dataclass(frozen=True)
class Step:
    """A map on its way: so far ``done`` of ``total`` units of work have gone into it."""

    done: int
    total: int
    maps: torch.Tensor


@dataclass(frozen=True)
class Method:
    """An explanation method, as the registry lists it."""

    name: str  #: the paper's name in lower case
    label: str  #: as a person reads it
    citation: str  #: authors, year, and where
    summary: str  #: one sentence for a tooltip
    needs: str  #: what it asks of the model
    group: str  #: the family
    function: Compute | Grow
    applies: Applies  #: why it does not apply at a layer with a map, or None
    needs_gradients: bool = True  #: of the target at the layer
    needs_input: bool = False  #: the pass must have a graph from the picture on
    at_input: bool = False  #: the map is the picture's own, whatever layer is asked for
    own_passes: bool = False  #: it runs the model itself, in its own way
    slow: bool = False  #: it runs the model many times, and its map grows meanwhile
    scale: str = "maximum"  #: how its maps become saliency, see ``engine.saliency_maps``
    tone_mapped: bool = (
        False  #: few pixels dominate its maps, which are drawn brighter, see ``tone_mapping``
    )
    options: Options = ()  #: keyword arguments of the function

    @property
    def is_quick_at_layers(self) -> bool:
        """Whether one remembered pass gives its maps at all layers."""
        return not (self.slow or self.at_input or self.own_passes or self.needs_input)

    def reason(self, model: VisionModel, layer: str) -> str | None:
        """Why it does not apply to this layer, and what to do; None if it does."""
        if model.no_maps and not self.at_input:
            return model.no_maps
        return self.applies(model, layer)

    def check(self, model: VisionModel, layer: str) -> None:
        """Raise a MethodError with the reason if the method does not apply to this layer."""
        reason = self.reason(model, layer)
        if reason is not None:
            raise MethodError(f"{self.label} does not apply: {reason}")

    def compute(self, trace: Trace, target: Target, layer: str) -> torch.Tensor:
        """The maps (N, h, w) of a trace's pictures."""
        *_, last = self.steps(trace, target, layer)
        return last.maps

    def steps(self, trace: Trace, target: Target, layer: str) -> Iterator[Step]:
        """The maps (N, h, w) as they take shape; of a method that is not slow, one step.

        Raises:
            TargetError: if the model masks the target's class out.
        """
        trace.check_score(target)
        options = dict(self.options)
        if not self.slow:
            yield Step(1, 1, self.function(trace, target, layer, **options))  # type: ignore[arg-type]
            return
        finished: list[torch.Tensor] = []
        count = len(trace.pixels)
        for picture in range(count):
            own = target.targets[picture] if isinstance(target, EachTarget) else target
            step = None
            for step in self.function(trace, own, layer, picture, **options):
                rest = [torch.zeros_like(step.maps)] * (count - picture - 1)
                maps = torch.stack([*finished, step.maps, *rest])
                yield Step(picture * step.total + step.done, count * step.total, maps)
            assert step is not None
            finished.append(step.maps)

    def with_options(self, **options: Any) -> Method:
        """The same method with other settings.

        Raises:
            MethodError: if it has no such setting.
        """
        settings = with_settings(self.function, self.options, options, self.label, MethodError)
        return replace(self, options=settings)


_methods: dict[str, Method] = {}
#: By name, what makes a method of another one: "smoothgrad(gradcam)".
_wrappers: dict[str, Callable[[Method], Method]] = {}


def _everywhere(model: VisionModel, layer: str) -> str | None:
    """No reason against it. No lambda: an explanation keeps its method's settings, and can be pickled."""
    return None


def method(
    name: str,
    *,
    label: str,
    citation: str,
    summary: str,
    needs: str,
    group: str,
    reason: Applies = _everywhere,
    needs_gradients: bool = True,
    needs_input: bool = False,
    at_input: bool = False,
    own_passes: bool = False,
    slow: bool = False,
    scale: str = "maximum",
    tone_mapped: bool = False,
) -> Callable[[F], F]:
    """Enter a function of (trace, target, layer) into the registry.

    A slow one is a generator of ``Step`` for one picture, and gets its number too: (trace, target, layer, picture).
    Keyword-only arguments are settings (``Method.with_options``).
    """

    def enter(function: F) -> F:
        _methods[name] = Method(
            name,
            label,
            citation,
            summary,
            needs,
            group,
            function,
            reason,
            needs_gradients=needs_gradients,
            needs_input=needs_input,
            at_input=at_input,
            own_passes=own_passes,
            slow=slow,
            scale=scale,
            tone_mapped=tone_mapped,
        )
        return function

    return enter


def wrapper(name: str) -> Callable[[F], F]:
    """Enter a function from a method to a method into the registry: ``NAME(method)`` is then a method's name."""

    def enter(function: F) -> F:
        _wrappers[name] = function
        return function

    return enter


def get_method(name: str | Method, **options: Any) -> Method:
    """A method by name, with settings if any: ``get_method("rise", masks=1000)``.

    ``smoothgrad(NAME)`` is any quick gradient method averaged over noisy copies of the picture.

    Raises:
        MethodError: if there is none, or it has no such setting; close names are suggested.
    """
    if isinstance(name, Method):
        return name.with_options(**options)
    if isinstance(name, str) and name in _methods:
        return _methods[name].with_options(**options)
    outer, _, inner = name.partition("(") if isinstance(name, str) else ("", "", "")
    if outer in _wrappers and inner.endswith(")"):
        return _wrappers[outer](get_method(inner[:-1])).with_options(**options)
    raise MethodError(
        f"There is no method {name!r}.{did_you_mean(name, _methods)} Methods: {', '.join(_methods)}."
    )


def list_methods() -> tuple[Method, ...]:
    """All methods, in the order in which they are shown."""
    return tuple(_methods.values())
