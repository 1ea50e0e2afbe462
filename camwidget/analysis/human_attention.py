"""Rank correlation of what a person marked on a picture with maps and with the ground truth.

After Das et al. 2016 (EMNLP, arXiv:1606.03556), as in section 8 of the Grad-CAM paper's journal version: both maps are
reduced to 14 × 14 cells. ``js/src/core/rankCorrelation.ts`` computes the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from .._validation import is_integer
from ..attribution.explaining import explain
from ..attribution.explanation import Explanation
from ..attribution.methods import Method
from ..attribution.methods.settings import options_text
from ..errors import PictureError, QuizError
from ..models.vision_model import VisionModel
from .correlation import rank_correlation
from .human_studies import (
    Draft,
    Question,
    Subject,
    check_models,
    listed_pictures,
    method_list,
)

__all__ = ["CELLS", "TIES", "TRUTH", "cell_means", "compare_marks", "marks_table", "where"]

#: Cells on each side to which both maps are reduced, those of Das et al.
CELLS = 14

#: Name of the ground truth among the maps.
TRUTH = "the truth"

TIES = (
    "Spearman's rank correlation of means over 14 × 14 cells, from −1 to 1; equal cells share the average of their "
    "ranks, so that cells that were not marked count as one tie."
)

STUDY = (
    "In the paper, maps by Grad-CAM for answers to questions had a mean rank correlation of 0.136 with where people "
    "had looked. (Selvaraju et al. 2017, on VQA; Das et al. 2016.) "
) + TIES


def cell_means(values: np.ndarray) -> np.ndarray:
    """Return the means of a map over 14 × 14 cells, or fewer for a smaller one, float64 (rows, columns).

    A cell has all pixels that it touches, so that neighbors share some where the size is no multiple of 14.

    Args:
        values: a map or marks, (H, W).

    Raises:
        PictureError: if it is no such array.
    """
    if values.ndim != 2 or not values.size:
        raise PictureError(
            f"Marks and maps are arrays (H, W), not {values.shape}: of a clip, take one frame."
        )
    rows, columns = (min(CELLS, side) for side in values.shape)
    pooled = torch.nn.functional.adaptive_avg_pool2d(
        torch.from_numpy(np.ascontiguousarray(values, np.float64))[None], (rows, columns)
    )
    return np.asarray(pooled[0].numpy())


def compare_marks(marks: Any, maps: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the rank correlation of marks with each map.

    Args:
        marks: where a person looked, bool (H, W), or numbers ≥ 0 for how much.
        maps: maps (H, W) of the same picture by name, or the results of ``cell_means`` of them.

    Returns:
        Correlations in [-1, 1], in the order of the maps; NaN where the marks or the map are constant.

    Raises:
        PictureError: if the marks are no array (H, W) of finite numbers, or a map has another size.
    """
    given = np.asarray(marks)
    if given.ndim != 2 or given.dtype.kind not in "biuf" or not given.size:
        raise PictureError(
            f"Marks are an array (H, W) of bools or numbers, not {given.dtype} {given.shape}."
        )
    if not np.isfinite(given.astype(np.float64)).all():
        raise PictureError("Marks are finite numbers: set what was not looked at to 0.")
    own = torch.from_numpy(cell_means(given))
    found = {}
    for name, values in maps.items():
        cells = torch.from_numpy(cell_means(values))
        if values.shape not in (given.shape, tuple(own.shape)):
            raise PictureError(
                f"The marks have the shape {given.shape}, the map {name!r} {values.shape}: give both one size, that of "
                "the map's picture."
            )
        found[name] = rank_correlation(_rounded(own), _rounded(cells))
    return found


def _rounded(cells: torch.Tensor) -> torch.Tensor:
    """Cells rounded to 1e-9 of the largest: means of equal pixels differ in their last bits, and would be no ties."""
    peak = cells.abs().max()
    return cells if peak == 0 else (cells / peak).round(decimals=9)


def marks_table(
    marks: Any, explanations: Iterable[Explanation], truth: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the rank correlation of marks with explanations of one picture, the largest first.

    Args:
        marks: as for ``compare_marks``, at the model's input size.
        explanations: the maps.
        truth: where the object is, bool (H, W), at the model's input size; None if it is not known.

    Returns:
        Data frame with the index ``map`` and the column ``rank correlation``. Maps of one method are told apart by
        settings, layer and target.

    Raises:
        PictureError: if the marks do not fit.

    Example:
        >>> import camwidget as cw
        >>> from camwidget.analysis.human_attention import marks_table
        >>> model, sample = cw.load(), cw.zoo.samples("zoo/textures")[0]
        >>> found = [cw.explain(model, sample.image, method=m) for m in ("gradcam", "random")]
        >>> marks_table(found[0].saliency > 0.5, found).index.tolist()
        ['Grad-CAM', 'Random']
    """
    listed = list(explanations)
    maps = {name: e.saliency for name, e in zip(_map_names(listed), listed, strict=True)}
    if truth is not None:
        maps[TRUTH] = truth
    for name, values in maps.items():
        if np.ndim(values) != 2:
            raise PictureError(
                f"Marks are compared with maps (H, W) of pictures; the map {name!r} has the shape {np.shape(values)}. "
                "Of a clip compare one frame, compare_marks(marks, {name: explanation.saliency[frame]})."
            )
    table = pd.DataFrame({"rank correlation": compare_marks(marks, maps)}).rename_axis("map")
    return table.sort_values("rank correlation", ascending=False, kind="stable")


def _map_names(explanations: Sequence[Explanation]) -> list[str]:
    """Labels of the methods; where one repeats, with the settings, layer, target, text and model that differ."""
    labels = [e.method_label for e in explanations]
    details = [
        (
            f"({text})" if (text := options_text(e.options)) else "",
            *(f"· {part}" for part in (e.layer, e.target.label, e.text or "", e.model)),
        )
        for e in explanations
    ]
    names: list[str] = []
    for label, own in zip(labels, details, strict=True):
        alike = [d for other, d in zip(labels, details, strict=True) if other == label]
        differing = [part for k, part in enumerate(own) if len({d[k] for d in alike}) > 1]
        name = plain = " ".join([label, *filter(None, differing)])
        number = 1
        while name in names:  # settings that words do not tell, such as divisions into parts
            number += 1
            name = f"{plain} ({number})"
        names.append(name)
    return names


def where(
    model: VisionModel,
    images: Iterable[Any],
    *,
    n: int | None,
    seed: int,
    methods: str | Method | Sequence[str | Method],
) -> list[Draft]:
    """Draft questions in which a person marks where they look to recognize a class.

    Args:
        model: from ``load`` or ``wrap``.
        images: the pictures, as for ``which_class``. The class is one that is present, where that is known, otherwise
            the predicted one.
        n: number of questions; one for each picture if None.
        seed: seed of the choice of pictures, their order, and of the class.
        methods: methods of the maps that the marks are compared with.

    Returns:
        Functions that create the questions.

    Raises:
        QuizError: if fewer than ``n`` pictures are given.
    """
    check_models(model)
    chosen = method_list(methods)
    subjects = [Subject.of(source) for source in listed_pictures(images)]
    count = len(subjects) if n is None else n
    if not is_integer(count, 1) or count > len(subjects):
        raise QuizError(
            f"n is the number of questions, from 1 to the {len(subjects)} pictures, not {count!r}."
        )
    order = np.random.default_rng(seed).permutation(len(subjects))[:count]
    return [partial(_ask_where, model, subjects[k], chosen, (seed, int(k))) for k in order]


def _ask_where(
    model: VisionModel, subject: Subject, methods: Sequence[Method], seed: tuple[int, int]
) -> Question:
    present = subject.known_to(model)
    if present:
        name = str(np.random.default_rng(seed).choice(present))
    else:
        (name,) = model.predict(subject.picture, top=1).names
    found: list[Explanation] = []
    for method in methods:
        explanation = explain(
            model, subject.picture, name, method, progress=lambda done, total: None
        )
        assert isinstance(explanation, Explanation)
        found.append(explanation)
    maps = {
        label: cell_means(one.saliency) for label, one in zip(_map_names(found), found, strict=True)
    }
    outlines = subject.outlines(model, [name])
    if name in outlines:
        maps[TRUTH] = cell_means(outlines[name])
    return Question(
        f"Where do you look to see {name}? Mark it.",
        [(found[0].pixels, "the picture", outlines)],
        study="where",
        maps=maps,
        reveal=f"The model predicts {', '.join(found[0].prediction.lines[:2])}.",
    )
