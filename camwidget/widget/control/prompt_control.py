"""The text under which each picture is explained, and the model and cache for that text."""

from __future__ import annotations

from typing import Any

from ...errors import PromptError
from ...models.vision_model import VisionModel
from ...runtime.caches import BoundedCache
from .cache import ModelCache, Picture

__all__ = ["PromptController"]

#: More outputs than this, besides those that words stand for, are not shown as buttons.
_FEW = 3


class PromptController:
    """The texts of an explorer's pictures; for a model that takes none, one cache and no texts.

    A model that proposes a text has one for each picture, and what a person writes is for the picture it was written
    for. Where the text can only come from a person it is a question, and stays when the picture changes; the
    prompt's first example stands until one is written.

    Args:
        model: as declared.
    """

    def __init__(self, model: VisionModel) -> None:
        self.model = model
        self.base = ModelCache(model)  #: knows the pixels; under a text, ``cache``
        self._caches: BoundedCache[ModelCache] = BoundedCache(3)  # whose own caches are weighed
        self._written: dict[Picture, str] = {}
        self._own: dict[Picture, str] = {}
        self._last: str | None = None
        #: Whether the model proposes texts; not known before the first proposal.
        self._proposes: bool | None = None

    @property
    def last(self) -> str | None:
        """What was written last, for whatever picture."""
        return self._last

    def known(self, picture: Picture) -> str | None:
        """The text to explain a picture under; None if the model takes none, or has still to propose one."""
        if self.model.prompt is None:
            return None
        if self._proposes is False:
            return self._last or self.model.prompt.examples[0]
        return self._written.get(picture) or self._own.get(picture)

    def readable(self, text: str) -> str:
        """A text as the model has it.

        Raises:
            PromptError: if it cannot be read.
        """
        if self.model.prompt is None:
            if text != "":
                raise PromptError(f"{self.model.name} takes no text beside the picture.")
            return text
        return self.model.given(**{self.model.prompt.name: text}).text or ""

    def write(self, picture: Picture | None, text: str) -> None:
        """Note the text that a person has written, for a picture if there is one."""
        self._last = text
        if picture is not None:
            self._written[picture] = text

    def forget(self, picture: Picture) -> None:
        """Go back to the model's own text for a picture."""
        self._written.pop(picture, None)

    def move(self, model: VisionModel) -> None:
        """Go on with the model on another device: nothing computed is kept, since the old device may be gone.

        Args:
            model: the same as before, around a copy of its module.
        """
        self.model = model
        self.base = self.base.under(model)
        self._caches = BoundedCache(3)

    def forget_all(self) -> None:
        """Forget what was computed, and the pixels too: the explorer is closed."""
        self._caches.clear()
        self.base.forget()

    def restore(self, picture: Picture, text: str) -> None:
        """Go back to a picture's text after another has come to nothing."""
        self.write(picture, text)
        if text == self._own.get(picture):
            self.forget(picture)

    def cache(self, picture: Picture, text: str | None) -> ModelCache:
        """Cache of the model under a text; if None, under the picture's, for which the model may have to run.

        Raises:
            PromptError: if the model cannot read it.
        """
        prompt = self.model.prompt
        if prompt is None:
            return self.base
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
        # As the model will have it, so that the two can be compared.
        self._own[picture] = " ".join(own.split())
        return self._own[picture]

    def panel(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode the text's panel for the browser; empty for a model that takes none.

        Args:
            picture: the picture shown; None before there is one.
            model: the model under the text shown.
        """
        prompt = self.model.prompt
        if prompt is None:
            return {}
        reading = None if model is None else model.reading
        words = () if reading is None else reading.words
        stand_for = {target for _, target in words if target is not None}
        # An output for a word that cannot be chosen is none that has been left out.
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
