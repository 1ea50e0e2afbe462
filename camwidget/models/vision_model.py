"""``VisionModel``: a module with its preprocessing, class names, layers and outputs, ready to be explained."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager, nullcontext
from typing import Any, SupportsIndex

import torch
from torch import nn

from .._compat.pytorch import BATCH_NORM
from ..errors import CamwidgetError, ModelError, PictureError, PromptError, TargetError
from ..execution.device import is_lost, is_want_of_memory, lost
from ..execution.isolated_pass import PassIsolation, evaluating
from ..execution.random_numbers import PrivateDraws
from ..execution.running import bare_module, not_finite, wants_rows
from ..images.conversion import PictureLike
from ..images.preprocess import Preprocess
from .cam_head import GapHead
from .class_names import configured_names, find_class, unique_names
from .extra_inputs import ExtraInputs
from .first_passes import first_passes, first_picture
from .layer_table import Layer, LayerTable
from .layers import Reshape, spatial
from .nondeterminism import leaves_random_state, randomness_note
from .output_reader import OutputReader, picture_keyword
from .outputs import as_place, describe_output
from .prediction import Prediction
from .prompts import ParsedPrompt, Prompt, check_prompt, read_text
from .provenance import Provenance
from .scores import are_proper, check_scores, log_probabilities_of, probabilities_of

__all__ = ["Prediction", "VisionModel"]


class VisionModel:
    """A module with all that is needed to explain it. Made by ``load`` and ``wrap``.

    Attributes:
        module: the ``nn.Module``; never modified.
        preprocess: from a picture to pixels, and from pixels to the module's input.
        classes: one unique name a class; equal names get their index appended.
        layers: the layers to choose from, in order of execution (any other layer with a spatial
            output can be asked for by its module name too). Where no layer has a map, the picture alone, "input".
        default_layer: name of the last layer of ``layers`` that computes features.
        name: what to call the model.
        scores: how its logits become probabilities: "softmax", "sigmoid" or "log"; or "value", if they are quantities.
        unit: of quantities, such as "years"; empty otherwise.
        prompt: what it declares about the text that it takes beside the picture; None if it takes none.
        text: the text in force; None until one is given. The module has then been run with the prompt's first example,
            and ``classes`` are those of that.
        chance: what of its answers is left to chance, in words, as a warning said; "" if nothing is.
        origin: the call of ``load`` or ``wrap`` that made it; None if it was made by hand.
    """

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
        self.module: nn.Module = bare_module(module)
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
        self._beside = ExtraInputs.of(inputs, example)
        #: Whether pictures go one by one: those of a batch have a part in each other's answers, or fail.
        self.mixes_pictures = any(
            isinstance(m, BATCH_NORM) and m.running_mean is None for m in self.module.modules()
        )
        #: Whether the module is known to want pictures row by row in memory; found out by running it.
        self.takes_channels_last = True
        # A module under several names goes by its first.
        self._module_names: dict[nn.Module, str] = {m: n for n, m in self.module.named_modules()}
        reader = OutputReader(
            name,
            asked=None if output is None else as_place(output),
            declared="value" if unit else scores,
            names=len(classes) if isinstance(classes, Sized) else None,
            keyword=picture_keyword(self.module, self.extras(1)),
        )
        self.chance = ""
        #: How the module is kept from what a pass does to it; found out by running it.
        self._discovery, self._reader, self.isolation = self._discover(
            reader, without=layers is not None and not layers
        )
        self.scores = self._reader.scores
        self.check_finite(self._discovery.logits)
        count = 2 if self._reader.is_two_sided else self._reader.columns
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
        self.chance = randomness_note(self)

    # -- what it is ------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the module's parameters are."""
        return self._anchor().device

    @property
    def dtype(self) -> torch.dtype:
        """The floating point type of the module's parameters."""
        return self._anchor().dtype

    @property
    def no_classes(self) -> str:
        """Why the model has no classes, and what to do; empty where it has some."""
        why = self._reader.why
        return f"{self.name} has no classes: {why}." if why else ""

    @property
    def no_maps(self) -> str:
        """Why no layer has a map, and what can be asked all the same; empty where one has."""
        return self._discovery.why_no_maps(self.name)

    @property
    def place(self) -> str:
        """Where in the module's output the class scores are, as text."""
        steps = self._reader.place or ()
        return repr(
            [s if isinstance(s, (str, int)) else getattr(s, "__qualname__", "") for s in steps]
        )

    @property
    def gap_head(self) -> GapHead | None:
        """Where class activation mapping applies, if it does."""
        return self._discovery.gap_head

    @property
    def activations(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the module rectifies anywhere, and the names of its other activations."""
        return self._discovery.rectifies, self._discovery.activations

    @property
    def is_reentrant(self) -> bool:
        """Whether a part is checkpointed with ``use_reentrant=True``, so that gradients cannot be asked through it."""
        return self._discovery.is_reentrant

    def layer(self, name: str | None = None) -> Layer:
        """A layer by its module name; the default one if None.

        Raises:
            LayerError: if there is none of that name, or it has no map, or runs more than once.
        """
        name = self._canonical(self.default_layer if name is None else name)
        return self._discovery.layer(name, self.name, exists=name in self._module_names.values())

    def has_layer(self, name: str) -> bool:
        """Whether there is a layer of this name with a map."""
        return name in self._discovery.layers

    def is_same_layer(self, name: str, other: str) -> bool:
        """Whether two layer names stand for one tensor, as a container and its last child do."""
        return self._discovery.is_same(self._canonical(name), self._canonical(other))

    def _canonical(self, name: Any) -> str:
        """The first name of a module that has several, or of a module given itself."""
        module = name
        if isinstance(name, str):
            try:
                module = self.module.get_submodule(name)
            except AttributeError:
                return name
        if not isinstance(module, nn.Module):
            return str(name)
        # A part that has been put in another's place since goes by the name that was asked for.
        return self._module_names.get(
            module, name if isinstance(name, str) else type(module).__name__
        )

    def class_index(self, target: str | SupportsIndex) -> int:
        """A class by index or by name (case does not matter).

        Raises:
            TargetError: if there is no such class, or the name stands for several.
        """
        return find_class(target, self._index, self.name)

    # -- what it does ----------------------------------------------------------------------

    def pixels(self, pictures: Any) -> torch.Tensor:
        """One picture, a list of them or a tensor (N, C, H, W) as pixels (N, C, H, W) in [0, 1]."""
        is_one = not isinstance(pictures, (list, tuple)) and not (
            isinstance(pictures, torch.Tensor) and pictures.ndim == 4
        )
        with PrivateDraws() if self.chance else nullcontext():
            rows = [self.preprocess.pixels(p) for p in ([pictures] if is_one else pictures)]
        sizes = {tuple(r.shape[-2:]) for r in rows}
        if len(sizes) != 1:
            raise PictureError(
                f"The pictures of one batch have sizes {sorted(sizes)}; explain them one by one, or resize them."
                if sizes
                else "There is no picture to explain: the list is empty."
            )
        return torch.stack(rows)

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, C, H, W) in [0, 1] as the module's input, on its device, in its dtype."""
        return self.preprocess.normalize(pixels.to(self.device)).to(self.dtype)

    def given(self, **inputs: torch.Tensor | str) -> VisionModel:
        """The same model with another text, or other inputs beside the picture.

        Args:
            inputs: the text by the prompt's name, ``model.given(question="what colour is the star?")``; tensors by
                name, (1, …) or one row a picture. A text may change the classes, and how many there are.

        Raises:
            PromptError: if the text is empty, or has words that the model does not know.
            ModelError: if the module takes no input of that name, or it is no tensor.
        """
        prompt = self.prompt
        text = None if prompt is None else inputs.pop(prompt.name, None)
        self._beside.check_names(inputs, self.name, None if prompt is None else prompt.name)
        beside = self._beside.given(inputs)
        if prompt is None or text is None:
            return self._with(_beside=beside)
        tidy, reading = read_text(prompt, text)  # type: ignore[arg-type]
        changes: dict[str, Any] = {"_beside": beside.told(reading), "text": tidy}
        if reading.classes is None:
            return self._with(**changes)
        classes = unique_names(reading.classes, len(reading.classes))
        return self._with(
            **changes,
            _discovery=self._discovery.with_classes(len(classes)),
            _reader=self._reader.with_columns(len(classes)),
            _index={name: i for i, name in enumerate(classes)},
            classes=classes,
        )

    @property
    def reading(self) -> ParsedPrompt | None:
        """What the text in force makes of the model; None until one is given."""
        return None if self.text is None else self._beside.reading

    def proposal(self, picture: PictureLike) -> str | None:
        """The text that the model itself has for a picture; None if the text has to come from a person."""
        if self.prompt is None:
            raise PromptError(f"{self.name} takes no text beside the picture.")
        pixels = self.pixels(picture)
        with self.undisturbed() as held, torch.no_grad():
            return self.prompt.propose(held, pixels)

    def propose(self, picture: PictureLike) -> str:
        """The text that the model itself has for a picture: its own caption.

        Raises:
            PromptError: if the text has to come from a person, or the model takes none.
        """
        text = self.proposal(picture)
        if text is None:
            assert self.prompt is not None
            name, example = self.prompt.name, self.prompt.examples[0]
            raise PromptError(
                f"{self.name} takes a {name}, which has to come from you: model.given({name}={example!r})."
            )
        return text

    def told(self, picture: PictureLike) -> VisionModel:
        """The model with a text: itself if it has one or takes none, else under the text it proposes for a picture.

        Raises:
            PromptError: if it has none, and none to propose.
        """
        if self.prompt is None or self.text is not None:
            return self
        return self.given(**{self.prompt.name: self.propose(picture)})

    def check_told(self) -> None:
        """Raise a PromptError if the model needs a text and has none, for what has no picture to propose one for."""
        if self.prompt is not None and self.text is None:
            name, example = self.prompt.name, self.prompt.examples[0]
            raise PromptError(
                f"{self.name} takes a {name} beside the picture: model.given({name}={example!r})."
            )

    def split_inputs(self, inputs: Mapping[str, Any]) -> tuple[VisionModel, Any]:
        """All inputs by name, the picture's among them, as the model given the others, and the picture.

        A mapping with none of the other inputs is of pictures, and comes back as it is.

        Raises:
            ModelError: if it is not clear which of them is the picture.
        """
        known = {*self._beside.tensors, *([] if self.prompt is None else [self.prompt.name])}
        others = {n: v for n, v in inputs.items() if n in known}
        if not others:
            return self, inputs
        pictures = [n for n in inputs if n not in known]
        if len(pictures) != 1:
            raise ModelError(
                f"{self.name} takes one picture beside {', '.join(map(repr, sorted(known)))}; of "
                f"{', '.join(map(repr, inputs))} that leaves {len(pictures)}. Name the other "
                "inputs in wrap(…, inputs={…})."
            )
        return self.given(**others), inputs[pictures[0]]

    def given_of(self, picture: int) -> VisionModel:
        """The same model with only the inputs of one picture of a batch."""
        rows = self._beside.row(picture)
        return self.given(**rows) if rows else self

    def around(self, module: nn.Module) -> VisionModel:
        """The same model, under the same text, around another module: a copy of its own with whatever weights."""
        names = {m: n for n, m in module.named_modules()}
        return self._with(module=module, _module_names=names)

    def extras(self, count: int) -> dict[str, torch.Tensor]:
        """The inputs beside the picture, by name, for a batch of ``count``."""
        return self._beside.rows(count, self.device, self.dtype)

    def run(self, inputs: torch.Tensor) -> Any:
        """The module's output for inputs (N, C, H, W), as ``logits_of`` takes it. Only of what ``undisturbed`` gives.

        It is the module's own, or an ``outputs.Answer`` where the logits are no part of that.

        Raises:
            ModelError: if the module fails, for want of anything but memory.
        """
        try:
            return self._reader.call(self.module, inputs, self.extras(len(inputs)))
        except CamwidgetError:
            raise
        except Exception as error:  # someone's own module
            if is_want_of_memory(error) or wants_rows(error):
                raise
            if is_lost(error):
                raise lost(self.name, self.device, error) from error
            raise ModelError(
                f"{self.name} fails on inputs of shape {tuple(inputs.shape)}: {type(error).__name__}: {error}. "
                "Explain pictures of the size it was made for, with preprocess=camwidget.Preprocess(size, …)."
            ) from error

    def logits_of(self, output: Any, count: int) -> torch.Tensor:
        """The logits (N, classes) in what ``run`` gave; (N, 0) for a model without classes.

        They are where they were in the first pass.
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
        """What a copy of the module answers to inputs, by operations on tensors alone: logits, where it has some."""
        return self._reader.read_copy(copy, inputs)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """A plain forward pass: pixels (N, C, H, W) to float32 logits (N, classes), without graph."""
        # Not inference_mode: a module may keep what it computes (a position grid, say), and its owner
        # could then not train it any more.
        with self.undisturbed() as held, torch.no_grad():
            logits = held.logits_of(held.run(self.inputs(pixels)), len(pixels)).to(torch.float32)
        self.check_finite(logits)
        return logits

    def maps(self, output: Any, size: Sequence[int]) -> torch.Tensor | None:
        """A layer's output as (N, C, h, w) for pictures of a size, or None if it has no more than one cell."""
        return spatial(output, size, self.reshape, self._discovery.tokens)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Outputs (…, classes) as probabilities in [0, 1], as ``scores`` says how."""
        return probabilities_of(logits, self.scores)

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Outputs (…, classes) as logarithms of probabilities, differentiably."""
        return log_probabilities_of(logits, self.scores)

    def predicted(self, logits: torch.Tensor) -> list[int]:
        """The class of each picture that is explained unless another is asked for; logits (N, C)."""
        return self.foremost(self.probabilities(logits.float()))

    def foremost(self, probabilities: torch.Tensor) -> list[int]:
        """The same, of probabilities (N, C).

        The most probable one, the first of several that are so alike; the first of several quantities; or the one that
        the text's reading names, such as the whole of a caption.

        Raises:
            TargetError: if the model has no classes.
        """
        reading = self.reading
        if not self.classes:
            raise TargetError(f"There is no class to choose, since {self.no_classes}")
        if reading is not None and reading.default is not None:
            return [reading.default] * len(probabilities)
        if self.scores == "value":
            return [0] * len(probabilities)
        # NumPy takes the first of equal ones, as the list of classes does; torch takes any.
        return probabilities.detach().cpu().numpy().argmax(1).tolist()  # type: ignore[no-any-return]

    def ordered(self, probabilities: torch.Tensor) -> torch.Tensor:
        """The classes (C,) in the order in which they are listed: most probable first; quantities as they come."""
        if self.scores == "value":
            return torch.arange(len(probabilities))
        return probabilities.detach().cpu().argsort(descending=True, stable=True)

    def predict(self, picture: PictureLike, top: int = 5) -> Prediction:
        """The ``top`` most probable classes of one picture; under its own text, where the model proposes one."""
        pixels = self.pixels(picture)
        told = self.told(pixels)
        return told.prediction(told.logits(pixels)[0], top)

    def prediction(self, logits: torch.Tensor, top: int = 5) -> Prediction:
        """Logits (classes,) as named probabilities, most probable first."""
        values = self.probabilities(logits.detach().float()).cpu()
        chosen = tuple(self.ordered(values)[:top].tolist())
        names = tuple(self.classes[i] for i in chosen)
        numbers = tuple(values[list(chosen)].tolist())
        return Prediction(chosen, names, numbers, self.scores, self.unit)

    @contextmanager
    def undisturbed(self, *, runs: bool = True) -> Iterator[VisionModel]:
        """Give the model for one pass, around a copy of the module's structure in evaluation mode.

        Its weights are the module's, as they are now, and so are its hooks; what a pass leaves in it is in that copy
        only. The caller's autocast and inference mode do not reach inside: the same picture has the same answer,
        and the same map, wherever it is asked for.

        Args:
            runs: whether the module is run within; False for a backward pass.
        """
        with evaluating(self.module, self.device, self.isolation, runs=runs) as module:
            yield self._with(module=module)

    def check_finite(self, logits: torch.Tensor) -> None:
        """Raise a ModelError that names the cause if the logits are not finite; −inf of a masked class is proper."""
        if not are_proper(logits, self.scores):
            raise not_finite(self.module, self.name, self.dtype)

    @leaves_random_state
    def _discover(
        self, reader: OutputReader, *, without: bool
    ) -> tuple[LayerTable, OutputReader, PassIsolation]:
        with PrivateDraws(0):
            inputs = self.inputs(self.pixels(first_picture(self.preprocess)))
        return first_passes(self.module, inputs, reader, self.reshape, self.extras(1), without)

    def _with(self, **attributes: Any) -> VisionModel:
        """A copy with other attributes."""
        other = copy.copy(self)
        vars(other).update(attributes)
        return other

    def _anchor(self) -> torch.Tensor:
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
