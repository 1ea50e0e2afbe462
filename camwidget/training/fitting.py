"""Shared parts of all trainings: parallel drawing, shuffling, augmentation and the optimization loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._compat.pytorch import has_amx_tiles
from ..zoo.sample import Sample

Inputs = Tensor | tuple[Tensor, ...]
"""Arguments of a network: one tensor, or a tuple of them."""

Picture = TypeVar("Picture")
Output = TypeVar("Output")
Target = TypeVar("Target")


def draw_parallel(
    picture: Callable[[int], Picture], pictures: int, *, progress: bool, label: str = "drawing"
) -> Iterator[Picture]:
    """Iterate over `picture(0)` to `picture(pictures - 1)` in order, drawn on several threads.

    Each call must derive its random numbers from its own number alone, so that threads do not affect the result.
    """
    with ThreadPoolExecutor() as threads:
        yield from tqdm(
            threads.map(picture, range(pictures)), label, pictures, disable=not progress
        )


def draw_training_set(
    picture: Callable[[int], Sample], pictures: int, side: int, progress: bool
) -> tuple[NDArray[np.uint8], Tensor]:
    """Draw the training pictures, uint8 (N, side, side, 3), with their targets, float32 (N, classes).

    All present classes have equal target probabilities, whatever the size of their objects.
    """
    images = np.empty((pictures, side, side, 3), np.uint8)
    targets: list[Tensor] = []
    for n, sample in enumerate(draw_parallel(picture, pictures, progress=progress)):
        images[n] = sample.image
        present = sorted(set(sample.labels))
        targets.append(torch.zeros(len(sample.classes)))
        targets[-1][present] = 1.0 / len(present)
    return images, torch.stack(targets)


def shuffled_batches(
    rng: np.random.Generator, pictures: int, batch: int
) -> Iterator[NDArray[np.signedinteger]]:
    """Endless batches of indices below ``pictures``, each index once per epoch.

    With fewer pictures than the batch size, batches are shorter, and no picture occurs twice in one. The next
    permutation is drawn from ``rng`` only when needed, which fixes the order of all draws from ``rng``.
    """
    queue = np.empty(0, int)
    while True:
        if len(queue) < batch:
            queue = np.concatenate([queue, rng.permutation(pictures)])
        chosen, queue = queue[:batch], queue[batch:]
        yield chosen


def augment(
    images: NDArray[np.uint8], rng: np.random.Generator, *, recolor: bool = True
) -> NDArray[np.uint8]:
    """Rotate and mirror a batch (N, H, W, 3), and permute its color channels if no class depends on color."""
    if rng.random() < 0.5:
        images = images.transpose(0, 2, 1, 3)
    images = images[:, :: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return np.ascontiguousarray(images[..., rng.permutation(3)] if recolor else images)


def fit(
    net: nn.Module,
    batch: Callable[[], tuple[Inputs, Target]],
    loss: Callable[[Output, Target], Tensor],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    progress: bool,
    bfloat16: bool = False,
) -> None:
    """Train a network in place with AdamW and a one-cycle schedule; it ends in eval mode.

    Args:
        net: the network.
        batch: returns the next inputs and their targets, in the form that ``loss`` takes.
        loss: the scalar loss of the network's output and the targets.
        steps: number of steps.
        learning_rate: the highest learning rate, reached after 15 % of the steps.
        weight_decay: weight decay of AdamW.
        progress: whether to show a progress bar.
        bfloat16: whether to compute in bfloat16 on processors with fast support; weights are float32 anyway.
    """
    # Convolutions with few channels run several times faster in this memory layout.
    is_of_clips = any(weight.ndim == 5 for weight in net.parameters())
    layout = torch.channels_last_3d if is_of_clips else torch.channels_last
    net.to(memory_format=layout)
    optimizer = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.15
    )
    net.train()
    bar = tqdm(range(steps), "training", disable=not progress)
    bfloat16 = bfloat16 and has_amx_tiles()
    for step in bar:
        inputs, targets = batch()
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = net(*(_laid_out(tensor, layout) for tensor in given))
        value = loss(_to_float32(output), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            bar.set_postfix(loss=f"{value.item():.3f}")
    net.to(memory_format=torch.contiguous_format)
    net.eval()


def _laid_out(tensor: Tensor, layout: torch.memory_format) -> Tensor:
    """Pictures, or clips, in a layout with channels last; other tensors unchanged."""
    axes = 5 if layout == torch.channels_last_3d else 4
    return tensor.contiguous(memory_format=layout) if tensor.ndim == axes else tensor


def _to_float32(output: Any) -> Any:
    """A network's output in float32."""
    if isinstance(output, tuple):
        return tuple(map(_to_float32, output))
    return output.float() if isinstance(output, Tensor) else output
