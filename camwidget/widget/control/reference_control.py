"""``ReferenceController``: the references of an explorer, typed texts or pictures, as classes, and their caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import PictureError, PromptError
from ...models.detection_model import DetectionModel
from ...models.segmentation_model import SegmentationModel
from ...models.similarity_model import SimilarityModel
from ...models.vision_model import VisionModel
from .cache import ModelCache, Picture
from .finding_control import DetectionController, RegionController
from .map_request import Given
from .prompt_control import PromptController

__all__ = ["ReferenceController", "changed_references", "prompt_controller"]

#: What stands in the view where there is no reference yet.
_HINTS = {
    "texts": "Write what the picture may show: each text is a class.",
    "pictures": "Choose a picture to compare with: the ring on its thumbnail, or r for the picture shown.",
}


class ReferenceController(PromptController):
    """The references that an explorer's pictures are compared with, the same for all of them.

    A reference is a text; or the number of one of the explorer's pictures; or the name of a reference that the model
    was given before. Each is a class.

    Args:
        model: the model, with the references that the explorer begins with, if any.
        pictures: returns the explorer's pictures.
    """

    trait = "references"
    nothing = ()

    def __init__(self, model: SimilarityModel, pictures: Callable[[], Sequence[Picture]]) -> None:
        super().__init__(model)
        self._similarity = model
        self._pictures = pictures
        #: The references that the model was given, by name.
        self._first = dict(model.references)
        #: The class name of each reference. It stays, so that a state that names a class goes on to name it.
        self._names: dict[str | int, str] = {name: name for name in self._first}
        self._chosen: tuple[str | int, ...] = tuple(self._first)
        self._given_pictures: dict[str, Picture] = {}
        self._tiles: dict[str | int, bytes] = {}

    @property
    def kind(self) -> str:
        """What the references are: "texts" or "pictures"."""
        return self._similarity.compared_with

    @property
    def first(self) -> tuple[str, ...]:
        """The names of the references that the model was given."""
        return tuple(self._first)

    @property
    def is_open(self) -> bool:
        """Return True: there are no classes without references."""
        return True

    def why_nothing(self, picture: Picture) -> str:
        """Return what is missing before a picture can be explained: a reference other than itself."""
        if not self._chosen:
            return _HINTS[self.kind]
        pictures = self._pictures()
        if all(isinstance(one, int) and pictures[one] is picture for one in self._chosen):
            return (
                "This picture is the only reference: choose another picture, or another reference."
            )
        return ""

    @property
    def is_asked(self) -> bool:
        """Return True: the references are the classes."""
        return True

    def known(self, picture: Picture) -> tuple[str | int, ...]:
        """Return the references, which are the same for every picture."""
        return self._chosen

    def given_in(self, model: VisionModel) -> Given | None:
        """Return the references that a model of this controller has."""
        known = {name: reference for reference, name in self._names.items()}
        return tuple(known[name] for name in model.classes)

    def readable(self, given: Any) -> tuple[str | int, ...]:
        """Return references as a tuple, with single blanks in texts.

        Raises:
            PromptError: if a text is empty, too long, or there already.
            PictureError: if there is no such picture, or it is there already.
        """
        if isinstance(given, str) or not isinstance(given, (list, tuple)):
            raise PromptError(
                f"references is a list of {self._what}, not {type(given).__name__} {given!r}."
            )
        if self.kind == "pictures":
            return self._readable_pictures(given)
        if not given:
            return ()
        unknown = [text for text in given if text not in self._names]
        names = self._similarity.check_references([*given])
        if unknown:
            self._similarity.check_references(unknown)
        self._names.update({name: name for name in names})
        return names

    @property
    def _what(self) -> str:
        return "texts" if self.kind == "texts" else "numbers of pictures"

    def _readable_pictures(self, given: Sequence[Any]) -> tuple[str | int, ...]:
        count = len(self._pictures())
        for reference in given:
            if isinstance(reference, str) and reference not in self._first:
                raise PictureError(
                    f"There is no reference {reference!r}: it is the number of a picture"
                    + (f", or one of {', '.join(map(repr, self._first))}." if self._first else ".")
                )
            if not isinstance(reference, str) and (
                type(reference) is not int or not 0 <= reference < count
            ):
                raise PictureError(
                    f"There is no picture {reference!r} to compare with: there are {count}, from 0."
                )
            if given.count(reference) > 1:
                raise PictureError(
                    f"The picture {reference!r} is given twice: each reference is one class."
                )
        return tuple(given)

    def name_of(self, reference: str | int) -> str:
        """Return the name of a reference's class."""
        if reference not in self._names:
            name = reference if isinstance(reference, str) else self._pictures()[reference].name
            # Two pictures may have the same name; of a class, it is unique.
            taken = name in self._names.values()
            self._names[reference] = f"{name} #{reference}" if taken else name
        return self._names[reference]

    def model_value(self, reference: str) -> Any:
        """Return the text or picture of a reference that is no number."""
        return self._first.get(reference, reference)

    def picture_of(self, reference: str | int) -> Picture:
        """Return a reference picture."""
        if isinstance(reference, int):
            return self._pictures()[reference]
        if reference not in self._given_pictures:
            self._given_pictures[reference] = Picture(self._first[reference], reference)
        return self._given_pictures[reference]

    def write(self, picture: Picture | None, given: Given) -> None:
        """Store references; they hold for every picture."""
        assert isinstance(given, tuple)
        self._chosen = given

    def forget(self, picture: Picture) -> None:
        """Do nothing: there are no references of the model's own for a picture."""

    def restore(self, picture: Picture, given: Given) -> None:
        """Set the references back to earlier ones."""
        self.write(picture, given)

    def outline(self, picture: Picture, given: Given | None) -> VisionModel:
        """Return the model with the references as classes, without encoding them."""
        chosen = given if isinstance(given, tuple) else self._chosen
        return self._similarity.outline([self.name_of(one) for one in chosen])

    def cache(self, picture: Picture, given: Given | None) -> ModelCache:
        """Return the cache for references; for the present ones if these are not of this model's kind.

        References that are new are encoded here: it is called on the worker.

        Raises:
            PromptError: if a text cannot be encoded, or there is no reference.
            PictureError: if a picture cannot be read.
        """
        chosen = given if isinstance(given, tuple) and self._fits(given) else self._chosen
        if not chosen:
            raise PromptError(self.model.no_classes)
        return self._caches.get(chosen, lambda: self.base.under(self._model_with(chosen)))

    def _fits(self, given: tuple[str | int, ...]) -> bool:
        if self.kind == "texts":
            return bool(given) and all(isinstance(one, str) for one in given)
        count = len(self._pictures())
        return bool(given) and all(
            one in self._first if isinstance(one, str) else one < count for one in given
        )

    def _model_with(self, chosen: tuple[str | int, ...]) -> VisionModel:
        values: dict[str, Any] = {}
        for reference in chosen:
            if self.kind == "texts":
                values[self.name_of(reference)] = self.model_value(str(reference))
            else:
                values[self.name_of(reference)] = self.base.pixels(self.picture_of(reference))
        return self.model.given(**{self.kind: values})

    def move(self, model: VisionModel) -> None:
        """Replace the model by a copy on another device, and drop all results: the old device may be gone."""
        super().move(model)
        assert isinstance(model, SimilarityModel)
        self._similarity = model

    def panels(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode the references for the browser.

        Args:
            picture: the picture shown.
            model: the model whose map is shown; None before there is one, or anywhere but on the worker.
        """
        items = []
        for reference in self._chosen:
            if model is not None and self.kind == "pictures" and reference not in self._tiles:
                tile = self.base.tile(self.picture_of(reference))
                self._tiles[reference] = b"" if tile is None else tile.tobytes()
            number = reference if isinstance(reference, int) else -1
            tile_bytes = self._tiles.get(reference, b"")
            items.append({"name": self.name_of(reference), "picture": number, "tile": tile_bytes})
        return {
            "prompt": {},
            "references": {
                "kind": self.kind,
                "hint": _HINTS[self.kind] if picture is None else self.why_nothing(picture),
                "items": items,
            },
        }


def prompt_controller(
    model: VisionModel, pictures: Callable[[], Sequence[Picture]]
) -> PromptController:
    """Return the controller of what a model is given beside the picture."""
    if isinstance(model, SimilarityModel):
        return ReferenceController(model, pictures)
    if isinstance(model, DetectionModel):
        return DetectionController(model)
    if isinstance(model, SegmentationModel):
        return RegionController(model)
    return PromptController(model)


def changed_references(
    prompt: PromptController, now: tuple[str | int, ...], change: Mapping[str, Any]
) -> tuple[tuple[str | int, ...], str | None]:
    """Return references after a change that a person made in the browser, and the class that is explained then.

    Args:
        prompt: the controller of the references.
        now: the references before.
        change: ``add``, a text or the number of a picture; ``remove``, the name of a class; or both, to replace it.

    Returns:
        The references, and the name of the class that is new; None if none is.

    Raises:
        CamwidgetError: if what is added cannot be a reference.
    """
    assert isinstance(prompt, ReferenceController)
    added, name = change.get("add"), change.get("remove")
    places = {prompt.name_of(one): at for at, one in enumerate(now)}
    at = places.get(name, len(now)) if isinstance(name, str) else len(now)
    kept = (*now[:at], *now[at + 1 :])
    if added is None:
        return kept, None
    if prompt.kind == "texts" and (not isinstance(added, str) or not added.split()):
        raise PromptError("There is no text to add. Write one, such as “a cat”.")
    one = " ".join(added.split()) if isinstance(added, str) else added
    if one in kept:
        raise PromptError(f"“{prompt.name_of(one)}” is a class already.")
    given = prompt.readable((*now[:at], one, *now[at + 1 :]))
    return given, prompt.name_of(one)
