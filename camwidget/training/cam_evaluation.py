"""Evaluation of texture classifiers: accuracy, and location of the class activation map's peak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.registry import ZooEntry
from ..zoo.sample import Sample

_BATCH = 50

S = TypeVar("S", bound=Sample)


def normalize(images: NDArray[np.uint8], entry: ZooEntry) -> Tensor:
    """Pictures uint8 (N, H, W, 3) as the network's input: float32 (N, 3, H, W)."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32) / 255.0
    mean, std = (torch.tensor(triple).view(1, 3, 1, 1) for triple in (entry.mean, entry.std))
    return (pixels - mean) / std


@dataclass(frozen=True)
class CamFindings:
    """Results over some pictures.

    Attributes:
        accuracy: share of pictures whose predicted class is present.
        peak: share of pairs (picture, present class) whose class activation map has its peak inside an object of the
            class.
        pictures: number of pictures.
        wrong: indices of the misclassified pictures.
    """

    accuracy: float
    peak: float
    pictures: int
    wrong: tuple[int, ...]


def score(net: nn.Sequential, entry: ZooEntry, samples: Iterable[Sample]) -> CamFindings:
    """Evaluate a network that ends in global average pooling and one linear layer."""
    right: list[bool] = []
    peaks: list[bool] = []
    net.eval()
    for batch in batches(samples):
        scores, maps = activation_maps(net, normalize(stacked(batch), entry))
        for sample, best, class_maps in zip(batch, scores.argmax(1).tolist(), maps, strict=True):
            right.append(best in sample.labels)
            for label in sorted(set(sample.labels)):
                place = int(class_maps[label].argmax())
                peaks.append(bool(sample.mask_of(label).flat[place]))
    wrong = tuple(n for n, good in enumerate(right) if not good)
    return CamFindings(float(np.mean(right)), float(np.mean(peaks)), len(right), wrong)


@torch.no_grad()
def activation_maps(net: nn.Sequential, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (N, classes), and class activation maps (N, classes, H, W) at the pictures' size."""
    head = net.head
    assert isinstance(head, nn.Linear)
    features = net[:-2](pictures)
    maps = torch.einsum("nchw,kc->nkhw", features, head.weight)
    large = functional.interpolate(maps, size=pictures.shape[2:], mode="bilinear")
    return net[-2:](features), large


def stacked(samples: Sequence[Sample]) -> NDArray[np.uint8]:
    """The pictures of samples, uint8 (N, H, W, 3)."""
    return np.stack([sample.image for sample in samples])


def batches(samples: Iterable[S]) -> Iterator[list[S]]:
    """Batches of fifty samples, drawn on demand."""
    left = iter(samples)
    while batch := list(islice(left, _BATCH)):
        yield batch
