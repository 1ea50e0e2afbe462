"""Forward pass through a replica of a module in which every operation can propagate relevance back.

The replica runs under a ``TorchFunctionMode`` of the calling thread, which sees a ReLU or an addition whether it was
written as a module, a function, a method or in place. Nothing is patched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...errors import LayerError
from .replica import replicate
from .rule_mode import RuleMode
from .rules import Rules
from .tracked_tensor import UnsupportedOperation

__all__ = ["RelevancePass", "UnsupportedOperation"]


class RelevancePass:
    """Forward pass of a module's replica that can propagate relevance back to its layers and its input.

    Args:
        module: module in evaluation mode; it is only read, since a replica of it runs.
        inputs: the module's input (N, C, H, W).
        rules: propagation rules.
        layers: module names at whose outputs relevance is read; None for all.
        negated: indices of linear operations whose weights are negated.
        read: function of (replica, inputs) to logits; the replica's output if None.
        shares_weights: whether the replica's parameters have the memory of the module's.
        is_reused: whether relevance is propagated from several starts; what they share is then kept, with the graph,
            which is otherwise freed on the way.

    Attributes:
        logits: logits (N, classes), detached.
        first_transformer_operation: why rules without ``attention`` refuse the network; None if they do not.
        readable_layers: names of the layers at whose outputs relevance can be read.

    Raises:
        UnsupportedOperation: if an operation has no relevance rule.
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
        *,
        shares_weights: bool = False,
        is_reused: bool = False,
    ) -> None:
        replica = replicate(module, shares_weights=shares_weights)
        parameter = next((p for p in replica.parameters() if p.is_floating_point()), inputs)
        self.input = inputs.detach().clone().to(parameter.dtype).requires_grad_()
        self._is_reused = is_reused
        self._nodes: dict[str, torch.Tensor] = {}
        mode = RuleMode(rules, negated, self.input, is_reused)
        hooks = []
        names = {m: n for n, m in replica.named_modules() if n}
        for part, name in names.items():
            hooks += mode.track_module(part, name)
            if layers is None or name in layers:
                hooks.append(part.register_forward_hook(self._recorder(mode, name)))
        try:
            with torch.inference_mode(False), torch.enable_grad(), mode:
                output = replica(self.input) if read is None else read(replica, self.input)
            self._output = self._finished(mode, output)
        finally:
            # Mode and hooks are in circles of references: with what they refer to, a finished pass would stay in
            # memory until Python's garbage collector happens to run.
            for hook in hooks:
                hook.remove()
            mode.forget()
        self.logits = self._output.detach()

    def _finished(self, mode: RuleMode, output: Any) -> torch.Tensor:
        """Set the rules that depend on the whole pass, and return its output, from which relevance starts."""
        tracked = mode.tracked(output)
        if tracked is None:
            raise UnsupportedOperation("its output is computed in a way that cannot be followed")
        if tracked.refusal is not None:
            raise tracked.refusal
        mode.merge_batch_norms()
        self._last_linear = mode.assign_final_rules(tracked)
        first = mode.first_transformer_operation
        self.first_transformer_operation = None if first is None else str(first)
        return tracked.tensor

    @property
    def readable_layers(self) -> frozenset[str]:
        """Names of the modules whose output is a tensor that relevance goes through."""
        return frozenset(self._nodes)

    def relevance(self, start: torch.Tensor, layer: str | None = None) -> torch.Tensor:
        """Propagate relevance from the logits to a layer or the input.

        Args:
            start: relevance of the logits (N, classes).
            layer: one of ``layers``; the input if None.

        Returns:
            Relevance at the layer's output, or at the input, of its shape.

        Raises:
            LayerError: if no relevance goes through the layer.
        """
        node = self.input if layer is None else self._nodes.get(layer)
        with torch.inference_mode(False), torch.enable_grad():
            (relevance,) = (
                torch.autograd.grad(
                    self._output,
                    [node],
                    start.to(self.logits),
                    retain_graph=self._is_reused,
                    allow_unused=True,
                )
                if node is not None
                else (None,)
            )
        if relevance is None:
            raise LayerError(
                f"No relevance goes through layer {layer!r}: the output does not depend on it by operations that "
                "propagate relevance. Choose another layer, or 'gradcam'."
            )
        return relevance

    def last_linear_operations(self) -> frozenset[int]:
        """Return the indices of the linear operations that no other linear operation follows."""
        return self._last_linear

    def _recorder(self, mode: RuleMode, name: str) -> Any:
        def record(module: nn.Module, args: Any, output: Any) -> None:
            tracked = mode.tracked(output)
            if tracked is not None and tracked.role.receives_relevance:
                self._nodes[name] = tracked.tensor

        return record
