"""The networks of the zoo: small, plain, and easy to read."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .language import END


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the first may halve the picture."""

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
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        out: Tensor = self.relu(y + self.shortcut(x))
        return out


def residual_net(
    classes: int, widths: tuple[int, int, int, int] = (16, 32, 64, 96)
) -> nn.Sequential:
    """A residual classifier: stem, four stages, global average, one linear layer.

    It takes float pictures (N, 3, H, W) and gives scores (N, classes). `stage4` gives a map of
    non-negative features at a sixteenth of the picture's side, 12x12 for 192x192; since only
    `pool` and `head` follow, a class activation map is exact there.
    """
    first, second, third, fourth = widths
    return nn.Sequential(
        OrderedDict(
            stem=_stem(first, 5, 2),
            stage1=Block(first, first),
            stage2=Block(first, second, 2),
            stage3=Block(second, third, 2),
            stage4=Block(third, fourth, 2),
            pool=_global_pool(nn.AdaptiveAvgPool2d(1)),
            head=nn.Linear(fourth, classes),
        )
    )


def trunk(
    widths: tuple[int, int, int] = (32, 64, 96), *, last_stride: int = 1
) -> OrderedDict[str, nn.Module]:
    """The stages of the nets that see scenes: a map of features at an eighth of the picture's side.

    The first step is a wide one: of what lies in four pixels nothing tells one thing from another.
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
    """A classifier in the manner of VGG: 3x3 convolutions in pairs, and fully connected layers.

    `features` gives a map of 8x8 for 128x128 pictures. What follows is no average, so that class
    activation mapping does not apply.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(3, 24, 3, 2, 1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
    ]
    for inputs, outputs in ((24, 32), (32, 64), (64, 64)):
        layers.append(nn.MaxPool2d(2))
        for entering in (inputs, outputs):
            layers += [
                nn.Conv2d(entering, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            pool=nn.Sequential(OrderedDict(maximum=nn.MaxPool2d(2), flatten=nn.Flatten())),
            hidden=nn.Sequential(
                OrderedDict(linear=nn.Linear(64 * 16, 160), relu=nn.ReLU(), dropout=nn.Dropout(0.3))
            ),
            head=nn.Linear(160, classes),
        )
    )


def weak_net(classes: int) -> nn.Sequential:
    """The classifier of `scene_net` with half the channels, and a map of 8x8."""
    return nn.Sequential(
        OrderedDict(
            **trunk((16, 32, 48), last_stride=2),
            pool=_global_pool(nn.AdaptiveAvgPool2d(1)),
            head=nn.Linear(48, classes),
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
    """A convolutional encoder and a recurrent decoder without attention.

    The decoder sees the picture once, as the state it begins with.

    Args:
        words: how many numbers a word may have; 0 is the end.
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
        """Log-probabilities (N, 1 + T) of a caption's words (N, T): of all together, and of each after those before."""
        said = self.say(pictures, caption)
        each = said[:, :-1].gather(2, caption[..., None])[..., 0]
        whole = each.sum(1) + said[:, -1, END]
        return torch.cat([whole[:, None], each], 1)

    def say(self, pictures: Tensor, caption: Tensor) -> Tensor:
        """Log-probabilities (N, T + 1, words) of every word after the words before it (N, T)."""
        state = self.look(self.encoder(pictures)).tanh()[None]
        before = nn.functional.pad(caption, (1, 0), value=END)
        steps, _ = self.decoder(self.embed(before), state)
        return nn.functional.log_softmax(self.head(steps), dim=2)

    @torch.no_grad()
    def write(self, pictures: Tensor, longest: int = 12) -> Tensor:
        """The likeliest next word, word after word: numbers (N, longest), filled up with ends."""
        state = self.look(self.encoder(pictures)).tanh()[None]
        word = torch.zeros(len(pictures), 1, dtype=torch.long, device=pictures.device)
        words: list[Tensor] = []
        for _ in range(longest):
            step, state = self.decoder(self.embed(word), state)
            word = self.head(step).argmax(2)
            words.append(word)
        return torch.cat(words, 1)
