"""``SimilarityModel``: a model whose classes are references, such as typed texts, compared with the picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..errors import PictureError, PromptError
from ..images.preprocess import Preprocess
from .embeddings import EmbeddingReader, Similarity
from .layer_recorder import Reshape
from .output_tensors import check_output_path
from .two_towers import TextEncoder, Tokenize, TwoTowers
from .vision_model import VisionModel

__all__ = ["SimilarityModel", "likeness_model", "text_model"]


#: Cosine from which on a picture is taken for its own reference where one is chosen by default.
_SAME = 1 - 1e-6
#: Distance of two embeddings up to which they are of the same picture; rounding leaves 1e-6.
_APART = 3e-5


class _References(Protocol):
    """What the pictures are compared with."""

    name: str  #: keyword of ``given``
    example: str  #: such a keyword argument
    scores: str  #: kind of the scores
    scale: float
    bias: float

    def named(self, values: Any) -> dict[str, Any]:
        """Return references by unique name."""

    def check(self, value: Any) -> None:
        """Raise an error if a reference can be seen to have no embedding, without running the module."""

    def embedding(self, model: SimilarityModel, value: Any) -> torch.Tensor:
        """Return the embedding (D,) of a reference, of length 1; float32 on the CPU."""


class SimilarityModel(VisionModel):
    """A model that compares pictures with references. ``load`` and ``wrap`` make it.

    It has no classes until references are given: ``model.given(texts=["a cat", "a dog"])`` returns a model whose
    classes are the texts. The logit of a text is ``scale · cosine + bias`` of the picture's and the text's embedding,
    with the scale and bias of the model. The models of several ``given`` share the module and the references'
    embeddings, which are computed once, with the weights that the module has then.

    Args:
        module: module from a picture to its embedding.
        preprocess: its preprocessing.
        references: what the pictures are compared with.
        name: name of the model.
        reshape: as in ``wrap``.
        layers: as in ``wrap``.
        output: place of the embedding in the module's output, as in ``wrap``; found by its name if None.

    Example:
        >>> import camwidget as cw
        >>> from torch import nn
        >>> net = cw.load().module
        >>> encoder = nn.Sequential(net.stem, net.stage1, net.stage2, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> one, two, other = (s.image for s in cw.zoo.samples("zoo/textures")[:3])
        >>> model = cw.wrap(encoder, cw.Preprocess(96), kind="embedding").given(pictures={"one": one, "two": two})
        >>> model.classes, model.predict(one).indices[0]
        (('one', 'two'), 0)
        >>> cw.explain(model, other, "two").target.label
        'two'
    """

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        references: _References,
        *,
        name: str,
        reshape: Reshape | None = None,
        layers: Sequence[str] | None = None,
        inputs: Mapping[str, torch.Tensor] | None = None,
        output: Any = None,
    ) -> None:
        self._references = references
        self._given: dict[str, Any] = {}
        self._similarity: Similarity | None = None
        self._read = EmbeddingReader(None if output is None else check_output_path(output))
        # The layers are found with the numbers of the embedding as outputs.
        super().__init__(
            module,
            preprocess,
            None,
            name=name,
            reshape=reshape,
            layers=layers,
            inputs=inputs,
            scores="value",
            output=self._read,
        )
        self.classes = ()
        self.scores = references.scores
        self._index = {}

    @property
    def compared_with(self) -> str:
        """Keyword of ``given`` for the references: "texts" or "pictures"."""
        return self._references.name

    @property
    def references(self) -> Mapping[str, Any]:
        """The references by name, in the order of the classes; empty until some are given."""
        return dict(self._given)

    @property
    def no_classes(self) -> str:
        """Reason why the model has no classes, with the remedy; empty once references are given."""
        known = self._references
        if getattr(self, "classes", ()):
            return ""
        return f"{self.name} compares pictures with {known.name}, and has none yet: model.given({known.example})."

    def given(self, **inputs: Any) -> VisionModel:
        """Return the same model with other references, or with other inputs besides the picture.

        Args:
            inputs: the references by their keyword, a list or a mapping from names to them: ``texts`` of a two-tower
                model, ``pictures`` of an embedding; tensors as in ``VisionModel.given``.

        Raises:
            PromptError: if a text is empty, too long, or given twice.
            PictureError: if a reference picture cannot be read.
            ModelError: if the model takes nothing of that name.
        """
        known = self._references
        given = inputs.pop(known.name, None)
        self._extra_inputs.check_names(inputs, self.name, known.name)
        extra_inputs = self._extra_inputs.with_tensors(inputs)
        if given is None:
            return self._copy_with(_extra_inputs=extra_inputs)
        values = known.named(given)
        rows = torch.stack([known.embedding(self, value) for value in values.values()])
        similarity = Similarity(rows, known.scale, known.bias)
        origin = self.origin
        return self._copy_with(
            _extra_inputs=extra_inputs,
            _given=values,
            _similarity=similarity,
            classes=tuple(values),
            scores=known.scores,
            origin=None if origin is None else replace(origin, given=(known.name, values)),
            _index={name: i for i, name in enumerate(values)},
            _discovery=self._discovery.with_classes(len(rows)),
            _reader=replace(
                self._reader,
                scores=known.scores,
                path=(self._read, similarity),
                columns=len(rows),
            ),
        )

    def most_probable(self, probabilities: torch.Tensor) -> list[int]:
        """Return the default class of each picture, from scores (N, classes).

        Of texts it is the most probable one; of pictures the first that is not the picture itself.
        """
        if self.scores != "value" or not self.classes:
            return super().most_probable(probabilities)
        rows = probabilities.tolist()
        return [
            next((i for i, c in enumerate(row) if c < _SAME), row.index(min(row))) for row in rows
        ]

    def why_no_slope(self, output: Any, index: int, picture: int) -> str:
        """Return why the cosine to a reference has no gradient: the picture is that reference; empty where it is not.

        The cosine is at its greatest there, and what a gradient is left is rounding.
        """
        similarity = self._similarity
        if self.scores != "value" or similarity is None:
            return ""
        # Not by the cosine, which is 1 to seven digits where the gradient is still 1e-3.
        rows = self._read(output).detach().float().cpu()
        if float((rows[picture] - similarity.references[index]).norm()) > _APART:
            return ""
        return (
            f"the picture is {self.classes[index]!r} itself, and a cosine of 1 has no gradient. Choose another "
            "picture or reference, or 'occlusion'."
        )

    def check_references(self, values: Any) -> tuple[str, ...]:
        """Check references without running the module, and return their names.

        Args:
            values: a list or a mapping, as of the keyword of ``given``.

        Returns:
            The names of the classes that the model would have.

        Raises:
            PromptError: if a text is empty, too long, or given twice.
            PictureError: if there is no picture.
        """
        named = self._references.named(values)
        for value in named.values():
            self._references.check(value)
        return tuple(named)

    def outline(self, names: Sequence[str]) -> VisionModel:
        """Return the model with names of classes that are not encoded: it knows classes and layers, and cannot run.

        Args:
            names: names of the references.
        """
        return self._copy_with(
            classes=tuple(names), _index={name: i for i, name in enumerate(names)}
        )

    def embedding(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of pictures, each divided by its length.

        Args:
            pixels: pixels (N, C, H, W) in [0, 1].

        Returns:
            float32 (N, D) on the CPU.
        """
        with self.isolated() as isolated, torch.no_grad():
            return self._read(isolated.run(self.inputs(pixels))).float().cpu()


class _Texts:
    """Texts as references."""

    name = "texts"
    example = "texts=['a cat', 'a dog']"

    def __init__(self, encode: TextEncoder, towers: TwoTowers) -> None:
        self._encode = encode
        # Trained with a bias, each text is judged for itself (SigLIP, Zhai 2023, algorithm 1).
        self.scores = "softmax" if towers.bias is None else "sigmoid"
        self.scale = towers.scale
        self.bias = towers.bias or 0.0

    def named(self, values: Any) -> dict[str, str]:
        if isinstance(values, str) or not isinstance(values, (Mapping, Sequence)):
            raise PromptError(
                f"texts is a list of texts, such as {self.example}, not {type(values).__name__}."
            )
        pairs = values.items() if isinstance(values, Mapping) else zip(values, values, strict=True)
        named: dict[str, str] = {}
        for name, text in pairs:
            if not isinstance(text, str) or not isinstance(name, str):
                raise PromptError(f"Each text is a string, not {type(text).__name__}.")
            name, text = (" ".join(words.split()) for words in (name, text))
            if not text or not name:
                raise PromptError("One of the texts is empty. Write each in words.")
            if name in named:
                raise PromptError(f"The text {name!r} is given twice: each text is one class.")
            named[name] = text
        if not named:
            raise PromptError(f"There is no text. Give one at least: {self.example}.")
        return named

    def check(self, value: str) -> None:
        self._encode.check(value)

    def embedding(self, model: SimilarityModel, value: str) -> torch.Tensor:
        return self._encode(value)


class _Pictures:
    """Pictures as references."""

    name = "pictures"
    example = "pictures=['a.jpg', 'b.jpg']"
    scores = "value"
    scale = 1.0
    bias = 0.0

    def __init__(self) -> None:
        self._known: dict[str, torch.Tensor] = {}

    def named(self, values: Any) -> dict[str, Any]:
        if isinstance(values, Mapping):
            named = {str(name).strip(): picture for name, picture in values.items()}
            if not all(named):
                raise PictureError("One of the pictures has an empty name.")
        else:
            pictures = list(values) if isinstance(values, (list, tuple)) else [values]
            named = {}
            for number, picture in enumerate(pictures):
                name = _file_name(picture) or f"picture {number}"
                named[f"{name} #{number}" if name in named else name] = picture
        if not named:
            raise PictureError(
                f"There is no picture to compare with. Give one at least: {self.example}."
            )
        return named

    def check(self, value: Any) -> None:
        """Accept any picture: whether it can be read is known when it is."""

    def embedding(self, model: SimilarityModel, value: Any) -> torch.Tensor:
        pixels = model.pixels(value)
        if len(pixels) != 1:
            raise PictureError(
                f"A reference is one picture, not a batch of {len(pixels)}: pass them in a list."
            )
        key = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
        if key not in self._known:
            self._known[key] = model.embedding(pixels)[0]
        return self._known[key]


def _file_name(picture: Any) -> str:
    """Return the name of a picture's file without its suffix; empty for a picture in memory."""
    return Path(picture).stem if isinstance(picture, (str, os.PathLike)) else ""


def text_model(
    module: nn.Module,
    preprocess: Preprocess,
    tokenize: Tokenize,
    *,
    name: str,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    layers: Sequence[str] | None = None,
) -> SimilarityModel:
    """Make a model of a module with two towers, which compares pictures with texts.

    Args:
        module: the module.
        preprocess: its preprocessing.
        tokenize: its tokenizer.
        name: name of the model.
        reshape: as in ``wrap``.
        layers: as in ``wrap``.

    Raises:
        ModelError: if a tower fails.
    """
    towers = TwoTowers.of(module, preprocess)
    references = _Texts(TextEncoder(module, tokenize), towers)
    return SimilarityModel(
        towers.image, preprocess, references, name=name, reshape=reshape, layers=layers
    )


def likeness_model(
    module: nn.Module,
    preprocess: Preprocess,
    *,
    name: str,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    layers: Sequence[str] | None = None,
    inputs: Mapping[str, torch.Tensor] | None = None,
    output: Any = None,
) -> SimilarityModel:
    """Make a model of a module with an embedding, which compares pictures with pictures.

    Args:
        module: the module.
        preprocess: its preprocessing.
        name: name of the model.
        reshape: as in ``wrap``.
        layers: as in ``wrap``.
        inputs: as in ``wrap``.
        output: as in ``wrap``.

    Raises:
        ModelError: if the module fails, or has no embedding.
    """
    return SimilarityModel(
        module,
        preprocess,
        _Pictures(),
        name=name,
        reshape=reshape,
        layers=layers,
        inputs=inputs,
        output=output,
    )
