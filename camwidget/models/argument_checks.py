"""Check that an argument is a model or a module; the error says what it is instead, and how to come to one."""

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

_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".onnx", ".h5", ".pkl")


def require_model(value: Any, function: str, *others: Any) -> None:
    """Refuse what is not a model ready to be explained.

    Args:
        value: what was given as the model.
        function: the public function's name, as the message has it.
        others: the other arguments, among which a model would have changed places.

    Raises:
        ModelError: says what was given and what to do.
    """
    if isinstance(value, VisionModel):
        return
    start = f"{function} takes a model from camwidget.load or camwidget.wrap"
    if any(isinstance(other, VisionModel) for other in others):
        raise ModelError(f"{start} first, and then the rest: two arguments have changed places.")
    if isinstance(value, (list, tuple)) and any(isinstance(v, VisionModel) for v in value):
        raise ModelError(f"{start}, one at a time: call it once for each of the {len(value)}.")
    raise ModelError(f"{start}, not {_described(value)}")


def require_module(value: Any) -> None:
    """Refuse what ``wrap`` does not take.

    Raises:
        ModelError: says what was given and what to do.
    """
    if isinstance(value, nn.Module):
        return
    start = "wrap takes a torch.nn.Module"
    if isinstance(value, VisionModel):
        raise ModelError(
            f"{start}; {value.name!r} is wrapped already: use it as it is, or wrap its module anew, "
            "camwidget.wrap(model.module, …)."
        )
    if isinstance(value, (list, tuple)) and any(isinstance(v, nn.Module) for v in value):
        raise ModelError(f"{start}, one at a time: call it once for each of the {len(value)}.")
    raise ModelError(f"{start}, not {_described(value, 'a module that you have made')}")


def _described(
    value: Any, wanted: str = "camwidget.wrap(module, …) makes one of an nn.Module"
) -> str:
    """What a value is, and how to come to a model from it, or else what is wanted; ends in a full stop."""
    if (remedy := _to_a_module(value)) is not None:
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
        return f"{kind}: camwidget.wrap takes the nn.Module that computes the answers."
    return f"{kind}: {wanted}."


def _to_a_module(value: Any) -> str | None:
    """What a value is and what to do, if it only leads to a module: a class, a function that makes one, …; or None."""
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
