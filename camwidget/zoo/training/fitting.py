"""What every training of the zoo shares: pictures drawn side by side, their order, the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..._compat.pytorch import has_amx_tiles
from ..sample import Sample

Inputs = Tensor | tuple[Tensor, ...]
"""What a network is called with: one tensor, or one for each of its arguments."""

Drawn = TypeVar("Drawn")
Output = TypeVar("Output")
Target = TypeVar("Target")


def drawn(
    picture: Callable[[int], Drawn], pictures: int, *, progress: bool, label: str = "drawing"
) -> Iterator[Drawn]:
    """`picture(0)` to `picture(pictures - 1)` in that order, drawn on several threads.

    Each must draw its randomness from its own number alone; then the threads do not matter.
    """
    with ThreadPoolExecutor() as threads:
        yield from tqdm(
            threads.map(picture, range(pictures)), label, pictures, disable=not progress
        )


def shared(
    picture: Callable[[int], Sample], pictures: int, side: int, progress: bool
) -> tuple[NDArray[np.uint8], Tensor]:
    """The first pictures, uint8 (N, side, side, 3), and their target shares, float32 (N, classes).

    Every class present counts alike, however small its object.
    """
    images = np.empty((pictures, side, side, 3), np.uint8)
    targets: list[Tensor] = []
    for n, sample in enumerate(drawn(picture, pictures, progress=progress)):
        images[n] = sample.image
        present = sorted(set(sample.labels))
        targets.append(torch.zeros(len(sample.classes)))
        targets[-1][present] = 1.0 / len(present)
    return images, torch.stack(targets)


def shuffled(
    rng: np.random.Generator, pictures: int, batch: int
) -> Iterator[NDArray[np.signedinteger]]:
    """Batches of numbers below `pictures`, without end; each number once before any again.

    Where there are fewer pictures than a batch holds, batches are shorter, and no picture is
    in one twice.

    The next order is drawn from `rng` only when it is needed, so that what else draws from it
    in between has its fixed place in the sequence.
    """
    queue = np.empty(0, int)
    while True:
        if len(queue) < batch:
            queue = np.concatenate([queue, rng.permutation(pictures)])
        chosen, queue = queue[:batch], queue[batch:]
        yield chosen


def varied(
    images: NDArray[np.uint8], rng: np.random.Generator, *, recolour: bool = True
) -> NDArray[np.uint8]:
    """Turn and mirror a batch (N, H, W, 3), and swap its colours where no class depends on them."""
    if rng.random() < 0.5:
        images = images.transpose(0, 2, 1, 3)
    images = images[:, :: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    return np.ascontiguousarray(images[..., rng.permutation(3)] if recolour else images)


def fit(
    net: nn.Module,
    batch: Callable[[], tuple[Inputs, Target]],
    loss: Callable[[Output, Target], Tensor],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    progress: bool,
    brief: bool = False,
) -> None:
    """Train a network in place with AdamW and one warm-up and cool-down; it ends in eval mode.

    Args:
        net: the network.
        batch: gives the next inputs, and their targets in whatever form `loss` takes.
        loss: what to lessen, a scalar, from the network's output and the targets.
        steps: number of steps.
        learning_rate: the highest learning rate, reached after 15 % of the steps.
        weight_decay: AdamW's decay of the weights.
        progress: whether to show a progress bar.
        brief: whether to compute in bfloat16 where the processor is much faster at it; the weights are
            float32 anyway.
    """
    # Convolutions on few channels run several times faster in this layout.
    net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=0.15
    )
    net.train()
    bar = tqdm(range(steps), "training", disable=not progress)
    brief = brief and has_amx_tiles()
    for step in bar:
        inputs, targets = batch()
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        with torch.autocast("cpu", torch.bfloat16, enabled=brief):
            output = net(*map(_channels_last, given))
        value = loss(_whole(output), targets)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            bar.set_postfix(loss=f"{value.item():.3f}")
    net.to(memory_format=torch.contiguous_format)
    net.eval()


def _channels_last(tensor: Tensor) -> Tensor:
    """Pictures in the layout the network is in; anything else as it is."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _whole(output: Any) -> Any:
    """A network's output in float32."""
    return output.float() if isinstance(output, Tensor) else output
