"""One forward pass, remembered: logits, activations, and the gradient of any target at any layer.

A forward pass serves every class, every method and every asked layer. The trunk, up to the first
asked layer, runs without a graph; there the output is cut off and handed on as a leaf, so that a
gradient costs a pass through the head only. Parameters never take part: frozen or not, they
and their ``.grad`` are left alone, and a caller's ``torch.no_grad()`` does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from .errors import LayerError, MethodError, ModelError, TargetError
from .layers import hooked, spatial
from .models import VisionModel
from .targets import Target

__all__ = ["PRECISIONS", "Trace"]

PRECISIONS: dict[str, torch.dtype | None] = {
    "fp32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class Trace:
    """One remembered forward pass of a batch.

    Args:
        model: whose module to run.
        pixels: float32 (N, C, H, W) in [0, 1].
        layers: module names at which to remember activations.
        precision: "fp32" runs the module in its own dtype, "bf16" and "fp16" under autocast.

    Attributes:
        pixels: the pixels given.
        logits: (N, classes), detached; float32, or float64 in a float64 model.
    """

    def __init__(
        self,
        model: VisionModel,
        pixels: torch.Tensor,
        layers: Iterable[str],
        *,
        precision: str = "fp32",
    ) -> None:
        if precision not in PRECISIONS:
            raise MethodError(
                f"There is no precision {precision!r}: use {', '.join(map(repr, PRECISIONS))}."
            )
        self.model = model
        self.pixels = pixels
        self.layers = tuple(dict.fromkeys(model.layer(name).name for name in layers))
        self._autocast = PRECISIONS[precision]
        self._outputs: dict[str, torch.Tensor] = {}
        self._gradients: dict[tuple[Target, str], torch.Tensor] = {}
        # A caller's inference_mode would make tensors that autograd refuses.
        with torch.inference_mode(False):
            inputs = model.inputs(pixels.clone() if pixels.is_inference() else pixels)
            graph = self._forward(inputs, torch.no_grad())
            if self._interrupted or not graph.requires_grad:
                # The module switches gradients off for a part of itself, and thereby back to how it
                # found them: let it find them on.
                graph = self._forward(inputs, torch.enable_grad())
        self._graph = _full(graph)
        self.logits = self._graph.detach()
        model.check_finite(self.logits)

    def activation(self, layer: str) -> torch.Tensor:
        """The layer's maps (N, K, h, w), detached; float32, or float64 in a float64 model."""
        return _full(self._maps(self._output(layer).detach()))

    def gradient(self, target: Target, layer: str) -> torch.Tensor:
        """The gradient of the target's score at the layer, of the activation's shape and type."""
        key = (target, self.model.layer(layer).name)
        if key not in self._gradients:
            self.remember_gradients([target])
        return _full(self._maps(self._gradients[key]))

    def remember_gradients(self, targets: Sequence[Target]) -> None:
        """Compute the gradients of several targets at all layers, in one batched backward pass."""
        wanted = [t for t in dict.fromkeys(targets) if (t, self.layers[0]) not in self._gradients]
        if not wanted:
            return
        leaves = [self._output(name) for name in self.layers]
        with self.model.undisturbed(), torch.enable_grad():
            # Pictures do not mix in evaluation mode, so the sum over them has each one's gradient.
            scores = torch.stack([self._score(t).sum() for t in wanted])
            rows = self._rows(scores, leaves) if scores.requires_grad else [[None] * len(leaves)]
        for name, gradients in zip(self.layers, zip(*rows, strict=True), strict=True):
            if all(g is None for g in gradients):
                raise LayerError(
                    f"The score of {wanted[0].label!r} does not depend on layer {name!r} of {self.model.name} in a "
                    "way that can be differentiated (is something detached?). Choose another layer, or a "
                    "method without gradients."
                )
        for target, row in zip(wanted, rows, strict=True):
            for name, leaf, gradient in zip(self.layers, leaves, row, strict=True):
                # A layer that has no way to this score, but to others, has no evidence for it.
                self._gradients[target, name] = (
                    torch.zeros_like(leaf) if gradient is None else gradient
                ).detach()

    def _score(self, target: Target) -> torch.Tensor:
        score = target.score(self._graph)
        if not isinstance(score, torch.Tensor) or score.shape != (len(self._graph),):
            got = tuple(score.shape) if isinstance(score, torch.Tensor) else type(score).__name__
            raise TargetError(
                f"The target {target.label!r} must give one number per picture, shape ({len(self._graph)},), not {got}."
            )
        return score

    @staticmethod
    def _rows(scores: torch.Tensor, leaves: list[torch.Tensor]) -> list[Sequence[Any]]:
        if len(scores) > 1:
            try:
                batched = torch.autograd.grad(
                    scores,
                    leaves,
                    torch.eye(len(scores), dtype=scores.dtype, device=scores.device),
                    retain_graph=True,
                    is_grads_batched=True,
                    allow_unused=True,
                )
                return [[g if g is None else g[i] for g in batched] for i in range(len(scores))]
            except RuntimeError:
                pass  # an operation of this head cannot be batched: one target at a time
        return [
            torch.autograd.grad(score, leaves, retain_graph=True, allow_unused=True)
            for score in scores
        ]

    def _forward(self, inputs: torch.Tensor, start: Any) -> torch.Tensor:
        self._outputs.clear()
        self._interrupted = False
        names = {self.model.module.get_submodule(name): name for name in self.layers}

        def remember(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            if self._outputs and not torch.is_grad_enabled():
                self._interrupted = True
            torch.set_grad_enabled(True)
            if not output.requires_grad:
                output = output.detach().requires_grad_()
            self._outputs[names[module]] = output
            # What follows may overwrite what it gets (an in-place ReLU), so it gets a copy.
            return output.clone()

        with (
            self.model.undisturbed(),
            start,
            torch.autocast(
                inputs.device.type, dtype=self._autocast, enabled=self._autocast is not None
            ),
            hooked(dict.fromkeys(names, remember)),
        ):
            logits = self.model.module(inputs.clone())  # a module may write into what it gets
        if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
            raise ModelError("The module must return logits of shape (N, classes).")
        return logits

    def _output(self, layer: str) -> torch.Tensor:
        name = self.model.layer(layer).name
        if name not in self._outputs:
            raise LayerError(
                f"Layer {name!r} did not run for this picture. Choose another: {', '.join(self._outputs)}."
                if name in self.layers
                else f"Layer {name!r} was not asked for in this trace ({', '.join(self.layers)})."
            )
        return self._outputs[name]

    def _maps(self, output: torch.Tensor) -> torch.Tensor:
        maps = spatial(output, self.pixels.shape[-2:], self.model.reshape)
        if maps is None:
            height, width = self.pixels.shape[-2:]
            raise LayerError(
                f"The layer has a single cell, no map, for a picture of {width}×{height}. Use a larger "
                "picture, or a shallower layer."
            )
        return maps


def _full(tensor: torch.Tensor) -> torch.Tensor:
    """Half precision widened to float32: sums over a layer need the digits."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
