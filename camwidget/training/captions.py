"""Training and evaluation of the captioning model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ..attribution.explaining import explain
from ..attribution.explanation import Explanations
from ..metrics.localization_metrics import inside_to_outside
from ..zoo.captions import MAX_WORDS, VOCABULARY, CaptionSample, draw
from ..zoo.nets import CaptionNet
from ..zoo.registry import ZooEntry, build
from ..zoo.scenes import CATEGORIES
from ..zoo.vocabulary import END
from .cam_evaluation import normalize
from .fitting import draw_parallel, fit, shuffled_batches
from .gradcam_evaluation import model_of

STEPS = 2600
BATCH = 32
PASSES = 10
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02

UNSEEN = 1_000_000
_EVERY = 5
"""Guided Grad-CAM is evaluated on one of so many pictures."""

_STREAM = 0xCA9E


ABOUT: dict[str, Any] = {
    "description": "A convolutional encoder and a recurrent decoder without attention that describe scenes of one or "
    "two things.",
    "data": "Pictures drawn by camwidget.zoo.captions, with the sentence that describes each; the larger thing is "
    "named first. The encoder begins as that of zoo/scenes. The places of the things were used only for the words "
    "between them (left of, above).",
    "known_faults": [
        "It was trained on drawn objects only, and no more than two at a time.",
        "Of two things that differ little in size it may name either first.",
        "Things as far aside as they are above are described either way.",
    ],
    "license": "BSD-3-Clause",
}


class _TeacherForcing(nn.Module):
    """The network in training: it predicts each next word from the correct ones before it."""

    def __init__(self, net: CaptionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor, captions: Tensor) -> Tensor:
        return self.net.word_log_probabilities(pictures, captions)


def train_captions(
    entry: ZooEntry, net: CaptionNet, *, steps: int, seed: int, progress: bool
) -> None:
    """Train the network in place; it is left in eval mode. The encoder begins as that of `zoo/scenes`."""
    net.encoder.load_state_dict(build("zoo/scenes").module[:-2].state_dict())  # type: ignore[index]
    pictures = math.ceil(steps * BATCH / PASSES)
    images = np.empty((pictures, entry.input_size, entry.input_size, 3), np.uint8)
    captions = torch.full((pictures, MAX_WORDS), END)
    samples = draw_parallel(
        lambda n: draw(np.random.default_rng([seed, n, _STREAM])), pictures, progress=progress
    )
    for n, sample in enumerate(samples):
        images[n] = sample.image
        numbers = VOCABULARY.numbers(sample.caption.split())
        captions[n, : len(numbers)] = torch.tensor(numbers)
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, pictures, BATCH)

    def batch() -> tuple[tuple[Tensor, Tensor], Tensor]:
        chosen = next(order)
        target_captions = captions[chosen]
        return (normalize(images[chosen], entry), target_captions), target_captions

    fit(
        _TeacherForcing(net),
        batch,
        _loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )


def _loss(log_probabilities: Tensor, target_captions: Tensor) -> Tensor:
    """The mean negative log-probability of the correct words, with one end per caption."""
    targets = functional.pad(target_captions, (0, 1), value=END)
    words = torch.ones_like(targets, dtype=torch.bool)
    words[:, 1:] = target_captions != END  # the first end counts, those after it do not
    surprise = -log_probabilities.gather(2, targets[..., None])[..., 0]
    return surprise[words].mean()


def measure_captions(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """The share of correct captions, and the ratio of saliency inside the boxes of named objects to that outside."""
    model = model_of(found, net)
    right: list[bool] = []
    words: list[float] = []
    kinds = ("whole caption", "word", "whole caption, guided", "word, guided")
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for seed in tqdm(
        range(UNSEEN, UNSEEN + pictures), f"checking {found.name}", disable=not progress
    ):
        sample = draw(seed)
        prompted = model.with_text_for(sample.image)
        own, true = str(prompted.text).split(), sample.caption.split()
        right.append(own == true)
        words.append(float(np.mean([a == b for a, b in zip(own, true, strict=False)])))
        targets = [0, *(n for n, word in enumerate(own, 1) if word in CATEGORIES)]
        method = ["gradcam", "guided-gradcam"] if seed % _EVERY == 0 else ["gradcam"]
        explained = explain(prompted, sample.image, targets, method)
        assert isinstance(explained, Explanations)
        for exp in explained:
            place = sample.evidence(exp.target.label, prompted.text)
            if place is None or not place.any():
                continue  # what it names is not there
            kind = "whole caption" if exp.target.index == 0 else "word"
            kind += ", guided" if exp.method != "gradcam" else ""
            ratios[kind].append(_ratio(exp.saliency, sample, place))
    return {
        "captions": {
            "pictures": pictures,
            "right": round(float(np.mean(right)), 4),
            "words_right": round(float(np.mean(words)), 4),
        },
        "saliency_inside_over_outside_the_boxes": {
            kind: {
                "mean": round(float(np.mean(values)), 2),
                "median": round(float(np.median(values)), 2),
            }
            for kind, values in ratios.items()
        },
    }


def _ratio(
    saliency: NDArray[np.floating], sample: CaptionSample, place: NDArray[np.bool_]
) -> float:
    """Mean saliency inside the boxes of the things at a place, over that outside (Selvaraju 2017, section 7.1)."""
    inside = np.zeros_like(place)
    for mask, (left, top, right, bottom) in zip(sample.masks, sample.boxes, strict=True):
        if (mask & place).any():
            inside[top:bottom, left:right] = True
    return inside_to_outside(torch.from_numpy(saliency), inside)
