"""``ViewEvents``: apply clicks, changed traits and messages of the browser view to the explorer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ...attribution.stance import split_target, stance_payload
from ...errors import CamwidgetError, PictureError
from ...masking.user_mask import HIDDEN
from ...runtime.error_reports import error_text
from ..view.page_messages import KNOWN
from .cache import Picture
from .chosen_target import picked_target, target_with_stance
from .context import TWO_WAY_TRAITS, ExplorerContext
from .reference_control import changed_references
from .trait_requests import TraitRequests

__all__ = ["ExplorerActions", "ViewEvents"]


class ExplorerActions(Protocol):
    """Public methods of an explorer that the view has buttons for. ``Explorer`` says what they do."""

    def add(self, image: Any, name: str | None = None) -> None:
        """Add a picture, and show it."""

    def cancel(self) -> None:
        """Cancel the slow map that is being computed."""

    def propose(self) -> None:
        """Explain the picture under the model's own text."""

    def undo(self) -> None:
        """Go back to the previous state."""

    def redo(self) -> None:
        """Go forward to the next state."""


class ViewEvents:
    """Handlers of what a person does in the view, the charts, the thumbnails and the panels.

    Args:
        context: the explorer's.
        requests: handles requests that are no change of a trait.
        actions: the explorer itself, which this does not keep alive.
    """

    def __init__(
        self, context: ExplorerContext, requests: TraitRequests, actions: ExplorerActions
    ) -> None:
        self._context = context
        self._requests = requests
        self._actions = actions

    def connect(self) -> None:
        """Start to observe the view."""
        view = self._context.display.view
        view.observe(self._two_way_set, list(TWO_WAY_TRAITS))
        view.observe(self._target_set, "target")
        view.observe(self._stance_set, "stance")
        view.observe(self._compare_set, "compare")
        view.on_msg(self.receive)

    # -- clicks ----------------------------------------------------------------------------

    def pick_row(self, row: int) -> None:
        """Choose the class of a row of the class list."""
        with self.shown_errors():
            classes = self._context.display.row_classes
            if 0 <= row < len(classes):
                self._pick_class(classes[row])

    def pick_picture(self, number: int) -> None:
        """Choose a picture."""
        self._set("picture", number)

    def pick_method(self, name: str) -> None:
        """Choose a method."""
        self._set("method", name)

    def pick_map(self, method: str, target: int) -> None:
        """Choose the method and the class of a map of the contact sheet."""
        with self.shown_errors(), self._context.traits.step():
            self.pick_method(method)
            self._pick_class(target)

    def toggle_paint(self, picture: Picture, region: np.ndarray) -> None:
        """Hide a region of a picture by paint, or show it again if all of it is hidden.

        Args:
            picture: the picture; nothing happens if another one is chosen by now.
            region: bool (H, W) at the model's input size.
        """
        context = self._context
        if picture is not context.picture:
            return
        with self.shown_errors():
            before = context.values.mask
            paint = np.zeros(region.shape, np.int8) if before is None else before.copy()
            paint[region] = 0 if bool((paint[region] == HIDDEN).all()) else HIDDEN
            self._set("mask", paint)

    def upload(self, name: str, content: bytes) -> None:
        """Add a file that was chosen."""
        with self.shown_errors():
            try:
                self._actions.add(content, name)
            except PictureError as error:
                raise PictureError(f"{name}: {error}") from error

    def _set(self, name: str, value: Any) -> None:
        """Set a trait of the explorer; an error is shown in the view."""
        with self.shown_errors():
            setattr(self._context.traits.owner, name, value)

    def _pick_class(self, index: int) -> None:
        """Choose a class, unless the list clicked belongs to an older text than the one requested."""
        with self.shown_errors():
            context = self._context
            if index >= 0 and context.shows_requested_text():
                awaits_rival = context.display.view.awaits_rival
                now = context.values.target
                self._set(
                    "target", picked_target(context.model, now, index, awaits_rival=awaits_rival)
                )

    # -- traits that the browser has set ---------------------------------------------------

    def _two_way_set(self, change: dict[str, Any]) -> None:
        display, values = self._context.display, self._context.values
        name, value = change["name"], change["new"]
        if display.is_publishing or value == getattr(values, name):
            return
        self._set(name, value)
        if getattr(values, name) != value:
            display.publish(**{name: getattr(values, name)})

    def _target_set(self, change: dict[str, Any]) -> None:
        context, index = self._context, change["new"]
        if context.display.is_publishing:
            return
        self._pick_class(index)
        self._publish_target()

    def _stance_set(self, change: dict[str, Any]) -> None:
        context = self._context
        if context.display.is_publishing or context.values.target is None:
            return
        if context.shows_requested_text():
            with self.shown_errors():
                index, stance = split_target(context.model, context.values.target)
                if change["new"] != stance_payload(stance):
                    self._set("target", target_with_stance(context.model, index, change["new"]))
        self._publish_target()

    def _publish_target(self) -> None:
        """Publish the present class and stance where the page has others: it must not mark what was refused."""
        context, view = self._context, self._context.display.view
        if context.values.target is None or not context.shows_requested_text():
            return
        index, stance = split_target(context.model, context.values.target)
        payload = stance_payload(stance)
        if view.target != index or view.stance != payload:
            context.display.publish(target=index, stance=payload)

    def _compare_set(self, change: dict[str, Any]) -> None:
        display, value = self._context.display, change["new"] or None
        if display.is_publishing or value == self._context.values.compare:
            return
        self._set("compare", value)
        display.publish(compare=self._context.values.compare or {})

    # -- messages --------------------------------------------------------------------------

    def receive(self, _view: Any, content: Any, _buffers: Any) -> None:
        """Handle a custom message of the view; unknown messages are ignored."""
        if not isinstance(content, dict):
            return
        with self.shown_errors():
            self._do(content.get("type"), content)

    def _do(self, kind: object, content: dict[str, Any]) -> None:
        if kind == "cancel":
            self._actions.cancel()
        elif kind == "undo":
            self._actions.undo()
        elif kind == "redo":
            self._actions.redo()
        elif kind in ("text", "propose"):
            self._prompt(content.get("text") if kind == "text" else None)
        elif kind == "reference":
            self._reference(content)
        elif kind == "pick":
            x, y = content.get("x"), content.get("y")
            if type(x) is int and type(y) is int:  # True is an int, and no coordinate
                self._requests.request_pixel_classes(x, y)
        elif kind == "thumbnails":
            first, last = content.get("first"), content.get("last")
            thumbnails = self._context.display.thumbnails
            if type(first) is int and type(last) is int and thumbnails.see(first, last):
                self._context.request_thumbnails()

    def _prompt(self, text: object) -> None:
        """Explain the picture under a text that a person wrote; under the model's own if None."""
        try:
            if text is None:
                self._actions.propose()
            else:
                self._requests.write(str(text))
        except CamwidgetError as error:
            self._context.display.publish(text_error=str(error))

    def _reference(self, content: dict[str, Any]) -> None:
        """Add, replace or remove a reference: a text that a person wrote, or a picture."""
        context = self._context
        if context.prompt.trait != "references":
            return
        try:
            given, added = changed_references(context.prompt, context.values.references, content)
            # The picture shown is not explained by itself.
            is_itself = content.get("add") == context.values.picture
            target = context.kept_target(given) if added is None or is_itself else added
            self._requests.write(given, target)
        except CamwidgetError as error:
            context.display.publish(text_error=str(error))

    @contextlib.contextmanager
    def shown_errors(self) -> Iterator[None]:
        """Show errors that are raised inside in the view."""
        try:
            yield
        except Exception as error:
            if not self._context.traits.is_alive:
                return
            text = error_text(error, self._context.traits.owner, known=KNOWN)
            self._context.display.publish(error=text)
