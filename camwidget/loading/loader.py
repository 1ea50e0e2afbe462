"""``load``: models by name, embedded or of a library, with weights from a file if given."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, Any
from urllib.error import URLError

import torch
import torchvision
from torch import nn
from torchvision.models import Weights, WeightsEnum

from .. import zoo
from ..errors import ModelError, WeightsError
from ..images.preprocess import Preprocess
from ..models.detection_model import DetectionModel
from ..models.provenance import Provenance
from ..models.segmentation_model import SegmentationModel
from ..models.similarity_model import text_model
from ..models.vision_model import VisionModel
from ..models.wrapping import FRAMES, best_device
from .checkpoints import Checkpoint, Readable, fill
from .model_names import resolve_model_name, torchvision_kind
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
        weights_in_memory=not isinstance(weights, (str, os.PathLike, WeightsEnum, type(None))),
        classes=None if classes is None else model.classes,
        device=None if device is None else str(device),
        pretrained=pretrained,
    )
    return model


def _weights_name(weights: Any) -> str | None:
    """Return the path or name of weights; None for default weights, and for weights in memory."""
    if isinstance(weights, WeightsEnum):
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
    known = torchvision.models.get_model_weights(name)
    chosen = known.DEFAULT if weights is None else _named_set(known, weights)
    module: nn.Module
    kind = torchvision_kind(name)
    # Otherwise torchvision fetches weights of the classifier inside.
    options: dict[str, Any] = {"weights_backbone": None} if kind in _MAKERS else {}
    if not pretrained:
        if classes is not None:
            options["num_classes"] = len(classes)
        module = torchvision.models.get_model(name, weights=None, **options)
        entry = known.DEFAULT
    elif chosen is not None:
        module, entry = _pretrained(name, chosen), chosen
    else:
        module, entry = _from_file(name, weights, classes, options), known.DEFAULT
    preprocess = Preprocess.of(entry.transforms())
    model: VisionModel = _MAKERS.get(kind, VisionModel)(
        module.eval().to(place),
        preprocess.of_frames(FRAMES) if kind == "video" else preprocess,
        classes,
        usual_classes=entry.meta.get("categories", ()),
        name=name,
    )
    return model


def _named_set(known: type[WeightsEnum], weights: Any) -> WeightsEnum | None:
    """Return pretrained weights of an architecture by enum member or name, such as "IMAGENET1K_V2"; None for a file."""
    if isinstance(weights, known):
        return weights
    if isinstance(weights, WeightsEnum):
        raise WeightsError(
            f"{weights} are the weights of another architecture than {known.__name__}."
        )
    if not isinstance(weights, str):
        return None
    requested = weights.upper().removeprefix(f"{known.__name__.upper()}.")
    return next((w for n, w in known.__members__.items() if n.upper() == requested), None)


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
    preprocess = Preprocess(model.input_size, mean=model.mean, std=model.std)
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


def _pretrained(name: str, weights: WeightsEnum | Weights) -> nn.Module:
    try:
        module: nn.Module = torchvision.models.get_model(name, weights=weights)
        return module
    except (URLError, ConnectionError, TimeoutError, OSError) as error:
        raise WeightsError(
            f"The pretrained weights of {name} could not be fetched ({error}). Pass a file of weights, "
            f"camwidget.load({name!r}, weights='file.safetensors'), or use the embedded model, camwidget.load(), "
            "which needs no network."
        ) from error


def _from_file(
    name: str, weights: Readable, classes: Sequence[str] | None, options: Mapping[str, Any]
) -> nn.Module:
    checkpoint = Checkpoint(weights)
    options = dict(options)
    if classes is not None:
        options["num_classes"] = len(classes)
    if any(n.startswith("aux_classifier.") for n in checkpoint.names):
        options["aux_loss"] = True
    if name in ("googlenet", "inception_v3"):
        # As with torchvision's own weights, which expect the module to normalize its input again. The slow
        # initialization is skipped, since the weights are replaced; so are heads that only training uses.
        aux = any(part in f".{n}" for n in checkpoint.names for part in (".aux1.", ".AuxLogits."))
        options |= {"transform_input": True, "init_weights": False, "aux_logits": aux}
    module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    fill(module, checkpoint, name)
    return module
