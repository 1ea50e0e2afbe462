"""Registry of the zoo's models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, WeightsError
from . import beetles, captions, moves, scene_texts, scenes, segmented_scenes, textures, vqa
from .sample import Sample

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..models.text_inputs import Prompt

WEIGHTS = Path(__file__).with_name("weights")

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Texts:
    """Texts of a model with two towers.

    Attributes:
        default: the texts that are its classes until others are given, by name.
        tokenize: makes the numbers (1, T) of a text's words.
    """

    default: Mapping[str, str]
    tokenize: Callable[[str], Tensor]


@dataclass(frozen=True)
class ZooEntry:
    """Architecture, classes and preprocessing of a model, known before training.

    Attributes:
        name: full name, with the prefix "zoo/".
        classes: names of the classes, in the order of the scores.
        network: creates the untrained module.
        samples: draws a few suitable pictures.
        input_size: side of the input in pixels.
        mean: mean of each channel, subtracted from pixels in [0, 1].
        std: standard deviation of each channel, by which the difference is divided.
        prompt: creates the parser of the text that the model takes besides the picture; None if it takes none.
        scores: how the outputs become probabilities: "softmax", "sigmoid" or "log".
        layers: names of the selectable layers, the last one the default; None to search for them.
        texts: of a model with two towers, its texts and their tokenizer; None for any other model.
        draw: draws the picture of a seed; none that the model was trained on.
        categories: the category of each concept of the pictures; empty where they have none.
        kind: what the outputs are, as in ``wrap``: "classes", "boxes" or "segments".
        frames: number of frames of the clips that the model takes; None for pictures.
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
    texts: Texts | None = None
    draw: Callable[[int], Sample] | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    kind: str = "classes"
    frames: int | None = None

    def weights(self, folder: Path = WEIGHTS) -> Path:
        """The file of the weights."""
        return folder / f"{self.name.removeprefix('zoo/')}.safetensors"

    def card(self, folder: Path = WEIGHTS) -> Path:
        """The file of the model card."""
        return self.weights(folder).with_suffix(".json")

    def with_weights(self, module: nn.Module, card: dict[str, Any]) -> ZooModel:
        """The model with a trained module."""
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
            self.texts,
            self.kind,
            self.frames,
        )


@dataclass(frozen=True)
class ZooModel:
    """A trained model with everything that its use requires.

    Attributes:
        name: full name, as passed to ``build``.
        module: the network in eval mode; maps pictures (N, 3, H, W), or clips (N, 3, T, H, W), to scores (N, classes),
            or consists of two towers.
        classes: names of the classes, in the order of the scores.
        input_size: side of the input in pixels.
        mean: mean of each channel, subtracted from pixels in [0, 1].
        std: standard deviation of each channel, by which the difference is divided.
        card: the model card: data, accuracy, known faults and training.
        prompt: parser of the text that the model takes besides the picture; None if it takes none.
        scores: how the outputs become probabilities: "softmax", "sigmoid" or "log".
        layers: names of the selectable layers, the last one the default; None to search for them.
        texts: of a model with two towers, its texts and their tokenizer; None for any other model.
        kind: what the outputs are, as in ``wrap``: "classes", "boxes" or "segments".
        frames: number of frames of the clips that the model takes; None for pictures.

    Example:
        >>> from camwidget import zoo
        >>> model = zoo.build("zoo/textures")
        >>> model.input_size, len(model.classes), model.card["license"]
        (192, 10, 'BSD-3-Clause')
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
    texts: Texts | None = None
    kind: str = "classes"
    frames: int | None = None


def _net(kind: str, *sizes: int, family: str = "nets", **options: Any) -> Callable[[], nn.Module]:
    """A function that creates a network of the module ``family``, and imports torch only then."""

    def make() -> nn.Module:
        networks = import_module(f".{family}", __package__)
        module: nn.Module = getattr(networks, kind)(*sizes, **options)
        return module

    return make


def _scenes(name: str, kind: str, **options: Any) -> ZooEntry:
    classes = scenes.CLASSES
    return ZooEntry(
        name,
        classes,
        _net(kind, len(classes), **options),
        scenes.gallery,
        scenes.SIZE,
        draw=scenes.draw,
        categories=scenes.CATEGORIES,
    )


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
        draw=vqa.draw,
        categories=scenes.CATEGORIES,
    )


def _beetles(name: str) -> ZooEntry:
    # A finer map than for textures: the part that distinguishes the classes is small.
    net = _net("residual_net", len(beetles.CLASSES), widths=(12, 24, 48, 64), last_stride=1)
    return ZooEntry(name, beetles.CLASSES, net, beetles.gallery, beetles.SIZE, draw=beetles.draw)


_ENTRIES = {
    known.name: known
    for known in (
        ZooEntry(
            "zoo/textures",
            textures.CLASSES,
            _net("residual_net", len(textures.CLASSES)),
            textures.gallery,
            draw=textures.draw,
        ),
        _scenes("zoo/scenes", "scene_net"),
        _scenes("zoo/scenes-max", "scene_net", average=False),
        _scenes("zoo/scenes-fc", "plain_net"),
        _scenes("zoo/scenes-weak", "weak_net"),
        _scenes("zoo/scenes-vit", "VisionTransformer", family="transformers"),
        ZooEntry(
            "zoo/scenes-clip",
            scenes.CLASSES,
            _net(
                "TwoTowerNet",
                len(scene_texts.VOCABULARY),
                scene_texts.LONGEST,
                family="transformers",
            ),
            scene_texts.gallery,
            scenes.SIZE,
            draw=scene_texts.draw,
            categories=scenes.CATEGORIES,
            texts=Texts(scene_texts.TEXTS, scene_texts.tokenize),
        ),
        ZooEntry(
            "zoo/scenes-boxes",
            scenes.CLASSES,
            _net("BoxNet", len(scenes.CLASSES), family="dense_nets"),
            scenes.gallery,
            scenes.SIZE,
            layers=("early.stage1", "late.stage2", "late.stage3", "pyramid"),
            draw=scenes.draw,
            categories=scenes.CATEGORIES,
            kind="boxes",
        ),
        ZooEntry(
            "zoo/scenes-segments",
            segmented_scenes.CLASSES,
            _net("SegmentNet", len(segmented_scenes.CLASSES), family="dense_nets"),
            segmented_scenes.gallery,
            scenes.SIZE,
            layers=("early.stage1", "late.stage2", "middle", "fine", "late.stage3"),
            draw=segmented_scenes.draw,
            categories=scenes.CATEGORIES,
            kind="segments",
        ),
        ZooEntry(
            "zoo/captions",
            (captions.FULL_CAPTION,),
            _net("CaptionNet", len(captions.VOCABULARY)),
            captions.gallery,
            scenes.SIZE,
            prompt=captions.CaptionPrompt,
            scores="log",
            draw=captions.draw,
            categories=scenes.CATEGORIES,
        ),
        _questions("zoo/vqa", "AnswerNet", *_stages(4), "meet.relu"),
        _questions("zoo/vqa-attention", "CoAttentionNet", "encoder.stem", *_stages(3), "evidence"),
        ZooEntry(
            "zoo/moves",
            moves.CLASSES,
            _net("motion_net", len(moves.CLASSES)),
            moves.gallery,
            moves.SIZE,
            scores="sigmoid",
            draw=moves.draw,
            frames=moves.FRAMES,
        ),
        _beetles("zoo/biased"),
        _beetles("zoo/unbiased"),
    )
}


def available() -> tuple[str, ...]:
    """List the names of all models of the zoo.

    Returns:
        The names, each with the prefix "zoo/".

    Example:
        >>> from camwidget import zoo
        >>> zoo.available()[:2]
        ('zoo/textures', 'zoo/scenes')
    """
    return tuple(_ENTRIES)


def entry(name: str) -> ZooEntry:
    """Look up the entry of a model.

    Args:
        name: full name, with the prefix "zoo/".

    Returns:
        The model's architecture, classes and preprocessing.

    Raises:
        ModelError: if there is no such model; the message lists all names.
    """
    if name not in _ENTRIES:
        raise ModelError(f"The zoo has no model {name!r}; it has {', '.join(_ENTRIES)}.")
    return _ENTRIES[name]


def build(name: str) -> ZooModel:
    """Load a trained model of the zoo on the CPU.

    Args:
        name: full name, with the prefix "zoo/".

    Returns:
        The network with its weights, classes, preprocessing and model card.

    Raises:
        ModelError: if there is no such model; the message lists all names.
        WeightsError: if the weights that are part of camwidget are missing or damaged.

    Example:
        >>> import torch
        >>> from camwidget import zoo
        >>> module = zoo.build("zoo/textures").module
        >>> with torch.inference_mode():
        ...     module(torch.zeros(1, 3, 192, 192)).shape
        torch.Size([1, 10])
    """
    found = entry(name)
    weights, card = _read(found)

    from safetensors.torch import load

    module = found.network()
    module.load_state_dict(load(weights))
    module.eval()
    return found.with_weights(module, card)


def samples(name: str) -> Sequence[Sample]:
    """Draw a few pictures that suit a model of the zoo.

    Args:
        name: full name of the model, with the prefix "zoo/".

    Returns:
        The pictures with their ground truth; the same ones in every call.

    Raises:
        ModelError: if there is no such model; the message lists all names.

    Example:
        >>> from camwidget import zoo
        >>> zoo.samples("zoo/scenes")[0].names
        ('yellow dotted square', 'red striped disc', 'blue star')
    """
    return entry(name).samples()


def _read(found: ZooEntry) -> tuple[bytes, dict[str, Any]]:
    """The weights and the card, with the checksum verified."""
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
