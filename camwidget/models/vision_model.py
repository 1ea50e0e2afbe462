"""``VisionModel``: a module with its preprocessing, class names, layers and outputs, ready to be explained."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from torch import nn

from .._compat.pytorch import BATCH_NORM
from ..errors import CamwidgetError, ModelError, PromptError
from ..execution.isolated_pass import PassIsolation, isolated_module
from ..execution.random_numbers import PrivateRandomNumbers
from ..execution.reused_copy import ReusedCopy
from ..execution.running import non_finite_error, raise_failed_pass, unwrapped_module
from ..images.conversion import PictureLike
from ..images.pixel_batches import pixel_batch
from ..images.preprocess import Preprocess
from .cam_head import GapHead
from .class_names import configured_names, unique_names
from .extra_inputs import ExtraInputs
from .first_passes import first_passes, first_picture
from .layer_recorder import Reshape, spatial
from .layer_table import Layer, LayerTable
from .logits_reader import OutputReader, picture_keyword
from .nondeterminism import leaves_random_state, randomness_note
from .output_tensors import check_output_path, describe_output
from .prediction import ClassScores, Prediction
from .provenance import Provenance
from .scores import are_proper, check_scores
from .text_inputs import ParsedPrompt, Prompt, check_prompt, read_text

__all__ = ["Prediction", "VisionModel"]


class VisionModel(ClassScores):
    """A module with everything that is needed to explain it. ``load`` and ``wrap`` make it.

    Attributes:
        module: the ``nn.Module``; never modified.
        preprocess: geometry from a picture to pixels, and normalization from pixels to the module's input.
        classes: one unique name a class; equal names get their index appended.
        layers: the layers to choose from, in order of execution; any other layer with a spatial output can be used by
            its module name. If no layer has a map, the only entry is the picture, "input".
        default_layer: name of the last layer of ``layers`` that computes features.
        name: name of the model.
        scores: kind of the outputs: "softmax", "sigmoid", "log", or "value" for quantities.
        unit: unit of quantities, such as "years"; empty otherwise.
        prompt: parser of the text input; None for a model without text input.
        text: the current text; None until one is given. The module has then been run with the prompt's first example,
            which defines ``classes``.
        chance: warning about random numbers in the model's outputs; empty if the outputs are deterministic.
        origin: the call of ``load`` or ``wrap`` that made the model; None for a model made by hand.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load()
        >>> model.classes[6], [layer.name for layer in model.layers][-2:]
        ('polka-dotted', ['stage3', 'stage4'])
        >>> pixels = model.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> tuple(pixels.shape), tuple(model.logits(pixels).shape)
        ((1, 3, 192, 192), (1, 10))
    """

    finds_boxes: ClassVar[bool] = False

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        classes: Sequence[str] | None,
        *,
        name: str,
        usual_classes: Sequence[str] = (),
        reshape: Reshape | None = None,
        layers: Sequence[str] | None = None,
        inputs: Mapping[str, torch.Tensor] | None = None,
        prompt: Prompt | None = None,
        scores: str | None = None,
        unit: str = "",
        output: Any = None,
    ) -> None:
        check_scores(scores, unit)
        self.module: nn.Module = unwrapped_module(module)
        self.preprocess = preprocess
        self.name = name
        self.reshape = reshape
        self.unit = unit
        self.prompt = prompt
        self.text: str | None = None
        self.origin: Provenance | None = None
        example: ParsedPrompt | None = None
        if prompt is not None:
            check_prompt(prompt)
            example = read_text(prompt, prompt.examples[0])[1]
            classes = classes if example.classes is None else example.classes
        self._extra_inputs = ExtraInputs.of(inputs, example)
        #: Whether pictures run one by one, since those of a batch influence each other, or fail.
        self.mixes_pictures = any(
            isinstance(m, BATCH_NORM) and m.running_mean is None for m in self.module.modules()
        )
        #: Whether the module takes channels-last memory format; a failing pass sets it to False.
        self.takes_channels_last = True
        # A module with several names has its first name.
        self._module_names: dict[nn.Module, str] = {m: n for n, m in self.module.named_modules()}
        reader = OutputReader(
            name,
            requested=None if output is None else check_output_path(output),
            declared="value" if unit else scores,
            names=len(classes) if isinstance(classes, Sized) else None,
            finds_boxes=self.finds_boxes,
            frames=preprocess.frames,
            keyword=picture_keyword(self.module, self.extras(1)),
        )
        self.randomness_note = ""
        self._reused_copy = ReusedCopy()
        #: What a pass needs so that the module stays unchanged.
        self._discovery, self._reader, self.isolation = self._discover(
            reader, without=layers is not None and not layers
        )
        self.scores = self._reader.scores
        self.check_finite(self._discovery.logits)
        count = 2 if self._reader.is_binary_logit else self._reader.columns
        if classes is None and count:
            usual = usual_classes if len(usual_classes) == count else None
            classes = configured_names(self.module, count) or usual
        self.classes = unique_names(
            classes, count, self.no_classes, are_quantities=self.scores == "value"
        )
        self._index = {name: i for i, name in enumerate(self.classes)}
        self.layers = self._discovery.stages
        self.default_layer = self._discovery.default
        if layers:
            self.layers = tuple(self.layer(n) for n in layers)
            self.default_layer = self.layers[-1].name
        self.randomness_note = randomness_note(self)

    # -- properties ------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Device of the module's parameters."""
        return self._floating_tensor().device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point dtype of the module's parameters."""
        return self._floating_tensor().dtype

    @property
    def frames(self) -> int | None:
        """Number of frames of the clips that the module takes; None if it takes pictures."""
        return self.preprocess.frames

    @property
    def no_classes(self) -> str:
        """Reason why the model has no classes, with the remedy; empty for a model with classes."""
        why = self._reader.no_classes_reason
        return f"{self.name} has no classes: {why}." if why else ""

    @property
    def no_maps(self) -> str:
        """Reason why no layer has a map, with the remaining methods; empty if a layer has one."""
        return self._discovery.why_no_maps(self.name)

    @property
    def output_path(self) -> str:
        """Position of the class scores in the module's output, as text."""
        steps = self._reader.path or ()
        return repr(
            [s if isinstance(s, (str, int)) else getattr(s, "__qualname__", "") for s in steps]
        )

    @property
    def gap_head(self) -> GapHead | None:
        """Global average pooling with one linear layer, where CAM applies; None if there is none."""
        return self._discovery.gap_head

    @property
    def activations(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the module has rectifiers, and the names of its other activation functions."""
        return self._discovery.rectifies, self._discovery.activations

    @property
    def is_reentrant(self) -> bool:
        """Whether a part is checkpointed with ``use_reentrant=True``, so that gradients do not pass through it."""
        return self._discovery.is_reentrant

    def layer(self, name: str | None = None) -> Layer:
        """Return a layer by its module name.

        Args:
            name: module name; the default layer if None.

        Raises:
            LayerError: if there is no such layer, or it has no map, or runs more than once.

        Example:
            >>> import camwidget as cw
            >>> cw.load().layer("stage3").shape  # channels, height, width
            (64, 24, 24)
        """
        name = self._canonical(self.default_layer if name is None else name)
        return self._discovery.layer(name, self.name, exists=name in self._module_names.values())

    def has_layer(self, name: str) -> bool:
        """Return whether there is a layer of this name with a map."""
        return name in self._discovery.layers

    def is_same_layer(self, name: str, other: str) -> bool:
        """Return whether two layer names stand for the same tensor, as a container and its last child do."""
        return self._discovery.is_same(self._canonical(name), self._canonical(other))

    def _canonical(self, name: Any) -> str:
        """Return the first name of a module that has several names, or the name of a module given itself."""
        module = name
        if isinstance(name, str):
            try:
                module = self.module.get_submodule(name)
            except AttributeError:
                return name
        if not isinstance(module, nn.Module):
            return str(name)
        # A submodule that was replaced since has the name that was given.
        otherwise = name if isinstance(name, str) else type(module).__name__
        return self._module_names.get(module, otherwise)

    # -- passes ----------------------------------------------------------------------------

    def pixels(self, pictures: Any) -> torch.Tensor:
        """Compute the pixels that the model gets, before normalization.

        Args:
            pictures: one picture, a list of pictures, or a tensor (N, C, H, W) (see ``Preprocess.pixels``).

        Returns:
            float32 (N, C, H, W) in [0, 1] on the CPU; of clips (N, C, T·H, W), each one's frames one below the other.

        Raises:
            PictureError: if a picture cannot be read, the list is empty, or the sizes differ.
        """
        with PrivateRandomNumbers() if self.randomness_note else nullcontext():
            return pixel_batch(self.preprocess, pictures)

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalize pixels (N, C, H, W) in [0, 1] to the module's input, on its device and in its dtype."""
        return self.preprocess.normalize(pixels.to(self.device)).to(self.dtype)

    def given(self, **inputs: Any) -> VisionModel:
        """Return the same model with another text, other inputs besides the picture, or other references as classes.

        Args:
            inputs: the text by the prompt's name, ``model.given(question="what color is the star?")``, which may
                change the classes; tensors by name, with one row, (1, …), or one row a picture; ``texts`` or
                ``pictures`` to compare with (see ``SimilarityModel``); the ``region`` of a ``SegmentationModel``, the
                ``detections`` of a ``DetectionModel``.

        Raises:
            PromptError: if the text is empty, or has words that the model does not know.
            ModelError: if the module takes no input of that name, or it is not a tensor.
        """
        prompt = self.prompt
        text = None if prompt is None else inputs.pop(prompt.name, None)
        self._extra_inputs.check_names(inputs, self.name, None if prompt is None else prompt.name)
        extra_inputs = self._extra_inputs.with_tensors(inputs)
        if prompt is None or text is None:
            return self._copy_with(_extra_inputs=extra_inputs)
        tidy, parsed_prompt = read_text(prompt, text)
        changes: dict[str, Any] = {
            "_extra_inputs": extra_inputs.with_text(parsed_prompt),
            "text": tidy,
        }
        if parsed_prompt.classes is None:
            return self._copy_with(**changes)
        classes = unique_names(parsed_prompt.classes, len(parsed_prompt.classes))
        return self._copy_with(
            **changes,
            _discovery=self._discovery.with_classes(len(classes)),
            _reader=self._reader.with_columns(len(classes)),
            _index={name: i for i, name in enumerate(classes)},
            classes=classes,
        )

    @property
    def parsed_prompt(self) -> ParsedPrompt | None:
        """The parsed current text; None until a text is given."""
        return None if self.text is None else self._extra_inputs.parsed_prompt

    def proposal(self, picture: PictureLike) -> str | None:
        """Return the model's own text for a picture; None if only the user can give a text."""
        if self.prompt is None:
            raise PromptError(f"{self.name} takes no text.")
        pixels = self.pixels(picture)
        with self.isolated() as isolated, torch.no_grad():
            return self.prompt.propose(isolated, pixels)

    def propose(self, picture: PictureLike) -> str:
        """Return the model's own text for a picture, such as a caption.

        Args:
            picture: the picture.

        Raises:
            PromptError: if only the user can give a text, or the model takes none.
        """
        text = self.proposal(picture)
        if text is None:
            assert self.prompt is not None
            name, example = self.prompt.name, self.prompt.examples[0]
            raise PromptError(
                f"{self.name} takes a {name} and cannot propose one: pass it with model.given({name}={example!r})."
            )
        return text

    def with_text_for(self, picture: PictureLike) -> VisionModel:
        """Return the model with a text: itself if it has one or takes none; otherwise with its own text for a picture.

        Raises:
            PromptError: if the model has no text, and none of its own for the picture.
        """
        if self.prompt is None or self.text is not None:
            return self
        return self.given(**{self.prompt.name: self.propose(picture)})

    def require_text(self) -> None:
        """Raise a ``PromptError`` if the model needs a text and has none."""
        if self.prompt is not None and self.text is None:
            name, example = self.prompt.name, self.prompt.examples[0]
            raise PromptError(
                f"{self.name} needs a {name}: pass it with model.given({name}={example!r})."
            )

    def split_inputs(self, inputs: Mapping[str, Any]) -> tuple[VisionModel, Any]:
        """Split a mapping of all inputs into the model with the other inputs, and the picture.

        A mapping without other inputs is a mapping of pictures, and is returned unchanged.

        Raises:
            ModelError: if it is not clear which input is the picture.
        """
        prompt = None if self.prompt is None else self.prompt.name
        others, picture = self._extra_inputs.split(inputs, self.name, prompt)
        return (self.given(**others), picture) if others else (self, inputs)

    def with_inputs_of(self, picture: int) -> VisionModel:
        """Return the same model with the inputs of one picture of a batch."""
        rows = self._extra_inputs.row(picture)
        return self.given(**rows) if rows else self

    def with_module(self, module: nn.Module) -> VisionModel:
        """Return the same model, with the same text, around another module: a copy of its module with any weights."""
        names = {m: n for n, m in module.named_modules()}
        return self._copy_with(module=module, _module_names=names, _reused_copy=ReusedCopy())

    def extras(self, count: int) -> dict[str, torch.Tensor]:
        """Return the inputs besides the picture, by name, for a batch of ``count`` pictures."""
        return self._extra_inputs.rows(count, self.device, self.dtype)

    def run(self, inputs: torch.Tensor) -> Any:
        """Run the module on inputs (N, C, H, W). Only within ``isolated``, of the model that it yields.

        Returns:
            The module's output, or an ``outputs.ScoredOutput`` if the logits are not part of it; for ``logits_of``.

        Raises:
            ModelError: if the module fails, for any reason except lack of memory.
        """
        try:
            return self._reader.call(self.module, inputs, self.extras(len(inputs)))
        except CamwidgetError:
            raise
        except Exception as error:  # a user's module may raise anything
            raise_failed_pass(error, self.name, self.device, inputs.shape)

    def logits_of(self, output: Any, count: int) -> torch.Tensor:
        """Return the logits (N, classes) in an output of ``run``; (N, 0) for a model without classes.

        Raises:
            ModelError: if the output has no logits where the first pass found them.
        """
        if not self.classes:
            return torch.zeros(count, 0, device=self.device)
        logits = self._reader.logits(output, count)
        if logits is not None:
            return logits
        raise ModelError(
            f"{self.name} returned {describe_output(output)} for {count} pictures, without logits "
            f"({count}, {len(self.classes)})."
        )

    def read_copy(self, copy: nn.Module, inputs: torch.Tensor) -> Any:
        """Run a copy of the module with tensor operations only, and return its logits if it has some."""
        return self._reader.read_copy(copy, inputs)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run a forward pass without graph.

        Args:
            pixels: pixels (N, C, H, W) in [0, 1].

        Returns:
            float32 logits (N, classes).

        Raises:
            ModelError: if the module fails, or the logits are not finite.
        """
        # Not inference_mode: a module may store what it computes (a position grid, say), and then could not be
        # trained any more.
        with self.isolated() as isolated, torch.no_grad():
            logits = isolated.logits_of(isolated.run(self.inputs(pixels)), len(pixels)).float()
        self.check_finite(logits)
        return logits

    def maps(self, output: Any, size: Sequence[int]) -> torch.Tensor | None:
        """Return a layer's output as maps (N, C, h, w) for pictures of a size (H, W); None if it has a single cell."""
        tokens, by_frame = self._discovery.tokens, self._discovery.by_frame
        return spatial(output, size, self.reshape, tokens, self.frames, by_frame=by_frame)

    def map_frames(
        self, layer: str, size: Sequence[int], whole: Sequence[int]
    ) -> tuple[int, int] | None:
        """Return the frames of a map (h, w) of a layer and of the clip, whose strip is (H, W); None for pictures."""
        return self._discovery.map_frames(self._canonical(layer), size, whole, self.frames)

    def predict(self, picture: PictureLike, top: int = 5) -> Prediction:
        """Predict the classes of one picture, under the model's own text if it proposes one.

        Args:
            picture: the picture.
            top: number of classes.

        Returns:
            The most probable classes with their probabilities.

        Raises:
            PictureError: if the picture cannot be read.

        Example:
            >>> import camwidget as cw
            >>> print(cw.load().predict(cw.zoo.samples("zoo/textures")[0].image, top=1))
            polka-dotted 0.93
        """
        pixels = self.pixels(picture)
        ready = self.with_text_for(pixels)
        return ready.prediction(ready.logits(pixels)[0], top)

    @contextmanager
    def isolated(self, *, runs: bool = True, is_kept: bool = False) -> Iterator[VisionModel]:
        """Yield the model for one pass, around a copy of the module's structure in evaluation mode.

        The copy has the module's current weights and hooks; the pass leaves no trace in the module. Autocast and
        inference mode are off in the ``with`` block, so that a picture has the same output wherever it is computed.

        Args:
            runs: whether a forward pass follows; False for a backward pass.
            is_kept: whether the module that is yielded is used after the ``with`` block too. Otherwise the next pass
                uses the same copy, if nothing has changed, and its tensors are taken out meanwhile.
        """
        copy = None if is_kept else self._reused_copy
        with isolated_module(self.module, self.device, self.isolation, runs, copy) as module:
            yield self._copy_with(module=module)

    def check_finite(self, logits: torch.Tensor) -> None:
        """Raise a ``ModelError`` that names the cause if logits are not finite; −inf of a masked class is allowed."""
        if not are_proper(logits, self.scores):
            raise non_finite_error(self.module, self.name, self.dtype)

    @leaves_random_state
    def _discover(
        self, reader: OutputReader, *, without: bool
    ) -> tuple[LayerTable, OutputReader, PassIsolation]:
        with PrivateRandomNumbers(0):
            inputs = self.inputs(self.pixels(first_picture(self.preprocess)))
        return first_passes(self.module, inputs, reader, self.reshape, self.extras(1), without)

    def _copy_with(self, **attributes: Any) -> VisionModel:
        """Return a shallow copy with other attributes."""
        other = copy.copy(self)
        vars(other).update(attributes)
        return other

    def _floating_tensor(self) -> torch.Tensor:
        for tensor in itertools.chain(self.module.parameters(), self.module.buffers()):
            if tensor.is_floating_point():
                return tensor
        return torch.empty(0)

    def __repr__(self) -> str:
        what = ("quantity", "quantities") if self.scores == "value" else ("class", "classes")
        return (
            f"VisionModel({self.name!r}, {len(self.classes)} {what[len(self.classes) != 1]}, "
            f"default layer {self.default_layer!r}, {self.device})"
        )
