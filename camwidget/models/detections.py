"""Detections: boxes with classes and scores, as the outputs of detectors have them, and how they match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import ModelError
from ..images.boxes import corners, overlaps
from .output_tensors import describe_output

__all__ = ["Detection", "FoundBoxes", "boxes_found"]

_KEYS = ("boxes", "labels", "scores")


@dataclass(frozen=True)
class Detection:
    """A box that a model found.

    Attributes:
        box: left, top, right, bottom in pixels of the model's input.
        label: index of the class.
        name: name of the class.
        score: score of the class in [0, 1].
        size: rows and columns of the model's input.
    """

    box: tuple[float, float, float, float]
    label: int
    name: str
    score: float
    size: tuple[int, int]


@dataclass(frozen=True)
class FoundBoxes:
    """All boxes that a model found in a picture.

    Attributes:
        boxes: left, top, right, bottom (K, 4) in pixels.
        scores: score of each box for each class that it may have (K, classes), or for its own class (K,).
        labels: the boxes' classes (K,); None if there is a score for each class.
        size: rows and columns of the picture.
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor | None
    size: tuple[int, int]

    def total(self) -> torch.Tensor:
        """Return the sum of all scores, differentiable."""
        # A picture without boxes still has a number that belongs to the graph.
        return self.scores.sum() + 0 * self.boxes.sum()

    def matches(self, boxes: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return how well the best box matches each of some detections: score × intersection over union, in [0, 1].

        Args:
            boxes: left, top, right, bottom (n, 4) of the detections.
            labels: their classes (n,).

        Returns:
            Shape (n,), differentiable through the scores.
        """
        if not len(self.boxes):
            return self.total().expand(len(boxes))
        overlap = overlaps(boxes.to(self.boxes), self.boxes.detach()).to(self.scores)
        labels = labels.to(self.scores.device)
        if self.labels is None:
            products = overlap * self.scores[:, labels].T
        else:
            products = overlap * (labels[:, None] == self.labels) * self.scores
        found: torch.Tensor = products.amax(1)
        return found

    def class_odds(self, boxes: torch.Tensor, labels: torch.Tensor, least: float) -> torch.Tensor:
        """Return how much better the best box of its own class matches each of some detections than any other class's.

        Args:
            boxes: left, top, right, bottom (n, 4) of the detections.
            labels: their classes (n,).
            least: the match, score × intersection over union, below which there is none.

        Returns:
            log(the best match of its class / that of any other class), of matches of at least ``least``: shape (n,),
            differentiable through the scores.
        """
        found = []
        for box, label in zip(boxes, labels.tolist(), strict=True):
            overlap = overlaps(box[None].to(self.boxes), self.boxes.detach().reshape(-1, 4))[0]
            products = overlap.to(self.scores).reshape(-1, *[1] * (self.scores.ndim - 1))
            products = products * self.scores
            classes = self.labels
            if classes is None:
                classes = torch.arange(products.shape[1], device=products.device)
                classes = classes.expand(len(products), -1)
            is_own = (classes == label).to(products)
            # A zero that belongs to the graph, for classes that have no box.
            nothing = (0 * self.total()).reshape(1)
            own, other = (
                torch.cat([(products * part).flatten(), nothing]).amax().clamp(min=least).log()
                for part in (is_own, 1 - is_own)
            )
            found.append(own - other)
        return torch.stack(found)

    def edges(
        self, boxes: torch.Tensor, labels: torch.Tensor, edge: int, *, may_be_lost: bool
    ) -> torch.Tensor:
        """Return a coordinate of the box that matches each of some detections best, in pixels.

        Args:
            boxes: left, top, right, bottom (n, 4) of the detections.
            labels: their classes (n,).
            edge: which of left, top, right and bottom, from 0 on.
            may_be_lost: whether a detection without a box of its class that overlaps it has nan; an error otherwise.

        Returns:
            Shape (n,), differentiable through the boxes.

        Raises:
            ModelError: if no box of a detection's class overlaps it.
        """
        found = []
        for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
            products = self.products(box, label)[0].detach()
            # With a box more, which no detection matches; operations on tensors only, which an exported graph has too.
            products = torch.cat([products, products.new_zeros(1)])
            lost = products.max() <= 0
            if not may_be_lost and bool(lost):
                raise ModelError(
                    "No box of the same class overlaps the detection any more, so that it has no edges: ask about its "
                    "score, given(about='score'), or mask less."
                )
            places = torch.cat([self.boxes[:, edge], self.boxes.new_zeros(1)])
            place = places.index_select(0, products.argmax()[None])[0]
            found.append(torch.where(lost, place.new_tensor(torch.nan), place))
        return torch.stack(found)

    def products(self, box: Sequence[float], label: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how well each box matches one of a class, and how much it overlaps that one.

        Args:
            box: left, top, right, bottom.
            label: the class.

        Returns:
            Score × intersection over union (K,), 0 for boxes of other classes; and the intersection over union (K,).
        """
        scores = self.scores if self.labels is not None else self.scores[:, label]
        wanted = torch.tensor([box], device=self.boxes.device, dtype=self.boxes.dtype)
        overlap = overlaps(wanted, self.boxes.detach().reshape(-1, 4))[0].to(scores)
        own = overlap if self.labels is None else overlap * (self.labels == label)
        return own * scores, overlap

    def detections(self, threshold: float, name_of: Callable[[int], str]) -> list[Detection]:
        """Return the boxes whose best score reaches a threshold, by decreasing score."""
        scores, labels = (
            (self.scores, self.labels) if self.labels is not None else self.scores.max(1)
        )
        found: list[Detection] = []
        for index in scores.argsort(descending=True, stable=True).tolist():
            if float(scores[index]) >= threshold:
                label = int(labels[index])
                left, top, right, bottom = (float(v) for v in self.boxes[index])
                box = (left, top, right, bottom)
                found.append(Detection(box, label, name_of(label), float(scores[index]), self.size))
        return found


def boxes_found(output: Any, size: tuple[int, int], classes: int | None) -> list[FoundBoxes]:
    """Find the boxes in the output of a detector.

    Args:
        output: a list of one mapping a picture with "boxes", "labels" and "scores"; or an object or a mapping with
            "logits" and "pred_boxes".
        size: rows and columns of the pictures.
        classes: number of classes, if known. As many logits are independent scores; one more, and the last is that of
            no object (Carion et al. 2020, arXiv:2005.12872).

    Returns:
        The boxes of each picture.

    Raises:
        ModelError: if the output has no boxes, or it is not clear what its logits are.
    """
    if isinstance(output, (list, tuple)) and output and all(_is_mapping(o) for o in output):
        return [FoundBoxes(o["boxes"], o["scores"], o["labels"], size) for o in output]
    if _is_mapping(output) and getattr(output.get("boxes"), "ndim", 0) == 2:
        return [FoundBoxes(output["boxes"], output["scores"], output["labels"], size)]
    logits, boxes = _value(output, "logits"), _value(output, "pred_boxes")
    if isinstance(logits, torch.Tensor) and isinstance(boxes, torch.Tensor):
        scores = _probabilities(logits, classes)
        rows, columns = size
        scale = boxes.new_tensor([columns, rows, columns, rows])
        placed = corners(boxes, "cxcywh") * scale
        return [FoundBoxes(b, s, None, size) for b, s in zip(placed, scores, strict=True)]
    raise ModelError(
        "A detector returns a list with boxes, labels and scores of each picture, or logits and pred_boxes; this "
        f"module returns {describe_output(output)}. Pass output=…, a callable that makes such a list of it, to "
        "camwidget.wrap."
    )


def _probabilities(logits: torch.Tensor, classes: int | None) -> torch.Tensor:
    """Return the score of each box for each class from logits (N, K, classes or classes + 1)."""
    if classes == logits.shape[-1]:
        return logits.sigmoid()
    if classes == logits.shape[-1] - 1:
        return logits.softmax(-1)[..., :-1]
    raise ModelError(
        f"The boxes have {logits.shape[-1]} logits each, and "
        + (
            "the number of classes is not known"
            if classes is None
            else f"there are {classes} classes"
        )
        + ": pass the names of all as classes=[…]; with one logit more, the last is taken for no object."
    )


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(key), torch.Tensor) for key in _KEYS
    )


def _value(output: Any, key: str) -> Any:
    return output.get(key) if isinstance(output, Mapping) else getattr(output, key, None)
