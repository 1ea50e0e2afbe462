"""A vision model ready to be explained: module, preprocessing, class names, layers."""

from __future__ import annotations

import difflib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, SupportsIndex

import torch
from torch import nn

from .errors import LayerError, ModelError, TargetError
from .images import PictureLike
from .layers import Discovery, GapHead, Layer, Reshape, discover_layers
from .preprocess import Preprocess

__all__ = ["Prediction", "VisionModel", "best_device", "wrap"]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture: its classes, most probable first."""

    indices: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: tuple[float, ...]  #: softmax over all classes, in [0, 1]

    def __str__(self) -> str:
        pairs = zip(self.names, self.probabilities, strict=True)
        return ", ".join(f"{name} {p:.2f}" for name, p in pairs)


# One lock a module, not a wrapper: two models wrapped around the same module share its flags.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


class VisionModel:
    """A module with all that is needed to explain it. Made by ``load`` and ``wrap``.

    Attributes:
        module: the ``nn.Module``; never modified.
        preprocess: from a picture to pixels, and from pixels to the module's input.
        classes: one unique name a class; equal names get their index appended.
        layers: the layers to choose from, in order of execution (any other layer with a spatial
            output can be asked for by its module name too).
        default_layer: name of the last layer of ``layers`` that computes features.
        name: what to call the model.
    """

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        classes: Sequence[str] | None,
        *,
        name: str,
        usual_classes: Sequence[str] = (),
        reshape: Reshape | None = None,
        layers: Sequence[str] | None = None,
    ) -> None:
        self.module = module
        self.preprocess = preprocess
        self.name = name
        self.reshape = reshape
        with _locks_guard:
            self._lock = _locks.setdefault(module, threading.RLock())
        self._discovery = self._discover()
        count = self._discovery.logits.shape[1]
        if classes is None and len(usual_classes) == count:
            classes = usual_classes
        self.classes = _unique(classes, count)
        self._index = {name: i for i, name in enumerate(self.classes)}
        self.layers = self._discovery.stages
        self.default_layer = self._discovery.default
        if layers is not None:
            self.layers = tuple(self.layer(n) for n in layers)
            if not self.layers:
                raise LayerError("layers is empty: name at least one layer, or leave it out.")
            self.default_layer = self.layers[-1].name

    # -- what it is ------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the module's parameters are."""
        return self._anchor().device

    @property
    def dtype(self) -> torch.dtype:
        """The floating point type of the module's parameters."""
        return self._anchor().dtype

    @property
    def gap_head(self) -> GapHead | None:
        """Where class activation mapping applies, if it does."""
        return self._discovery.gap_head

    def layer(self, name: str | None = None) -> Layer:
        """A layer by its module name; the default one if None.

        Raises:
            LayerError: if there is none of that name, or it has no map, or runs more than once.
        """
        name = self.default_layer if name is None else name
        if name in self._discovery.layers:
            return self._discovery.layers[name]
        calls = self._discovery.calls.get(name, 0) if isinstance(name, str) else 0
        if calls > 1:
            parent = name.rpartition(".")[0]
            remedy = f" Name the block that contains it, {parent!r}." if parent else ""
            raise LayerError(
                f"Layer {name!r} runs {calls} times in one forward pass, so its map is not one map.{remedy}"
            )
        listed = ", ".join(repr(layer.name) for layer in self._discovery.stages)
        if calls == 1:
            raise LayerError(
                f"Layer {name!r} has no map: its output has no height and width. Layers that do: {listed}. "
                "For a transformer's tokens pass reshape=… to wrap."
            )
        near = difflib.get_close_matches(str(name), self._discovery.layers, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise LayerError(f"{self.name} has no layer {name!r}.{hint} Layers: {listed}.")

    def class_index(self, target: str | SupportsIndex) -> int:
        """A class by index or by name (case does not matter).

        Raises:
            TargetError: if there is no such class, or the name stands for several.
        """
        count = len(self.classes)
        if not isinstance(target, str):
            index = target.__index__()
            if isinstance(target, bool) or not 0 <= index < count:
                raise TargetError(
                    f"There is no class {target!r}: {self.name} has classes 0 to {count - 1}."
                )
            return index
        if target in self._index:
            return self._index[target]
        folded = target.strip().casefold()
        matches = [i for i, name in enumerate(self.classes) if name.casefold() == folded]
        if len(matches) == 1:
            return matches[0]
        twins = [name for name in self.classes if name.rpartition(" #")[0].casefold() == folded]
        if twins:
            raise TargetError(f"{target!r} names several classes: {' and '.join(map(repr, twins))}.")
        near = [c for c in self.classes if folded and folded in c.casefold()][:3]
        near += difflib.get_close_matches(target, self.classes, n=3, cutoff=0.5)
        near = list(dict.fromkeys(near))[:4]
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise TargetError(f"{self.name} has no class named {target!r}.{hint}")

    # -- what it does ----------------------------------------------------------------------

    def pixels(self, pictures: Any) -> torch.Tensor:
        """One picture, a list of them or a tensor (N, C, H, W) as pixels (N, C, H, W) in [0, 1]."""
        if isinstance(pictures, torch.Tensor) and pictures.ndim == 4:
            return torch.stack([self.preprocess.pixels(p) for p in pictures])
        if isinstance(pictures, (list, tuple)):
            return torch.stack([self.preprocess.pixels(p) for p in pictures])
        return self.preprocess.pixels(pictures)[None]

    def inputs(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, C, H, W) in [0, 1] as the module's input, on its device, in its dtype."""
        return self.preprocess.normalize(pixels.to(self.device)).to(self.dtype)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """A plain forward pass: pixels (N, C, H, W) to float32 logits (N, classes), without graph."""
        with self.undisturbed(), torch.inference_mode():
            return self.module(self.inputs(pixels)).to(torch.float32)

    def predict(self, picture: PictureLike, top: int = 5) -> Prediction:
        """The ``top`` most probable classes of one picture."""
        return self.prediction(self.logits(self.pixels(picture))[0], top)

    def prediction(self, logits: torch.Tensor, top: int = 5) -> Prediction:
        """Logits (classes,) as named probabilities, most probable first."""
        values, indices = logits.float().softmax(0).topk(min(top, len(self.classes)))
        chosen = tuple(indices.tolist())
        return Prediction(chosen, tuple(self.classes[i] for i in chosen), tuple(values.tolist()))

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Hold the module for one pass, in evaluation mode, and give it back as it was."""
        with self._lock:
            training = [m for m in self.module.modules() if m.training]
            try:
                for m in training:
                    m.training = False
                yield
            finally:
                for m in training:
                    m.training = True

    def check_finite(self, logits: torch.Tensor) -> None:
        """Raise a ModelError that names the cause if the logits are not finite."""
        if torch.isfinite(logits).all():
            return
        bad = [
            name
            for name, tensor in self.module.state_dict().items()
            if tensor.is_floating_point() and not torch.isfinite(tensor).all()
        ]
        if bad:
            raise ModelError(
                f"{self.name} has weights that are NaN or infinite, in {len(bad)} tensors, the first "
                f"{bad[0]!r}. Load other weights."
            )
        remedy = (
            "Try it in float32: module.float()."
            if self.dtype in (torch.float16, torch.bfloat16)
            else "Check its normalisation and weights."
        )
        raise ModelError(f"{self.name} answers NaN or infinity for this picture. {remedy}")

    def _discover(self) -> Discovery:
        side = 64 if self.preprocess.geometry is None else 256
        # Noise, not a flat grey: the recognition of a GAP head compares numbers, and on a flat
        # picture too many of them would be equal.
        noise = torch.rand((3, side, side), generator=torch.Generator().manual_seed(0))
        picture = noise.mul(255).to(torch.uint8).permute(1, 2, 0).numpy()
        inputs = self.inputs(self.pixels(picture))
        with self.undisturbed(), torch.inference_mode(False):
            discovery = discover_layers(self.module, inputs.clone(), self.reshape)
        self.check_finite(discovery.logits)
        return discovery

    def _anchor(self) -> torch.Tensor:
        for tensor in (*self.module.parameters(), *self.module.buffers()):
            if tensor.is_floating_point():
                return tensor
        return torch.empty(0)

    def __repr__(self) -> str:
        return (
            f"VisionModel({self.name!r}, {len(self.classes)} classes, "
            f"default layer {self.default_layer!r}, {self.device})"
        )


def wrap(
    module: nn.Module,
    preprocess: Any = None,
    classes: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    name: str | None = None,
) -> VisionModel:
    """Make your own module ready to be explained. The module stays where and as it is.

    Args:
        module: takes (N, C, H, W), returns logits (N, classes). It is run in evaluation mode,
            and its flags are put back after every pass.
        preprocess: a ``Preprocess``, a torchvision transform that ends in ``Normalize``, or a
            callable from PIL to a tensor in [0, 1]. None: short side to 224, centre crop, no normalisation.
        classes: their names, in order; ``class 0`` … if None.
        layers: module names to choose from, the last one being the default; found if None.
        reshape: for layers whose output is not (N, C, H, W), such as a transformer's tokens: a callable that
            makes it so.
        name: what to call the model; the class name of the module if None.

    Raises:
        ModelError: if the output is not (N, classes), the names do not fit, or weights are NaN.
        LayerError: if a layer does not exist or no layer has a map.
    """
    if not isinstance(module, nn.Module):
        raise ModelError(f"wrap takes a torch.nn.Module, not {type(module).__name__}.")
    if preprocess is None:
        first = next((m for m in module.modules() if isinstance(m, nn.Conv2d)), None)
        channels = first.in_channels if first is not None and first.in_channels in (1, 3) else 3
        preprocess = Preprocess(mean=(0.0,) * channels, std=(1.0,) * channels)
    return VisionModel(
        module,
        Preprocess.of(preprocess),
        classes,
        name=name or type(module).__name__,
        reshape=reshape,
        layers=layers,
    )


def best_device() -> torch.device:
    """cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _unique(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Class names as text, made unique: a name must lead to one class."""
    if names is None:
        return tuple(f"class {i}" for i in range(count))
    if isinstance(names, str):
        raise ModelError("classes is a sequence of names, not one string.")
    names = [str(n) for n in names]
    if len(names) != count:
        raise ModelError(
            f"{len(names)} class names were given, but the model has {count} outputs. Pass one name an "
            "output, in order."
        )
    times = Counter(names)
    return tuple(f"{n} #{i}" if times[n] > 1 else n for i, n in enumerate(names))
