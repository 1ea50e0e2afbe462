"""Paint on an explorer's pictures, from the brush in the browser or from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from ...errors import CamwidgetError, PictureError
from ...masking.user_mask import as_paint, decode, encode, is_same_paint
from .cache import Picture
from .masked_prediction import replaced

if TYPE_CHECKING:
    from ..explorer import Explorer

__all__ = ["Brush", "PaintTrait"]


class PaintTrait(t.TraitType[Any, Any]):
    """Paint, int8 (H, W), or None; ``Brush.checked`` makes it of what is set. Observers hear of pixels that change."""

    def set(self, obj: t.HasTraits, value: Any) -> None:
        """As every trait's, but for arrays, of which ``==`` says nothing."""
        assert self.name is not None
        made = self._validate(obj, value)
        before = obj._trait_values.get(self.name, self.default_value)
        obj._trait_values[self.name] = made
        if not is_same_paint(before, made):
            obj._notify_trait(self.name, before, made)


class Brush:
    """Keeps each picture's paint. The explorer's ``mask`` and the view's ``paint`` are those of the present picture.

    Args:
        explorer: whose pictures.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._paints: dict[Picture, np.ndarray] = {}
        #: Told apart by the browser, and by whoever takes strokes back: it only rises.
        self._stroke = 0

    def connect(self) -> None:
        """Begin to listen, once there is a view."""
        first = self._explorer.mask
        if first is not None:
            self._put(self._explorer.pictures[self._explorer.picture], first)
            self._tell()
        self._explorer._view.observe(self._from_view, "paint")
        self._explorer.observe(self._mask_set, "mask")

    def of(self, picture: Picture) -> np.ndarray | None:
        """What is painted on a picture."""
        return self._paints.get(picture)

    def checked(self, paint: Any) -> np.ndarray | None:
        """Paint that fits the present picture, of whatever can be read as that.

        Raises:
            PictureError: if it does not, or there is no picture.
        """
        if paint is None or self._is_brought(paint):
            return paint
        return as_paint(paint, self._shape(self._present))

    def read(self, wire: Any, picture: Picture | None) -> np.ndarray | None:
        """Paint for a picture, as a state has it: its shape and ``painting.encode``'s runs; an array too.

        Raises:
            PictureError: if it is of another shape, or no paint, or there is no picture.
        """
        if wire is None:
            return None
        shape = self._shape(picture)
        if not isinstance(wire, Mapping):
            return as_paint(wire, shape)
        if set(wire) != {"shape", "runs"} or list(wire["shape"]) != list(shape):
            raise PictureError(
                f"Paint on this picture is None, an array, or a dict of its 'shape', {list(shape)}, and its 'runs'."
            )
        return decode(wire["runs"], shape)

    def bring(self) -> None:
        """Make what is painted on the present picture the explorer's ``mask``, and show it."""
        while True:
            picture = self._present
            paint = None if picture is None else self.of(picture)
            self._explorer._state("mask", paint)
            # Another thread may have painted meanwhile, or gone on to another picture.
            if picture is self._present and (picture is None or paint is self.of(picture)):
                break
        self._tell()

    def masked(self) -> np.ndarray:
        """Which pixels of the present picture are replaced, by its map and by paint, bool (H, W).

        Raises:
            PictureError: if there is no picture.
        """
        explorer, picture = self._explorer, self._present
        if picture is None:
            raise PictureError("There is no picture to mask: add(…) one first.")
        mask = explorer._masking(picture)
        shown, explanation = explorer._desk.shown, explorer.explanation
        if shown is None or explanation is None or shown.picture is not picture:
            return replaced(mask, None, np.zeros(self._shape(picture), np.uint16))
        levels = explorer._texts.bench(picture, shown.text).levels(explanation)
        return replaced(mask, explanation, levels)

    @property
    def _present(self) -> Picture | None:
        pictures = self._explorer.pictures
        return pictures[self._explorer.picture] if pictures else None

    def _shape(self, picture: Picture | None) -> tuple[int, int]:
        if picture is None:
            raise PictureError("There is no picture to paint on: add(…) one first.")
        height, width = self._explorer._texts.base.pixels(picture).shape[-2:]
        return height, width

    def _put(self, picture: Picture, paint: np.ndarray | None) -> None:
        if paint is None:
            self._paints.pop(picture, None)
        else:
            self._paints[picture] = paint

    def _is_brought(self, paint: np.ndarray | None) -> bool:
        """Whether the trait is set to what is stored already, by ``bring`` in this very thread."""
        now = getattr(self._explorer._stated, "now", None)
        return now is not None and now[0] == "mask" and now[1] is paint

    def _mask_set(self, change: dict[str, Any]) -> None:
        picture = self._present
        if picture is None or self._is_brought(change["new"]):
            return
        self._put(picture, change["new"])
        self._stroke += 1
        self._tell()
        self._explorer._painted(True, False)

    def _tell(self) -> None:
        """Show the present picture's paint, unless the view has it, as after each movement of its own brush."""
        picture = self._present
        if picture is None:
            return
        scene, runs = picture.id, encode(self.of(picture))
        known = self._explorer._view.paint
        if known.get("scene") != scene or known.get("runs") != runs:
            paint = {"scene": scene, "runs": runs, "stroke": self._stroke, "painting": False}
            self._explorer._screen.tell(paint=paint)

    def _from_view(self, change: dict[str, Any]) -> None:
        explorer, view = self._explorer, self._explorer._view
        if explorer._screen.is_telling:
            return
        while True:
            # The newest, whichever message this thread was woken by: another may be faster.
            wire = view.paint
            try:
                self._take(wire)
            except CamwidgetError as error:
                explorer._screen.tell(error=f"What was painted is not taken: {error}")
                self._tell()
                return
            if view.paint is wire:
                return

    def _take(self, wire: dict[str, Any]) -> None:
        """What the browser's brush has painted. A stroke on a picture that is gone by now is kept with that one."""
        found = [p for p in self._explorer.pictures if p.id == wire.get("scene")]
        if not found:
            return
        picture = found[0]
        paint = decode(wire.get("runs", []), self._shape(picture))
        stroke = wire.get("stroke")
        if isinstance(stroke, int):
            self._stroke = max(self._stroke, stroke)
        is_new = not is_same_paint(paint, self.of(picture))
        if is_new:
            self._put(picture, paint)
        self.bring()
        if is_new:
            self._explorer._history.stroke(self._stroke)
        if picture is self._present:
            self._explorer._painted(is_new, wire.get("painting") is True)
