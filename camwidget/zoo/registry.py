"""Which models the zoo holds, and how each is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, WeightsError
from . import beetles, captions, scenes, textures, vqa
from .sample import Sample

if TYPE_CHECKING:
    from torch import nn

    from ..models.prompts import Prompt

WEIGHTS = Path(__file__).with_name("weights")

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class ZooEntry:
    """What is fixed about a model before it is trained.

    Attributes:
        name: full name, "zoo/" and the room.
        classes: names of the classes, in the order of the scores.
        network: makes the untrained module.
        samples: draws a few pictures that show what it can do.
        input_size: side of the pictures it is meant for.
        mean: what is taken off each channel of pixels in [0, 1].
        std: by which the channels are divided then.
        prompt: makes what it declares about the text that it takes beside the picture; None if it takes none.
        scores: how its outputs become probabilities: "softmax", "sigmoid" or "log".
        layers: names of the layers to choose from, the last being the default; None if they are to be found.
    """

    name: str
    classes: tuple[str, ...]
    network: Callable[[], nn.Module]
    samples: Callable[[], Sequence[Sample]]
    input_size: int = 192
    mean: Triple = (0.5, 0.45, 0.42)
    std: Triple = (0.25, 0.25, 0.25)
    prompt: Callable[[], Prompt] | None = None
    scores: str = "softmax"
    layers: tuple[str, ...] | None = None

    def weights(self, folder: Path = WEIGHTS) -> Path:
        """File of the weights."""
        return folder / f"{self.name.removeprefix('zoo/')}.safetensors"

    def card(self, folder: Path = WEIGHTS) -> Path:
        """File of the model card."""
        return self.weights(folder).with_suffix(".json")

    def holding(self, module: nn.Module, card: dict[str, Any]) -> ZooModel:
        """The model with these weights."""
        return ZooModel(
            self.name,
            module,
            self.classes,
            self.input_size,
            self.mean,
            self.std,
            card,
            None if self.prompt is None else self.prompt(),
            self.scores,
            self.layers,
        )


@dataclass(frozen=True)
class ZooModel:
    """A trained model and all that is needed to use it.

    Attributes:
        name: full name, as given to ``build``.
        module: the network in eval mode; scores (N, classes) from pictures (N, 3, H, W).
        classes: names of the classes, in the order of the scores.
        input_size: side of the pictures it is meant for.
        mean: what is taken off each channel of pixels in [0, 1].
        std: by which the channels are divided then.
        card: the model card: data, accuracy, known faults, how it was trained.
        prompt: what it declares about the text that it takes beside the picture; None if it takes none.
        scores: how its outputs become probabilities: "softmax", "sigmoid" or "log".
        layers: names of the layers to choose from, the last being the default; None if they are to be found.
    """

    name: str
    module: nn.Module
    classes: tuple[str, ...]
    input_size: int
    mean: Triple
    std: Triple
    card: dict[str, Any]
    prompt: Prompt | None = None
    scores: str = "softmax"
    layers: tuple[str, ...] | None = None


def _net(kind: str, *sizes: int, **options: Any) -> Callable[[], nn.Module]:
    """Makes one of the networks of `nets`; torch is loaded when it is made."""

    def make() -> nn.Module:
        from . import nets

        module: nn.Module = getattr(nets, kind)(*sizes, **options)
        return module

    return make


def _scenes(name: str, kind: str, **options: Any) -> ZooEntry:
    classes = scenes.CLASSES
    return ZooEntry(name, classes, _net(kind, len(classes), **options), scenes.gallery, scenes.SIZE)


def _stages(last: int) -> tuple[str, ...]:
    return tuple(f"encoder.stage{n}" for n in range(1, last + 1))


def _questions(name: str, kind: str, *layers: str) -> ZooEntry:
    return ZooEntry(
        name,
        vqa.ANSWERS,
        _net(kind, len(vqa.VOCABULARY), len(vqa.ANSWERS)),
        vqa.gallery,
        scenes.SIZE,
        prompt=vqa.QuestionPrompt,
        layers=layers,
    )


def _beetles(name: str) -> ZooEntry:
    # A finer map than that of the textures: the part that tells the classes apart is small.
    net = _net("residual_net", len(beetles.CLASSES), widths=(12, 24, 48, 64), last_stride=1)
    return ZooEntry(name, beetles.CLASSES, net, beetles.gallery, beetles.SIZE)


_ENTRIES = {
    known.name: known
    for known in (
        ZooEntry(
            "zoo/textures",
            textures.CLASSES,
            _net("residual_net", len(textures.CLASSES)),
            textures.gallery,
        ),
        _scenes("zoo/scenes", "scene_net"),
        _scenes("zoo/scenes-max", "scene_net", average=False),
        _scenes("zoo/scenes-fc", "plain_net"),
        _scenes("zoo/scenes-weak", "weak_net"),
        ZooEntry(
            "zoo/captions",
            (captions.WHOLE,),
            _net("CaptionNet", len(captions.VOCABULARY)),
            captions.gallery,
            scenes.SIZE,
            prompt=captions.CaptionPrompt,
            scores="log",
        ),
        _questions("zoo/vqa", "AnswerNet", *_stages(4), "meet.relu"),
        _questions("zoo/vqa-attention", "CoAttentionNet", "encoder.stem", *_stages(3), "evidence"),
        _beetles("zoo/biased"),
        _beetles("zoo/unbiased"),
    )
}


def available() -> tuple[str, ...]:
    """Names of all models in the zoo."""
    return tuple(_ENTRIES)


def entry(name: str) -> ZooEntry:
    """The entry of that name.

    Raises:
        ModelError: if there is none; the message lists those there are.
    """
    if name not in _ENTRIES:
        raise ModelError(f"The zoo has no model {name!r}; it has {', '.join(_ENTRIES)}.")
    return _ENTRIES[name]


def build(name: str) -> ZooModel:
    """Load a trained model of the zoo, ready to use on the CPU.

    Raises:
        ModelError: if the zoo has no model of that name; the message lists those it has.
        WeightsError: if the weights that came with camwidget are missing or damaged.
    """
    found = entry(name)
    weights, card = _read(found)

    from safetensors.torch import load

    module = found.network()
    module.load_state_dict(load(weights))
    module.eval()
    return found.holding(module, card)


def samples(name: str) -> Sequence[Sample]:
    """A few pictures that show what a model of the zoo can do.

    Raises:
        ModelError: if the zoo has no model of that name; the message lists those it has.
    """
    return entry(name).samples()


def _read(found: ZooEntry) -> tuple[bytes, dict[str, Any]]:
    """Weights and card, checked against each other."""
    try:
        card: dict[str, Any] = json.loads(found.card(WEIGHTS).read_text(encoding="utf-8"))
        weights = found.weights(WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise _damaged(found) from error
    if hashlib.sha256(weights).hexdigest() != card.get("sha256"):
        raise _damaged(found)
    return weights, card


def _damaged(found: ZooEntry) -> WeightsError:
    return WeightsError(
        f"The weights of {found.name} are missing or damaged; reinstall camwidget "
        "(pip install --force-reinstall camwidget)."
    )
