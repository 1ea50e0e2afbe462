"""Paint on an explorer's pictures, from the brush in the browser or from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import traitlets as t

from ...errors import CamwidgetError, PictureError
from ...masking.user_mask import as_paint, decode, encode, is_same_paint
from .. import _compat
from .cache import Picture
from .context import ExplorerContext

__all__ = ["PaintController", "PaintTrait"]


class PaintTrait(t.TraitType[Any, Any]):
    """A trait for paint, int8 (H, W) or None, which ``PaintController.checked`` validates.

    Observers are called only if pixels change.
    """

    def set(self, obj: t.HasTraits, value: Any) -> None:
        """Set the trait; arrays are compared pixel by pixel, as ``==`` of arrays has no truth value."""
        assert self.name is not None
        _compat.set_trait_if(
            self, obj, value, lambda before, after: not is_same_paint(before, after)
        )


class PaintController:
    """Stores the paint of each picture, and syncs the chosen picture's with ``Explorer.mask`` and the view.

    Args:
        context: the explorer's.
    """

    def __init__(self, context: ExplorerContext) -> None:
        self._context = context
        self._paints: dict[Picture, np.ndarray] = {}
        #: Number of the last stroke, by which browser and history tell strokes apart: it only rises.
        self._stroke = 0
        self._on_painted: Callable[[bool, bool], None] = lambda is_new, is_painting: None

    def connect(self, on_painted: Callable[[bool, bool], None]) -> None:
        """Start to observe the view and the explorer.

        Args:
            on_painted: called after each movement of the brush as ``on_painted(is_new, is_painting)``: whether a pixel
                has changed, and whether the brush is still down.
        """
        self._on_painted = on_painted
        first, picture = self._context.values.mask, self._context.picture
        if first is not None and picture is not None:
            self._put(picture, first)
            self._publish()
        self._context.display.view.observe(self._from_view, "paint")
        self._context.traits.observe(self._mask_set, "mask")

    def of(self, picture: Picture) -> np.ndarray | None:
        """Return the paint on a picture, int8 (H, W); None without any."""
        return self._paints.get(picture)

    def checked(self, paint: Any) -> np.ndarray | None:
        """Validate paint for the chosen picture.

        Args:
            paint: an array that ``masking.user_mask.as_paint`` accepts, or None.

        Raises:
            PictureError: if it does not fit the picture, or there is no picture.
        """
        if paint is None or self._is_known(paint):
            return paint
        return as_paint(paint, self.shape(self._context.picture), self._frames)

    def read(self, value: Any, picture: Picture | None) -> np.ndarray | None:
        """Decode the paint of a state for a picture.

        Args:
            value: a dict of the shape and the runs of ``user_mask.encode``, an array, or None.
            picture: the picture painted on.

        Raises:
            PictureError: if the value is of another shape, or no paint, or there is no picture.
        """
        if value is None:
            return None
        shape = self.shape(picture)
        if not isinstance(value, Mapping):
            return as_paint(value, shape, self._frames)
        if set(value) != {"shape", "runs"} or list(value["shape"]) != list(shape):
            raise PictureError(
                f"Paint on this picture is None, an array, or a dict of its 'shape', {list(shape)}, and its 'runs'."
            )
        return decode(value["runs"], shape)

    def show_present(self) -> None:
        """Set the explorer's ``mask`` to the paint of the chosen picture, and show it."""
        while True:
            picture = self._context.picture
            paint = None if picture is None else self.of(picture)
            self._context.traits.publish_known("mask", paint)
            # Another thread may have painted meanwhile, or chosen another picture.
            is_same_picture = picture is self._context.picture
            if is_same_picture and (picture is None or paint is self.of(picture)):
                break
        self._publish()

    @property
    def _frames(self) -> int | None:
        return self._context.prompt.base.model.frames

    def shape(self, picture: Picture | None) -> tuple[int, int]:
        """Return the shape (H, W) of paint on a picture.

        Raises:
            PictureError: if there is no picture.
        """
        if picture is None:
            raise PictureError("There is no picture to paint on: add(…) one first.")
        height, width = self._context.prompt.base.pixels(picture).shape[-2:]
        return height, width

    def _put(self, picture: Picture, paint: np.ndarray | None) -> None:
        if paint is None:
            self._paints.pop(picture, None)
        else:
            self._paints[picture] = paint

    def _is_known(self, paint: np.ndarray | None) -> bool:
        """Whether ``show_present`` is setting the trait, on this thread, to paint that is stored already."""
        return self._context.traits.is_same_known("mask", paint)

    def _mask_set(self, change: dict[str, Any]) -> None:
        picture = self._context.picture
        if picture is None or self._is_known(change["new"]):
            return
        self._put(picture, change["new"])
        self._stroke += 1
        self.show_present()  # another thread may have set it too, and stored what it set later
        self._on_painted(True, False)

    def _publish(self) -> None:
        """Show the paint of the picture chosen, unless the view has it, as after each movement of its own brush."""
        while (picture := self._context.picture) is not None:
            paint = self.of(picture)
            scene, runs = picture.id, encode(paint)
            known = self._context.display.view.paint
            if known.get("scene") != scene or known.get("runs") != runs:
                payload = {"scene": scene, "runs": runs, "stroke": self._stroke, "painting": False}
                self._context.display.publish(paint=payload)
            if picture is self._context.picture and paint is self.of(picture):
                return

    def _from_view(self, change: dict[str, Any]) -> None:
        display = self._context.display
        if display.is_publishing:
            return
        while True:
            # The newest paint, whichever message this thread handles: another thread may be ahead.
            payload = display.view.paint
            try:
                self._take(payload)
            except CamwidgetError as error:
                display.publish(error=f"The paint was rejected: {error}")
                self._publish()
                return
            if display.view.paint is payload:
                return

    def _take(self, payload: dict[str, Any]) -> None:
        """Store paint from the browser for the picture that it was made on, chosen or not."""
        found = [p for p in self._context.pictures.all if p.id == payload.get("scene")]
        if not found:
            return
        picture = found[0]
        paint = decode(payload.get("runs", []), self.shape(picture))
        stroke = payload.get("stroke")
        if isinstance(stroke, int):
            self._stroke = max(self._stroke, stroke)
        is_new = not is_same_paint(paint, self.of(picture))
        if is_new:
            self._put(picture, paint)
        self.show_present()
        if is_new:
            self._context.traits.note_stroke(self._stroke)
        if picture is self._context.picture:
            self._on_painted(is_new, payload.get("painting") is True)
