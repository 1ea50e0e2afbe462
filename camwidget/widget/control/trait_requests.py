"""``TraitRequests``: request maps when an explorer's traits change, and set its traits to the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ..._registry import Options
from ...attribution.stance import FOR, NamedTarget, named_target, split_target, stance_payload
from ...attribution.targets import Contrast
from ...errors import PictureError
from ...models.vision_model import VisionModel
from ...runtime import fork_safety
from ..view.mask_settings import MaskSettings
from .cache import Picture
from .compared_map_role import ComparedMapRole, ComparedRequest
from .comparison import ComparedInputs
from .context import TWO_WAY_TRAITS, ExplorerContext
from .main_map_role import MainMapRole
from .map_controller import MapController
from .map_request import MapInputs, MapRequest, MapResult
from .masked_prediction import replaced_pixels
from .method_settings import options_of, with_options
from .paint import PaintController
from .pictures import named_picture

__all__ = ["MapFollower", "TraitRequests"]


class MapFollower(Protocol):
    """A listener to the main map, such as the panels and the history."""

    def map_shown(self, shown: MapRequest, model: VisionModel) -> None:
        """Called when a map is shown, with its request, and the model whose classes are listed."""

    def map_restored(self) -> None:
        """Called when the requested map failed or was canceled, and the previous one is shown again."""


class TraitRequests:
    """Requests the main map, the compared map, and the predictions of both, when a trait of the explorer changes.

    Args:
        context: the explorer's.
        paint: what is painted on each picture.

    Attributes:
        main: controls map A.
        compared: controls map B.
    """

    def __init__(self, context: ExplorerContext, paint: PaintController) -> None:
        self._context = context
        self._paint = paint
        self._followers: list[MapFollower] = []
        self._model = context.prompt.model  # the model that the listed methods were checked for
        worker, display, lock = context.worker, context.display, fork_safety.rlock()
        self._main_map = MainMapRole(
            context.prompt,
            worker,
            display,
            lock,
            lambda curve: context.traits.publish("curve", curve),
        )
        self._compared_map = ComparedMapRole(context.prompts, lambda: context.pictures.all, display)
        self.main: MapController[MapRequest, MapInputs] = MapController(
            self._main_map,
            worker,
            lock,
            self.mask_settings,
            self._main_shown,
            on_restored=self._main_restored,
        )
        self.compared: MapController[ComparedRequest, ComparedInputs] = MapController(
            self._compared_map,
            worker,
            lock,
            self.mask_settings,
            self._compared_shown,
            on_dropped=lambda: context.traits.publish("other", None),
        )

    def connect(self) -> None:
        """Start to observe the explorer's traits."""
        traits = self._context.traits
        self._paint.connect(self._painted)
        traits.observe(self._two_way_set, list(TWO_WAY_TRAITS))
        traits.observe(lambda change: self._picture_set(), "picture")
        traits.observe(self._target_set, "target")
        traits.observe(self._text_set, "text")
        traits.observe(lambda change: self._request_same_class(), ["method", "layer"])
        traits.observe(lambda change: self._settings_set(), "settings")
        traits.observe(self._mask_set, ["fraction", "mode", "baseline"])
        traits.observe(lambda change: self._compare_set(), "compare")

    def follow(self, follower: MapFollower) -> None:
        """Call a follower with each main map that is shown."""
        self._followers.append(follower)

    # -- present settings ------------------------------------------------------------------

    def mask_settings(self, picture: Picture) -> MaskSettings:
        """How a picture is masked now."""
        values = self._context.values
        return MaskSettings(values.mode, values.baseline, values.fraction, self._paint.of(picture))

    def is_as_chosen(self) -> bool:
        """Whether the last request has the picture, method and layer of the explorer's traits."""
        requested, values = self.main.requested, self._context.values
        return requested is None or requested[:1] + requested[2:4] + requested[6:] == (
            self._context.picture,
            values.method,
            values.layer,
            self._options,
        )

    @property
    def _options(self) -> Options:
        """The settings of the method chosen."""
        return options_of(self._context.values.settings, self._context.values.method)

    def replaced(self) -> np.ndarray:
        """Which pixels of the picture chosen are replaced, by its map and by paint, bool (H, W).

        Raises:
            PictureError: if there is no picture.
        """
        picture, result = self._context.picture, self.main.result
        if picture is None:
            raise PictureError("There is no picture to mask: add(…) one first.")
        mask = self.mask_settings(picture)
        if result is None or result.inputs.picture is not picture:
            return replaced_pixels(mask, None, np.zeros(self._paint.shape(picture), np.uint16))
        levels = result.inputs.cache.levels(result.explanation)
        return replaced_pixels(mask, result.explanation, levels)

    def difference(self) -> np.ndarray | None:
        """The main map minus the compared one, float32 (H, W) in [-1, 1]; None where there is none."""
        if self.compared.result is None:
            return None
        return self._compared_map.difference(self._context.values.explanation)

    # -- requests --------------------------------------------------------------------------

    def request(self, target: NamedTarget | None) -> None:
        """Request the map of the picture, method and layer chosen; the predicted class's if target is None."""
        context, values = self._context, self._context.values
        picture = context.picture
        if picture is None or context.traits.is_restoring:
            return
        if target is None:
            text, index, stance = context.prompt.known(picture), None, FOR
        else:
            text, model = context.requested_text()
            index, stance = split_target(model, target)
        self._request_main(
            MapRequest(picture, index, values.method, values.layer, text, stance, self._options)
        )

    def write(self, text: str) -> None:
        """Explain the picture under a text that a person wrote, even if it equals the present one.

        Raises:
            PromptError: if the text cannot be read.
        """
        context = self._context
        text = context.prompt.readable(text)
        with context.traits.step("text"):
            context.prompt.write(context.picture, text)
            context.traits.publish_known("text", text)
            context.display.publish(text_error="")
            self.request(None)

    def propose(self, picture: Picture) -> None:
        """Explain a picture under the model's own text for it again.

        Raises:
            PromptError: if the model takes no text, or the text has to come from a person.
        """
        context = self._context
        context.prompt.model.propose(picture.source)
        with context.traits.step("text"):
            context.prompt.forget(picture)
            context.display.publish(text_error="")
            self.request(None)

    def add_picture(self, picture: Picture, name: str | None) -> int:
        """Add a picture to the list, under a name if one is given, and return its number."""
        pictures, display = self._context.pictures, self._context.display
        with pictures.lock:
            number = len(pictures.all)
            picture.name = name if name is not None else named_picture(picture.source, number).name
            pictures.all = [*pictures.all, picture]
            display.publish(pictures=pictures.names, has_ground_truth=pictures.has_truth)
        self.request_thumbnails()
        return number

    def request_predictions(self, *, curve: bool) -> None:
        """Request the predictions for the masked pictures; also the complete curves, where these change."""
        if self.main.renew():
            return  # the map is of other weights: once there is another, all this is requested
        for controller in (self.main, self.compared):
            if curve:
                controller.request_curve()
            else:
                controller.request_prediction()

    def request_compared(self) -> None:
        """Request the compared map anew."""
        compare = self._context.values.compare
        with self.main.lock:
            is_growing, shown, result = self.main.is_growing, self.main.shown, self.main.result
        if compare is not None and shown is not None and result is not None and not is_growing:
            self.compared.request(
                ComparedRequest(compare, shown, result.explanation, self._context.values.settings)
            )
            return
        with self.compared.lock:
            self.compared.drop()
            if compare is None:
                self._compared_map.show_nothing()
            else:
                self._compared_map.show_waiting()
        self._context.traits.publish("other", None)

    def request_methods(self) -> None:
        """Submit the job that finds out which methods apply; some have to run the model for that."""
        context = self._context
        context.worker.submit("methods", lambda: context.display.show_methods(context.values.layer))

    def request_thumbnails(self) -> None:
        """Submit the job that makes the missing thumbnails of those in sight."""
        context = self._context

        def fill() -> Iterator[None]:
            pictures, base = context.pictures.all, context.prompt.base
            return context.display.thumbnails.fill(
                lambda number: base.tile(pictures[number]),
                len(pictures),
                lambda: context.values.picture,
            )

        context.worker.submit("thumbnails", fill)

    def request_pixel_classes(self, x: int, y: int) -> None:
        """Submit the job that finds the class with the strongest map at a pixel, and chooses it."""
        self._context.worker.submit("pick", lambda: self._find_pixel_classes(x, y))

    def forget(self) -> None:
        """Release the maps shown and what was computed for them: the explorer is closed."""
        self._main_map.forget()
        for result in (self.main.result, self.compared.result):
            if result is not None:
                result.inputs.cache.forget()

    # -- observers of the explorer's traits ------------------------------------------------

    def _two_way_set(self, change: dict[str, Any]) -> None:
        context, name = self._context, change["name"]
        if not context.traits.is_restoring:  # else all is published together
            context.display.publish(**{name: change["new"]})
        if name == "layer":
            context.display.show_methods(context.values.layer)
        if name == "picture" and context.display.thumbnails.select(context.values.picture):
            self.request_thumbnails()

    def _picture_set(self) -> None:
        context = self._context
        self._paint.show_present()
        if context.picture is not None and not context.traits.is_restoring:
            # A text that the model has to propose is not known until the picture's map is shown.
            context.traits.publish_known("text", context.prompt.known(context.picture) or "")
        self.request(None)

    def _target_set(self, change: dict[str, Any]) -> None:
        if not self._context.traits.is_known("target", change["new"]):
            self.request(change["new"])

    def _text_set(self, change: dict[str, Any]) -> None:
        if not self._context.traits.is_known("text", change["new"]):
            self.write(change["new"])

    def _mask_set(self, change: dict[str, Any]) -> None:
        if not self._context.traits.is_restoring:
            self.request_predictions(curve=change["name"] != "fraction")

    def _compare_set(self) -> None:
        self._context.display.publish(compare=self._context.values.compare or {})
        if not self._context.traits.is_restoring:
            self.request_compared()

    def _settings_set(self) -> None:
        self._request_same_class()
        if self.main.is_settled and not self._context.traits.is_restoring:
            self.request_compared()  # whose method may be another

    def _request_same_class(self) -> None:
        """Request the class of the last request by another method, or at another layer."""
        last, values = self.main.requested, self._context.values
        if last is not None and not self._context.traits.is_restoring:
            self._request_main(
                last._replace(method=values.method, layer=values.layer, options=self._options)
            )

    def _request_main(self, request: MapRequest) -> None:
        """Request the main map, and repeat until the request agrees with the explorer's traits.

        Another thread may set a trait after it was read here and before the map is requested. Each thread compares
        after its request, so that map and traits agree in the end.
        """
        context, values = self._context, self._context.values
        self.main.request(request)
        while not self.is_as_chosen() and context.picture is not None:
            requested, picture = self.main.requested, context.picture
            if requested is None:
                return
            request = requested._replace(
                method=values.method, layer=values.layer, options=self._options
            )
            if requested.picture is not picture:
                text = context.prompt.known(picture)
                request = request._replace(picture=picture, target=None, text=text, stance=FOR)
            self.main.request(request)

    def _painted(self, is_new: bool, is_painting: bool) -> None:
        if self._context.traits.is_restoring:
            return
        for controller in (self.main, self.compared):
            controller.follow_paint(is_new, is_painting)

    # -- on the worker's thread ------------------------------------------------------------

    def _main_shown(self, result: MapResult[MapInputs]) -> None:
        traits, shown, model = self._context.traits, self.main.shown, result.model
        assert shown is not None
        if model is not self._model:
            self._model = model
            self.request_methods()  # another number of classes may be another reason
        if model.text is not None and self.main.requested == shown:
            traits.publish_known("text", model.text)
        traits.publish("explanation", result.explanation)
        if self.main.requested == shown:
            traits.publish_known("target", named_target(model, result.target, result.stance))
        for follower in self._followers:
            follower.map_shown(shown, model)
        self.main.request_curve()
        self.request_compared()
        self._main_map.follow(shown)

    def _main_restored(self, shown: MapRequest) -> None:
        context, traits = self._context, self._context.traits
        assert shown.target is not None
        model = context.prompt.cache(shown.picture, shown.text).model
        with traits.restoring():
            traits.publish("picture", context.pictures.all.index(shown.picture))
            traits.publish("method", shown.method)
            settings = self._context.values.settings
            traits.publish("settings", with_options(settings, shown.method, shown.options))
            traits.publish("layer", shown.layer)
            if shown.text is not None:
                context.prompt.restore(shown.picture, shown.text)
                traits.publish_known("text", shown.text)
            traits.publish_known("target", named_target(model, shown.target, shown.stance))
        self.publish_two_way(target=shown.target, stance=stance_payload(shown.stance))
        self.main.request_curve()
        self.request_compared()
        for follower in self._followers:
            follower.map_restored()

    def publish_two_way(self, **also: Any) -> None:
        """Publish all two-way traits to the view, which may show a value that was refused."""
        values = {name: getattr(self._context.values, name) for name in TWO_WAY_TRAITS}
        self._context.display.publish(**also, **values)

    def _compared_shown(self, result: MapResult[ComparedInputs]) -> None:
        traits = self._context.traits
        traits.publish("other", result.explanation)
        if self.compared.result is not result:  # another was requested meanwhile
            traits.publish("other", None)
        self.compared.request_curve()

    def _find_pixel_classes(self, x: int, y: int) -> None:
        """Name the classes whose maps are strongest at a pixel of the main map, and choose the first."""
        display, result = self._context.display, self.main.result
        if result is None:
            return
        inputs = result.inputs
        cache, picture = inputs.cache, inputs.picture
        height, width = cache.pixels(picture).shape[-2:]
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        classes = display.likely_classes(20)
        found = cache.strongest(picture, classes, inputs.configured, inputs.layer, x, y)
        with self.main.lock:
            if self._context.worker.dropped():
                return
            display.show_pixel_classes(picture.id, x, y, found, len(classes))
        awaits_rival = display.view.awaits_rival
        picked = [index for index, _ in found if not (awaits_rival and index == result.target)]
        if picked:
            target: NamedTarget = cache.model.classes[picked[0]]
            if awaits_rival:
                target = Contrast(cache.model.classes[result.target], target)
            self._context.traits.publish("target", target)
