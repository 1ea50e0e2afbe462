"""``PromptController``: the text of each picture for models that take one, and the model and cache for a text."""

from __future__ import annotations

from typing import Any, ClassVar

from ...errors import PromptError
from ...models.vision_model import VisionModel
from ...runtime.caches import BoundedCache
from .cache import ModelCache, Picture
from .map_request import Given

__all__ = ["PromptController"]

#: The most outputs shown as buttons, besides those that single words stand for.
_FEW = 3


class PromptController:
    """The texts of an explorer's pictures for one model, and a cache for each text; one cache if it takes none.

    If the model proposes texts (captions), each picture has its own, and a text that a person writes belongs to the
    picture shown. Otherwise the text is a question, which stays when the picture changes; the first one is the first
    example of the prompt.

    Args:
        model: the model without a text.
    """

    #: The explorer's trait that has what the model is given beside the picture ("" if none has), and its value without
    #: any.
    trait: ClassVar[str] = "text"
    nothing: ClassVar[Given | None] = ""

    def __init__(self, model: VisionModel) -> None:
        self.model = model
        self.base = ModelCache(model)  #: cache of the pixels; ``cache`` returns the one for a text
        self._caches: BoundedCache[ModelCache] = BoundedCache(3)  # whose own caches are weighed
        self._written: dict[Picture, str] = {}
        self._own: dict[Picture, str] = {}
        self._last: str | None = None
        #: Whether the model proposes texts; not known before the first proposal.
        self._proposes: bool | None = None

    @property
    def last(self) -> str | None:
        """The text that was written last, for any picture."""
        return self._last

    @property
    def first(self) -> tuple[str, ...]:
        """The names of the references that the model was given; empty for a model with classes of its own."""
        return ()

    @property
    def is_open(self) -> bool:
        """Whether the classes are not known before the model is given something."""
        return self.model.prompt is not None

    def trait_value(self, given: Given | None) -> Any:
        """Return what the model is given as the trait has it."""
        return given

    def trait_values(self, given: Given | None) -> dict[str, Any]:
        """Return what the model is given as the explorer's traits have it, by name."""
        return {self.trait: self.trait_value(given)} if self.trait else {}

    def carried(self, given: Given | None, *, is_same_picture: bool) -> Given | None:
        """Return what the compared map is given where the main map is given something."""
        return given

    def why_nothing(self, picture: Picture) -> str:
        """Return what is missing before a picture can be explained; empty if nothing is."""
        return ""

    @property
    def is_asked(self) -> bool:
        """Whether the classes depend on what the model is given."""
        return self.model.prompt is not None

    def given_in(self, model: VisionModel) -> Given | None:
        """Return what a model of this controller was given; None if it takes nothing."""
        return model.text

    def outline(self, picture: Picture, given: Given | None) -> VisionModel:
        """Return the model under what it is given, as far as its classes and layers are concerned."""
        return self.cache(picture, given).model

    def known(self, picture: Picture) -> Given | None:
        """Return the text of a picture; None if the model takes none, or has not proposed one yet."""
        if self.model.prompt is None:
            return None
        if self._proposes is False:
            return self._last or self.model.prompt.examples[0]
        return self._written.get(picture) or self._own.get(picture)

    def readable(self, text: Any) -> Given:
        """Return a text as the model reads it.

        Raises:
            PromptError: if the model cannot read it, or takes no text.
        """
        if self.model.prompt is None:
            if text != "":
                raise PromptError(f"{self.model.name} takes no text beside the picture.")
            return text
        return self.model.given(**{self.model.prompt.name: text}).text or ""

    def write(self, picture: Picture | None, given: Given) -> None:
        """Store a text that a person wrote, for a picture if there is one."""
        self._last = text = str(given)
        if picture is not None:
            self._written[picture] = text

    def forget(self, picture: Picture) -> None:
        """Drop the text that a person wrote for a picture: the model's own applies again."""
        self._written.pop(picture, None)

    def move(self, model: VisionModel) -> None:
        """Replace the model by a copy on another device, and drop all results: the old device may be gone.

        Args:
            model: the same model around a copy of its module.
        """
        self.model = model
        self.base = self.base.under(model)
        self._caches = BoundedCache(3)

    def forget_all(self) -> None:
        """Clear all caches: the explorer is closed."""
        self._caches.clear()
        self.base.forget()

    def restore(self, picture: Picture, given: Given) -> None:
        """Set a picture's text back to an earlier one, as after a map failed or an undo."""
        self.write(picture, given)
        if given == self._own.get(picture):
            self.forget(picture)

    def cache(self, picture: Picture, given: Given | None) -> ModelCache:
        """Return the cache for a text; for the picture's own if None, which the model may have to propose first.

        What another model is given, such as references, counts as None.

        Raises:
            PromptError: if the model cannot read the text.
        """
        prompt = self.model.prompt
        if prompt is None:
            return self.base
        text = given if isinstance(given, str) else None
        chosen = text or self.known(picture) or self._proposed(picture)
        return self._caches.get(
            chosen, lambda: self.base.under(self.model.given(**{prompt.name: chosen}))
        )

    def _proposed(self, picture: Picture) -> str:
        own = self.model.proposal(self.base.pixels(picture))
        self._proposes = own is not None
        if own is None:
            assert self.model.prompt is not None
            return self._last or self.model.prompt.examples[0]
        # Normalized as ``given`` does it, so that the two can be compared.
        self._own[picture] = " ".join(own.split())
        return self._own[picture]

    def panels(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode for the browser what the model is given, as traits of the view (see ``panel``)."""
        return {"prompt": self.panel(picture, model)}

    def panel(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode the prompt panel for the browser; empty for a model that takes no text.

        Args:
            picture: the picture shown; None before there is one.
            model: the model under the text shown.
        """
        prompt = self.model.prompt
        if prompt is None:
            return {}
        parsed_prompt = None if model is None else model.parsed_prompt
        words = () if parsed_prompt is None else parsed_prompt.words
        stand_for = {target for _, target in words if target is not None}
        # Outputs for words that are shown but cannot be chosen are no captions.
        shown = {word for word, _ in words}
        others: list[dict[str, Any]] = []
        if model is not None and stand_for and len(model.classes) - len(stand_for) <= _FEW:
            others = [
                {"text": name, "target": i}
                for i, name in enumerate(model.classes)
                if i not in stand_for and name.partition(" #")[0] not in shown
            ]
        text = "" if model is None else model.text or ""
        return {
            "name": prompt.name,
            "hint": prompt.hint,
            "text": text,
            "examples": list(prompt.examples),
            "words": [{"text": w, "target": -1 if i is None else i} for w, i in words],
            "captions": others,
            "proposes": bool(self._proposes),
            "own": picture is not None and self._own.get(picture) == text,
        }
