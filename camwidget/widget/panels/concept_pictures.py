"""``ConceptPictures``: the pictures with labeled concepts by which an explorer's units are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ... import zoo
from ...analysis.dissection import LabeledPicture
from ...models.vision_model import VisionModel
from ...zoo.registry import entry
from ..control.cache import Picture

__all__ = ["ConceptPictures", "concept_pictures"]

#: How many pictures are drawn for an embedded model, and the seed of the first.
DRAWN, FIRST_SEED = 64, 60_000


@dataclass
class ConceptPictures:
    """Pictures with labeled concepts, drawn or collected when they are first needed.

    Attributes:
        count: how many there are.
        make: returns the picture of a number.
        categories: the category of each concept; empty where there are none.
        origin: what they are, in words.
        samples: those made so far.
    """

    count: int
    make: Callable[[int], LabeledPicture]
    categories: Mapping[str, str]
    origin: str
    samples: list[LabeledPicture] = field(default_factory=list)

    def steps(self) -> Iterator[int]:
        """Make the pictures that are missing, and yield after each how many there are."""
        while len(self.samples) < self.count:
            self.samples.append(self.make(len(self.samples)))
            yield len(self.samples)


def concept_pictures(model: VisionModel, pictures: Sequence[Picture]) -> ConceptPictures | None:
    """Return the pictures by which a model's units can be named; None where no concepts are known.

    For an embedded model they are drawn; otherwise they are those of the explorer's pictures that have concepts.

    Args:
        model: the model.
        pictures: the explorer's.
    """
    if model.no_maps:
        return None
    if model.name in zoo.available():
        known = entry(model.name)
        if (draw := known.draw) is not None:
            origin = f"{DRAWN} pictures drawn for it, whose concepts are known"
            return ConceptPictures(
                DRAWN, lambda number: draw(FIRST_SEED + number), known.categories, origin
            )
    labeled = [picture.labeled for picture in pictures if picture.labeled is not None]
    if len(labeled) < 2:
        return None
    origin = f"the {len(labeled)} pictures above whose concepts are known"
    return ConceptPictures(len(labeled), labeled.__getitem__, {}, origin)
