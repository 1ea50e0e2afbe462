"""Models of timm, by name or from a folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch

from ..errors import ModelError, WeightsError
from ..images.preprocess import Preprocess
from ..models.similarity_model import likeness_model
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, first_line
from .checkpoints import Checkpoint, fill
from .model_folders import ModelFolder, needs_extra

__all__ = ["load_timm"]


def load_timm(
    name: str,
    weights: Any,
    classes: Sequence[str] | None,
    place: torch.device,
    *,
    pretrained: bool,
) -> VisionModel:
    """Load a model of timm.

    Args:
        name: ``timm/NAME``, or ``timm/FOLDER`` for a folder as timm saves it for the hub.
        weights: as in ``load``.
        classes: as in ``load``.
        place: device to move it to.
        pretrained: whether the weights are not random.

    Returns:
        The model; without a head (``num_classes=0``), it compares pictures with pictures.

    Raises:
        ModelError: if there is no such model, or timm is not installed.
        WeightsError: if the weights are missing, or do not fit.
    """
    try:
        import timm
        from timm.data import (
            ImageNetInfo,
            create_transform,
            infer_imagenet_subset,
            resolve_model_data_config,
        )
    except ImportError as error:
        raise needs_extra(name, "timm", "timm") from error
    bare = name.removeprefix("timm/")
    options: dict[str, Any] = {} if classes is None else {"num_classes": len(classes)}
    usual: tuple[str, ...] = ()
    folder = None if timm.is_model(bare.partition(".")[0]) else ModelFolder.named(bare)
    if folder is not None:
        architecture, saved, usual = _saved_options(folder, name)
        if pretrained and weights is None:
            weights = folder.required_weights(name)
        options = {**saved, **options}
    elif timm.is_model(bare.partition(".")[0]):
        # Of "NAME.TAG", the tag names pretrained weights, and the preprocessing of those.
        architecture = bare
    else:
        near = difflib.get_close_matches(bare, timm.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(f'timm/{n}') for n in near)}?" if near else ""
        raise ModelError(f"timm has no model {bare!r}, and there is no such folder.{hint}")
    downloads = pretrained and weights is None
    try:
        module = timm.create_model(architecture, pretrained=downloads, **options)
    except Exception as error:  # timm's downloader and constructors raise errors of many types
        if not downloads:
            raise ModelError(f"timm cannot make {name}: {error_line(error)}.") from error
        raise WeightsError(
            f"The pretrained weights of {name} could not be fetched ({first_line(error)}). Pass a file of "
            f"weights, camwidget.load({name!r}, weights='file.safetensors')."
        ) from error
    if weights is not None:
        fill(module, Checkpoint(weights), name)
    preprocess = Preprocess.of(
        create_transform(**resolve_model_data_config(module), is_training=False)
    )
    module = module.eval().to(place)
    if getattr(module, "num_classes", None) == 0 and classes is None:
        return likeness_model(module, preprocess, name=name)
    subset = infer_imagenet_subset(module)
    if not usual and subset:
        usual = tuple(ImageNetInfo(subset).label_descriptions())
    return VisionModel(module, preprocess, classes, usual_classes=usual, name=name)


def _saved_options(folder: ModelFolder, name: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return the architecture, its options and the class names in a folder's ``config.json``."""
    folder.check([(("config.json",), "the architecture and the preprocessing")], name)
    config = folder.json("config.json")
    architecture = config.get("architecture")
    if not isinstance(architecture, str):
        raise ModelError(
            f"The config.json of {name} names no architecture of timm. If transformers saved it: "
            f"camwidget.load('hf/{folder.path}')."
        )
    saved = config.get("pretrained_cfg") or {}
    options: dict[str, Any] = {**(config.get("model_args") or {}), "pretrained_cfg": saved}
    count = config.get("num_classes", saved.get("num_classes"))
    if isinstance(count, int):
        options["num_classes"] = count
    labels = config.get("label_names") or saved.get("label_names") or ()
    described = config.get("label_descriptions") or saved.get("label_descriptions") or {}
    return architecture, options, tuple(str(described.get(n, n)) for n in labels)
