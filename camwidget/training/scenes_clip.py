"""Training and evaluation of the two towers of pictures and texts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.captions import RELATIONS
from ..zoo.registry import ZooEntry, build
from ..zoo.scene_texts import Description, Facts, describe, padded
from ..zoo.scenes import Scene, draw
from ..zoo.transformers import TwoTowerNet
from .cam_evaluation import normalize
from .fitting import draw_parallel, fit, shuffled_batches
from .gradcam_evaluation import UNSEEN
from .methods_evaluation import measure_with_methods

STEPS = 300
BATCH = 32
PICTURES = 1000
TEXTS = 2
"""Number of texts for each picture of a batch."""
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
_CHOICE = 16
"""Number of texts, one of them true, that a text is chosen from in the evaluation."""
_STREAM = 0xC11B

ABOUT: dict[str, Any] = {
    "description": 'Two small towers for scenes and for texts such as "a striped ball", whose classes are the texts '
    "given.",
    "data": "Pictures drawn by camwidget.zoo.scenes, with texts by camwidget.zoo.scene_texts that are true of them: "
    "of one thing with some or all of its properties, or of two and how they lie. Contrastive: in a batch of pictures "
    "and texts, the true pairs were told from the others. The picture tower begins as zoo/scenes-vit; only its last "
    "block and what follows were trained, so that it has seen the places of the things in the training of that model.",
    "known_faults": [
        "It was trained on drawn objects only, and knows the words of the scenes and a few synonyms (ball, circle, "
        "box, spotted).",
        "A color and a shape without a texture mean a plain thing, as in the names of the classes.",
        "In pictures of several things, the text with the highest score is often of another thing: see several.",
        "How two things lie (left of, above) is judged no better than by chance: see texts.relation.",
        "Its probabilities are a softmax over the texts given: if none of them is true, one of them still wins.",
    ],
    "license": "BSD-3-Clause",
}


class _LastBlock(nn.Module):
    """The two towers in training, from the tokens that the last block of pictures receives.

    Args:
        net: the two towers.
    """

    def __init__(self, net: TwoTowerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """Logits (N, M) of tokens (N, T, width) and texts (M, words)."""
        visual = self.net.visual
        block: Any = visual.blocks[-1]
        # Nothing reads the other tokens.
        first = tokens[:, :1] + block.attention(block.norm1(tokens), queries=1)
        seen = visual.read(first + block.mlp(block.norm2(first)))
        return self.net.compare(functional.normalize(seen, dim=1), texts)


def _loss(logits: Tensor, true: Tensor) -> Tensor:
    """Cross entropy over the texts of a picture and over the pictures of a text; all true pairs (N, M) are equal."""
    over_texts = functional.cross_entropy(logits, true / true.sum(1, keepdim=True))
    by_text = true.T
    return over_texts + functional.cross_entropy(logits.T, by_text / by_text.sum(1, keepdim=True))


def truth(facts: list[Facts], texts: list[str]) -> Tensor:
    """Whether each text is true of each picture, float32 (pictures, texts)."""
    described = [Description.of(text) for text in texts]
    rows = [[float(d is not None and fact.confirm(d)) for d in described] for fact in facts]
    return torch.tensor(rows)


def _picture(seed: int, n: int) -> tuple[Scene, Facts]:
    scene = draw(np.random.default_rng([seed, n, _STREAM]))
    return scene, Facts.of(scene)


@torch.no_grad()
def _tokens(net: nn.Module, images: Tensor) -> Tensor:
    visual: Any = net.visual
    found: Tensor = visual.blocks[:-1](visual.tokens(visual.stem(images), visual.positions))
    return found


def train_clip(entry: ZooEntry, net: TwoTowerNet, *, steps: int, seed: int, progress: bool) -> None:
    """Train the towers in place; they are left in eval mode. The picture tower begins as `zoo/scenes-vit`."""
    trained = build("zoo/scenes-vit").module.state_dict()
    net.visual.load_state_dict({k: v for k, v in trained.items() if "head" not in k}, strict=False)
    net.visual.eval()
    facts: list[Facts] = []
    tokens: list[Tensor] = []
    drawn = draw_parallel(partial(_picture, seed), PICTURES, progress=progress)
    for scene, found in drawn:
        facts.append(found)
        tokens.append(_tokens(net, normalize(scene.image[None], entry))[0])
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, PICTURES, BATCH)

    def batch() -> tuple[tuple[Tensor, Tensor], Tensor]:
        chosen = next(order)
        shown = [facts[n] for n in chosen]
        texts = [describe(rng, fact) for fact in shown for _ in range(TEXTS)]
        numbers = torch.tensor([padded(text.split()) for text in texts])
        return (torch.stack([tokens[n] for n in chosen]), numbers), truth(shown, texts)

    fit(
        _LastBlock(net),
        batch,
        _loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
    )


def measure_clip(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """The results with the classes of scenes as texts, and how often the true one of several texts is chosen."""
    figures = measure_with_methods(found, net, pictures=pictures, progress=progress)
    figures["texts"] = measure_texts(found, net, pictures=pictures // 4)
    return figures


@torch.no_grad()
def measure_texts(found: ZooEntry, net: nn.Module, *, pictures: int) -> dict[str, float]:
    """How often the only true text of several has the highest logit, by kind of text.

    "one" and "two" are texts about one and about two things, chosen among 16, of which the others are about other
    pictures. "relation" texts differ in the relation of the two things alone, and are chosen among four.
    """
    rng = np.random.default_rng([UNSEEN, _STREAM])
    right: dict[str, list[bool]] = {"one": [], "two": [], "relation": []}
    scenes = [draw(seed) for seed in range(UNSEEN, UNSEEN + pictures)]
    facts = list(map(Facts.of, scenes))
    for n, (scene, fact) in enumerate(zip(scenes, facts, strict=True)):
        own = describe(rng, fact)
        described = Description.of(own)
        assert described is not None
        others = [describe(rng, facts[(n + k) % pictures]) for k in range(1, 4 * _CHOICE)]
        false = [text for text, t in zip(others, truth([fact], others)[0], strict=True) if not t]
        choices = {"one" if len(described.phrases) == 1 else "two": [own, *false[: _CHOICE - 1]]}
        if described.relation is not None:
            told = [own.replace(described.relation, how) for how in RELATIONS]
            if sum(truth([fact], told)[0]) == 1:
                choices["relation"] = sorted(told, key=lambda text: text != own)
        for kind, texts in choices.items():
            numbers = torch.tensor([padded(text.split()) for text in texts])
            logits = net(normalize(scene.image[None], found), numbers)
            right[kind].append(int(logits.argmax()) == 0)
    return {
        "pictures": pictures,
        **{kind: round(float(np.mean(values)), 4) for kind, values in right.items()},
    }
