"""Classes at a pixel: those with the strongest maps there, and the target that a click on the pixel chooses."""

from __future__ import annotations

from dataclasses import dataclass

from ...attribution.stance import FOR, Stance
from .chosen_target import check_method
from .map_request import MapInputs, MapResult

__all__ = ["PixelClasses", "find_pixel_classes"]


@dataclass(frozen=True)
class PixelClasses:
    """The classes with the strongest maps at a pixel.

    Attributes:
        x: column of the pixel, within the picture.
        y: row of the pixel, within the picture.
        found: for each class its index and its map there in [0, 1], strongest first.
    """

    x: int
    y: int
    found: list[tuple[int, float]]

    def target(
        self, shown: MapResult[MapInputs], *, awaits_rival: bool
    ) -> tuple[int, Stance] | None:
        """Return the class and the stance that a click in the picture chooses; None where no class has evidence.

        A click in the picture asks what is there: the map is *for* the class found, whatever the stance was before.
        ``chosen_target.picked_target``, for a click in the list of classes, keeps the stance.

        Args:
            shown: the map clicked.
            awaits_rival: whether the user is choosing the second class of a contrast, *rather than …*.

        Raises:
            MethodError: if the map's method does not explain one class rather than another.
        """
        inputs = shown.inputs
        picked = [i for i, _ in self.found if not (awaits_rival and i == shown.target)]
        if not picked:
            return None
        if not awaits_rival:
            return picked[0], FOR
        stance = Stance("rather", picked[0])
        check_method(inputs.method, shown.model, inputs.layer, shown.target, stance)
        return shown.target, stance


def find_pixel_classes(
    shown: MapResult[MapInputs], classes: list[int], x: int, y: int
) -> PixelClasses:
    """Find which of some classes have the strongest maps, by the method and layer shown, at a pixel.

    Args:
        shown: the map whose picture was clicked.
        classes: indices of the classes to compare.
        x: column of the pixel; moved into the picture if it lies outside.
        y: row of the pixel, likewise.
    """
    inputs = shown.inputs
    height, width = inputs.cache.pixels(inputs.picture).shape[-2:]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    found = inputs.cache.strongest(inputs.picture, classes, inputs.configured, inputs.layer, x, y)
    return PixelClasses(x, y, list(found))
