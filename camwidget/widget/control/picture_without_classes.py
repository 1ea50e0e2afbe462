"""``PictureWithoutClasses``: shows the picture of a model that has no classes until there is a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...errors import PictureError, PromptError
from ...models.vision_model import VisionModel
from .cache import Picture
from .compared_map_role import ComparedMapRole
from .context import ExplorerContext
from .map_controller import MapController
from .map_request import MapRequest

__all__ = ["MapFollower", "PictureWithoutClasses"]


class MapFollower(Protocol):
    """A listener to the main map, such as the panels and the history."""

    def map_shown(self, shown: MapRequest, model: VisionModel) -> None:
        """Called when a map is shown, with its request, and the model whose classes are listed."""

    def map_restored(self) -> None:
        """Called when the requested map failed or was canceled, and the previous one is shown again."""


class PictureWithoutClasses:
    """Shows a picture alone, without map and classes, where the model has no reference yet.

    Args:
        context: the explorer's.
        main: controls map A.
        compared: controls map B.
        compared_map: shows map B.
        followers: are told where a failed map leaves nothing else to show; the list may grow.
    """

    def __init__(
        self,
        context: ExplorerContext,
        main: MapController[Any, Any],
        compared: MapController[Any, Any],
        compared_map: ComparedMapRole,
        followers: Sequence[MapFollower],
    ) -> None:
        self._context = context
        self._main, self._compared = main, compared
        self._compared_map = compared_map
        self._followers = followers

    def show(self, picture: Picture) -> None:
        """Show a picture alone."""
        context, base = self._context, self._context.prompt.base
        with self._main.lock:
            self._main.drop()
            self._compared.drop()

        def show() -> None:
            scene = base.scene(picture)
            with self._main.lock:
                if context.worker.dropped():
                    return
                self._compared_map.show_nothing()
                model = context.prompt.outline(picture, context.prompt.known(picture))
                panels = context.prompt.panels(picture, model)
                note = context.prompt.why_nothing(picture)
                if context.prompt.trait == "references":  # whose hint is where they are added
                    note = ""
                context.display.show_no_classes(model, scene, panels, note)
            for name in ("explanation", "curve", "other"):
                context.traits.publish(name, None)

        context.traits.publish_known("target", None)
        context.worker.submit(self._main.jobs.quick, show)

    def drop_failed_references(self, error: BaseException) -> None:
        """Remove references of which one has failed, where there is no map to go back to.

        Args:
            error: why the first map has failed. References stay where it is not they that have.
        """
        context = self._context
        if context.prompt.trait != "references" or self._main.shown is not None:
            return
        picture = context.picture
        if picture is None or self._main.requested is not None:
            return
        if isinstance(error, (PromptError, PictureError)):
            context.prompt.write(None, ())
            context.traits.publish_known("references", ())
        self.show(picture)
        for follower in self._followers:
            follower.map_restored()
