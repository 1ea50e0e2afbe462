"""The methods by name: what each is called, where it comes from, what it needs, when it does not apply."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import MethodError
from ..models import VisionModel
from ..targets import Target
from ..trace import Trace

__all__ = ["Method", "get_method", "list_methods", "method"]

#: (trace, target, layer) to maps (N, h, w) at the layer's own resolution.
Compute = Callable[[Trace, Target, str], torch.Tensor]
#: (model, layer name) to the reason why the method does not apply there, or None.
Applies = Callable[[VisionModel, str], "str | None"]


@dataclass(frozen=True)
class Method:
    """An explanation method, as the registry lists it."""

    name: str  #: the paper's name in lower case
    label: str  #: as a person reads it
    citation: str  #: authors, year, and where
    summary: str  #: one sentence for a tooltip
    needs: str  #: what it asks of the model
    group: str  #: the family
    compute: Compute
    reason: Applies  #: why it does not apply, or None
    needs_gradients: bool = True
    at_input: bool = False  #: the map is the picture's own, whatever layer is asked for

    def check(self, model: VisionModel, layer: str) -> None:
        """Raise a MethodError with the reason if the method does not apply to this layer."""
        reason = self.reason(model, layer)
        if reason is not None:
            raise MethodError(f"{self.label} does not apply: {reason}")


_methods: dict[str, Method] = {}


def method(
    name: str,
    *,
    label: str,
    citation: str,
    summary: str,
    needs: str,
    group: str,
    reason: Applies = lambda model, layer: None,
    needs_gradients: bool = True,
    at_input: bool = False,
) -> Callable[[Compute], Compute]:
    """Enter a function of (trace, target, layer) into the registry."""

    def enter(compute: Compute) -> Compute:
        _methods[name] = Method(
            name, label, citation, summary, needs, group, compute, reason, needs_gradients, at_input
        )
        return compute

    return enter


def get_method(name: str) -> Method:
    """A method by name.

    Raises:
        MethodError: if there is none; close names are suggested.
    """
    if name in _methods:
        return _methods[name]
    near = difflib.get_close_matches(str(name).lower(), _methods, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise MethodError(f"There is no method {name!r}.{hint} Methods: {', '.join(_methods)}.")


def list_methods() -> tuple[Method, ...]:
    """All methods, in the order in which they are shown."""
    return tuple(_methods.values())
