"""``DetectionModel``: a model that finds boxes, of which single detections are explained and followed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from .._validation import check_number
from ..errors import TargetError
from ..images.conversion import PictureLike
from ..images.preprocess import Preprocess
from .class_names import configured_names, unique_names
from .detections import Detection, FoundBoxes, boxes_found
from .findings import Findings, boxes_followed
from .layer_recorder import Reshape
from .output_tensors import OutputPath, ScoredOutput, check_output_path, value_at
from .spatial_model import SpatialModel, size_of
from .vision_model import VisionModel

__all__ = ["EDGES", "QUESTIONS", "DetectionModel", "check_question", "while_masked"]

#: Edges of a box, in the order of its coordinates.
EDGES = ("left", "top", "right", "bottom")
#: What a detection can be asked about.
QUESTIONS = ("score", "class", *EDGES)
#: Scores are kept this far from 0 and 1, whose logits are infinite; a class with a lesser match has no box.
_MARGIN = 1e-6


@dataclass(frozen=True)
class _DetectionReader:
    """Callable from a module's output to the boxes in each picture."""

    path: OutputPath | None
    classes: int | None

    def __call__(self, output: Any, size: tuple[int, int]) -> list[FoundBoxes]:
        """Return the boxes of each picture, given the size (rows, columns) of the module's input."""
        return boxes_found(
            output if self.path is None else value_at(output, self.path), size, self.classes
        )


class _Matches:
    """Callable from a module's output to a number for each followed detection, (N, detections).

    Args:
        read: finds the boxes in the output.
        detections: those that are followed.
        size: rows and columns of the pixels in which their boxes are given.
        about: one of ``QUESTIONS``: "score" and "class" have logits, an edge has its coordinate in pixels.
        may_be_lost: whether a detection whose edge is asked about and that has no box has nan; an error otherwise.
    """

    def __init__(
        self,
        read: _DetectionReader,
        detections: Sequence[Detection],
        size: tuple[int, int],
        about: str,
        *,
        may_be_lost: bool = False,
    ) -> None:
        self._about = about
        self._may_be_lost = may_be_lost
        self._read = read
        self._boxes = torch.tensor([d.box for d in detections])
        self._labels = torch.tensor([d.label for d in detections])
        self._size = size
        text = repr([(d.box, d.label) for d in detections]) + about
        #: What ``VisionModel.output_path`` shows, by which an evaluation is recognized when it is resumed.
        self.__qualname__ = f"Matches({hashlib.sha256(text.encode()).hexdigest()[:16]})"

    def __call__(self, output: Any) -> torch.Tensor:
        return self.of_boxes(self._read(output, self._size))

    def of_boxes(self, every: Sequence[FoundBoxes]) -> torch.Tensor:
        """Return the numbers (N, detections) that belong to the boxes of each picture."""
        boxes, labels = self._boxes, self._labels
        if self._about in EDGES:
            which = EDGES.index(self._about)
            return torch.stack(
                [f.edges(boxes, labels, which, may_be_lost=self._may_be_lost) for f in every]
            )
        if self._about == "class":
            return torch.stack([f.class_odds(boxes, labels, _MARGIN) for f in every])
        scores = torch.stack([found.matches(boxes, labels) for found in every])
        return torch.logit(scores.clamp(_MARGIN, 1 - _MARGIN))


class DetectionModel(SpatialModel):
    """A model that finds boxes. ``wrap(…, kind="boxes")`` and ``load`` make it.

    It has no classes until detections are chosen: ``model.given(detections=model.detections(picture))`` returns a model
    whose classes are these detections. Each is followed in masked pictures: its probability is the greatest product of
    a box's score for the same class and its intersection over union with the detection (as D-RISE matches boxes,
    Petsiuk et al. 2021, arXiv:2006.03204, section 3.2, with the score of the class in place of the similarity of
    all classes' scores). Its logit is that of this probability, differentiable through the score; the overlap counts as
    a constant. RISE of it is D-RISE with that matching.

    ``given(about=…)`` asks something else about the detections, whose best box is the one that matches in that way:
    "score", the product above, why it is found; "class", why this class and not another one there; or an edge of the
    box, "left", "top", "right" or "bottom", why it is where it is. The number of "class" is the share m / (m + o) of
    the best product m of its class, where o is the best one of any other class, and its logit is log m − log o. That of
    an edge is its coordinate in pixels: a map shows what moves it to the right, or down, and evidence against it what
    moves it the other way.

    Args:
        module: module from pictures (N, C, H, W) to boxes.
        preprocess: its preprocessing.
        classes: class names, in the order of its labels; None for those of its configuration.
        name: name of the model.
        usual_classes: class names if there are none.
        reshape: as in ``wrap``.
        layers: as in ``wrap``.
        inputs: as in ``wrap``.
        output: place of the boxes in the module's output: a list of one mapping a picture with "boxes" (K, 4), which
            are left, top, right, bottom in pixels of the input, "labels" (K,) and "scores" (K,), as torchvision's
            detectors return; or "logits" (N, K, classes) and "pred_boxes" (N, K, 4), which are center, width and
            height in [0, 1], as DETR returns. Found by these names if None.

    Example:
        >>> import torch
        >>> import camwidget as cw
        >>> from torch import nn
        >>> class Brightest(nn.Module):  # one box, around the brightest cell
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.net = nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 4, 1), nn.ReLU())
        ...     def forward(self, x):
        ...         found = []
        ...         for cells in self.net(x).sum(1):
        ...             at = divmod(int(cells.argmax()), cells.shape[1])
        ...             box = torch.tensor([[8.0 * at[1], 8.0 * at[0], 8.0 * at[1] + 8, 8.0 * at[0] + 8]])
        ...             found.append({"boxes": box, "labels": torch.tensor([1]), "scores": cells[at].sigmoid()[None]})
        ...         return found
        >>> model = cw.wrap(Brightest(), cw.Preprocess(32), classes=["nothing", "light"], kind="boxes")
        >>> picture = torch.rand(3, 32, 32)
        >>> found = model.detections(picture)
        >>> [d.name for d in found]
        ['light']
        >>> cw.explain(model.given(detections=found), picture, "light", layer="net.2").saliency.shape
        (32, 32)
    """

    finds_boxes = True

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
        inputs: Mapping[str, torch.Tensor] | None = None,
        output: Any = None,
    ) -> None:
        config = getattr(module, "config", None)
        count = len(classes) if classes is not None else getattr(config, "num_labels", None)
        labels = classes
        if labels is None:
            configured = None if count is None else configured_names(module, count)
            labels = configured or usual_classes or None
        #: Names of the labels; empty if they are not known.
        self.labels: tuple[str, ...] = () if labels is None else unique_names(labels, len(labels))
        path = None if output is None else check_output_path(output)
        self._read = _DetectionReader(path, len(self.labels) or count)
        self.detected: tuple[Detection, ...] = ()
        #: The least score of boxes that are detections, in [0, 1], unless ``detections`` is given another.
        self.least_score = 0.5
        #: What is asked about the detections: "score", "class", or the edge "left", "top", "right" or "bottom".
        self.about = "score"
        self._has_lost_detections = False
        super().__init__(
            module,
            preprocess,
            None,
            name=name,
            reshape=reshape,
            layers=layers,
            inputs=inputs,
            scores="value",
            output=_Unscored(self._read),
        )
        self.classes = ()
        self.scores = "sigmoid"
        self._index = {}

    @property
    def no_classes(self) -> str:
        """Reason why the model has no classes, with the remedy; empty once detections are chosen."""
        if getattr(self, "classes", ()):
            return ""
        return (
            f"{self.name} finds boxes, and none of them is chosen yet, or none in this picture has a score of "
            f"{self.least_score:g}: "
            "model.given(detections=model.detections(picture, threshold=0.1))."
        )

    def detections(self, picture: Any, threshold: float | None = None) -> list[Detection]:
        """Return what the model detects in a picture.

        Args:
            picture: one picture (see ``Preprocess.pixels``).
            threshold: the least score in [0, 1]; ``least_score`` of the model if None, 0.5 at first.

        Returns:
            Detections by decreasing score, boxes in pixels of ``model.pixels(picture)``.

        Raises:
            PictureError: if the picture cannot be read, or is a batch of several.
            ModelError: if the module's output has no boxes.
            TargetError: if the threshold is no number from 0 to 1.

        Example:
            See ``DetectionModel``.
        """
        least = self.least_score if threshold is None else _checked_score("threshold", threshold)
        pixels = self.one_picture(picture, "detections")
        (found,) = self._read(self.output_of(pixels), size_of(pixels))
        return found.detections(least, self._label_name)

    def category(self, index: int) -> str:
        """Return the name of a detection's label."""
        return self.detected[index].name

    def with_text_for(self, picture: PictureLike) -> VisionModel:
        """Return the model with its own detections in a picture; itself if some were chosen, or there are none."""
        found = [] if self.detected else self.detections(picture)
        return self.given(detections=found) if found else self

    def findings(self, pixels: torch.Tensor) -> Findings:
        """Return the boxes that match the chosen detections best in pixels (1, C, H, W) in [0, 1]."""
        logits, (found,) = self._find(pixels)
        values = self.probabilities(logits[0]).double().cpu().numpy()
        return boxes_followed(found, self.detected, values)

    def followed(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the numbers of the chosen detections in pixels, and how well their best boxes match them.

        Args:
            pixels: pixels (N, C, H, W) in [0, 1].

        Returns:
            Logits, or coordinates of edges, float32 (N, detections); and score × intersection over union of the same
            pass, in [0, 1], of the same shape.
        """
        logits, every = self._find(pixels)
        boxes = torch.tensor([d.box for d in self.detected])
        labels = torch.tensor([d.label for d in self.detected])
        return logits, torch.stack([found.matches(boxes, labels) for found in every])

    def _find(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[FoundBoxes]]:
        """Return the logits, and the boxes, in pixels (N, C, H, W)."""
        with self.isolated() as isolated, torch.no_grad():
            returned = isolated.run(self.inputs(pixels))
            logits = isolated.logits_of(returned, len(pixels)).float()
        self.check_finite(logits)
        output = returned.output if isinstance(returned, ScoredOutput) else returned
        return logits, self._read(output, size_of(pixels))

    def may_be_lost(self) -> DetectionModel:
        """Return the model for masked pictures: the edge of a detection that is lost there is nan, and no error."""
        if self.about not in EDGES or not self.detected:
            return self
        path = _Matches(
            self._read, self.detected, self.detected[0].size, self.about, may_be_lost=True
        )
        found = self._copy_with(
            _reader=replace(self._reader, path=(path,)), _has_lost_detections=True
        )
        assert isinstance(found, DetectionModel)
        return found

    def check_finite(self, logits: torch.Tensor) -> None:
        """Raise a ``ModelError`` if numbers are not finite; nan of a lost detection is allowed (``may_be_lost``)."""
        lost = logits.isnan() if self._has_lost_detections else logits.new_zeros(()).bool()
        super().check_finite(logits.masked_fill(lost, 0))

    def exported_tensors(self, returned: Any, size: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Return the boxes of a picture: "boxes" (K, 4), "scores" (K, classes), or (K,) with "labels" (K,)."""
        output = returned.output if isinstance(returned, ScoredOutput) else returned
        (found,) = self._read(output, size)
        tensors = {"boxes": found.boxes.float(), "scores": found.scores.float()}
        return tensors if found.labels is None else {**tensors, "labels": found.labels.float()}

    def exported_logits(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits (1, detections) that belong to the boxes of a picture."""
        size = self.detected[0].size
        found = FoundBoxes(tensors["boxes"], tensors["scores"], tensors.get("labels"), size)
        return _Matches(self._read, self.detected, size, self.about).of_boxes([found])

    def given(self, **inputs: Any) -> VisionModel:
        """Return the same model for chosen detections, or with other inputs besides the picture.

        Args:
            inputs: ``detections``, one or a list of those of ``model.detections(picture)``, which become the classes;
                ``about``, what is asked about them, "score", "class", "left", "top", "right" or "bottom";
                ``least_score`` in [0, 1] of the boxes that are a picture's own detections; tensors as in
                ``VisionModel.given``.

        Raises:
            TargetError: if it is no detection, or there is none; or if there is no such question or score.
            ModelError: if the model takes nothing of that name.
        """
        chosen = inputs.pop("detections", None)
        about = check_question(inputs.pop("about", self.about))
        least = _checked_score("least_score", inputs.pop("least_score", self.least_score))
        self._extra_inputs.check_names(inputs, self.name, "detections")
        detections = self.detected if chosen is None else _checked_detections(chosen)
        asked: dict[str, Any] = {} if about == "score" else {"about": about}
        if not detections and least != 0.5:
            asked["least_score"] = least
        origin = self.origin
        changes: dict[str, Any] = {
            "_extra_inputs": self._extra_inputs.with_tensors(inputs),
            "about": about,
            "_has_lost_detections": False,
            "least_score": least,
            "scores": "value" if about in EDGES else "sigmoid",
            "unit": f"px at the {about} edge" if about in EDGES else "",
        }
        if origin is not None:
            kind = "detections" if detections else "boxes"
            changes["origin"] = replace(
                origin, given=(kind, asked) if detections or asked else None
            )
        if detections:
            changes |= self._following(detections, about)
        return self._copy_with(**changes)

    def _following(self, detections: tuple[Detection, ...], about: str) -> dict[str, Any]:
        """Return the attributes of a model whose classes are detections."""
        names = unique_names([d.name for d in detections], len(detections))
        return {
            "detected": detections,
            "classes": names,
            "_index": {name: i for i, name in enumerate(names)},
            "_discovery": self._discovery.with_classes(len(names)),
            "_reader": replace(
                self._reader,
                scores="value" if about in EDGES else "sigmoid",
                path=(_Matches(self._read, detections, detections[0].size, about),),
                columns=len(names),
                is_binary_logit=False,
                no_classes_reason="",
            ),
        }

    @property
    def chosen_size(self) -> tuple[int, int] | None:
        """Rows and columns of the picture in which the detections were found; None if none is chosen."""
        return self.detected[0].size if self.detected else None

    def place_of(self, index: int) -> np.ndarray | None:
        """Return the pixels of a detection's box, bool (H, W): those whose centers lie in it."""
        if not self.detected:
            return None
        left, top, right, bottom = self.detected[index].box
        rows, columns = self.detected[index].size
        y, x = np.arange(rows)[:, None] + 0.5, np.arange(columns) + 0.5
        found: np.ndarray = (y >= top) & (y < bottom) & (x >= left) & (x < right)
        return found

    def __repr__(self) -> str:
        what = f"boxes of {len(self.labels)} labels" if self.labels else "boxes"
        if self.detected:
            what += f", {len(self.detected)} of them chosen"
        asked = "" if self.about == "score" else f", asked about {self.about!r}"
        return f"DetectionModel({self.name!r}, {what}{asked}, default layer {self.default_layer!r}, {self.device})"

    @property
    def _chosen(self) -> str:
        return "The detections are"

    def _label_name(self, label: int) -> str:
        return self.labels[label] if 0 <= label < len(self.labels) else f"label {label}"


def while_masked(model: VisionModel) -> VisionModel:
    """Return a model for masked pictures, in which a detection may be lost: see ``DetectionModel.may_be_lost``."""
    return model.may_be_lost() if isinstance(model, DetectionModel) else model


class _Unscored:
    """Callable from a module's output to one number a picture, by which the layers are found: the sum of all scores."""

    __qualname__ = "Unscored"

    def __init__(self, read: _DetectionReader) -> None:
        self._read = read

    def __call__(self, output: Any) -> torch.Tensor:
        return torch.stack([found.total() for found in self._read(output, (1, 1))])[:, None]


def check_question(about: Any) -> str:
    """Return what is asked about detections.

    Raises:
        TargetError: if it is none of ``QUESTIONS``.
    """
    if not isinstance(about, str) or about not in QUESTIONS:
        raise TargetError(
            f"A detection is asked about {', '.join(map(repr, QUESTIONS[:-1]))} or {QUESTIONS[-1]!r}, not {about!r}."
        )
    return about


def _checked_score(name: str, score: Any) -> float:
    return check_number(name, score, 0, 1, error=TargetError)


def _checked_detections(value: Any) -> tuple[Detection, ...]:
    chosen = [value] if isinstance(value, Detection) else value
    if not isinstance(chosen, (list, tuple)) or not all(isinstance(d, Detection) for d in chosen):
        raise TargetError(
            "detections is a detection of model.detections(picture), or a list of them, not "
            f"{type(value).__name__}."
        )
    if not chosen:
        raise TargetError(
            "There is no detection to explain: model.detections(picture, threshold=0.1) may find some with a lower "
            "score."
        )
    if len({d.size for d in chosen}) > 1:
        raise TargetError(
            "The detections are of pictures of several sizes: choose those of one picture."
        )
    return tuple(chosen)
