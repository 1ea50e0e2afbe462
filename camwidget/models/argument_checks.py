"""Checks that an argument is a model or a module, with errors that tell how to make one of what was given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ..errors import ModelError
from .vision_model import VisionModel

__all__ = ["require_model", "require_module"]

#: Other libraries by the first part of their modules' names.
_FOREIGN = {
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "flax": "Flax",
    "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
    "onnx": "ONNX",
    "tensorrt": "TensorRT",
}

#: Public functions that take models of clips.
_WITH_TIME = (
    "explain",
    "measure",
    "mask_curve",
    "confidence_change",
    "mask_picture",
    "probabilities",
    "save_page",
    "evaluate",
    "Explorer",
)

_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".onnx", ".h5", ".pkl")


def require_model(value: Any, function: str, *others: Any) -> None:
    """Raise an error unless an argument is a ``VisionModel``, of pictures where the function knows no clips.

    Args:
        value: the argument.
        function: name of the public function, for the message.
        others: the other arguments; a model among them was passed in the wrong place.

    Raises:
        ModelError: if it is something else; the message names it, and the remedy.
    """
    if isinstance(value, VisionModel):
        if value.frames is not None and function not in _WITH_TIME:
            raise ModelError(
                f"{function} works on pictures, and {value.name} takes clips of {value.frames} frames. For clips there "
                f"are {', '.join(_WITH_TIME)}."
            )
        return
    start = f"{function} takes a model from camwidget.load or camwidget.wrap"
    if any(isinstance(other, VisionModel) for other in others):
        raise ModelError(f"{start} as its first argument: two arguments are in the wrong order.")
    if isinstance(value, (list, tuple)) and any(isinstance(v, VisionModel) for v in value):
        raise ModelError(f"{start}, one at a time: call it once for each of the {len(value)}.")
    raise ModelError(f"{start}, not {_description_of(value)}")


def require_module(value: Any) -> None:
    """Raise an error unless an argument of ``wrap`` is an ``nn.Module``.

    Raises:
        ModelError: if it is something else; the message names it, and the remedy.
    """
    if isinstance(value, nn.Module):
        return
    start = "wrap takes a torch.nn.Module"
    if isinstance(value, VisionModel):
        raise ModelError(
            f"{start}; {value.name!r} is wrapped already: use it as it is, or wrap its module again, "
            "camwidget.wrap(model.module, …)."
        )
    if isinstance(value, (list, tuple)) and any(isinstance(v, nn.Module) for v in value):
        raise ModelError(f"{start}, one at a time: call it once for each of the {len(value)}.")
    raise ModelError(f"{start}, not {_description_of(value, 'a module that you have made')}")


def _description_of(
    value: Any, otherwise: str = "camwidget.wrap(module, …) makes one of an nn.Module"
) -> str:
    """Describe a value, with the way from it to a model or the remedy ``otherwise``; ends in a full stop."""
    if (remedy := _module_remedy(value)) is not None:
        return remedy
    kind = type(value).__name__
    if value is None:
        return "None: camwidget.load() gives the embedded one."
    if isinstance(value, nn.Module):
        return f"a bare module ({kind}): camwidget.wrap(module, …) makes one of it."
    if isinstance(value, (str, os.PathLike)):
        name = os.fspath(value)
        suffix = Path(str(name)).suffix.lower()
        if suffix in _WEIGHTS:
            return f"a file of weights: camwidget.load('resnet50', weights={name!r}), with your architecture's name."
        if suffix in Image.registered_extensions():
            return f"a picture ({name!r}): the model comes first, and then the picture."
        return f"a name: camwidget.load({name!r}) gives the model of that name."
    if isinstance(value, Mapping) and any(isinstance(v, torch.Tensor) for v in value.values()):
        return "a state dict: camwidget.load('resnet50', weights=state), with your architecture's name."
    if isinstance(value, (Image.Image, np.ndarray, torch.Tensor, bytes)):
        return f"{kind}: the model comes first, and then the picture."
    if callable(value):
        return f"{kind}: pass the nn.Module that computes the predictions to camwidget.wrap."
    return f"{kind}: {otherwise}."


def _module_remedy(value: Any) -> str | None:
    """Describe a value from which a module can be made, such as its class, with the remedy; None for other values."""
    name = getattr(value, "__name__", None)
    if isinstance(value, type):
        if issubclass(value, nn.Module):
            return f"the class {name}: make a module, {name}(…), load its weights, and pass it to camwidget.wrap."
        return f"the class {name}."
    if isinstance(value, nn.Module):
        return None
    library = _FOREIGN.get(type(value).__module__.partition(".")[0])
    if library is not None:
        return (
            f"a model of {library} ({type(value).__name__}): camwidget explains PyTorch's modules."
        )
    # transformers' and others' pipelines hold the module.
    inner = getattr(value, "model", None)
    if isinstance(inner, nn.Module) and not isinstance(value, VisionModel):
        return f"{type(value).__name__}: its module is its attribute model, for camwidget.wrap(….model, preprocess=…)."
    if name is not None and callable(value):
        return f"the function {name}: if it makes a module, call it, and pass what it returns to camwidget.wrap."
    return None
