"""Transformers of the zoo: a small ViT, and two towers for pictures and texts."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from .nets import trunk
from .vocabulary import END


class SelfAttention(nn.Module):
    """Multi-head self-attention of tokens (N, T, width).

    Queries and keys begin with the same weights, so that each token first attends to tokens of similar content and
    position (Trockman and Kolter 2023, arXiv:2305.09828, section 4).

    Args:
        width: number of channels.
        heads: number of heads; it divides the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        with torch.no_grad():
            self.qkv.weight[width : 2 * width] = self.qkv.weight[:width]
            self.qkv.bias.zero_()

    def forward(
        self, tokens: Tensor, mask: Tensor | None = None, queries: int | None = None
    ) -> Tensor:
        """Mixed tokens (N, T, width), or the first ones only.

        Args:
            tokens: tokens (N, T, width).
            mask: true at the tokens that are seen, (N, 1, 1, T); None for all.
            queries: number of tokens to mix; None for all.
        """
        heads = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        query = query if queries is None else query[:, :, :queries]
        mixed = functional.scaled_dot_product_attention(query, key, value, mask)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class TransformerBlock(nn.Module):
    """A block with normalization before attention and before the two-layer perceptron.

    Args:
        width: number of channels.
        heads: number of heads.
        hidden: width of the perceptron's hidden layer.
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                widen=nn.Linear(width, hidden), gelu=nn.GELU(), narrow=nn.Linear(hidden, width)
            )
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (N, T, width) of tokens of the same shape."""
        tokens = tokens + self.attention(self.norm1(tokens), mask)
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class VisionTransformer(nn.Module):
    """A small hybrid ViT with a class token: blocks on the map of a few convolutions.

    The hybrid of Dosovitskiy et al. 2021 (arXiv:2010.11929, section 3.1): a cell of a convolutional map takes the place
    of a patch of pixels. The convolutions are the first stages of the net of scenes; a cell depends on the 47 pixels
    around its 8.

    Args:
        outputs: number of outputs of the last linear layer, which reads the class token.
        side: number of rows and columns of the map, for which there are embeddings of positions.
        width: number of channels of a token.
        depth: number of blocks.
        heads: number of heads of each block.
    """

    def __init__(
        self, outputs: int, *, side: int = 16, width: int = 96, depth: int = 4, heads: int = 4
    ) -> None:
        super().__init__()
        stages = trunk()
        del stages["stage3"]
        self.stem = nn.Sequential(stages)
        self.patches = nn.Conv2d(64, width, 1)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(_waves(side, width))
        self.blocks = nn.Sequential(
            OrderedDict(
                (f"block{n}", TransformerBlock(width, heads, 2 * width))
                for n in range(1, depth + 1)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        """Outputs (N, outputs) of pictures (N, 3, H, W)."""
        return self.read(self.blocks(self.tokens(self.stem(pictures), self.positions)))

    def read(self, tokens: Tensor) -> Tensor:
        """Outputs (N, outputs) of the tokens (N, 1 + h · w, width) behind the blocks."""
        out: Tensor = self.head(self.norm(tokens[:, 0]))
        return out

    def tokens(self, features: Tensor, positions: Tensor) -> Tensor:
        """Tokens (N, 1 + h · w, width) before the blocks, the class token first.

        Args:
            features: map of the stem, or windows of it, (N, 64, h, w).
            positions: embeddings of the positions of the cells, (1 or N, h, w, width).
        """
        patches = self.patches(features).flatten(2).transpose(1, 2) + positions.flatten(1, 2)
        return torch.cat([self.class_token.expand(len(features), -1, -1), patches], 1)


def _waves(side: int, width: int) -> Tensor:
    """Sines and cosines of rows and columns, (1, side, side, width), where learned positions begin."""
    rates = (0.6 * 10.0 ** -torch.linspace(0.0, 1.0, width // 4))[None] * torch.arange(side)[
        :, None
    ]
    waves = 0.5 * torch.cat([rates.sin(), rates.cos()], 1)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    return torch.cat([rows, columns], 2)[None]


class TextTower(nn.Module):
    """A transformer of texts (N, T), padded with ends; its embedding is the mean over the words.

    Args:
        words: size of the vocabulary; 0 is the end.
        outputs: width of the embedding.
        longest: greatest number of words.
        width: number of channels of a word.
    """

    def __init__(self, words: int, outputs: int, longest: int, width: int = 64) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.positions = nn.Parameter(0.02 * torch.randn(1, longest, width))
        self.block1 = TransformerBlock(width, 4, 2 * width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, texts: Tensor) -> Tensor:
        """Embeddings (N, outputs) of texts (N, T)."""
        real = texts != END
        words = self.embed(texts) + self.positions[:, : texts.shape[1]]
        words = self.norm(self.block1(words, real[:, None, None]))
        mean = (words * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        out: Tensor = self.head(mean)
        return out


class TwoTowerNet(nn.Module):
    """Two towers with a common space of embeddings, as in CLIP (Radford et al. 2021, arXiv:2103.00020).

    Args:
        words: size of the vocabulary; 0 is the end.
        longest: greatest number of words of a text.
        embedding: width of the embeddings.
    """

    def __init__(self, words: int, longest: int, embedding: int = 64) -> None:
        super().__init__()
        self.visual = VisionTransformer(embedding)
        self.text = TextTower(words, embedding, longest)
        #: Logarithm of the factor of the cosine.
        self.logit_scale = nn.Parameter(torch.tensor(10.0).log())

    def encode_image(self, pictures: Tensor) -> Tensor:
        """Embeddings (N, embedding) of pictures (N, 3, H, W)."""
        out: Tensor = self.visual(pictures)
        return out

    def encode_text(self, texts: Tensor) -> Tensor:
        """Embeddings (M, embedding) of texts (M, T), padded with ends."""
        out: Tensor = self.text(texts)
        return out

    def forward(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Logits (N, M) of each picture and each text: the scaled cosines of their embeddings."""
        return self.compare(functional.normalize(self.encode_image(pictures), dim=1), texts)

    def compare(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Logits (N, M) of embeddings of pictures (N, embedding), of length 1, and texts (M, T)."""
        read = functional.normalize(self.encode_text(texts), dim=1)
        return self.logit_scale.exp() * pictures @ read.T
