"""``Trace``: a recorded forward pass with its logits, activations and graph, and gradients of any target at any layer.

One forward pass serves every class, method and layer. The part of the network before the first recorded layer runs
without graph; there the output is detached and used as a leaf, so that a gradient costs only a pass through the rest.
Parameters never require gradients: they and their ``.grad`` stay unchanged, whether frozen or not, and a caller's
``torch.no_grad()`` has no effect.
"""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from .._compat.pytorch import version_of
from ..errors import LayerError, MethodError, ModelError, TargetError
from ..execution.attention_capture import AttentionCapture, mean_over_heads
from ..execution.autograd_graph import gradient_rows, has_reentrant_checkpoint
from ..execution.graph_memory import graph_bytes
from ..execution.reused_copy import left_to_graph
from ..execution.running import hooked
from ..images.film_strip import enlarge
from ..models.layer_table import AT_INPUT
from ..models.output_tensors import is_plain, tensors_of
from ..models.vision_model import VisionModel
from ..runtime.caches import size_of
from .precision import check_precision, in_precision, warn_if_slower
from .relu_rules import ReluRule, relu_rule
from .target_scores import score_of
from .targets import ClassTarget, Counterfactual, PerPictureTarget, Target
from .trimmed_passes import trim_before_nodes, trimming_hooks

__all__ = ["INPUT", "LargeGraphError", "Trace"]

#: Name of the module's input as a layer. No layer has an empty name, but some are named "input".
INPUT = ""

#: Layers, ``INPUT`` among them, one of which is followed by an operation in place, which gets a copy; by module.
_overwritten: weakref.WeakKeyDictionary[torch.nn.Module, set[tuple[str, ...]]] = (
    weakref.WeakKeyDictionary()
)


class LargeGraphError(MethodError):
    """A pass keeps more bytes for its gradients than allowed."""


@dataclass
class _Recording:
    """What a pass returned, with its graph; the copies of a trace share it."""

    returned: Any = None
    #: The logits with their graph.
    logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    outputs: dict[str, torch.Tensor] = field(default_factory=dict)
    #: Whether a pass for gradients frees the graph, and whether one has.
    frees_early: bool = False
    is_freed: bool = False


class Trace:
    """Recorded forward pass of a batch.

    Args:
        model: the model to run.
        pixels: pixels (N, C, H, W), float32 in [0, 1].
        layers: module names of the layers whose activations are recorded.
        precision: "fp32" runs the module in its own dtype, "bf16" and "fp16" run it under autocast.
        with_input: whether the gradient at ``INPUT`` is needed, for which the whole pass has a graph.
        with_attention: whether attention weights, averaged over heads, are recorded in ``attention``.
        most_bytes: largest size of the graph in bytes, checked at each of the layers; any if None.
        trims: whether freed memory goes back to the system on the way (see ``trimmed_passes``).
        with_graph: whether the pass keeps a graph; without one, the first gradient runs the module again.

    Attributes:
        pixels: the pixels given.
        precision: the precision given.
        trims: as given, on a CPU.
        logits: logits (N, classes), detached; float32, or float64 in a float64 model.
        head_weight: weight of the linear layer behind a global average pooling; None if the model has none.
        attention: weights (N, queries, keys) of each attention operation; None unless ``with_attention``.
        memory: results that methods store with the pass, such as the scores of masked pictures.

    Raises:
        LargeGraphError: if the graph is larger than ``most_bytes``; the pass stops at the first layer where it is.
    """

    def __init__(
        self,
        model: VisionModel,
        pixels: torch.Tensor,
        layers: Iterable[str],
        *,
        precision: str = "fp32",
        with_input: bool = False,
        with_attention: bool = False,
        most_bytes: int | None = None,
        trims: bool = False,
        with_graph: bool = True,
    ) -> None:
        check_precision(precision)
        self.model = model
        self.pixels = pixels
        self.precision = precision
        #: The name of the tensor that a layer name stands for: a further class is not to look it up again.
        self._names = {INPUT: INPUT}
        named = dict.fromkeys(self._name(name) for name in layers)
        self.layers = () if model.no_maps else tuple(named)
        self.attention: list[torch.Tensor] | None = [] if with_attention else None
        self.memory: dict[Hashable, Any] = {}
        self._with_input = with_input
        self._most_bytes = most_bytes
        self.trims = trims and pixels.device.type == "cpu"
        self._graph_bytes: int | None = None
        self._versions: dict[str, int] = {}
        self._recording = _Recording()
        self.head_weight: torch.Tensor | None = None
        #: By target, layer and rule; None if the target's score does not depend on the layer.
        self._gradients: dict[tuple[Target, str, ReluRule | None], torch.Tensor | None] = {}
        self._record(with_graph)
        self.logits = self._recording.logits.detach()
        self._is_finite = bool(torch.isfinite(self.logits).all())
        if not self._is_finite:
            model.check_finite(self.logits)

    def _record(self, with_graph: bool = True) -> None:
        """Run the module, and keep what it returns with its graph."""
        model, pixels, recording = self.model, self.pixels, self._recording
        self._keeps_graph, self._graph_bytes = with_graph, None
        # Autograd refuses tensors that are made in a caller's inference mode.
        with torch.inference_mode(False):
            if self.precision != "fp32":
                warn_if_slower(model, self._new_inputs(), self.precision)
            recording.returned = self._forward(
                torch.enable_grad if self._with_input else torch.no_grad
            )
            needs_graph = with_graph and (self.layers or self._with_input)
            attached = any(t.requires_grad for t in tensors_of(recording.returned))
            if self._interrupted or (needs_graph and not attached):
                # The module switches gradients off for a part of itself, and then restores the mode that it found:
                # run it again with gradients on.
                recording.returned = self._forward(torch.enable_grad)
            recording.logits = _full(model.logits_of(recording.returned, len(pixels)))
        recording.is_freed = not with_graph

    def free_graph_early(self) -> None:
        """Let each pass for gradients free the graph behind it, and the next one run the module again.

        The graph of a large picture is several times as large as what a method needs of it. A module that draws random
        numbers keeps its graph: a second run would be of other numbers.
        """
        isolation = self.model.isolation
        draws = isolation.draws_random_numbers or isolation.restores_generators
        self._recording.frees_early = not (draws or self.model.randomness_note)
        self._graph_bytes = None

    @property
    def frees_graph(self) -> bool:
        """Whether each pass for gradients frees the graph (see ``free_graph_early``)."""
        return self._recording.frees_early

    @property
    def nbytes(self) -> int:
        """Size of the pass in bytes: activations, tensors saved in its graph, and stored results.

        The pixels and the model's weights do not count, since others use them too.
        """
        if self._graph_bytes is None:
            found = self._recording
            ends = [*tensors_of(found.returned), found.logits, *found.outputs.values()]
            self._graph_bytes = graph_bytes(ends, [self.pixels, *_tensors_in(self.model.module)])
        return self._graph_bytes + size_of(
            [list(self._gradients.values()), self.attention, self.memory]
        )

    def activation(self, layer: str) -> torch.Tensor:
        """Return the layer's maps (N, K, h, w), detached; float32, or float64 in a float64 model.

        For ``INPUT``, the module's input (N, C, H, W).
        """
        output = self._output(layer).detach()
        return _full(output if layer == INPUT else self._maps(layer, output))

    def gradient(self, target: Target, layer: str, rule: ReluRule | None = None) -> torch.Tensor:
        """Return the gradient of a target's score at a layer, of the activation's shape and dtype.

        Args:
            target: the target.
            layer: module name of a layer, or ``INPUT``.
            rule: rule at rectifiers instead of the chain rule (see ``relu_rules``).

        Raises:
            LayerError: if the score does not depend on the layer differentiably.
            MethodError: if the score has no gradient at the input, or checkpointing prevents it.
        """
        key = (target, self._name(layer), rule)
        if key not in self._gradients:
            self.store_gradients([target], [layer] if layer == INPUT else self.layers, rule)
        gradient = self._gradients[key]
        if gradient is None:
            raise self._unreached(target, key[1])
        return _full(gradient if layer == INPUT else self._maps(layer, gradient))

    def enlarged(self, maps: torch.Tensor, layer: str) -> torch.Tensor:
        """Return a layer's maps (N, h, w) at the size of the pictures (N, H, W), see ``images.film_strip.enlarge``."""
        size = self.pixels.shape[-2:]
        return enlarge(maps, size, self.model.map_frames(layer, maps.shape[-2:], size))

    def check_score(self, target: Target) -> None:
        """Raise a ``TargetError`` if the target is of a class that the model masks out, whose logit is −inf."""
        if not self._is_finite:
            with torch.no_grad():
                score_of(target, self._recording.returned, self._recording.logits)

    def has_slope(self, target: Target) -> bool:
        """Return whether the score has a gradient at every picture (see ``check_slope``)."""
        try:
            self.check_slope(target)
        except TargetError:
            return False
        return True

    def check_slope(self, target: Target) -> None:
        """Raise a ``TargetError`` if a picture is the reference that it is compared with: its score has no gradient."""
        for picture in range(len(self.pixels)):
            one = target.targets[picture] if isinstance(target, PerPictureTarget) else target
            of = one.of if isinstance(one, Counterfactual) else one
            if isinstance(of, ClassTarget) and (
                reason := self.model.why_no_slope(self._recording.returned, of.index, picture)
            ):
                raise TargetError(f"There is no map of {of.label!r}: {reason}")

    def has_gradient(self, target: Target, layer: str) -> bool:
        """Return whether the layer's activation and the target's gradient there are stored."""
        return self._gradients.get((target, layer, None)) is not None

    def store_gradients(
        self,
        targets: Sequence[Target],
        layers: Sequence[str] | None = None,
        rule: ReluRule | None = None,
    ) -> None:
        """Compute and store the gradients of several targets at several layers (default: all) in one batched pass."""
        names = [self._name(n) for n in (self.layers if layers is None else layers)]
        missing = [
            t
            for t in dict.fromkeys(targets)
            if any((t, name, rule) not in self._gradients for name in names)
        ]
        if not missing or not names:
            return
        frees_early = self._recording.frees_early
        parts = [[t] for t in missing] if frees_early else [missing]
        rows = [row for part in parts for row in self._gradients_of(part, names, rule)]
        leaves = [self._output(name) for name in names]
        for number, (name, leaf) in enumerate(zip(names, leaves, strict=True)):
            # A layer that influences other targets' scores but not this one has a gradient of zero.
            none = None if all(row[number] is None for row in rows) else torch.zeros_like(leaf)
            for target, row in zip(missing, rows, strict=True):
                gradient = row[number]
                self._gradients[target, name, rule] = (
                    none if gradient is None else gradient.detach()
                )

    def _gradients_of(
        self, targets: Sequence[Target], names: Sequence[str], rule: ReluRule | None
    ) -> list[Sequence[torch.Tensor | None]]:
        """Return the gradients of targets, a row each, at layers; None where nothing depends on the layer."""
        if self._recording.is_freed:
            self._record()
        recording = self._recording
        leaves = [self._output(name) for name in names]
        with self.model.isolated(runs=False), torch.enable_grad():
            # Pictures do not mix in evaluation mode, so that the gradient of the sum is each picture's own gradient.
            each = [
                score_of(t, recording.returned, recording.logits, are_finite=self._is_finite)
                for t in targets
            ]
            scores = torch.stack([score.sum() for score in each])
            if not scores.requires_grad:
                return [[None] * len(leaves)] * len(targets)
            with contextlib.nullcontext() if rule is None else relu_rule(scores, rule):
                recording.is_freed = recording.frees_early
                if recording.is_freed and self.trims:
                    trim_before_nodes(scores)
                return self._rows(scores, leaves)

    def _unreached(self, target: Target, name: str) -> LayerError | MethodError:
        """Return the error for a score without gradient at a layer."""
        if self.model.is_reentrant:
            return self._reentrant()
        if name == INPUT:
            return MethodError(
                f"The score of {target.label!r} cannot be differentiated down to the picture: a part of "
                f"{self.model.name} runs without gradients. Use a method at a layer behind it, or 'occlusion'."
            )
        return LayerError(
            f"The score of {target.label!r} does not depend on layer {name!r} of {self.model.name} in a "
            "way that can be differentiated (is a tensor detached, or is the layer in a separate branch?). Choose "
            "another layer, or a method without gradients."
        )

    def _reentrant(self) -> MethodError:
        return MethodError(
            f"A part of {self.model.name} is checkpointed with use_reentrant=True, and PyTorch gives no gradients "
            "inside such a part or before it. Switch checkpointing off (module.gradient_checkpointing_disable() in "
            "transformers, set_grad_checkpointing(False) in timm) or pass use_reentrant=False to checkpoint; or choose "
            "a layer behind that part, or a method without gradients."
        )

    def with_own_gradients(self) -> Trace:
        """Return the same pass with separate storage of gradients.

        Gradients of several targets in one batched pass differ in their last bits from those of single passes; with
        separate storage, a result does not depend on which targets were computed before.
        """
        other = copy.copy(self)
        other.drop_gradients()
        return other

    def drop_gradients(self) -> None:
        """Drop the stored gradients of this trace; those of its copies are kept."""
        self._gradients = {}

    @property
    def is_plain(self) -> bool:
        """Whether the module's output is its logits and nothing else."""
        return is_plain(self._recording.returned, self.logits)

    def output(self, layer: str) -> torch.Tensor:
        """Return the layer's own output, in its shape and dtype, detached."""
        return self._output(layer).detach()

    def _rows(self, scores: torch.Tensor, leaves: list[torch.Tensor]) -> list[Sequence[Any]]:
        try:
            return gradient_rows(scores, leaves, retain_graph=not self._recording.frees_early)
        except RuntimeError as error:
            if has_reentrant_checkpoint(tensors_of(scores)):
                raise self._reentrant() from error
            raise

    def _new_inputs(self) -> torch.Tensor:
        """Return the module's inputs as a tensor of their own, since a module may write into them."""
        pixels = self.pixels.clone() if self.pixels.is_inference() else self.pixels
        inputs = self.model.inputs(pixels)
        is_shared = inputs.untyped_storage().data_ptr() == pixels.untyped_storage().data_ptr()
        return inputs.clone() if is_shared else inputs

    def _forward(self, start: Callable[[], Any]) -> Any:
        overwritten = _overwritten.setdefault(self.model.module, set())
        recorded = (INPUT, *self.layers) if self._with_input else self.layers
        if self.trims and recorded not in overwritten:
            # A copy of a large picture's layer is as large as a quarter of the pass, and is needed only where the next
            # operation is in place: autograd refuses that, or the layer's output has changed.
            with contextlib.suppress(ModelError):
                returned = self._forward_once(start(), copies=False)
                if self._are_unchanged():
                    return returned
                del returned  # before the second pass
            overwritten.add(recorded)
        return self._forward_once(start(), copies=True)

    def _forward_once(self, start: Any, *, copies: bool) -> Any:
        outputs, versions = self._recording.outputs, self._versions
        outputs.clear()
        versions.clear()
        self._interrupted = False

        def remember(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            if self._keeps_graph:
                if len(outputs) > self._with_input and not torch.is_grad_enabled():
                    self._interrupted = True
                torch.set_grad_enabled(True)
                if not output.requires_grad:
                    output = output.detach().requires_grad_()
            outputs[names[module]] = output
            versions[names[module]] = version_of(output)
            self._check_size(output)
            # The next operation may be in place (ReLU).
            return output.clone() if copies else output.view_as(output)

        inputs = self._new_inputs()
        own = self.model.isolated()
        with own as isolated, start, in_precision(self.precision, inputs.device):
            if self.model.gap_head is not None:
                # A plain tensor, not a parameter, where it is computed from others (pruning, weight normalization).
                head: Any = isolated.module.get_submodule(self.model.gap_head.module)
                self.head_weight = head.weight.detach()
            names = {isolated.module.get_submodule(name): name for name in self.layers}
            if self._with_input:
                outputs[INPUT] = leaf = inputs.detach().requires_grad_()
                versions[INPUT] = version_of(leaf)
                inputs = leaf.clone() if copies else leaf.view_as(leaf)
            recording = hooked(dict.fromkeys(names, remember))
            trimming = hooked(trimming_hooks(self.model, isolated.module) if self.trims else {})
            with trimming, recording, self._captured_attention(), left_to_graph(isolated.module):
                return isolated.run(inputs)

    def _are_unchanged(self) -> bool:
        """Return whether no operation in place has changed a recorded layer's output."""
        return self._versions == {n: version_of(self._recording.outputs[n]) for n in self._versions}

    @contextlib.contextmanager
    def _captured_attention(self) -> Iterator[None]:
        """Record the attention weights of a pass, if they are wanted."""
        if self.attention is None:
            yield
            return
        with AttentionCapture(partial(mean_over_heads, pictures=len(self.pixels))) as capture:
            yield
        self.attention = [operation.weights for operation in capture.operations]

    def _check_size(self, output: torch.Tensor) -> None:
        """Stop a pass whose graph, up to a layer's output, is larger than allowed."""
        most = self._most_bytes
        if most is None:
            return
        found = graph_bytes(
            [*self._recording.outputs.values(), output], _tensors_in(self.model.module)
        )
        if found > most:
            raise LargeGraphError(
                f"The pass of {self.model.name} keeps more than {most} bytes for its gradients. Use a smaller picture, "
                "or fewer layers."
            )

    def _name(self, layer: str) -> str:
        if layer not in self._names:
            self._names[layer] = self.model.layer(layer).name
        return self._names[layer]

    def _output(self, layer: str) -> torch.Tensor:
        name = self._name(layer)
        if name not in self._recording.outputs:
            raise LayerError(
                self._did_not_run(name)
                if name in self.layers
                else f"Layer {name or AT_INPUT!r} was not requested for this trace ({', '.join(self.layers)})."
            )
        return self._recording.outputs[name]

    def _did_not_run(self, name: str) -> str:
        """Return the message for a layer that did not run for every picture, with the listed layers that did."""
        sizes: dict[str, int] = {}

        def note(module: torch.nn.Module, args: Any, output: Any) -> None:
            maps = self.model.maps(output, self.pixels.shape[-2:])
            sizes[names[module]] = 0 if maps is None else len(maps)

        listed = [layer.name for layer in self.model.layers]
        with (
            self.model.isolated() as isolated,
            torch.no_grad(),
            in_precision(self.precision, self.pixels.device),
        ):
            names = {isolated.module.get_submodule(n): n for n in listed}
            with hooked(dict.fromkeys(names, note)):
                isolated.run(self.model.inputs(self.pixels))
        ran = [repr(n) for n in listed if sizes.get(n) == len(self.pixels)]
        which = "this picture" if len(self.pixels) == 1 else "every one of these pictures"
        remedy = (
            f"Choose one that did: {', '.join(ran)}."
            if ran
            else "None of the listed ones did: if the module caches results of earlier inputs, switch that off."
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
                "For pictures of this size the layer processes windows separately, so it has no map of the whole "
                "picture. Choose the block that contains it."
            )
        return maps


def _full(tensor: torch.Tensor) -> torch.Tensor:
    """Widen half precision to float32, which sums over a layer need."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _tensors_in(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Iterate over a module's weights and buffers."""
    yield from module.parameters()
    yield from module.buffers()
