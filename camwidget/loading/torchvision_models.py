"""Torchvision's models by name, with its weights or those of a file.

Importing torchvision takes longer than everything else of a first map, so that only what needs its models imports this
module, when it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import nn
from torchvision.models import Weights, WeightsEnum

from ..errors import WeightsError
from ..images.preprocess import Preprocess
from ..models.vision_model import VisionModel
from ..models.wrapping import FRAMES
from .checkpoints import Checkpoint, Readable, fill

__all__ = ["list_torchvision", "load_torchvision", "torchvision_kind"]


def list_torchvision(module: str | None = None) -> list[str]:
    """Return the names of torchvision's classifiers, or of the models in one of its other modules."""
    models = torchvision.models
    names: list[str] = models.list_models(module=getattr(models, module) if module else models)
    return names


def torchvision_kind(name: str) -> str | None:
    """Return what one of torchvision's models computes, "segments", "boxes" or "video"; None for a classifier."""
    for kind, module in (("segments", "segmentation"), ("boxes", "detection"), ("video", "video")):
        if name in list_torchvision(module):
            return kind
    return None


def load_torchvision(
    name: str,
    weights: Any,
    classes: Sequence[str] | None,
    place: torch.device,
    makers: Mapping[str | None, Any],
    *,
    pretrained: bool,
) -> VisionModel:
    """Load one of torchvision's models.

    Args:
        name: its name.
        weights: a member of its weights or its name, a readable file, or None for the default weights.
        classes: class names, if the weights do not define them.
        place: device to move it to.
        makers: the model classes other than ``VisionModel``, by what the model computes.
        pretrained: False for random weights.

    Raises:
        WeightsError: if the weights cannot be fetched or read, or are those of another architecture.
    """
    known = torchvision.models.get_model_weights(name)
    chosen = known.DEFAULT if weights is None else _named_set(known, weights)
    module: nn.Module
    kind = torchvision_kind(name)
    # Otherwise torchvision fetches weights of the classifier inside.
    options: dict[str, Any] = {"weights_backbone": None} if kind in makers else {}
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
    model: VisionModel = makers.get(kind, VisionModel)(
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
