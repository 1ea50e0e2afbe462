"""``PictureParts``: send the parts of the picture shown, which a click in the view hides."""

from __future__ import annotations

from typing import Any

from ...attribution.explanation import Explanation
from ...export.picture_payload import parts_payload
from ...masking.parts import Parts
from ..view.display import Display
from .cache import Picture
from .map_request import MapRequest
from .prompt_control import PromptController
from .worker import Worker

__all__ = ["PARTS_JOB", "PictureParts"]

#: The job that computes superpixels.
PARTS_JOB = "parts"

#: Why a clip has none.
_NO_CLIPS = "Parts are superpixels of one picture, and a clip has none: hide pixels by the slider or the brush."


class PictureParts:
    """Sends the parts of a map that has them, and otherwise the picture's superpixels while they are switched on.

    Args:
        prompts: the model's caches, for the text of each picture.
        worker: computes the superpixels.
        display: has the switch, and receives the parts.
    """

    def __init__(self, prompts: PromptController, worker: Worker, display: Display) -> None:
        self._prompts = prompts
        self._worker = worker
        self._display = display
        self._shown: MapRequest | None = None

    def payload(self, picture: Picture, explanation: Explanation | None) -> dict[str, Any]:
        """Encode the parts that are drawn with a map: its own, or superpixels of the picture that were sent already."""
        if explanation is not None and explanation.parts is not None:
            return _encoded(picture, explanation.parts.parts, is_of_map=True)
        known = self._display.view.picture_parts
        is_kept = known.get("scene") == picture.id and not known["of_map"]
        return known if is_kept else {}

    def follow(self, shown: MapRequest) -> None:
        """Send the superpixels for a map that is shown, if they are switched on."""
        self._shown = shown
        self.send()

    def send(self) -> None:
        """Send the superpixels of the picture shown, if they are switched on and no parts were sent."""
        shown, view = self._shown, self._display.view
        if (
            shown is None
            or view.parts != "on"
            or view.picture_parts.get("scene") == view.scene.get("id")
        ):
            return
        if self._display.model.frames is not None:
            # Superpixels of the strip would join the last rows of a frame with the first rows of the next one.
            self._display.publish(parts="auto", error=_NO_CLIPS)
            return
        self._worker.submit(PARTS_JOB, lambda: self._compute(shown))

    def forget(self) -> None:
        """Release the picture: the explorer is closed."""
        self._shown = None

    def _compute(self, shown: MapRequest) -> None:
        picture, view = shown.picture, self._display.view
        parts = self._prompts.cache(picture, shown.text).superpixels(picture)
        # Another picture, or a map with parts of its own, may be shown by now.
        if view.scene.get("id") == picture.id and view.picture_parts.get("scene") != picture.id:
            self._display.publish(picture_parts=_encoded(picture, parts, is_of_map=False))


def _encoded(picture: Picture, parts: Parts, *, is_of_map: bool) -> dict[str, Any]:
    return {"scene": picture.id, "of_map": is_of_map, **parts_payload(parts)}
