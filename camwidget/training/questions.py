"""Training and evaluation of the two visual question answering models."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..zoo.registry import ZooEntry, build
from ..zoo.vocabulary import END
from ..zoo.vqa import ANSWERS, MAX_WORDS, VOCABULARY, answer, draw
from .cam_evaluation import normalize
from .fitting import draw_parallel, fit, shuffled_batches
from .gradcam_evaluation import model_of

STEPS = 4000
BATCH = 48
PASSES = 20
"""How often a picture is shown, each time with one of its questions."""
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02

UNSEEN = 1_000_000
_STREAM = 0x0A5E


def about(description: str) -> dict[str, Any]:
    """The card's texts for a question answering model."""
    return {
        "description": description,
        "data": "Pictures drawn by camwidget.zoo.vqa: two to four things, and questions about a color, shape, "
        "texture, number, place or presence, with the answer. The encoder begins as that of a net of zoo/scenes. The "
        "places of the things were not used, but in that they make the answers to questions after a place.",
        "known_faults": [
            "It was trained on drawn objects only, and questions in the words and the order of the generator's.",
            "A question without a correct answer (about an absent object, or one that occurs twice) still gets one.",
        ],
        "license": "BSD-3-Clause",
    }


def train_plain(entry: ZooEntry, net: Any, *, steps: int, seed: int, progress: bool) -> None:
    """Train the plain net in place. Its encoder begins as that of `zoo/scenes-fc`."""
    net.encoder.load_state_dict(build("zoo/scenes-fc").module.features.state_dict())  # type: ignore[union-attr]
    _train(entry, net, steps=steps, seed=seed, progress=progress)


def train_attentive(entry: ZooEntry, net: Any, *, steps: int, seed: int, progress: bool) -> None:
    """Train the net with co-attention in place. Its encoder begins as that of `zoo/scenes`."""
    net.encoder.load_state_dict(build("zoo/scenes").module[:-2].state_dict())  # type: ignore[index]
    _train(entry, net, steps=steps, seed=seed, progress=progress)


def _train(entry: ZooEntry, net: nn.Module, *, steps: int, seed: int, progress: bool) -> None:
    pictures = math.ceil(steps * BATCH / PASSES)
    images = np.empty((pictures, entry.input_size, entry.input_size, 3), np.uint8)
    questions_of: list[list[tuple[list[int], int]]] = []
    samples = draw_parallel(
        lambda n: draw(np.random.default_rng([seed, n, _STREAM])), pictures, progress=progress
    )
    for n, sample in enumerate(samples):
        images[n] = sample.image
        questions_of.append([])
        for text in sample.questions:
            numbers = VOCABULARY.numbers(text.split())
            found = answer(sample, text)
            assert found is not None
            row = [*numbers, *[END] * (MAX_WORDS - len(numbers))]
            questions_of[-1].append((row, ANSWERS.index(found.text)))
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, pictures, BATCH)

    def batch() -> tuple[tuple[Tensor, Tensor], Tensor]:
        chosen = next(order)
        rows = [questions_of[n][int(rng.integers(len(questions_of[n])))] for n in chosen]
        questions = torch.tensor([row for row, _ in rows])
        return (normalize(images[chosen], entry), questions), torch.tensor([a for _, a in rows])

    fit(
        net,
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )


def measure_questions(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Accuracy by kind of question, and how often the map's peak lies on an object that the answer depends on.

    The overall share of peaks excludes counting questions, whose evidence includes the absence of objects.
    """
    model = model_of(found, net)
    right: dict[str, list[bool]] = defaultdict(list)
    peak: dict[str, list[bool]] = defaultdict(list)
    for seed in tqdm(
        range(UNSEEN, UNSEEN + pictures), f"checking {found.name}", disable=not progress
    ):
        sample = draw(seed)
        for text in sample.questions:
            true = answer(sample, text)
            assert true is not None
            exp = explain(model.given(question=text), sample.image)
            assert isinstance(exp, Explanation)
            right[true.kind].append(exp.target.label == true.text)
            if true.about:
                place = sample.evidence(exp.target.label, text)
                assert place is not None
                peak[true.kind].append(bool(place.flat[int(exp.saliency.argmax())]))
    figures: dict[str, Any] = {
        "all": {
            "pictures": pictures,
            "questions": sum(map(len, right.values())),
            "right": _mean([x for values in right.values() for x in values]),
            "peak_on_object": _mean([x for k, v in peak.items() if k != "count" for x in v]),
        }
    }
    for kind in right:
        figures[kind] = {"right": _mean(right[kind]), "peak_on_object": _mean(peak[kind])}
    return figures


def _mean(values: list[bool]) -> float:
    return round(float(np.mean(values)), 4)
