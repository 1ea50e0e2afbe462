"""``wrap``: turn a user's own module into a ``VisionModel``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._validation import listed_names
from ..errors import LayerError, ModelError
from ..images.preprocess import Preprocess, channels_taken, default_preprocess, takes_volumes
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
    """Make your own module ready to be explained. The module stays where and as it is.

    Random generators that it draws from are put back after each pass too. What else its forward changes outside of
    itself, such as a counter in a global variable or a file, cannot be protected: it counts our passes as well.

    Args:
        module: takes (N, C, H, W), returns logits (N, classes), alone or in a tuple, a mapping or an object. If it ends
            in a softmax or a sigmoid, what goes into that is explained. A module that returns features, boxes, or a
            score for every pixel has no classes: its targets are callables. What is run is a copy of its structure
            around the same weights, in evaluation mode and with the same hooks: the module may be trained meanwhile.
        preprocess: a ``Preprocess``, a torchvision transform that ends in ``Normalize``, an image processor of
            transformers, or a callable from PIL to a tensor in [0, 1]. None: short side to 224, centre crop, no
            normalisation.
        classes: their names, in order (or a mapping from indices to names); if None those in a transformers model's
            ``config.id2label``, else ``class 0`` …. Two names for a single output: it is a logit that speaks for the
            second against the first.
        layers: module names to choose from, the last one being the default; found if None. Empty for a module of whose
            layers none is wanted, or none found: methods at the picture, such as saliency and occlusion, remain. So it
            is by itself where the module calls no modules.
        reshape: for layers whose output is not (N, C, H, W): a callable that makes it so. Not needed for
            (N, H, W, C), nor for tokens (N, T, C) in a grid of patches: these are found.
        name: what to call the model; the class name of the module if None.
        inputs: what the module takes beside the picture, by name: tensors of one row, or one a picture.
            ``model.given(name=…)`` is the same model with others.
        prompt: for a module that takes a text beside the picture, a question or a caption: a ``prompts.Prompt``, which
            says what a text makes of the model. ``model.given(question="…")`` is the model under a text; a
            captioner may propose its own for each picture. Where the text names the outputs, ``classes`` is not needed.
        scores: what the outputs are. "softmax": logits of one class of several. "sigmoid": logits of labels, each for
            itself. "log": log-probabilities, as of the words of a caption. "probability": probabilities, of the one
            kind or the other. "value": quantities, such as an age; the number itself is shown, and "confidence" is that
            number. None recognises a softmax or sigmoid at the module's end, and takes anything else for
            "softmax"; of a single output it has to be said.
        unit: of a quantity, such as "years".
        output: which part of what the module returns has the class scores: a key, an index, an attribute, a tuple of
            these, or a callable from the output to (N, classes): for the mean over the pixels of a segmentation
            ``lambda out: out["out"].mean((2, 3))``. Not needed where a name such as ``logits`` tells, or there is
            only one.

    Raises:
        ModelError: if the module fails, the names do not fit, weights are NaN, or it is not clear which of several
            outputs are class scores, or what a single output is.
        PromptError: if the prompt's first example cannot be read.
        LayerError: if a layer does not exist or no layer has a map.
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
    layers = None if layers is None else listed_names(layers, "layers")
    if preprocess is None:
        preprocess = default_preprocess(module)
    taken = channels_taken(module)
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
        if not takes_volumes(module):
            raise
        if isinstance(error, LayerError):  # it ran
            raise LayerError(
                f"{type(module).__name__} makes volumes (N, C, D, H, W) of a picture, and a map has no depth. Say what "
                "to make of it: reshape=lambda t: t.mean(2) is the mean over the depth."
            ) from error
        if error.__cause__ is None:  # it ran, and something else is not clear
            raise
        raise ModelError(
            f"{type(module).__name__} begins with a three-dimensional convolution, so it takes volumes or videos "
            "(N, C, D, H, W), and only pictures (N, C, H, W) can be explained: wrap a module that takes one slice or "
            "frame and makes the volume of it, with reshape=… for its layers (see wrap)."
        ) from error
    model.origin = Provenance("wrap", type(module).__name__)
    return model


def _other_channels(name: str, given: int, taken: int | None) -> str:
    """What to say of a preprocessing that gives another number of channels than a module takes."""
    remedy = f"pass camwidget.Preprocess(size, mean=…, std=…), mean and std of length {taken}"
    if (given, taken) == (3, 1):
        remedy += ", or begin a transform with Grayscale() and end it in a Normalize of one value"
    if (given, taken) == (1, 3):
        remedy += ", or use Grayscale(num_output_channels=3)"
    return f"{name} takes pictures of {taken} channel{'s' * (taken != 1)}, and its preprocess gives {given}: {remedy}."


def best_device() -> torch.device:
    """cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
