"""Networks of the zoo: small, plain architectures."""

from __future__ import annotations

import itertools
from collections import OrderedDict

import torch
from torch import Tensor, nn

from .vocabulary import END


class Block(nn.Module):
    """A residual block of two 3x3 convolutions; the first one may halve the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, outputs, H / stride, W / stride) of maps (N, inputs, H, W)."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        out: Tensor = self.relu(y + self.shortcut(x))
        return out


def residual_net(
    classes: int, widths: tuple[int, int, int, int] = (16, 32, 64, 96), *, last_stride: int = 2
) -> nn.Sequential:
    """A residual classifier: stem, four stages, global average pooling, one linear layer.

    It maps pictures (N, 3, H, W) to scores (N, classes). ``stage4`` returns non-negative features at 1/16 of the
    picture's side (12x12 for 192x192), or at 1/8 if ``last_stride`` is 1. Since only ``pool`` and ``head`` follow,
    class activation mapping is exact there.
    """
    first, second, third, fourth = widths
    return nn.Sequential(
        OrderedDict(
            stem=_stem(first, 5, 2),
            stage1=Block(first, first),
            stage2=Block(first, second, 2),
            stage3=Block(second, third, 2),
            stage4=Block(third, fourth, last_stride),
            pool=_global_pool(nn.AdaptiveAvgPool2d(1)),
            head=nn.Linear(fourth, classes),
        )
    )


def trunk(
    widths: tuple[int, int, int] = (32, 64, 96), *, last_stride: int = 1
) -> OrderedDict[str, nn.Module]:
    """The stages of the scene networks: features at 1/8 of the picture's side.

    The first stride is 4: patterns within four pixels do not distinguish the objects.
    """
    first, second, third = widths
    return OrderedDict(
        stem=_stem(first, 7, 4),
        stage1=Block(first, first),
        stage2=Block(first, second, 2),
        stage3=Block(second, third, last_stride),
    )


def scene_net(classes: int, *, average: bool = True) -> nn.Sequential:
    """A residual classifier with a map of 16x16 for 128x128 pictures, and one linear layer.

    Args:
        classes: number of scores.
        average: whether the map is pooled by its average or by its maximum.
    """
    pool = nn.AdaptiveAvgPool2d(1) if average else nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(
        OrderedDict(**trunk(), pool=_global_pool(pool), head=nn.Linear(96, classes))
    )


def plain_net(classes: int) -> nn.Sequential:
    """A classifier in the style of VGG: pairs of 3x3 convolutions, and fully connected layers.

    ``features`` returns a map of 8x8 for pictures of 128x128. No global average pooling follows, so that class
    activation mapping does not apply.
    """
    return nn.Sequential(
        OrderedDict(
            features=plain_features(),
            pool=nn.Sequential(OrderedDict(maximum=nn.MaxPool2d(4), flatten=nn.Flatten())),
            hidden=nn.Sequential(
                OrderedDict(linear=nn.Linear(96 * 4, 192), relu=nn.ReLU(), dropout=nn.Dropout(0.1))
            ),
            head=nn.Linear(192, classes),
        )
    )


def plain_features() -> nn.Sequential:
    """Four stages of two 3x3 convolutions each: (N, 3, 128, 128) to a map (N, 96, 8, 8)."""
    widths = (3, 24, 32, 64, 96)
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for n, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        # The first stage halves the resolution by its stride, the others by max pooling.
        halved = [nn.MaxPool2d(2)] if n else []
        stages[f"stage{n + 1}"] = nn.Sequential(
            *halved,
            nn.Conv2d(inputs, outputs, 3, 1 if n else 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
    return nn.Sequential(stages)


def weak_net(classes: int) -> nn.Sequential:
    """The classifier of `scene_net` with half the channels, and a map of 8x8."""
    return nn.Sequential(
        OrderedDict(
            **trunk((16, 32, 48), last_stride=2),
            pool=_global_pool(nn.AdaptiveAvgPool2d(1)),
            head=nn.Linear(48, classes),
        )
    )


def motion_net(classes: int, widths: tuple[int, int, int, int] = (16, 32, 48, 64)) -> nn.Sequential:
    """A classifier of clips: four three-dimensional convolutions, global average pooling, one linear layer.

    It maps clips (N, 3, T, H, W) to scores (N, classes). ``stage3`` returns non-negative features of every frame at a
    quarter of its side, (N, 64, T, 16, 16) for 64x64. Only ``stem`` and ``stage1`` look beyond a frame, one frame
    each way: a cell knows of two frames before and two after, so that maps are sharp in time.
    """
    first, second, third, fourth = widths
    return nn.Sequential(
        OrderedDict(
            stem=_volume_layer(3, first, (3, 7, 7), 4),
            stage1=_volume_layer(first, second, (3, 3, 3)),
            stage2=_volume_layer(second, third, (1, 3, 3)),
            stage3=_volume_layer(third, fourth, (1, 3, 3)),
            pool=_global_pool(nn.AdaptiveAvgPool3d(1)),
            head=nn.Linear(fourth, classes),
        )
    )


def _volume_layer(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int = 1
) -> nn.Sequential:
    """A convolution in time, height and width that keeps the number of frames, normalized and rectified."""
    padding = tuple(side // 2 for side in kernel)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv3d(inputs, outputs, kernel, (1, stride, stride), padding, bias=False),  # type: ignore[arg-type]
            norm=nn.BatchNorm3d(outputs),
            relu=nn.ReLU(),
        )
    )


def _stem(outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, outputs, kernel, stride, kernel // 2, bias=False),
            norm=nn.BatchNorm2d(outputs),
            relu=nn.ReLU(),
        )
    )


def _global_pool(kind: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(average=kind, flatten=nn.Flatten()))


class CaptionNet(nn.Module):
    """A convolutional encoder and a recurrent decoder without attention, which gets the picture as its initial state.

    Args:
        words: size of the vocabulary; 0 is the end.
        hidden: width of the decoder's state.
    """

    def __init__(self, words: int, hidden: int = 144) -> None:
        super().__init__()
        self.encoder = nn.Sequential(trunk())
        self.look = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveMaxPool2d(4),
                flatten=nn.Flatten(),
                linear=nn.Linear(96 * 16, 96),
                relu=nn.ReLU(),
                state=nn.Linear(96, hidden),
            )
        )
        self.embed = nn.Embedding(words, 32)
        self.decoder = nn.GRU(32, hidden, batch_first=True)
        self.head = nn.Linear(hidden, words)

    def forward(self, pictures: Tensor, caption: Tensor) -> Tensor:
        """Log-probabilities (N, 1 + T) of captions (N, T): of the full caption, and of each word given those before."""
        log_probabilities = self.word_log_probabilities(pictures, caption)
        each = log_probabilities[:, :-1].gather(2, caption[..., None])[..., 0]
        total = each.sum(1) + log_probabilities[:, -1, END]
        return torch.cat([total[:, None], each], 1)

    def word_log_probabilities(self, pictures: Tensor, caption: Tensor) -> Tensor:
        """Log-probabilities (N, T + 1, words) of each next word, given the words (N, T) before it."""
        state = self.look(self.encoder(pictures)).tanh()[None]
        before = nn.functional.pad(caption, (1, 0), value=END)
        steps, _ = self.decoder(self.embed(before), state)
        return nn.functional.log_softmax(self.head(steps), dim=2)

    @torch.no_grad()
    def generate(self, pictures: Tensor, longest: int = 12) -> Tensor:
        """The most probable next word, word by word: numbers (N, longest), padded with ends."""
        state = self.look(self.encoder(pictures)).tanh()[None]
        word = torch.zeros(len(pictures), 1, dtype=torch.long, device=pictures.device)
        words: list[Tensor] = []
        for _ in range(longest):
            step, state = self.decoder(self.embed(word), state)
            word = self.head(step).argmax(2)
            words.append(word)
        return torch.cat(words, 1)


class QuestionEncoder(nn.Module):
    """A recurrent encoder of questions (N, T), padded with ends.

    Args:
        words: size of the vocabulary; 0 is the end.
        hidden: width of the states.
    """

    def __init__(self, words: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 32)
        self.gru = nn.GRU(32, hidden, batch_first=True)

    def forward(self, question: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The states after each word (N, T, hidden), after the last word (N, hidden), and the mask of words (N, T)."""
        states, _ = self.gru(self.embed(question))
        real = question != END
        last = (real.sum(1) - 1).clamp(min=0)
        after = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
        return states, after, real


class AnswerNet(nn.Module):
    """A plain convolutional encoder and a recurrent question encoder, combined by multiplication.

    Args:
        words: size of the vocabulary.
        answers: number of scores.
        hidden: width of the question's encoding.
    """

    def __init__(self, words: int, answers: int, hidden: int = 96) -> None:
        super().__init__()
        self.encoder = plain_features()
        self.reader = QuestionEncoder(words, hidden)
        self.choose = nn.Linear(hidden, 96)
        self.meet = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(96, 64, 1),
                relu=nn.ReLU(),
                pool=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
            )
        )
        self.hidden = nn.Linear(64 * 16, 96)
        self.ask = nn.Linear(hidden, 96)
        self.head = nn.Linear(96, answers)

    def forward(self, pictures: Tensor, question: Tensor) -> Tensor:
        """Scores (N, answers) for pictures (N, 3, H, W) and questions (N, T)."""
        _, encoded, _ = self.reader(question)
        gated = self.encoder(pictures) * self.choose(encoded)[:, :, None, None]
        both = self.hidden(self.meet(gated)).relu() * self.ask(encoded).tanh()
        out: Tensor = self.head(both)
        return out


class CoAttentionNet(nn.Module):
    """A residual encoder and a recurrent question encoder with co-attention between words and positions.

    Two rounds of the parallel co-attention of Lu et al. 2016 (arXiv:1606.00061, eqs. 3 to 5): the second round uses the
    result of the first, as questions such as "what is left of the star" require.

    Args:
        words: size of the vocabulary.
        answers: number of scores.
        width: width of the encodings.
    """

    def __init__(self, words: int, answers: int, width: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(trunk())
        self.reader = QuestionEncoder(words, width)
        self.places = nn.Conv2d(96, width, 1)
        self.where = nn.Parameter(torch.zeros(1, width, 16, 16))
        self.looks = nn.ModuleList([CoAttention(width) for _ in range(2)])
        self.count = nn.Linear(width, 8)
        #: The map that all answers depend on, (N, width + 8, 16, 16), after attention by the question.
        self.evidence = nn.Identity()
        self.hidden = nn.Linear(3 * width + 8, 96)
        self.head = nn.Linear(96, answers)

    def forward(self, pictures: Tensor, question: Tensor) -> Tensor:
        """Scores (N, answers) for pictures (N, 3, H, W) and questions (N, T)."""
        states, after, real = self.reader(question)
        places = (self.places(self.encoder(pictures)) + self.where).flatten(2).transpose(1, 2)
        first, read_first = self.looks[0](places, states, real, after)
        second, read_second = self.looks[1](places, states, real, after + first.sum(1))
        # Attention is a mean and cannot count; this branch sums over the positions.
        many = self.count((places * after[:, None]).tanh()).sigmoid() / 16.0
        evidence = torch.cat([second, many], 2).transpose(1, 2).unflatten(2, (16, 16))
        pooled = self.evidence(evidence).sum((2, 3))
        out: Tensor = self.head(self.hidden(torch.cat([pooled, read_first, read_second], 1)).relu())
        return out


class CoAttention(nn.Module):
    """One round of co-attention between positions (N, P, width) and words (N, T, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.affinity = nn.Linear(width, width, bias=False)
        self.from_places = nn.Linear(width, width)
        self.from_words = nn.Linear(width, width)
        self.hint = nn.Linear(width, width)
        self.weigh_places = nn.Linear(width, 1)
        self.weigh_words = nn.Linear(width, 1)

    def forward(
        self, places: Tensor, words: Tensor, real: Tensor, hint: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The attended positions (N, P, width), not summed, and the attended words (N, width)."""
        words = words * real[..., None]
        affinity = (words @ self.affinity(places).transpose(1, 2) / words.shape[2] ** 0.5).tanh()
        p, w = self.from_places(places), self.from_words(words)
        more = self.hint(hint)[:, None]
        on_places = self.weigh_places((p + affinity.transpose(1, 2) @ w + more).tanh()).softmax(1)
        on_words = self.weigh_words((w + affinity @ p / p.shape[1] ** 0.5 + more).tanh())
        on_words = on_words.masked_fill(~real[..., None], -1e4).softmax(1)
        return on_places * places, (on_words * words).sum(1)
