"""Methods with parts of the picture as units: occlusion part by part, and KernelSHAP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch

from ...errors import MethodError
from ...images.array_pictures import shades
from ...masking.parts import SUPERPIXELS, Parts, superpixels
from ...models.segmentation_model import SegmentationModel
from ..batched_inference import rerun_from_input, rerun_scores
from ..part_values import PartValues
from ..shapley import ShapleyValues, coalitions, estimate_shapley_values, is_exact
from ..targets import Target
from ..trace import Trace
from .registry import Step, method
from .settings import Range

__all__ = ["kernelshap", "part_occlusion"]

_GROUP = "Perturbation"
#: The areas that a segmentation finds, in the place of superpixels.
_SEGMENTS = "segments"
_PARTS = Range(2, 2000, "about how many superpixels", words=(_SEGMENTS,))


@method(
    "part-occlusion",
    label="Occlusion of parts",
    citation="Zeiler and Fergus 2014, ECCV, arXiv:1311.2901; parts by SLIC, Achanta et al. 2012, TPAMI",
    summary="How much the class's score falls when a part of the picture, such as a superpixel, is gray.",
    needs="a forward pass for every part",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
    clips="its parts are of a picture, and have no time. Use 'occlusion', whose window is in space and time.",
)
def part_occlusion(
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    parts: Annotated[int | str | Parts, _PARTS] = SUPERPIXELS,
) -> Iterator[Step]:
    """Occlusion with parts instead of squares: the drop of the score when a part is hidden.

    Gray is zero after normalization, as in ``occlusion``. All pixels of a part have its drop. The map is signed.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: unused: the map is at the input.
        picture: index of the picture in the trace.
        parts: about how many superpixels, ≥ 2; "segments" for those of a ``SegmentationModel``; or ``Parts``.

    Yields:
        Steps with the picture's map (H, W) so far, the largest parts first; zero where no part has been hidden.

    Raises:
        MethodError: if the parts are of a picture of another size, or the model has no segments.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("part-occlusion", parts=12)
        >>> cw.explain(cw.load(), image, method=method).raw.shape
        (192, 192)
    """
    division = _division(trace, picture, parts)
    order = np.argsort(-division.sizes, kind="stable")
    members = torch.ones(division.count, division.count, dtype=torch.bool)
    members[torch.arange(division.count), torch.from_numpy(order)] = False
    values = np.zeros(division.count)
    for full, _, scores, total in _coalition_scores(
        trace, target, ("part-occlusion", division), picture, division, members
    ):
        values[order[: len(scores)]] = full - scores.numpy()
        yield _step(trace, len(scores) + 2, total, division, values, np.zeros(division.count))


@method(
    "kernelshap",
    label="KernelSHAP",
    citation="Lundberg and Lee 2017, NeurIPS, arXiv:1705.07874; parts by SLIC, Achanta et al. 2012, TPAMI",
    summary="The Shapley values of the picture's parts: what each adds to the class's score, averaged over the others.",
    needs="a forward pass for every sample, some hundreds",
    group=_GROUP,
    needs_gradients=False,
    at_input=True,
    slow=True,
    clips="its parts are of a picture, and have no time. Use 'occlusion', whose window is in space and time.",
)
def kernelshap(
    trace: Trace,
    target: Target,
    layer: str,
    picture: int,
    *,
    parts: Annotated[int | str | Parts, _PARTS] = SUPERPIXELS,
    samples: Annotated[
        int, Range(2, help="how many coalitions of parts are shown to the model")
    ] = 1000,
    seed: Annotated[int, Range(0, help="seed of the coalitions")] = 0,
) -> Iterator[Step]:
    """KernelSHAP, theorem 2 of Lundberg and Lee 2017, with parts of the picture as features.

    The value of a coalition is the target's score for the picture with its parts only; the others are gray, zero after
    normalization. The values add up to the score of the picture less that of a gray one. They are exact if no more than
    ``samples`` coalitions exist; otherwise ``Explanation.parts`` has their standard errors.

    Args:
        trace: recorded forward pass of the pictures.
        target: target whose score is explained.
        layer: unused: the map is at the input.
        picture: index of the picture in the trace.
        parts: about how many superpixels, ≥ 2; "segments" for those of a ``SegmentationModel``; or ``Parts``.
        samples: number of coalitions, ≥ 2.
        seed: seed of the coalitions, ≥ 0.

    Yields:
        Steps with the picture's map (H, W) so far: the value of each pixel's part.

    Raises:
        MethodError: if the parts are of a picture of another size, or the model has no segments.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> method = cw.get_method("kernelshap", parts=12, samples=100)
        >>> explanation = cw.explain(cw.load(), image, method=method)
        >>> explanation.raw.shape, bool(explanation.parts.errors.max() > 0)
        ((192, 192), True)
    """
    division = _division(trace, picture, parts)
    members = coalitions(division.count, samples, seed)
    exact = is_exact(division.count, samples)
    key = ("kernelshap", division, len(members), seed)
    for full, empty, scores, total in _coalition_scores(
        trace, target, key, picture, division, members
    ):
        done = len(scores)
        found = ShapleyValues(torch.zeros(division.count), torch.full((division.count,), torch.inf))
        if done:
            found = estimate_shapley_values(
                members[:done], scores, empty, full, exact=exact and done == len(members)
            )
        yield _step(trace, done + 2, total, division, found.values.numpy(), found.errors.numpy())


def _division(trace: Trace, picture: int, parts: int | str | Parts) -> Parts:
    """Return the parts of a picture, as a setting names them."""
    rows, columns = trace.pixels.shape[-2:]
    if isinstance(parts, int):
        known: dict[tuple[str, int, int], Parts] = trace.memory.setdefault("superpixels", {})
        key = ("superpixels", picture, parts)
        if key not in known:
            known[key] = superpixels(shades(trace.pixels[picture]), parts)
        return known[key]
    if isinstance(parts, str):
        model = trace.model.with_inputs_of(picture)
        if parts != _SEGMENTS or not isinstance(model, SegmentationModel):
            raise MethodError(
                f"parts={parts!r} is not known here: give about how many superpixels, such as parts=50, "
                "camwidget.Parts(labels), or, with a model wrapped with kind='segments', parts='segments'."
            )
        segments = model.segments_of(trace.pixels[picture : picture + 1])
        if segments.min() == segments.max():
            raise MethodError(
                f"{model.name} finds one segment in this picture, and a part has to be one of several: give about how "
                "many superpixels, such as parts=50."
            )
        return Parts(segments)
    if parts.labels.shape != (rows, columns):
        raise MethodError(
            f"The parts are of a picture of {parts.labels.shape[0]}×{parts.labels.shape[1]} pixels (rows × columns), "
            f"and this one, as {trace.model.name} gets it, has {rows}×{columns}: make them for model.pixels(picture)."
        )
    return parts


def _coalition_scores(
    trace: Trace,
    target: Target,
    key: tuple[object, ...],
    picture: int,
    division: Parts,
    members: torch.Tensor,
) -> Iterator[tuple[float, float, torch.Tensor, int]]:
    """Compute the score of the picture with some of its parts, for coalitions of parts, batch by batch.

    Yields:
        The score of the whole picture, that of a gray one, float64 scores of the coalitions so far, and the number of
        passes in all.
    """
    inputs = trace.model.inputs(trace.pixels[picture : picture + 1])
    labels = torch.tensor(division.labels).to(inputs.device)
    everything = torch.ones(1, division.count, dtype=torch.bool)
    shown = torch.cat([everything, ~everything, members]).to(inputs.device)

    def make(start: int, stop: int) -> torch.Tensor:
        return inputs * shown[start:stop, None].to(inputs.dtype)[..., labels]

    total = len(shown)
    series = rerun_from_input(trace, picture, total, make)
    for scores in rerun_scores(trace, target, (*key, picture), total, series):
        if len(scores) >= 2:
            found = scores.detach().double().cpu()
            yield float(found[0]), float(found[1]), found[2:], total


def _step(
    trace: Trace, done: int, total: int, division: Parts, values: np.ndarray, errors: np.ndarray
) -> Step:
    """Return a step whose map has, at each pixel, the value of its part."""
    maps = torch.from_numpy(values[division.labels]).to(trace.logits)
    return Step(done, total, maps, PartValues(division, values.copy(), errors.copy()))
