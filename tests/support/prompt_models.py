"""Small models with a text input and handmade weights, and samples with their ground truth.

Pictures are colored squares on gray. The first layer's channels are how red, green and blue a place is, so that
the answers, and the maps, are known beforehand.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.models.text_inputs import ParsedPrompt, words_of
from camwidget.zoo.sample import Sample

COLORS = ("red", "green", "blue")
SIDE = 48


class Eye(nn.Module):
    """How much more of each color than of the others there is at each place: (N, 3, h, w), ≥ 0."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.act = nn.ReLU()
        with torch.no_grad():
            own = 2 * torch.eye(3) - 1
            self.look.weight.copy_(own[:, :, None, None].expand(3, 3, 4, 4) / 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.look(x))


class Answerer(nn.Module):
    """Answers "yes" or "no": is there something of the colors that the words name?"""

    VOCABULARY = ("is", "there", "a", "square", "anything", *COLORS)

    def __init__(self) -> None:
        super().__init__()
        self.eye = Eye()
        self.words = nn.Embedding(len(self.VOCABULARY), 3)
        self.reader = nn.GRU(3, 3, batch_first=True)
        torch.manual_seed(0)
        with torch.no_grad():
            self.words.weight.zero_()
            self.words.weight[-3:] = torch.eye(3)
        for p in self.reader.parameters():
            nn.init.normal_(p, std=1e-3)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        embedded = self.words(tokens)
        _, last = self.reader(embedded)
        requested = embedded.sum(1) + 1e-3 * last[0]
        found = (self.eye(x) * requested[:, :, None, None]).sum(1).amax((1, 2))
        return torch.stack([8 * found - 2, 2 - 8 * found], 1)


class Question:
    """Of the ``Answerer``."""

    name = "question"
    hint = "Ask for a color."
    examples = ("is there a red square", "anything blue")

    def read(self, text: str) -> ParsedPrompt:
        words = words_of(text, Answerer.VOCABULARY, name="question")
        tokens = torch.tensor([[Answerer.VOCABULARY.index(w) for w in words]])
        return ParsedPrompt({"tokens": tokens}, words=tuple((w, None) for w in words))

    def propose(self, model: cw.VisionModel, pixels: torch.Tensor) -> str | None:
        return None


class Captioner(nn.Module):
    """Log-probabilities (N, 1 + T): of the whole caption, and of each of its words."""

    VOCABULARY = ("a", "and", *COLORS)

    def __init__(self) -> None:
        super().__init__()
        self.eye = Eye()

    def forward(self, x: torch.Tensor, caption: torch.Tensor) -> torch.Tensor:
        seen = self.eye(x).amax((2, 3))  # (N, 3)
        scores = torch.cat([torch.full_like(seen[:, :2], 3.0), 12 * seen - 4], 1)
        words = nnF.logsigmoid(scores).gather(1, caption)
        return torch.cat([words.sum(1, keepdim=True), words], 1)


class Caption:
    """Of the ``Captioner``, which names the colors that there are."""

    name = "caption"
    hint = "Name the colors."
    examples = ("a red and a blue", "a green")

    def read(self, text: str) -> ParsedPrompt:
        words = words_of(text, Captioner.VOCABULARY, name="caption")
        caption = torch.tensor([[Captioner.VOCABULARY.index(w) for w in words]])
        return ParsedPrompt(
            {"caption": caption},
            ("the whole caption", *words),
            tuple((w, None if w == "and" else i + 1) for i, w in enumerate(words)),
            default=0,
        )

    def propose(self, model: cw.VisionModel, pixels: torch.Tensor) -> str | None:
        every = torch.tensor([[2, 3, 4]])
        found = model.module(model.inputs(pixels), caption=every)[0, 1:].exp() > 0.5
        colors = [c for c, is_there in zip(COLORS, found.tolist(), strict=True) if is_there]
        return " and ".join(f"a {c}" for c in colors) or "a"


def question_model() -> cw.VisionModel:
    """Answers yes or no; needs a question."""
    return cw.wrap(
        Answerer(), cw.Preprocess(SIDE), ["yes", "no"], prompt=Question(), name="answerer"
    )


def caption_model() -> cw.VisionModel:
    """Scores captions, and proposes its own."""
    return cw.wrap(
        Captioner(), cw.Preprocess(SIDE), prompt=Caption(), scores="log", name="captioner"
    )


#: Where the square of each color lies: (top, left), in pictures of ``SIDE``.
PLACES = {"red": (4, 4), "green": (4, 28), "blue": (28, 16)}


def squares(*colors: str) -> Sample:
    """A picture with a square of each color, and where they are."""
    image = np.full((SIDE, SIDE, 3), 120, np.uint8)
    masks = []
    for color in colors:
        top, left = PLACES[color]
        mask = np.zeros((SIDE, SIDE), bool)
        mask[top : top + 16, left : left + 16] = True
        image[mask] = [230 if c == color else 20 for c in COLORS]
        masks.append(mask)
    labels = tuple(COLORS.index(c) for c in colors)
    return Sample(image, labels, np.stack(masks), COLORS)
