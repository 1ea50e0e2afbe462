"""``TraitRequests``: request maps when an explorer's traits change, and set its traits to the results."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..._registry import Options
from ...attribution.stance import (
    FOR,
    NamedTarget,
    named_target,
    split_target,
    stance_payload,
)
from ...errors import PictureError
from ...runtime import fork_safety
from ..view.mask_settings import MaskSettings
from .cache import Picture
from .compared_map_role import ComparedMapRole, ComparedRequest
from .comparison import ComparedInputs
from .context import TWO_WAY_TRAITS, ExplorerContext
from .endless_requests import RequestLoopGuard
from .main_map_role import MainMapRole
from .map_controller import MapController
from .map_request import MapInputs, MapRequest, MapResult
from .masked_prediction import replaced_pixels
from .method_settings import options_of, with_options
from .paint import PaintController
from .picture_without_classes import MapFollower, PictureWithoutClasses
from .pictures import named_picture
from .pixel_classes import find_pixel_classes

__all__ = ["TraitRequests"]

#: Looks at whether the traits name the map requested; two threads need three.
_MOST_LOOKS = 20


class TraitRequests:
    """Requests the main map, the compared map, and the predictions of both, when a trait of the explorer changes.

    Args:
        context: the explorer's.
        paint: what is painted on each picture.

    Attributes:
        main: controls map A.
        compared: controls map B.
        without_classes: shows a picture of a model that has no classes yet.
    """

    def __init__(self, context: ExplorerContext, paint: PaintController) -> None:
        self._context = context
        self._paint = paint
        self._followers: list[MapFollower] = []
        self._model = context.prompt.model  # the model that the listed methods were checked for
        worker, display, lock = context.worker, context.display, fork_safety.rlock()
        self._request_loops = RequestLoopGuard(worker, self._values)
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
            on_dropped=self._publish_compared,
        )

        self.without_classes = PictureWithoutClasses(
            context, self.main, self.compared, self._compared_map, self._followers
        )

    def connect(self) -> None:
        """Start to observe the explorer's traits."""
        traits = self._context.traits
        self._paint.connect(self._painted)
        traits.observe(self._two_way_set, list(TWO_WAY_TRAITS))
        traits.observe(self._picture_set, "picture")
        traits.observe(self._target_set, "target")
        traits.observe(self._given_set, ["text", "references", "region"])
        traits.observe(self._request_same_class, ["method", "layer"])
        traits.observe(self._settings_set, "settings")
        traits.observe(self._mask_set, ["fraction", "mode", "baseline"])
        traits.observe(lambda change: self._compare_set(), "compare")
        view = self._context.display.view
        view.observe(lambda change: self._main_map.show_box(), "box_threshold")
        view.observe(lambda change: self._main_map.parts.send(), "parts")

    def follow(self, follower: MapFollower) -> None:
        """Call a follower with each main map that is shown."""
        self._followers.append(follower)

    # -- present settings ------------------------------------------------------------------

    def mask_settings(self, picture: Picture) -> MaskSettings:
        """How a picture is masked now."""
        values = self._context.values
        return MaskSettings(values.mode, values.baseline, values.fraction, self._paint.of(picture))

    @property
    def _options(self) -> Options:
        """The settings of the method chosen."""
        return self._options_of(self._context.values.method)

    def _options_of(self, method: str) -> Options:
        return options_of(self._context.values.settings, method)

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
        main = self.main.result
        if self.compared.result is None or main is None:
            return None
        return self._compared_map.difference(main.explanation, main.model.frames)

    # -- requests --------------------------------------------------------------------------

    def request(self, target: NamedTarget | None) -> None:
        """Request the map of the picture, method and layer chosen; the predicted class's if target is None."""
        context, values = self._context, self._context.values
        picture = context.picture
        if picture is None or context.traits.is_restoring:
            return
        if context.prompt.why_nothing(picture):
            self.without_classes.show(picture)
        else:
            self.request_map(picture, target, values.method, values.layer, self._options)

    def request_map(
        self,
        picture: Picture,
        target: NamedTarget | None,
        method: str,
        layer: str,
        options: Options,
    ) -> None:
        """Request a map; the predicted class's if target is None."""
        context = self._context
        if target is None:
            text, index, stance = context.prompt.known(picture), None, FOR
        else:
            text, model = context.requested_text(picture)
            index, stance = split_target(model, target)
        self._change_main(
            lambda last: MapRequest(picture, index, method, layer, text, stance, options)
        )

    def is_target_requested(self, target: NamedTarget | None) -> bool:
        """Whether a map of this target is requested, or shown; None stands for the predicted class."""
        requested = self.main.requested
        if requested is None:
            return self._context.picture is None
        if target is None or requested.target is None:
            return target is None and requested.target is None
        model = self._context.prompt.outline(requested.picture, requested.text)
        return bool(named_target(model, requested.target, requested.stance) == target)

    def write(self, given: Any, target: NamedTarget | None = None) -> None:
        """Explain the picture under a text or references that a person gave, even if they are the present ones.

        Args:
            given: the text, or the references.
            target: the class to explain; None for the predicted one.

        Raises:
            CamwidgetError: if the text or the references cannot be read.
        """
        context = self._context
        prompt = context.prompt
        given = prompt.readable(given)
        with context.traits.step(prompt.trait):
            prompt.write(context.picture, given)
            context.publish_given(given)
            context.display.publish(text_error="")
            if prompt.trait != "text":
                context.display.publish(error="", **prompt.panels(context.picture))
            self.request(target)

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
        self._context.request_thumbnails()
        return number

    def request_predictions(self, *, curve: bool) -> None:
        """Request the predictions for the masked pictures; also the complete curves, where these change."""
        if self.main.renew():
            return  # the map is of another state of the model: once there is another, all this is requested
        for controller in (self.main, self.compared):
            if curve:
                controller.request_curve()
            else:
                controller.request_prediction()

    def request_compared(self) -> None:
        """Request the compared map anew."""

        def request(last: ComparedRequest | None) -> ComparedRequest | None:
            values, main = self._context.values, self.main
            compare = values.compare
            if compare is None or main.shown is None or main.result is None or main.is_growing:
                return None
            return ComparedRequest(compare, main.shown, main.result.explanation, values.settings)

        with self.main.lock:  # which is the compared map's too
            is_possible = request(None) is not None
            if not is_possible:
                self.compared.drop()
                if self._context.values.compare is None:
                    self._compared_map.show_nothing()
                else:
                    self._compared_map.show_waiting()
        if is_possible:
            self.compared.change(request)
        else:
            self._publish_compared()

    def request_methods(self) -> None:
        """Submit the job that finds out which methods apply; some have to run the model for that."""
        context = self._context
        context.worker.submit("methods", lambda: context.display.show_methods(context.values.layer))

    def request_pixel_classes(self, x: int, y: int) -> None:
        """Have the class with the strongest map at a pixel found, and choose it."""
        self._request_loops.clear()
        self._context.worker.submit("pick", lambda: self._find_pixel_classes(x, y))

    def forget(self) -> None:
        """Release the maps shown and what was computed for them: the explorer is closed."""
        self._main_map.forget()
        for result in (self.main.result, self.compared.result):
            if result is not None:
                result.inputs.cache.forget()

    # -- observers of the explorer's traits ------------------------------------------------

    def _values(self) -> Hashable:
        """Values of the traits that requests depend on."""
        v = self._context.values
        mask = (v.mode, v.baseline, v.fraction)
        return v.picture, v.target, v.text, v.references, v.method, v.layer, mask, repr(v.compare)

    def _two_way_set(self, change: dict[str, Any]) -> None:
        context, name = self._context, change["name"]
        if not context.traits.is_restoring:  # else all is published together
            self._publish_values([name])
        if name == "layer":
            context.display.show_methods(context.values.layer)
        if name == "picture" and context.display.thumbnails.select(context.values.picture):
            self._context.request_thumbnails()

    def _picture_set(self, change: dict[str, Any]) -> None:
        context = self._context
        self._paint.show_present()
        if context.traits.is_restoring or context.traits.is_known("picture", change["new"]):
            return
        if context.picture is not None:
            # A text that the model has to propose is not known until the picture's map is shown.
            context.publish_given(context.prompt.known(context.picture) or context.prompt.nothing)
        self.request(None)

    def _target_set(self, change: dict[str, Any]) -> None:
        if not self._context.traits.is_known("target", change["new"]):
            self.request(change["new"])

    def _given_set(self, change: dict[str, Any]) -> None:
        context = self._context
        if context.traits.is_restoring or context.traits.is_known(change["name"], change["new"]):
            return
        if change["name"] == "region":
            self.write(change["new"], context.values.target)
        elif change["name"] == context.prompt.trait:
            self.write(change["new"], context.kept_target(change["new"]))

    def _mask_set(self, change: dict[str, Any]) -> None:
        if not self._context.traits.is_restoring:
            self._request_loops.check()
            self.request_predictions(curve=change["name"] != "fraction")

    def _compare_set(self) -> None:
        published: Any = None
        while published != (now := self._context.values.compare or {}):
            published = now
            self._context.display.publish(compare=now)
        if not self._context.traits.is_restoring:
            self._request_loops.check()
            self.request_compared()

    def _settings_set(self, change: dict[str, Any]) -> None:
        traits = self._context.traits
        if traits.is_restoring or traits.is_known("settings", change["new"]):
            return
        self._change_main(
            lambda last: (
                None if last is None else last._replace(options=self._options_of(last.method))
            )
        )
        if self.main.is_settled:
            self.request_compared()  # whose method may be another

    def _request_same_class(self, change: dict[str, Any]) -> None:
        """Request the same class by another method, or at another layer."""
        name, value, traits = change["name"], change["new"], self._context.traits
        if traits.is_restoring or traits.is_known(name, value):
            return
        if self.main.requested is None:  # the first map has failed
            self.request(None)
            return

        def changed(last: MapRequest | None) -> MapRequest | None:
            # Of what was requested last, which need not be shown yet.
            if last is None:
                return None
            other = last._replace(**{name: value})
            return other._replace(options=self._options_of(other.method))

        self._change_main(changed)

    def _change_main(self, make: Callable[[MapRequest | None], MapRequest | None]) -> None:
        """Request another main map, and see to it that the traits name it.

        Args:
            make: see ``MapController.change``.
        """
        self._request_loops.check()
        self.main.change(make)
        self._name_requested()

    def _name_requested(self) -> None:
        """Set picture, method and layer to those of the map requested, where they differ.

        They do where several threads set them at once: the trait set last need not be the one requested last, and a map
        before may have come back. Each thread looks after its own request, so that in the end all agree.
        """
        context, traits = self._context, self._context.traits
        # Bounded, since somebody's observer may refuse a value.
        for _ in range(_MOST_LOOKS):
            requested = self.main.requested
            if requested is None:
                return
            number = context.pictures.all.index(requested.picture)
            settings = with_options(context.values.settings, requested.method, requested.options)
            named = {
                "picture": number,
                "settings": settings,
                "method": requested.method,
                "layer": requested.layer,
            }
            if all(getattr(context.values, name) == value for name, value in named.items()):
                return
            for name, value in named.items():
                traits.publish_known(name, value)

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
        if shown.text is not None and self.main.requested == shown:
            self._context.publish_given(shown.text)
        traits.publish("explanation", result.explanation.of_clip(model))
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
        self._name_requested()
        if self.main.requested == shown:
            if shown.text is not None:
                context.prompt.restore(shown.picture, shown.text)
                context.publish_given(shown.text)
                context.display.publish(**context.prompt.panels(shown.picture, model))
            target = named_target(model, shown.target, shown.stance)
            traits.publish_known("target", target)
            context.display.publish(target=shown.target, stance=stance_payload(shown.stance))
        self.publish_two_way()
        self.main.request_curve()
        self.request_compared()
        for follower in self._followers:
            follower.map_restored()

    def publish_two_way(self) -> None:
        """Publish all two-way traits: the browser may have set one that was refused."""
        self._publish_values(TWO_WAY_TRAITS)

    def _publish_values(self, names: Sequence[str]) -> None:
        """Publish traits to the view; again where another thread has set one of them meanwhile."""
        published: dict[str, Any] = {}
        while published != (now := {name: getattr(self._context.values, name) for name in names}):
            published = now
            self._context.display.publish(**now)

    def _compared_shown(self, result: MapResult[ComparedInputs]) -> None:
        self._publish_compared()
        self.compared.request_curve()

    def _publish_compared(self) -> None:
        """Publish the compared map; again where there is another, or none, by then."""
        while True:
            result = self.compared.result
            other = None if result is None else result.explanation.of_clip(result.model)
            self._context.traits.publish("other", other)
            if self.compared.result is result:
                return

    def _find_pixel_classes(self, x: int, y: int) -> None:
        """Name the classes whose maps are strongest at a pixel of the main map, and choose the first."""
        display, result = self._context.display, self.main.result
        if result is None:
            return
        classes = display.likely_classes(20)
        at = find_pixel_classes(result, classes, x, y)
        with self.main.lock:
            if self._context.worker.dropped():
                return
            display.show_pixel_classes(result.inputs.picture.id, at.x, at.y, at.found, len(classes))
            requested = self.main.requested
        target = at.target(result, awaits_rival=display.view.awaits_rival)
        if target is None:
            return
        index, stance = target
        traits = self._context.traits

        def chosen(last: MapRequest | None) -> MapRequest | None:
            # Nothing where something else was requested since the click.
            if last is None or last is not requested:
                return None
            return last._replace(target=index, stance=stance)

        with traits.step("target"):
            self._change_main(chosen)
            requested = self.main.requested
            if requested is not None and (requested.target, requested.stance) == target:
                traits.publish_known("target", named_target(result.model, index, stance))
