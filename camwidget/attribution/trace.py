"""``Trace``: one forward pass kept with its logits, activations and graph, and gradients of any target at any layer.

A forward pass serves every class, every method and every asked layer. The trunk, up to the first
asked layer, runs without a graph; there the output is cut off and handed on as a leaf, so that a
gradient costs a pass through the head only. Parameters never take part: frozen or not, they
and their ``.grad`` are left alone, and a caller's ``torch.no_grad()`` does not matter.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import torch

from ..errors import LayerError, MethodError
from ..execution.autograd_graph import has_reentrant_checkpoint
from ..execution.graph_memory import graph_bytes
from ..execution.running import hooked
from ..models.layer_table import AT_INPUT
from ..models.outputs import is_plain, tensors_of
from ..models.vision_model import VisionModel
from ..runtime.caches import size_of
from .precision import check_precision, in_precision, warn_if_slower
from .relu_rules import ReluRule, relu_rule
from .targets import Target, score_of

__all__ = ["INPUT", "LargeGraphError", "Trace"]

#: Stands for the module's input where a layer's name is asked for: no layer has an empty name, and some are "input".
INPUT = ""


class LargeGraphError(MethodError):
    """A pass that keeps more for its gradients than was allowed."""


class Trace:
    """One remembered forward pass of a batch.

    Args:
        model: whose module to run.
        pixels: float32 (N, C, H, W) in [0, 1].
        layers: module names at which to remember activations.
        precision: "fp32" runs the module in its own dtype, "bf16" and "fp16" under autocast.
        with_input: whether the gradient at ``INPUT`` will be asked for too: then the whole pass has a graph.
        most_bytes: how large the graph may become; looked at at each of the layers.

    Attributes:
        pixels: the pixels given.
        precision: the precision given.
        logits: (N, classes), detached; float32, or float64 in a float64 model.
        module: what ran: the model's module, or a copy of its structure around the same weights.
        memory: what methods remember of this pass beside it, such as the model's answers to masked pictures.

    Raises:
        LargeGraphError: if the graph is larger than ``most_bytes``; it is given up at the first layer where it is.
    """

    def __init__(
        self,
        model: VisionModel,
        pixels: torch.Tensor,
        layers: Iterable[str],
        *,
        precision: str = "fp32",
        with_input: bool = False,
        most_bytes: int | None = None,
    ) -> None:
        check_precision(precision)
        self.model = model
        self.pixels = pixels
        self.precision = precision
        named = dict.fromkeys(model.layer(name).name for name in layers)
        self.layers = () if model.no_maps else tuple(named)
        self.memory: dict[Hashable, Any] = {}
        self._with_input = with_input
        self._most_bytes = most_bytes
        self._graph_bytes: int | None = None
        self._outputs: dict[str, torch.Tensor] = {}
        #: None where the target's score does not depend on the layer.
        self._gradients: dict[tuple[Target, str, ReluRule | None], torch.Tensor | None] = {}
        # A caller's inference_mode would make tensors that autograd refuses.
        with torch.inference_mode(False):
            inputs = model.inputs(pixels.clone() if pixels.is_inference() else pixels)
            if precision != "fp32":
                warn_if_slower(model, inputs, precision)
            self._returned = self._forward(
                inputs, torch.enable_grad() if with_input else torch.no_grad()
            )
            wanted = self.layers or with_input
            attached = any(t.requires_grad for t in tensors_of(self._returned))
            if self._interrupted or (wanted and not attached):
                # The module switches gradients off for a part of itself, and thereby back to how it
                # found them: let it find them on.
                self._returned = self._forward(inputs, torch.enable_grad())
            self._graph = _full(model.logits_of(self._returned, len(pixels)))
        self.logits = self._graph.detach()
        self._is_finite = bool(torch.isfinite(self.logits).all())
        if not self._is_finite:
            model.check_finite(self.logits)

    @property
    def nbytes(self) -> int:
        """How many bytes the pass keeps: activations, what its graph has saved, and what was remembered of it since.

        The pixels and the model's weights, which are others' too, do not count.
        """
        if self._graph_bytes is None:
            ends = [*tensors_of(self._returned), self._graph, *self._outputs.values()]
            self._graph_bytes = graph_bytes(ends, [self.pixels, *_tensors_in(self.model.module)])
        return self._graph_bytes + size_of([list(self._gradients.values()), self.memory])

    def activation(self, layer: str) -> torch.Tensor:
        """The layer's maps (N, K, h, w), detached; float32, or float64 in a float64 model.

        Of ``INPUT``, the module's input (N, C, H, W).
        """
        output = self._output(layer).detach()
        return _full(output if layer == INPUT else self._maps(layer, output))

    def gradient(self, target: Target, layer: str, rule: ReluRule | None = None) -> torch.Tensor:
        """The gradient of the target's score at the layer, of the activation's shape and type.

        Args:
            target: of whose score.
            layer: a layer's name, or ``INPUT``.
            rule: what to do at rectifiers instead of the chain rule (see ``relus``).
        """
        key = (target, self._name(layer), rule)
        if key not in self._gradients:
            self.remember_gradients([target], [layer] if layer == INPUT else self.layers, rule)
        gradient = self._gradients[key]
        if gradient is None:
            raise self._unreached(target, key[1])
        return _full(gradient if layer == INPUT else self._maps(layer, gradient))

    def check_score(self, target: Target) -> None:
        """Raise a TargetError if the target is of a class that the model masks out, whose logit is −inf."""
        if not self._is_finite:
            with torch.no_grad():
                score_of(target, self._returned, self._graph)

    def remembers(self, target: Target, layer: str) -> bool:
        """Whether the layer's activation and the target's gradient there are at hand."""
        return self._gradients.get((target, layer, None)) is not None

    def remember_gradients(
        self,
        targets: Sequence[Target],
        layers: Sequence[str] | None = None,
        rule: ReluRule | None = None,
    ) -> None:
        """Compute the gradients of several targets at several layers, all if None, in one batched backward pass."""
        names = [self._name(n) for n in (self.layers if layers is None else layers)]
        wanted = [
            t
            for t in dict.fromkeys(targets)
            if any((t, name, rule) not in self._gradients for name in names)
        ]
        if not wanted or not names:
            return
        leaves = [self._output(name) for name in names]
        with self.model.undisturbed(runs=False), torch.enable_grad():
            # Pictures do not mix in evaluation mode, so the sum over them has each one's gradient.
            scores = torch.stack([score_of(t, self._returned, self._graph).sum() for t in wanted])
            with contextlib.nullcontext() if rule is None else relu_rule(scores, rule):
                rows = (
                    self._rows(scores, leaves)
                    if scores.requires_grad
                    else [[None] * len(leaves)] * len(wanted)
                )
        for number, (name, leaf) in enumerate(zip(names, leaves, strict=True)):
            # A layer that has no way to this score, but to others, has no evidence for it.
            none = None if all(row[number] is None for row in rows) else torch.zeros_like(leaf)
            for target, row in zip(wanted, rows, strict=True):
                gradient = row[number]
                self._gradients[target, name, rule] = (
                    none if gradient is None else gradient.detach()
                )

    def _unreached(self, target: Target, name: str) -> LayerError | MethodError:
        """Why there is no gradient of the target's score at a layer: of that layer only, others may have one."""
        if self.model.is_reentrant:
            return self._reentrant()
        if name == INPUT:
            return MethodError(
                f"The score of {target.label!r} cannot be differentiated down to the picture: a part of "
                f"{self.model.name} runs without gradients. Use a method at a layer behind it, or 'occlusion'."
            )
        return LayerError(
            f"The score of {target.label!r} does not depend on layer {name!r} of {self.model.name} in a "
            "way that can be differentiated (is something detached, or the layer a branch of its own?). Choose "
            "another layer, or a method without gradients."
        )

    def _reentrant(self) -> MethodError:
        return MethodError(
            f"A part of {self.model.name} is checkpointed with use_reentrant=True, and PyTorch gives no gradients "
            "inside such a part or before it. Switch checkpointing off (module.gradient_checkpointing_disable() in "
            "transformers, set_grad_checkpointing(False) in timm) or pass use_reentrant=False to checkpoint; or choose "
            "a layer behind that part, or a method without gradients."
        )

    def apart(self) -> Trace:
        """The same pass, which remembers gradients of its own.

        Those of several targets in one batched pass differ in their last bits from each one's own: what is computed
        of the one should not depend on who asked for the other before.
        """
        other = copy.copy(self)
        other.forget_gradients()
        return other

    def forget_gradients(self) -> None:
        """Let go of the gradients that were remembered, and leave those of copies alone."""
        self._gradients = {}

    @property
    def is_plain(self) -> bool:
        """Whether the module returns its logits and nothing else."""
        return is_plain(self._returned, self.logits)

    def output(self, layer: str) -> torch.Tensor:
        """What the layer itself returned, in its own shape and type, detached."""
        return self._output(layer).detach()

    def _rows(self, scores: torch.Tensor, leaves: list[torch.Tensor]) -> list[Sequence[Any]]:
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
        try:
            return [
                torch.autograd.grad(score, leaves, retain_graph=True, allow_unused=True)
                for score in scores
            ]
        except RuntimeError as error:
            if has_reentrant_checkpoint(tensors_of(scores)):
                raise self._reentrant() from error
            raise

    def _forward(self, inputs: torch.Tensor, start: Any) -> Any:
        self._outputs.clear()
        self._interrupted = False

        def remember(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            if len(self._outputs) > self._with_input and not torch.is_grad_enabled():
                self._interrupted = True
            torch.set_grad_enabled(True)
            if not output.requires_grad:
                output = output.detach().requires_grad_()
            self._outputs[names[module]] = output
            self._check_size(output)
            # What follows may overwrite what it gets (an in-place ReLU), so it gets a copy.
            return output.clone()

        with self.model.undisturbed() as held, start, in_precision(self.precision, inputs.device):
            self.module = held.module
            names = {held.module.get_submodule(name): name for name in self.layers}
            if self._with_input:
                self._outputs[INPUT] = inputs = inputs.detach().requires_grad_()
            with hooked(dict.fromkeys(names, remember)):
                return held.run(inputs.clone())  # a module may write into what it gets

    def _check_size(self, output: torch.Tensor) -> None:
        """Give up a pass whose graph, up to a layer's output, is larger than it may be."""
        most = self._most_bytes
        if most is None:
            return
        found = graph_bytes([*self._outputs.values(), output], _tensors_in(self.model.module))
        if found > most:
            raise LargeGraphError(
                f"The pass of {self.model.name} keeps more than {most} bytes for its gradients. Use a smaller picture, "
                "or fewer layers."
            )

    def _name(self, layer: str) -> str:
        return INPUT if layer == INPUT else self.model.layer(layer).name

    def _output(self, layer: str) -> torch.Tensor:
        name = self._name(layer)
        if name not in self._outputs:
            raise LayerError(
                self._did_not_run(name)
                if name in self.layers
                else f"Layer {name or AT_INPUT!r} was not asked for in this trace ({', '.join(self.layers)})."
            )
        return self._outputs[name]

    def _did_not_run(self, name: str) -> str:
        """Say of a layer that did not run, or not for all of the pictures, and which of the listed ones did."""
        sizes: dict[str, int] = {}

        def note(module: torch.nn.Module, args: Any, output: Any) -> None:
            maps = self.model.maps(output, self.pixels.shape[-2:])
            sizes[names[module]] = 0 if maps is None else len(maps)

        listed = [layer.name for layer in self.model.layers]
        with (
            self.model.undisturbed() as held,
            torch.no_grad(),
            in_precision(self.precision, self.pixels.device),
        ):
            names = {held.module.get_submodule(n): n for n in listed}
            with hooked(dict.fromkeys(names, note)):
                held.run(self.model.inputs(self.pixels))
        ran = [repr(n) for n in listed if sizes.get(n) == len(self.pixels)]
        which = "this picture" if len(self.pixels) == 1 else "every one of these pictures"
        remedy = (
            f"Choose one that did: {', '.join(ran)}."
            if ran
            else "None of the listed ones did: if the module remembers what it was shown, switch that off."
        )
        return f"Layer {name!r} of {self.model.name} did not run for {which}. {remedy}"

    def _maps(self, name: str, output: torch.Tensor) -> torch.Tensor:
        maps = self.model.maps(output, self.pixels.shape[-2:])
        if maps is None:
            height, width = self.pixels.shape[-2:]
            raise LayerError(
                f"The layer has a single cell, no map, for a picture of {width}×{height}. Use a larger "
                "picture, or a shallower layer."
            )
        if len(maps) < len(self.pixels):
            raise LayerError(self._did_not_run(name))
        if len(maps) > len(self.pixels):
            raise LayerError(
                "The layer takes pictures of this size apart, in windows that come one after the other, and has no one "
                "map. Choose the block that contains it."
            )
        return maps


def _full(tensor: torch.Tensor) -> torch.Tensor:
    """Half precision widened to float32: sums over a layer need the digits."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _tensors_in(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """A module's weights and buffers."""
    yield from module.parameters()
    yield from module.buffers()
