"""The networks of the zoo: small, plain, and easy to read."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


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
    classes: int, widths: tuple[int, int, int, int] = (16, 32, 64, 96), *, last_stride: int = 2
) -> nn.Sequential:
    """A residual classifier: stem, four stages, global average, one linear layer.

    It takes float pictures (N, 3, H, W) and gives scores (N, classes). `stage4` gives a map of
    non-negative features at a sixteenth of the picture's side, 12x12 for 192x192, or at an eighth
    if `last_stride` is 1; since only `pool` and `head` follow, a class activation map is exact
    there.
    """
    first, second, third, fourth = widths
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(3, first, 5, 2, 2, bias=False),
                    norm=nn.BatchNorm2d(first),
                    relu=nn.ReLU(),
                )
            ),
            stage1=Block(first, first),
            stage2=Block(first, second, 2),
            stage3=Block(second, third, 2),
            stage4=Block(third, fourth, last_stride),
            pool=nn.Sequential(OrderedDict(average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())),
            head=nn.Linear(fourth, classes),
        )
    )
