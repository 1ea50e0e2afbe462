"""Model names that ``load`` knows, and suggestions for unknown names."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from torch import nn

from .. import zoo
from ..errors import ModelError

__all__ = ["resolve_model_name"]

#: Sources of model names with a slash, by the part before it.
_HUBS = {
    "clip": "CLIP",
    "ultralytics": "ultralytics",
    "torchhub": "torch.hub",
}

#: Libraries whose models ``load`` makes, by the part before the slash, and other spellings of it.
_LIBRARIES = {
    "timm": "timm",
    "hf": "hf",
    "hf-hub": "hf",
    "hf_hub": "hf",
    "huggingface": "hf",
    "transformers": "hf",
    "open_clip": "open_clip",
    "open-clip": "open_clip",
    "openclip": "open_clip",
}

#: Torchvision's other models by module, and what they do.
_OTHERS = {
    "quantization": "is quantized, so that nothing can be differentiated through it",
    "optical_flow": "follows motion between two pictures",
}


def resolve_model_name(name: Any) -> str:
    """Return the name of a model that ``load`` makes; the case of torchvision's names does not matter.

    Raises:
        ModelError: if there is no such model, with suggestions and the remedy.
    """
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    if not isinstance(name, str):
        raise ModelError(_not_a_name(name))
    if name in zoo.available():
        return name
    library, _, rest = name.strip().partition("/")
    if rest and library.lower() in _LIBRARIES:
        return f"{_LIBRARIES[library.lower()]}/{rest}"
    # Torchvision takes seconds to import: only names that may be its own wait for it.
    from .torchvision_models import list_torchvision, torchvision_kind

    classifiers = list_torchvision()
    for spelled in (name, name.strip().lower(), name.strip().lower().replace("-", "")):
        if spelled in classifiers or spelled in zoo.available() or torchvision_kind(spelled):
            return spelled
    raise ModelError(_unknown_model(name, classifiers))


def _not_a_name(value: Any) -> str:
    if isinstance(value, nn.Module) or (isinstance(value, type) and issubclass(value, nn.Module)):
        made = "module" if isinstance(value, nn.Module) else f"{value.__name__}(…)"
        return (
            f"load takes a model's name, not a module ({_type_name(value)}). For a module of your own: "
            f"camwidget.wrap({made}, preprocess=…)."
        )
    if type(value).__name__ in (
        "VisionModel",
        "SimilarityModel",
        "SegmentationModel",
        "DetectionModel",
    ):
        return "load takes a model's name; this model is loaded already: use it as it is."
    if value is None:
        return "load takes a model's name, not None; load() without one gives the embedded model."
    if callable(value) and (called := getattr(value, "__name__", None)):
        return f"load takes a model's name, not a function: camwidget.load({called!r}), if it is torchvision's."
    return (
        f"load takes a model's name, not {type(value).__name__}. For a module of your own: "
        "camwidget.wrap(module, …)."
    )


def _type_name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _unknown_model(name: str, classifiers: list[str]) -> str:
    from .torchvision_models import list_torchvision

    for module, does in _OTHERS.items():
        if name.lower() in list_torchvision(module):
            return f"{name} {does}; load makes models of single pictures."
    if Path(name).suffix.lower() in (".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".tar") or (
        name and Path(name).expanduser().exists()
    ):
        return (
            f"{name!r} is a file that does not name its architecture: use camwidget.load('resnet50', "
            f"weights={name!r}) with the name of yours. For a module of your own: load the weights into it, and pass "
            "it to camwidget.wrap."
        )
    if name.lower().startswith(("http://", "https://")):
        return f"{name!r} is an address; nothing is fetched by one. Download it, and pass it as weights=."
    hub, slash, rest = name.partition("/")
    if slash and hub != "zoo":
        source = _HUBS.get(hub.lower(), "the Hugging Face hub or the like")
        return (
            f"load takes no names of {source} such as {name!r}. A model of transformers on the Hugging Face hub: "
            f"camwidget.load('hf/{name}'); of timm: camwidget.load('timm/{rest.rpartition('/')[2]}'); of another "
            "library: make it there, and pass it to camwidget.wrap(model, preprocess=…)."
        )
    names = [*zoo.available(), *classifiers]
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"There is no model {name!r}.{hint} Embedded: {', '.join(zoo.available())}; also any "
        "torchvision classification model (torchvision.models.list_models()), and those of other libraries by "
        "'timm/NAME', 'hf/OWNER/NAME' and 'open_clip/NAME'. For a module of your own: camwidget.wrap(module, …)."
    )
