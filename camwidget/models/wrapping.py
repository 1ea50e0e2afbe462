"""``wrap``: make a ``VisionModel`` of a user's module."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .._validation import as_name_list
from ..errors import LayerError, ModelError, warn
from ..images.preprocess import Preprocess
from .argument_checks import require_module
from .detection_model import DetectionModel
from .image_processors import read_processor
from .input_channels import default_preprocess, input_channels, takes_volumes
from .provenance import Provenance
from .segmentation_model import SegmentationModel
from .similarity_model import likeness_model, text_model
from .text_inputs import Prompt
from .two_towers import Tokenize, TwoTowers, has_two_towers, tokenizer_of
from .vision_model import VisionModel

__all__ = ["best_device", "wrap"]

#: What a module may compute.
_KINDS = ("classes", "texts", "embedding", "segments", "boxes", "video")

#: Number of frames of a clip, unless the preprocessing has its own: that of torchvision's video models.
FRAMES = 16

#: Kinds of models that say what is where in the picture.
_IN_THE_PICTURE = ("segments", "boxes")


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
    kind: str | None = None,
    tokenizer: Tokenize | None = None,
) -> VisionModel:
    """Make a module ready to be explained. The module is neither moved nor modified.

    Each pass runs a copy of the module's structure around the same weights, in evaluation mode and with the same hooks,
    so that the module may be trained meanwhile. States of random generators are restored after each pass. Other effects
    of the forward pass outside the module, such as a counter in a global variable or a file, cannot be prevented.

    Args:
        module: takes pictures (N, C, H, W), or clips (N, C, T, H, W), and returns logits (N, classes), alone or in a
            tuple, a mapping or an object. If it ends in a softmax or sigmoid, the input of that function is explained.
            A module that returns features, boxes or a score for every pixel has no classes; its targets are callables.
            For a module that embeds pictures, or pictures and texts, see ``kind``.
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
            over the pixels of a segmentation. Not needed if there is one candidate, or a name such as ``logits``. With
            ``kind="embedding"``, the part that has the embedding (N, D); with ``kind="segments"``, the scores of every
            pixel (N, classes, h, w).
        kind: what the module computes. "classes": scores of classes. "texts": embeddings of pictures and of texts, as
            CLIP does; each text of ``model.given(texts=[…])`` is a class then. "embedding": embeddings of pictures;
            each reference of ``model.given(pictures=[…])`` is a class then, and its score the cosine of the two
            embeddings. "segments": scores of every pixel (N, classes, h, w), of which the means over a region are
            explained, the whole picture or that of ``model.given(region=mask)``. "boxes": boxes with labels and scores,
            of which each of ``model.given(detections=model.detections(picture))`` is a class then. "video": scores of
            classes of a clip (N, C, T, H, W), of as many frames as ``Preprocess(…, frames=…)`` has, or 16. If None,
            "texts" for a module with the methods and the logit scale of a CLIP of transformers or open_clip; "video"
            where the first convolution has three dimensions and the module takes clips; else "classes".
        tokenizer: for ``kind="texts"``, a callable from a text to its token numbers (1, tokens), or to a mapping with
            them. If None, that of ``preprocess``, a processor of transformers.

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
        preprocess = default_preprocess(module)
    taken = input_channels(module)
    ready = Preprocess.of(read_processor(preprocess, taken), taken)
    name = name or type(module).__name__
    kind = _kind(module, kind)
    if kind in _IN_THE_PICTURE:
        refused = {"prompt": prompt, "unit": unit or None, "tokenizer": tokenizer}
        _refuse(kind, name, {**refused, "scores": scores if kind == "boxes" else None})
    elif kind not in ("classes", "video"):
        declared = {"classes": classes, "prompt": prompt, "scores": scores, "unit": unit or None}
        _refuse(kind, name, declared)
    try:
        model: VisionModel
        if kind == "texts":
            _refuse(kind, name, {"inputs": inputs, "output": output})
            tokenize = tokenizer or tokenizer_of(module, preprocess)
            if tokenize is None:
                raise ModelError(_no_tokenizer(name))
            model = text_model(module, ready, tokenize, name=name, reshape=reshape, layers=layers)
        elif kind == "boxes":
            model = DetectionModel(
                module,
                ready,
                classes,
                name=name,
                reshape=reshape,
                layers=layers,
                inputs=inputs,
                output=output,
            )
        elif kind == "segments":
            model = SegmentationModel(
                module,
                ready,
                classes,
                name=name,
                reshape=reshape,
                layers=layers,
                inputs=inputs,
                scores=scores,
                output=output,
            )
        elif kind == "embedding":
            towers = TwoTowers.of(module, ready).image if has_two_towers(module) else module
            model = likeness_model(
                towers,
                ready,
                name=name,
                reshape=reshape,
                layers=layers,
                inputs=inputs,
                output=output,
            )
        else:

            def classifier(prepared: Preprocess) -> VisionModel:
                return VisionModel(
                    module,
                    prepared,
                    classes,
                    name=name,
                    reshape=reshape,
                    layers=layers,
                    inputs=inputs,
                    prompt=prompt,
                    scores=scores,
                    unit=unit,
                    output=output,
                )

            of_clips = ready if ready.frames else ready.of_frames(FRAMES)
            of_volumes = (
                _clip_classifier(classifier, of_clips)
                if kind == "classes" and takes_volumes(module) and not ready.frames
                else None
            )
            model = of_volumes or classifier(of_clips if kind == "video" else ready)
            if not ready.frames and model.frames is not None:
                warn(
                    f"{name} is taken for a model of clips of {FRAMES} frames: of a longer clip or volume it gets "
                    f"{FRAMES} frames or slices at even distances. Pass their number, "
                    "preprocess=camwidget.Preprocess(size, mean=…, std=…, frames=…)."
                )
    except (ModelError, LayerError) as error:
        if taken not in (None, ready.channels) and "fails on an input" in str(error):
            raise ModelError(
                _other_channels(type(module).__name__, ready.channels, taken)
            ) from error
        if not takes_volumes(module):
            raise
        if isinstance(error, LayerError):  # the module ran
            if "layers=[]" not in str(error):  # a layer's name is wrong
                raise
            if reshape is not None:
                raise LayerError(
                    f"{type(module).__name__} computes volumes (N, C, D, H, W), and what reshape= makes of them are no "
                    "maps: of clips these are (N, C, t, h, w), with the time axis kept, and of pictures (N, C, h, w). "
                    "Layers of clips that give (N, C, t, h, w) need no reshape=: leave it out."
                ) from error
            raise LayerError(
                f"{type(module).__name__} computes volumes (N, C, D, H, W), and a map has no depth. Pass a function "
                "that removes it: reshape=lambda t: t.mean(2) is the mean over the depth."
            ) from error
        if error.__cause__ is None:  # the module ran, and the output is ambiguous
            raise
        raise ModelError(
            f"{type(module).__name__} begins with a three-dimensional convolution, and takes neither clips (N, C, "
            f"{FRAMES}, H, W) nor pictures (N, C, H, W): {error} For clips of another size or length pass "
            "camwidget.Preprocess(size, mean=…, std=…, frames=…)."
        ) from error
    model.origin = Provenance("wrap", type(module).__name__)
    return model


def _clip_classifier(
    classifier: Callable[[Preprocess], VisionModel], of_clips: Preprocess
) -> VisionModel | None:
    """Return the model of clips; None if the module fails on a clip, since it makes volumes of pictures itself."""
    try:
        return classifier(of_clips)
    except ModelError as error:
        if "fails on an input" not in str(error):
            raise
        return None


def _kind(module: nn.Module, kind: str | None) -> str:
    if kind is None:
        return "texts" if has_two_towers(module) else "classes"
    if kind not in _KINDS:
        raise ModelError(f"There is no kind={kind!r}: use {', '.join(map(repr, _KINDS))}.")
    if kind == "texts" and not has_two_towers(module):
        raise ModelError(
            f"{type(module).__name__} does not compare pictures with texts: that takes methods encode_image and "
            "encode_text, and a parameter logit_scale, the logarithm of the cosine's factor. Leave kind='texts' out."
        )
    return kind


def _refuse(kind: str, name: str, arguments: Mapping[str, Any]) -> None:
    """Raise a ``ModelError`` for an argument that a kind of model does not take."""
    given = next((argument for argument, value in arguments.items() if value is not None), None)
    if given is not None and kind in _IN_THE_PICTURE:
        raise ModelError(
            f"{name} is wrapped with kind={kind!r}, where {given}= has no meaning: leave it out."
        )
    if given is not None:
        word = "texts" if kind == "texts" else "pictures"
        raise ModelError(
            f"{name} is wrapped with kind={kind!r}, where {given}= has no meaning: leave it out, and give the {word} "
            f"that are its classes, model.given({word}=[…])."
        )


def _no_tokenizer(name: str) -> str:
    return (
        f"{name} compares pictures with texts, and its tokenizer is not known: pass its processor "
        "(transformers.AutoProcessor) as preprocess, or tokenizer=…, a callable from a text to its token numbers. "
        "Without texts, kind='embedding' compares pictures with pictures."
    )


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
