"""``wrap``: make a ``VisionModel`` of a user's module."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._validation import as_name_list
from ..errors import LayerError, ModelError
from ..images.preprocess import Preprocess
from .argument_checks import require_module
from .image_processors import read_processor
from .prompts import Prompt
from .provenance import Provenance
from .vision_model import VisionModel

__all__ = ["best_device", "wrap"]


def wrap(
    module: nn.Module,
    preprocess: Any = None,
    classes: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    name: str | None = None,
    inputs: Mapping[str, torch.Tensor] | None = None,
    prompt: Prompt | None = None,
    scores: str | None = None,
    unit: str = "",
    output: Any = None,
) -> VisionModel:
    """Make a module ready to be explained. The module is neither moved nor modified.

    Each pass runs a copy of the module's structure around the same weights, in evaluation mode and with the same hooks,
    so that the module may be trained meanwhile. States of random generators are restored after each pass. Other effects
    of the forward pass outside the module, such as a counter in a global variable or a file, cannot be prevented.

    Args:
        module: takes pictures (N, C, H, W) and returns logits (N, classes), alone or in a tuple, a mapping or an
            object. If it ends in a softmax or sigmoid, the input of that function is explained. A module that returns
            features, boxes or a score for every pixel has no classes; its targets are callables.
        preprocess: a ``Preprocess``, a torchvision transform that ends in ``Normalize``, an image processor of
            transformers, or a callable from PIL to a tensor in [0, 1]. If None: short side 224, center crop, no
            normalization.
        classes: class names in the order of the outputs, or a mapping from indices to names. If None, those of a
            transformers model's ``config.id2label``, else ``class 0`` …. Two names for a single output declare a logit
            of the second class against the first.
        layers: module names of the layers to choose from, of which the last is the default; found automatically if
            None. An empty list for a module without layers to explain: methods at the input, such as saliency and
            occlusion, remain.
        reshape: callable that converts layer outputs of other shapes to (N, C, H, W). (N, H, W, C), and tokens (N, T,
            C) of a grid of patches, are recognized without it.
        name: name of the model; the module's class name if None.
        inputs: further inputs of the module by name: tensors with one row, or one row a picture.
            ``model.given(name=…)`` replaces them.
        prompt: for a module that takes a question or a caption, a ``models.prompts.Prompt``, which parses the text.
            ``model.given(question="…")`` sets the text; a captioner may propose its own for each picture. ``classes``
            is not needed if the text defines the outputs.
        scores: kind of the outputs. "softmax": logits of one class of several; "sigmoid": logits of independent labels;
            "log": log-probabilities, such as of the words of a caption; "probability": probabilities of either kind;
            "value": quantities, such as an age, which are shown instead of a confidence. If None, a softmax or sigmoid
            at the end is recognized, and other outputs count as "softmax"; for a single output it must be given.
        unit: unit of a quantity, such as "years".
        output: which part of the module's output has the class scores: a key, an index, an attribute, a tuple of these,
            or a callable from the output to (N, classes), such as ``lambda out: out["out"].mean((2, 3))`` for the mean
            over the pixels of a segmentation. Not needed if there is one candidate, or a name such as ``logits``.

    Returns:
        The model.

    Raises:
        ModelError: if the module fails, the names do not fit, weights are NaN, or it is not clear which of several
            outputs are class scores, or what a single output is.
        PromptError: if the prompt's first example cannot be parsed.
        LayerError: if a layer does not exist, or no layer has a map.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from torch import nn
        >>> module = nn.Sequential(
        ...     nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        ... )
        >>> model = cw.wrap(module, cw.Preprocess(32), classes=["cat", "dog"])
        >>> model.classes, model.default_layer
        (('cat', 'dog'), '1')
        >>> cw.explain(model, torch.rand(3, 32, 32), target="dog").saliency.shape
        (32, 32)
    """
    require_module(module)
    if any(isinstance(p, nn.UninitializedParameter) for p in module.parameters()):
        raise ModelError(
            "The module has lazy parameters: run it once on an input before wrapping it."
        )
    tensors = itertools.chain(module.named_parameters(), module.named_buffers())
    empty = next((n for n, tensor in tensors if tensor.is_meta), None)
    if empty is not None:
        raise ModelError(
            f"{empty!r} of the module is on the device 'meta', and has a shape and no values: make the module without "
            "torch.device('meta') or init_empty_weights, or give it its weights first, "
            "module.to_empty(device='cpu') and module.load_state_dict(…)."
        )
    if any(p.is_inference() for p in module.parameters()):
        raise ModelError(
            "The module was made under torch.inference_mode, so that nothing can be differentiated through it. "
            "Make it, or load its weights, outside."
        )
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            "A TorchScript module does not show its layers: wrap the nn.Module that it was made from."
        )
    layers = None if layers is None else as_name_list(layers, "layers")
    if preprocess is None:
        preprocess = _default_preprocess(module)
    taken = _input_channels(module)
    ready = Preprocess.of(read_processor(preprocess), taken)
    try:
        model = VisionModel(
            module,
            ready,
            classes,
            name=name or type(module).__name__,
            reshape=reshape,
            layers=layers,
            inputs=inputs,
            prompt=prompt,
            scores=scores,
            unit=unit,
            output=output,
        )
    except (ModelError, LayerError) as error:
        if taken not in (None, ready.channels) and "fails on an input" in str(error):
            raise ModelError(
                _other_channels(type(module).__name__, ready.channels, taken)
            ) from error
        if not _takes_volumes(module):
            raise
        if isinstance(error, LayerError):  # the module ran
            raise LayerError(
                f"{type(module).__name__} computes volumes (N, C, D, H, W), and a map has no depth. Pass a function "
                "that removes it: reshape=lambda t: t.mean(2) is the mean over the depth."
            ) from error
        if error.__cause__ is None:  # the module ran, and the output is ambiguous
            raise
        raise ModelError(
            f"{type(module).__name__} begins with a three-dimensional convolution, so it takes volumes or videos "
            "(N, C, D, H, W), and only pictures (N, C, H, W) can be explained: wrap a module that takes one slice or "
            "frame and makes the volume of it, with reshape=… for its layers (see wrap)."
        ) from error
    model.origin = Provenance("wrap", type(module).__name__)
    return model


def _default_preprocess(module: nn.Module) -> Preprocess:
    """Return the preprocessing of a module without one: short side 224, center crop, no normalization."""
    channels = _input_channels(module) or 3
    return Preprocess(mean=(0.0,) * channels, std=(1.0,) * channels)


def _input_channels(module: nn.Module) -> int | None:
    """Return the number of input channels of the first convolution; None if it is not two-dimensional."""
    first = _first_convolution(module)
    return first.in_channels if isinstance(first, nn.Conv2d) else None


def _takes_volumes(module: nn.Module) -> bool:
    """Return whether the first convolution of a module has three dimensions."""
    return isinstance(_first_convolution(module), nn.Conv3d)


def _first_convolution(module: nn.Module) -> nn.Module | None:
    kinds = (nn.Conv2d, nn.Conv3d)
    return next((m for m in module.modules() if isinstance(m, kinds)), None)


def _other_channels(name: str, given: int, taken: int | None) -> str:
    """Return the message for a preprocessing whose number of channels is not the module's."""
    remedy = f"pass camwidget.Preprocess(size, mean=…, std=…), mean and std of length {taken}"
    if (given, taken) == (3, 1):
        remedy += ", or begin a transform with Grayscale() and end it in a Normalize of one value"
    if (given, taken) == (1, 3):
        remedy += ", or use Grayscale(num_output_channels=3)"
    return f"{name} takes pictures of {taken} channel{'s' * (taken != 1)}, and its preprocess gives {given}: {remedy}."


def best_device() -> torch.device:
    """Return the best available device: cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
