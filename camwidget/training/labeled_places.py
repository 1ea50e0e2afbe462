"""Pictures of scenes with the place of every thing, and the stages that the detector and the segmenter start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..zoo.registry import ZooEntry, build
from ..zoo.scenes import CLASSES, Scene, draw
from .cam_evaluation import normalize
from .fitting import augment, draw_parallel, shuffled_batches

PICTURES = 4000
BATCH = 32
_ALIKE, _CLOSE = 4, 8
"""One of so many pictures has two or three things of one class, one of so many a single thing in close-up."""
_STREAM = 0xB0C5


@dataclass(frozen=True)
class PlacedThings:
    """Training pictures, turned and mirrored, with what lies where.

    Attributes:
        images: uint8 (N, H, W, 3).
        places: the number of the thing at each pixel from 1, or 0, uint8 (N, H, W).
        labels: class of each thing of each picture.
    """

    images: NDArray[np.uint8]
    places: NDArray[np.uint8]
    labels: list[tuple[int, ...]]


def training_picture(seed: int, n: int) -> Scene:
    """Training picture number ``n``."""
    rng = np.random.default_rng([seed, n, _STREAM])
    if n % _ALIKE == 1:
        return draw(rng, objects=[int(rng.integers(len(CLASSES)))] * int(rng.integers(2, 4)))
    if n % _CLOSE == 2:
        return draw(rng, 1, radii=[float(rng.uniform(0.22, 0.4))])
    return draw(rng)


def placed_batches(seed: int, progress: bool) -> Iterator[PlacedThings]:
    """Draw the training pictures, and return endless batches of them."""
    drawn: list[NDArray[np.uint8]] = []
    labels: list[tuple[int, ...]] = []
    for scene in draw_parallel(partial(training_picture, seed), PICTURES, progress=progress):
        numbers = np.arange(1, len(scene.masks) + 1, dtype=np.uint8)
        places = np.einsum("nhw,n->hw", scene.masks, numbers)
        drawn.append(np.concatenate([scene.image, places[..., None]], 2))
        labels.append(scene.labels)
    pictures = np.stack(drawn)
    rng = np.random.default_rng([seed, _STREAM])
    for chosen in shuffled_batches(rng, PICTURES, BATCH):
        turned = augment(pictures[chosen], rng, recolor=False)
        yield PlacedThings(turned[..., :3], turned[..., 3], [labels[n] for n in chosen])


def start_from_scenes(early: nn.Sequential, late: nn.Sequential) -> None:
    """Give the stages the weights of `zoo/scenes`."""
    stages = build("zoo/scenes").module
    assert isinstance(stages, nn.Sequential)
    cut = len(early)
    early.load_state_dict(stages[:cut].state_dict())
    late.load_state_dict(stages[cut : cut + len(late)].state_dict())


def frozen_stages(
    entry: ZooEntry,
) -> Callable[[NDArray[np.uint8]], tuple[Tensor, Tensor]]:
    """A function from pictures uint8 (N, H, W, 3) to the network's input and the map of the first stages of scenes.

    These stages are not trained: the function uses a copy, so that those of the network stay in every bit.
    """
    module = build("zoo/scenes").module
    assert isinstance(module, nn.Sequential)
    stages = module[:2].to(memory_format=torch.channels_last)

    @torch.no_grad()
    def run(images: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        pictures = normalize(images, entry).contiguous(memory_format=torch.channels_last)
        return pictures, stages(pictures)

    return run
