"""``load``: models by name, embedded or of a library, with weights from a file if given."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import IO, Any

import torch

from .. import zoo
from ..errors import ModelError, WeightsError
from ..images.preprocess import Preprocess
from ..models.detection_model import DetectionModel
from ..models.provenance import Provenance
from ..models.segmentation_model import SegmentationModel
from ..models.similarity_model import text_model
from ..models.vision_model import VisionModel
from ..models.wrapping import best_device
from .model_names import resolve_model_name
from .open_clip_models import load_open_clip
from .timm_models import load_timm
from .transformers_models import load_transformers

__all__ = ["DEFAULT_MODEL", "embedded", "list_models", "load"]

DEFAULT_MODEL = "zoo/textures"

_MAKERS: dict[str | None, Any] = {"segments": SegmentationModel, "boxes": DetectionModel}


def load(
    name: str = DEFAULT_MODEL,
    *,
    weights: str | os.PathLike[str] | bytes | IO[bytes] | Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    pretrained: bool = True,
) -> VisionModel:
    """Load a model by name, ready to be explained.

    Args:
        name: name of an embedded model (``list_models()``), or of a torchvision model that classifies pictures or
            their pixels, or finds boxes (see ``SegmentationModel`` and ``DetectionModel``), or classifies clips of 16
            frames; or a model of another
            library, of which an extra of camwidget is needed: ``timm/NAME`` (``camwidget[timm]``), ``hf/OWNER/NAME``
            for a model of transformers on the Hugging Face hub (``camwidget[hf]``), ``open_clip/NAME``
            (``camwidget[open_clip]``). In place of the name, each of the three takes the path of a folder as the
            library saves a model for the hub, and then uses no network. The preprocessing is the library's own, and so
            are the class names.
        weights: weights to use: a path, the bytes of a file, an open file, or a state dict; for torchvision and
            open_clip also the name of pretrained weights. If None, those in the folder, or the default pretrained
            weights, which the library downloads; open_clip has no default. A file holds a state dict, a training
            checkpoint with one (of Lightning, timm, a compiled or distributed module, …), or a pickled module, saved by
            ``torch.save`` or safetensors; no code in the file is run.
        classes: class names, one an output, if the weights do not define them.
        device: device to run on; if None, cuda, else mps, else cpu.
        pretrained: False for random weights, of which nothing is downloaded.

    Returns:
        The model, in evaluation mode on that device. A model with two towers, such as CLIP, has no classes until texts
        are given, ``model.given(texts=["a cat", "a dog"])``; a model without a head, such as DINOv2, until reference
        pictures are, ``model.given(pictures=["a.jpg", "b.jpg"])``.

    Raises:
        ModelError: if there is no such model or device, a folder lacks a file, or an extra is not installed.
        WeightsError: if the weights are missing, damaged, or made for another architecture.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load()
        >>> model.name, len(model.classes), model.default_layer
        ('zoo/textures', 10, 'stage4')
        >>> model.predict(cw.zoo.samples("zoo/textures")[0].image).names[0]
        'polka-dotted'
    """
    place = best_device() if device is None else _usable_device(device)
    name = resolve_model_name(name)
    if not pretrained and weights is not None:
        raise WeightsError(
            "pretrained=False is for random weights: leave it out, or leave weights= out."
        )
    model = _load_model(name, weights, classes, place, pretrained=pretrained)
    model.origin = Provenance(
        "load",
        name,
        weights=_weights_name(weights),
        weights_in_memory=not isinstance(weights, (str, os.PathLike, Enum, type(None))),
        classes=None if classes is None else model.classes,
        device=None if device is None else str(device),
        pretrained=pretrained,
    )
    return model


def _weights_name(weights: Any) -> str | None:
    """Return the path or name of weights; None for default weights, and for weights in memory."""
    if isinstance(weights, Enum):
        return str(weights.name)
    return str(weights) if isinstance(weights, (str, os.PathLike)) else None


def _usable_device(device: str | torch.device) -> torch.device:
    """Return a device by name, after a computation on it.

    Raises:
        ModelError: if there is no such device.
    """
    try:
        place = torch.device(device)
        torch.zeros(1, device=place).add(1).cpu()  # fails on "meta", which holds no numbers
    except Exception as error:  # torch raises errors of many types, also AssertionError
        available = ["cpu"]
        if torch.cuda.is_available():
            available += [f"cuda:{n}" for n in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            available.append("mps")
        raise ModelError(
            f"There is no device {device!r} here to compute on. There is {', '.join(map(repr, available))}; without "
            "device= the best of them is taken."
        ) from error
    return place


def _load_model(
    name: str,
    weights: Any,
    classes: Sequence[str] | None,
    place: torch.device,
    *,
    pretrained: bool,
) -> VisionModel:
    if name in zoo.available():
        if weights is not None or not pretrained:
            argument = "pretrained=" if weights is None else "weights="
            raise WeightsError(f"{name} carries its own weights: leave {argument} out.")
        return embedded(zoo.build(name), place, classes)
    if name.startswith("timm/"):
        return load_timm(name, weights, classes, place, pretrained=pretrained)
    if name.startswith("hf/"):
        return load_transformers(name, weights, classes, place, pretrained=pretrained)
    if name.startswith("open_clip/"):
        if classes is not None:
            raise ModelError(
                f"The classes of {name} are texts: leave classes= out, and call model.given(texts=[…])."
            )
        return load_open_clip(name, weights, place, pretrained=pretrained)
    # Torchvision takes seconds to import: only its own models wait for it.
    from .torchvision_models import load_torchvision

    return load_torchvision(name, weights, classes, place, _MAKERS, pretrained=pretrained)


def embedded(
    model: zoo.ZooModel,
    place: torch.device | None = None,
    classes: Sequence[str] | None = None,
) -> VisionModel:
    """Wrap a model of the zoo, ready to be explained.

    Args:
        model: the zoo's model.
        place: device to move it to; where it is if None.
        classes: class names; its own if None.

    Returns:
        The model; of two towers, with its default texts.

    Raises:
        ModelError: if class names are given to a model whose classes are texts.
    """
    module = model.module if place is None else model.module.to(place)
    preprocess = Preprocess(model.input_size, mean=model.mean, std=model.std, frames=model.frames)
    if model.texts is not None:
        if classes is not None:
            raise ModelError(
                f"The classes of {model.name} are texts: leave classes= out, and call model.given(texts=[…])."
            )
        towers = text_model(module, preprocess, model.texts.tokenize, name=model.name)
        return towers.given(texts=model.texts.default)
    named = model.classes if classes is None else classes
    if maker := _MAKERS.get(model.kind):
        found: VisionModel = maker(module, preprocess, named, name=model.name, layers=model.layers)
        return found
    return VisionModel(
        module,
        preprocess,
        named,
        name=model.name,
        prompt=model.prompt,
        scores=model.scores,
        layers=model.layers,
    )


def list_models() -> tuple[str, ...]:
    """Return the names of the embedded models, which need no download.

    Returns:
        Names for ``load``, such as "zoo/textures".

    Example:
        >>> import camwidget as cw
        >>> "zoo/textures" in cw.list_models()
        True
    """
    return zoo.available()
