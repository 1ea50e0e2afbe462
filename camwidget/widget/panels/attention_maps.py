"""``AttentionMaps``: what one token attends to in all heads of all layers, with the sentences and code for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...attribution.attention import Attention, Query

__all__ = ["AttentionMaps", "outlier_sentence", "query_name", "query_options", "valid_query"]

#: Columns beside those of the heads.
_MEAN, _ROLLOUT = "mean", "rollout"


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Maps of one query for all layers (rows), and all heads, their mean and the rollout (columns).

    Attributes:
        found: attention of the picture.
        query: the token that attends.
        outliers: whether outlier tokens are included.
    """

    found: Attention
    query: Query
    outliers: bool

    @cached_property
    def values(self) -> np.ndarray:
        """The maps, float32 (layers, heads + 2, h, w)."""
        found, query = self.found, self.query
        heads: list[int | None] = [*range(self.heads), None]
        return np.stack(
            [
                np.stack(
                    [found.of(query, layer, head, outliers=self.outliers) for head in heads]
                    + [found.rollout_of(query, layer, outliers=self.outliers)]
                )
                for layer in range(self.layers)
            ]
        )

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.found.layers)

    @property
    def heads(self) -> int:
        """Number of heads of a layer."""
        return len(self.found.by_layer[0])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return (*map(str, range(self.heads)), _MEAN, _ROLLOUT)

    def column_name(self, column: int) -> str:
        """Return the name of a column as it is listed for choice."""
        names = {_MEAN: "mean over heads", _ROLLOUT: "rollout"}
        return names.get(self.columns[column], f"head {column}")

    def sentence(self, layer: int, column: int) -> str:
        """Describe what the query attends to in one map, with its numbers."""
        values = self.values[layer, column]
        row, at = np.unravel_index(int(values.argmax()), values.shape)
        kind = self.columns[column]
        if kind == _ROLLOUT:
            where = (
                "Rollout of the first layer" if layer == 0 else f"Rollout of layers 0 to {layer}"
            )
        elif kind == _MEAN:
            where = f"Layer {layer}, mean over heads"
        else:
            where = f"Layer {layer}, head {column}"
        verb, its = ("give", "their") if self.query == "patches" else ("gives", "its")
        others = "" if self.outliers else ", outlier tokens left out"
        return (
            f"{where}{others}: {query_name(self.query, self.found)} {verb} {100 * values.sum():.0f} % of {its} "
            f"attention to patches, most to the one in row {row}, column {at} ({100 * values.max():.1f} %)."
        )

    def code(self, layer: int, column: int) -> str:
        """Return the expression that computes one map without the widget."""
        kind = self.columns[column]
        query = "" if self.query in self.found.class_tokens[:1] else repr(self.query)
        arguments = [query] if query else []
        arguments.append(f"layer={layer}")
        if kind not in (_MEAN, _ROLLOUT):
            arguments.append(f"head={column}")
        if not self.outliers:
            arguments.append("outliers=False")
        name = "rollout_of" if kind == _ROLLOUT else "of"
        return f"cw.attention(model, picture).{name}({', '.join(arguments)})"


def outlier_sentence(found: Attention) -> str:
    """State how many tokens are outliers, by which rule."""
    rule = "norm behind the last block above twice the patches' median, Darcet et al. 2024"
    if found.norms is None:
        return "Outlier tokens are not known: no block returns tokens whose norms tell."
    count = int(found.outliers.sum())
    if not count:
        return f"No patch is an outlier token ({rule})."
    noun = "outlier token" if count == 1 else "outlier tokens"
    return f"{count} {noun}, circled ({rule}): attention to them says nothing of their place."


def _default_query(found: Attention) -> Query:
    """Return the token that is shown first: the class token, or the mean over all patches where there is none."""
    return found.class_tokens[0] if found.class_tokens else "patches"


def valid_query(query: Query, found: Attention) -> Query:
    """Return the query if the model has such a token that is listed for choice or is a patch; else the default."""
    if isinstance(query, tuple):
        height, width = found.grid
        if 0 <= query[0] < height and 0 <= query[1] < width:
            return query
    elif query == "patches" or query in (*found.class_tokens, *found.other_tokens):
        return query
    return _default_query(found)


def query_name(query: Query, found: Attention) -> str:
    """Return a query in words."""
    if query == "patches":
        return "the patches on average"
    if isinstance(query, tuple):
        return f"the patch in row {query[0]}, column {query[1]}"
    if query in found.class_tokens:
        return "the class token" if len(found.class_tokens) == 1 else f"class token {query}"
    return f"token {query}, which is no patch,"


def query_options(query: Query, found: Attention) -> list[tuple[str, Query]]:
    """Return the queries to choose from, by name: class tokens, others that are no patches, all patches, the patch."""
    several = len(found.class_tokens) > 1
    options: list[tuple[str, Query]] = [
        (f"class token {token}" if several else "class token", token)
        for token in found.class_tokens
    ]
    options += [(f"token {token} (register)", token) for token in found.other_tokens]
    options.append(("all patches, mean", "patches"))
    if isinstance(query, tuple):
        options.append((f"patch ({query[0]}, {query[1]})", query))
    return options
