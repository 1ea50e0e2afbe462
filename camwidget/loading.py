"""``load``: the embedded models, torchvision's, and weights from a file."""

from __future__ import annotations

import difflib
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import safetensors.torch
import torch
import torchvision
from torch import nn
from torchvision.models import Weights, WeightsEnum

from . import zoo
from .errors import ModelError, WeightsError
from .models import VisionModel
from .origin import Origin
from .preprocess import Preprocess
from .wrapping import best_device

__all__ = ["DEFAULT_MODEL", "embedded", "list_models", "load"]

DEFAULT_MODEL = "zoo/textures"


def load(
    name: str = DEFAULT_MODEL,
    *,
    weights: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    device: str | torch.device | None = None,
) -> VisionModel:
    """A model by name, ready to be explained.

    Args:
        name: an embedded model (``list_models()``), a torchvision classification model, or ``timm/NAME`` for one of
            timm's (extra ``camwidget[timm]``).
        weights: for torchvision and timm models, a file of weights (``.safetensors``, or ``.pth`` read with
            ``weights_only=True``), or, for torchvision, the name of one of its pretrained sets; its default
            pretrained weights, fetched by torchvision or timm, if None.
        classes: names of the classes, where the weights do not tell.
        device: where to run; cuda, else mps, else cpu if None.

    Raises:
        ModelError: if there is no such model.
        WeightsError: if the weights are missing, damaged, or made for another architecture.
    """
    try:
        place = torch.device(device) if device is not None else best_device()
    except RuntimeError as error:
        raise ModelError(
            f"There is no device {device!r}: use 'cpu', 'cuda' or 'mps', or leave device= out."
        ) from error
    if not isinstance(name, str):
        raise ModelError(
            f"load takes a model's name, not {type(name).__name__}. For a module of your own: "
            "camwidget.wrap(module, …)."
        )
    model = _loaded(name, weights, classes, place)
    model.origin = Origin(
        "load",
        name,
        # A member of torchvision's enumerations goes by its name; so must no path.
        weights=None
        if weights is None
        else str(weights if isinstance(weights, (str, os.PathLike)) else weights.name),
        classes=None if classes is None else model.classes,
        device=None if device is None else str(device),
    )
    return model


def _loaded(
    name: str,
    weights: str | os.PathLike[str] | None,
    classes: Sequence[str] | None,
    place: torch.device,
) -> VisionModel:
    if name in zoo.available():
        if weights is not None:
            raise WeightsError(f"{name} carries its own weights: leave weights= out.")
        return embedded(zoo.build(name), place, classes)
    if name.startswith("timm/"):
        return _from_timm(name, weights, classes, place)
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise ModelError(_no_such_model(name))
    known = torchvision.models.get_model_weights(name)
    if weights is None or weights in (*known, *known.__members__):
        chosen = known.DEFAULT if weights is None else known[getattr(weights, "name", weights)]
        module, entry = _pretrained(name, chosen), chosen
    else:
        module, entry = _from_file(name, Path(weights).expanduser(), classes), known.DEFAULT
    return VisionModel(
        module.eval().to(place),
        Preprocess.of(entry.transforms()),
        classes,
        usual_classes=entry.meta.get("categories", ()),
        name=name,
    )


def embedded(
    model: zoo.ZooModel,
    place: torch.device | None = None,
    classes: Sequence[str] | None = None,
) -> VisionModel:
    """A model of the zoo, ready to be explained: where it is, or on a device; with its own class names, or others."""
    return VisionModel(
        model.module if place is None else model.module.to(place),
        Preprocess(model.input_size, mean=model.mean, std=model.std),
        model.classes if classes is None else classes,
        name=model.name,
        prompt=model.prompt,
        scores=model.scores,
        layers=model.layers,
    )


def list_models() -> tuple[str, ...]:
    """The embedded models, which need no network."""
    return zoo.available()


def _no_such_model(name: str) -> str:
    names = [*zoo.available(), *torchvision.models.list_models(module=torchvision.models)]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"There is no model {name!r}.{hint} Embedded: {', '.join(zoo.available())}; beside them any "
        "torchvision classification model (torchvision.models.list_models()). For a module of your "
        "own: camwidget.wrap(module, …)."
    )


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


def _from_file(name: str, path: Path, classes: Sequence[str] | None) -> nn.Module:
    state = read_weights(path)
    options: dict[str, Any] = {} if classes is None else {"num_classes": len(classes)}
    if name in ("googlenet", "inception_v3"):
        # As with torchvision's own weights: they expect the input to be renormalised inside. The weights are
        # about to be replaced, so their slow initialisation is left out; so are heads that only training uses.
        aux = any(k.startswith(("aux1.", "AuxLogits.")) for k in state)
        options |= {"transform_input": True, "init_weights": False, "aux_logits": aux}
    module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    _fill(module, state, path, name)
    return module


def _fill(module: nn.Module, state: dict[str, torch.Tensor], path: Path, name: str) -> None:
    """Load a state dict, strictly.

    Raises:
        WeightsError: if it was made for another architecture.
    """
    wanted = module.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in wanted]
    shapes = [
        f"{k} is {tuple(state[k].shape)}, not {tuple(wanted[k].shape)}"
        for k in wanted
        if k in state and state[k].shape != wanted[k].shape
    ]
    if missing or extra or shapes:
        found = [
            *(f"{len(missing)} are missing (first: {missing[0]})" for _ in missing[:1]),
            *(f"{len(extra)} are unknown (first: {extra[0]})" for _ in extra[:1]),
            *shapes[:2],
        ]
        remedy = (
            "For another number of classes pass classes=[…]."
            if shapes and not missing and not extra
            else "Load them into the architecture that they were trained for."
        )
        raise WeightsError(f"{path.name} does not fit {name}: {'; '.join(found)}. {remedy}")
    ordered = OrderedDict(state)
    ordered._metadata = wanted._metadata  # type: ignore[attr-defined]  # some modules look up their version
    module.load_state_dict(ordered, strict=False)


def _from_timm(
    name: str,
    weights: str | os.PathLike[str] | None,
    classes: Sequence[str] | None,
    place: torch.device,
) -> VisionModel:
    try:
        import timm
        from timm.data import (
            ImageNetInfo,
            create_transform,
            infer_imagenet_subset,
            resolve_model_data_config,
        )
    except ImportError as error:
        raise ModelError(f"{name} needs timm: python -m pip install 'camwidget[timm]'.") from error
    bare = name.removeprefix("timm/")
    if not timm.is_model(bare.partition(".")[0]):
        near = difflib.get_close_matches(bare, timm.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(f'timm/{n}' for n in near)}?" if near else ""
        raise ModelError(f"timm has no model {bare!r}.{hint}")
    options: dict[str, Any] = {} if classes is None else {"num_classes": len(classes)}
    if weights is None:
        try:
            module = timm.create_model(bare, pretrained=True, **options)
        except Exception as error:  # its downloader raises many kinds
            raise WeightsError(
                f"The pretrained weights of {name} could not be fetched ({str(error).splitlines()[0]}). Pass a file of "
                f"weights, camwidget.load({name!r}, weights='file.safetensors')."
            ) from error
    else:
        path = Path(weights).expanduser()
        state = read_weights(path)
        module = timm.create_model(bare.partition(".")[0], pretrained=False, **options)
        _fill(module, state, path, name)
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    subset = infer_imagenet_subset(module)
    usual = tuple(ImageNetInfo(subset).label_descriptions()) if subset else ()
    return VisionModel(
        module.eval().to(place),
        Preprocess.of(transform),
        classes,
        usual_classes=usual,
        name=name,
    )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict without running any code from the file.

    Raises:
        WeightsError: if the file is missing, damaged, or not a plain state dict.
    """
    if not path.is_file():
        raise WeightsError(f"There is no file {str(path)!r} of weights (looked in {Path.cwd()}).")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both libraries raise many kinds
        raise WeightsError(
            f"{path.name} cannot be read as weights ({str(error).splitlines()[0]}). Save them as safetensors, or "
            "with torch.save(module.state_dict(), path)."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(
            f"{path.name} is not a state dict. Save it with torch.save(module.state_dict(), path)."
        )
    return {k.removeprefix("module."): v for k, v in state.items()}
