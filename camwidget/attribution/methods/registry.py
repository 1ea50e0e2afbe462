"""Registry of methods: label, citation, requirements, and when a method does not apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from ..._registry import Options, did_you_mean, with_settings
from ...errors import MethodError
from ...masking.parts import Parts
from ...models.vision_model import VisionModel
from ..part_values import PartValues
from ..targets import PerPictureTarget, Target
from ..trace import Trace
from .settings import Setting, checked_options, declared_settings

__all__ = ["Method", "Step", "get_method", "list_methods", "method", "wrapper"]

F = TypeVar("F", bound=Callable[..., Any])

#: (trace, target, layer) to maps (N, h, w) at the layer's own resolution.
Compute = Callable[..., torch.Tensor]
#: (trace, target, layer, picture index) to steps with the picture's map (h, w) so far.
ComputeSteps = Callable[..., "Iterator[Step]"]
#: (model, layer name) to the reason why the method does not apply at that layer, or None.
Applies = Callable[[VisionModel, str], "str | None"]
#: Target to the reason why the method's map says nothing of it, or None.
AppliesTo = Callable[[Target], "str | None"]


@dataclass(frozen=True)
class Step:
    """Intermediate result of a slow method.

    Attributes:
        done: number of finished units of work, such as forward passes.
        total: number of all units of work.
        maps: the maps computed so far: (h, w) of one picture, or (N, h, w) of all pictures of a trace.
        parts: of a method with parts of the picture as units, the parts' values so far.
    """

    done: int
    total: int
    maps: torch.Tensor
    parts: PartValues | None = None


@dataclass(frozen=True)
class Method:
    """Explanation method, as the registry lists it.

    Attributes:
        name: the paper's name in lower case, as ``explain`` takes it.
        label: display name.
        citation: authors, year, and venue or identifier.
        summary: one sentence for a tooltip.
        needs: what the method requires of the model.
        group: family of the method.
        function: computes the maps.
        applies: gives the reason why the method does not apply at a layer with a map, or None.
        applies_to: gives the reason why the method's map says nothing of a target, or None.
        needs_gradients: whether the method uses the gradient of the target at the layer.
        needs_input: whether the forward pass needs an autograd graph from the picture on.
        needs_attention: whether the method reads ``Trace.attention``.
        at_input: whether the map is of the picture, at its own resolution or that of its patches, and the same for
            every layer.
        own_passes: whether the method runs the model itself instead of using the trace's forward pass.
        slow: whether the method runs the model many times and yields intermediate maps.
        scale: how raw maps become saliency: "maximum" or "range" (see ``attribution.explaining.saliency_maps``).
        tone_mapped: whether few pixels dominate the maps, so that display brightens them
            (see ``attribution.tone_mapping``).
        clips: reason why the method is not defined for clips, with a remedy; empty if its equations are the same with a
            time axis.
        prepare: computes for several targets at once what the function then finds in ``Trace.memory``; takes the same
            settings. None if each target is computed by itself.
        options: settings that differ from the defaults, as (name, value) pairs.
        formula: the map as an equation, in the paper's symbols, with S for the score of the class and A^k for the k-th
            feature map; "" where it takes more than a line.

    Example:
        >>> import camwidget as cw
        >>> method = cw.get_method("gradcam")
        >>> method.label, method.citation
        ('Grad-CAM', 'Selvaraju et al. 2017, ICCV, arXiv:1610.02391')
    """

    name: str
    label: str
    citation: str
    summary: str
    needs: str
    group: str
    function: Compute | ComputeSteps
    applies: Applies
    applies_to: AppliesTo
    needs_gradients: bool = True
    needs_input: bool = False
    needs_attention: bool = False
    at_input: bool = False
    own_passes: bool = False
    slow: bool = False
    scale: str = "maximum"
    tone_mapped: bool = False
    clips: str = ""
    prepare: Callable[..., None] | None = None
    options: Options = ()
    formula: str = ""

    @property
    def tip(self) -> str:
        """Summary, formula and citation, as a tooltip shows them."""
        formula = f"\n{self.formula}\n" if self.formula else " "
        return f"{self.summary}{formula}({self.citation})"

    @property
    def is_quick_at_layers(self) -> bool:
        """Whether one recorded forward pass gives the method's maps at all layers."""
        return not (self.slow or self.at_input or self.own_passes or self.needs_input)

    @property
    def reads_slope(self) -> bool:
        """Whether the map is made of the score's gradient at the picture itself, and not on the way to it."""
        is_own = self.own_passes and not self.needs_attention
        return not self.slow and (self.needs_gradients or self.needs_input or is_own)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Settings with their ranges and defaults, as the method's function declares them."""
        return declared_settings(self.function)

    def reason(self, model: VisionModel, layer: str) -> str | None:
        """Explain why the method does not apply to a layer.

        Args:
            model: the model.
            layer: module name of the layer.

        Returns:
            The reason and a remedy; None if the method applies.

        Example:
            >>> import camwidget as cw
            >>> cw.get_method("cam").reason(cw.load(), "stage1")
            "CAM is defined at the layer before the pooling, 'stage4', only. For 'stage1' use 'gradcam'."
        """
        if model.no_maps and not self.at_input:
            return model.no_maps
        if model.frames is not None and self.clips:
            return f"{model.name} takes clips, and {self.clips}"
        return self.applies(model, layer)

    def target_reason(self, target: Target) -> str | None:
        """Explain why the method's map says nothing of a target.

        Args:
            target: the target, resolved for a model.

        Returns:
            The reason and a remedy; None if the method applies.

        Example:
            >>> import camwidget as cw
            >>> against = cw.Counterfactual("waffled").resolved(cw.load())
            >>> cw.get_method("eigencam").target_reason(against)
            "its map is the same for every class, and so for and against one. Use 'gradcam'."
            >>> cw.get_method("gradcam").target_reason(against) is None
            True
        """
        return self.applies_to(target)

    def check(self, model: VisionModel, layer: str) -> None:
        """Raise an error if the method does not apply to a layer.

        Args:
            model: the model.
            layer: module name of the layer.

        Raises:
            MethodError: with the reason and a remedy, if the method does not apply.

        Example:
            >>> import camwidget as cw
            >>> cw.get_method("gradcam").check(cw.load(), "stage1")
        """
        reason = self.reason(model, layer)
        if reason is not None:
            raise MethodError(f"{self.label} does not apply: {reason}")

    def check_target(self, target: Target) -> None:
        """Raise an error if the method's map says nothing of a target.

        Args:
            target: the target, resolved for a model.

        Raises:
            MethodError: with the reason and a remedy, if it does not.

        Example:
            >>> import camwidget as cw
            >>> cw.get_method("gradcam").check_target(cw.Counterfactual("waffled").resolved(cw.load()))
        """
        reason = self.target_reason(target)
        if reason is not None:
            raise MethodError(f"{self.label} does not apply to {target.label}: {reason}")

    def compute(self, trace: Trace, target: Target, layer: str) -> torch.Tensor:
        """Compute the maps of a trace's pictures.

        Args:
            trace: recorded forward pass of N pictures.
            target: target whose score is explained.
            layer: module name of the layer.

        Returns:
            Maps (N, h, w) at the method's own resolution, unscaled.

        Raises:
            CamwidgetError: if the method cannot compute a map for the target at the layer.
        """
        *_, last = self.steps(trace, target, layer)
        return last.maps

    def steps(self, trace: Trace, target: Target, layer: str) -> Iterator[Step]:
        """Compute the maps of a trace's pictures step by step.

        Args:
            trace: recorded forward pass of N pictures.
            target: target whose score is explained.
            layer: module name of the layer.

        Yields:
            Steps with the maps (N, h, w) so far; a method that is not slow yields one step.

        Raises:
            TargetError: if the model masks the target's class out, or its score has no gradient that the method needs.
            CamwidgetError: if the method cannot compute a map for the target at the layer.
        """
        trace.check_score(target)
        if self.reads_slope:
            trace.check_slope(target)
        options = checked_options(self.function, dict(self.options))
        if not self.slow:
            yield Step(1, 1, self.function(trace, target, layer, **options))  # type: ignore[arg-type]
            return
        finished: list[torch.Tensor] = []
        count = len(trace.pixels)
        for picture in range(count):
            picture_target = (
                target.targets[picture] if isinstance(target, PerPictureTarget) else target
            )
            step = None
            for step in self.function(trace, picture_target, layer, picture, **options):
                if step.parts is not None:
                    trace.memory[self._parts_key(picture_target, picture)] = step.parts
                pending = [torch.zeros_like(step.maps)] * (count - picture - 1)
                maps = torch.stack([*finished, step.maps, *pending])
                yield Step(picture * step.total + step.done, count * step.total, maps)
            assert step is not None
            finished.append(step.maps)

    def part_values(self, trace: Trace, target: Target, picture: int) -> PartValues | None:
        """Return the values of a picture's parts, once the method has computed its map; None without parts.

        Args:
            trace: the trace of which the map was computed.
            target: the picture's target.
            picture: index of the picture in the trace.
        """
        found: PartValues | None = trace.memory.get(self._parts_key(target, picture))
        return found

    def _parts_key(self, target: Target, picture: int) -> tuple[Any, ...]:
        return ("part values", self.name, self.options, target, picture)

    def with_options(self, **options: Any) -> Method:
        """Return the same method with other settings.

        Args:
            options: settings by name; those left out stay as they are.

        Returns:
            A copy of the method. Values are checked when the method runs.

        Raises:
            MethodError: if the method has no such setting.

        Example:
            >>> import camwidget as cw
            >>> cw.get_method("rise").with_options(masks=1000).options
            (('masks', 1000),)
        """
        options = {n: Parts(v) if _is_array(v) else v for n, v in options.items()}
        settings = with_settings(self.function, self.options, options, self.label, MethodError)
        return replace(self, options=settings)


def _is_array(value: Any) -> bool:
    """Return whether a setting is an array, which is neither equal to another one nor hashable."""
    return isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim == 2


_methods: dict[str, Method] = {}
#: By name, what makes a method of another one: "smoothgrad(gradcam)".
_wrappers: dict[str, Callable[[Method], Method]] = {}


def _everywhere(model: VisionModel, layer: str) -> str | None:
    """Return None: a method without restrictions applies everywhere."""
    # A function and not a lambda, since explanations refer to their method and must be picklable.
    return None


def _any_target(target: Target) -> str | None:
    """Return None: a method without restrictions explains every target."""
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
    target_reason: AppliesTo = _any_target,
    needs_gradients: bool = True,
    needs_input: bool = False,
    needs_attention: bool = False,
    at_input: bool = False,
    own_passes: bool = False,
    slow: bool = False,
    scale: str = "maximum",
    tone_mapped: bool = False,
    clips: str = "",
    prepare: Callable[..., None] | None = None,
    formula: str = "",
) -> Callable[[F], F]:
    """Register a function of (trace, target, layer) as an explanation method.

    A slow method is a generator of ``Step`` for one picture: a function of (trace, target, layer, picture index).
    Keyword-only arguments of the function are the method's settings (``Method.with_options``). One annotated with a
    ``Range`` is checked before the method runs, and the widget has a field for it.

    Args:
        name: as in ``Method``, like all that follow.
        label: display name.
        citation: authors, year, and venue or identifier.
        summary: one sentence for a tooltip.
        needs: what the method requires of the model.
        group: family of the method.
        reason: gives the reason why the method does not apply at a layer with a map, or None.
        target_reason: gives the reason why the method's map says nothing of a target, or None.
        needs_gradients: whether the method uses the gradient of the target at the layer.
        needs_input: whether the forward pass needs an autograd graph from the picture on.
        needs_attention: whether the method reads ``Trace.attention``.
        at_input: whether the map is of the picture and not of a layer.
        own_passes: whether the method runs the model itself.
        slow: whether the method yields intermediate maps.
        scale: how raw maps become saliency, "maximum" or "range".
        tone_mapped: whether display brightens the maps.
        clips: reason why the method is not defined for clips; empty if it is.
        prepare: computes for several targets at once what the function then finds.
        formula: the map as an equation.

    Returns:
        A decorator that registers a function and returns it unchanged.
    """

    def register(function: F) -> F:
        _methods[name] = Method(
            name,
            label,
            citation,
            summary,
            needs,
            group,
            function,
            reason,
            target_reason,
            needs_gradients=needs_gradients,
            needs_input=needs_input,
            needs_attention=needs_attention,
            at_input=at_input,
            own_passes=own_passes,
            slow=slow,
            scale=scale,
            tone_mapped=tone_mapped,
            clips=clips,
            prepare=prepare,
            formula=formula,
        )
        return function

    return register


def wrapper(name: str) -> Callable[[F], F]:
    """Enter a function from a method to a method into the registry: ``NAME(method)`` is then a method's name."""

    def enter(function: F) -> F:
        _wrappers[name] = function
        return function

    return enter


def get_method(name: str | Method, **options: Any) -> Method:
    """Return an explanation method by name, with its settings.

    Args:
        name: a name of ``list_methods()``; ``smoothgrad(NAME)`` for a fast gradient method averaged over noisy copies
            of the picture; or a method.
        options: settings by name, such as ``masks=1000`` for RISE; defaults for those left out.

    Returns:
        The method, for the argument ``method`` of ``explain``.

    Raises:
        MethodError: if there is no such method, which suggests similar names, or it has no such setting.

    Example:
        >>> import camwidget as cw
        >>> cw.get_method("rise", masks=1000).label
        'RISE'
        >>> cw.get_method("smoothgrad(gradcam)").label
        'Smooth Grad-CAM'
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
    """Return all explanation methods, in the order in which menus and tables list them.

    Returns:
        The methods, each with its name, label, citation and requirements.

    Example:
        >>> import camwidget as cw
        >>> [method.name for method in cw.list_methods()][:3]
        ['cam', 'gradcam', 'gradcam++']
    """
    return tuple(_methods.values())
