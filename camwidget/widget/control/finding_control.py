"""Controllers for detection and segmentation models: which detection, or which region, the map explains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import PictureError
from ...export.findings_payload import drawn_findings
from ...models.detection_model import QUESTIONS, DetectionModel
from ...models.detections import Detection
from ...models.findings import FindsInPicture
from ...models.segmentation_model import SegmentationModel
from ...models.vision_model import VisionModel
from .cache import ModelCache, Picture
from .map_request import WHOLE, Detections, Given, Region
from .prompt_control import PromptController

__all__ = ["DetectionController", "FindingController", "NothingFoundError", "RegionController"]

#: The least score from which on a picture's detections are remembered, so that a change of the score asked for needs no
#: other pass.
_FLOOR = 0.05


class NothingFoundError(PictureError):
    """A picture in which the model detects nothing: a sentence for the view, and no failure."""


class FindingController(PromptController):
    """What is asked of a model that says where in the picture its classes are."""

    #: Whether a region of the picture can be asked about.
    takes_region = False

    def carried(self, given: Given | None, *, is_same_picture: bool) -> Given | None:
        """Return what another map is given: another picture has detections, or a region, of its own."""
        return given if is_same_picture else None

    def panels(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode for the browser what the model finds in the picture.

        Args:
            picture: the picture shown; None before there is one.
            model: the model whose map is shown; None before there is one, or anywhere but on the worker.
        """
        shown: dict[str, Any] = {}
        is_ready = model is not None and bool(model.classes)
        if picture is not None and is_ready and isinstance(model, FindsInPicture):
            found = self.cache(picture, self.given_in(model)).findings(picture)
            assert found is not None
            height, width = self.base.pixels(picture).shape[-2:]
            size = (height, width)
            shown = {"scene": picture.id, **drawn_findings(found, model.classes, size)}
        note = "" if picture is None else self.why_nothing(picture)
        return {
            "prompt": {},
            "found": {**shown, "takes_region": self.takes_region, "note": note},
        }


class DetectionController(FindingController):
    """The detections of an explorer's pictures: each is a class of its picture; and what is asked about them.

    A model that was given detections keeps these in every picture.

    Args:
        model: the model, with or without chosen detections.
    """

    trait = ""
    nothing = None

    def __init__(self, model: DetectionModel) -> None:
        super().__init__(model)
        self._detector = model
        #: Of each picture the least score from which on its detections are known, and these.
        self._known: dict[Picture, tuple[float, tuple[Detection, ...]]] = {}
        self._fixed = model.detected
        #: What is asked about the detections, as ``DetectionModel.given`` has it.
        self.about = model.about
        #: The least score of a picture's own detections.
        self.least_score = model.least_score

    @property
    def is_open(self) -> bool:
        """Whether the classes differ between pictures."""
        return not self._fixed

    @property
    def is_asked(self) -> bool:
        """Return True: the detections are the classes."""
        return True

    @property
    def finds_for_itself(self) -> bool:
        """Whether the detections are the model's own for each picture, and not given by the user."""
        return not self._fixed

    def known(self, picture: Picture) -> Detections | None:
        """Return the detections of a picture; None before the model has run on it."""
        return self._known_from(picture, self.about, self.least_score)

    def _known_from(self, picture: Picture, about: str, least: float) -> Detections | None:
        if self._fixed:
            return Detections(self._fixed, about, least)
        floor, found = self._known.get(picture, (math.inf, ()))
        if floor > least:
            return None
        return Detections(tuple(one for one in found if one.score >= least), about, least)

    def ask(self, about: str, least_score: float) -> None:
        """Ask something else about detections, or about those of another least score."""
        self.about, self.least_score = about, least_score

    def asked(self, picture: Picture, about: str, least_score: float) -> Detections:
        """Return a picture's detections and a question about them; the model may have to run."""
        known = self._known_from(picture, about, least_score)
        if known is None:
            floor = min(least_score, _FLOOR)
            found = self._detector.detections(self.base.pixels(picture), floor)
            self._known[picture] = floor, tuple(found)
            known = self._known_from(picture, about, least_score)
            assert known is not None
        return known

    def given_in(self, model: VisionModel) -> Given | None:
        """Return the detections that a model of this controller follows."""
        assert isinstance(model, DetectionModel)
        if not model.detected:
            return None
        return Detections(model.detected, model.about, model.least_score)

    def carried(self, given: Given | None, *, is_same_picture: bool) -> Given | None:
        """Return what another map is given: another picture has detections of its own, of which the same is asked."""
        if is_same_picture or not isinstance(given, Detections):
            return given if is_same_picture else None
        return replace(given, chosen=())

    def trait_values(self, given: Given | None) -> dict[str, Any]:
        """Return the question, and the least score of detections."""
        if not isinstance(given, Detections):
            return {}
        return {"about": given.about, "least_score": given.least_score}

    def restore(self, picture: Picture, given: Given | None) -> None:
        """Ask again what was asked of detections before."""
        if isinstance(given, Detections):
            self.ask(given.about, given.least_score)

    def why_nothing(self, picture: Picture) -> str:
        """Return that nothing was detected, where that is known of a picture."""
        known = self.known(picture)
        return "" if known is None or known.chosen else self._nothing_with(known.least_score)

    def _nothing_with(self, least_score: float) -> str:
        return (
            f"{self.model.name} detects nothing in this picture with a score of {least_score:g} or more. "
            "Lower the least score, or choose another picture."
        )

    def outline(self, picture: Picture, given: Given | None) -> VisionModel:
        """Return the model with the picture's detections as classes; without classes if there are none."""
        try:
            return self.cache(picture, given).model
        except NothingFoundError:
            return self.model

    def cache(self, picture: Picture, given: Given | None) -> ModelCache:
        """Return the cache for detections; for the picture's own if none are given, for which it may have to run.

        Raises:
            NothingFoundError: if the model detects nothing in the picture.
        """
        chosen = (
            given if isinstance(given, Detections) else Detections((), self.about, self.least_score)
        )
        if not chosen.chosen:
            chosen = self.asked(picture, chosen.about, chosen.least_score)
        if not chosen.chosen:
            raise NothingFoundError(self._nothing_with(chosen.least_score))
        return self._caches.get(chosen, lambda: self.base.under(self._following(chosen)))

    def _following(self, chosen: Detections) -> VisionModel:
        return self.model.given(
            detections=list(chosen.chosen), about=chosen.about, least_score=chosen.least_score
        )

    def panels(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode for the browser the boxes, and what can be asked about them."""
        payload = super().panels(picture, model)
        payload["found"] |= {"questions": list(QUESTIONS), "finds_for_itself": not self._fixed}
        return payload

    def move(self, model: VisionModel) -> None:
        """Replace the model by a copy on another device, and drop all results: the old device may be gone."""
        super().move(model)
        assert isinstance(model, DetectionModel)
        self._detector = model


class RegionController(FindingController):
    """The region of each picture that is asked about; the whole picture where there is none.

    Args:
        model: the model, with the region that the explorer begins with, if any.
    """

    trait = "region"
    nothing = WHOLE
    takes_region = True

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__(model)
        self._first = Region.of(model.region)
        self._regions: dict[Picture, Region] = {}
        #: Number of the last stroke in the browser, by which it tells strokes apart.
        self._stroke = 0

    @property
    def is_asked(self) -> bool:
        """Return True: scores are those of the region."""
        return True

    def known(self, picture: Picture) -> Region:
        """Return the region of a picture."""
        return self._regions.get(picture, self._first)

    def given_in(self, model: VisionModel) -> Region:
        """Return the region that a model of this controller has."""
        assert isinstance(model, SegmentationModel)
        return Region.of(model.region)

    def trait_value(self, given: Given | None) -> np.ndarray | None:
        """Return a region as a mask, bool (H, W)."""
        return given.mask if isinstance(given, Region) else None

    def readable(self, given: Any) -> Region:
        """Return a mask as a region; None stands for the whole picture.

        Raises:
            TargetError: if it is no mask, or has no pixel.
        """
        checked = self.model.given(region=given)
        return self.given_in(checked)

    def write(self, picture: Picture | None, given: Given | None) -> None:
        """Store the region of a picture."""
        if picture is not None:
            self._regions[picture] = given if isinstance(given, Region) else WHOLE
            self._stroke += 1

    def forget(self, picture: Picture) -> None:
        """Ask about the whole of a picture again."""
        self._regions[picture] = WHOLE

    def restore(self, picture: Picture, given: Given | None) -> None:
        """Set a picture's region back to an earlier one."""
        self.write(picture, given)

    def outline(self, picture: Picture, given: Given | None) -> VisionModel:
        """Return the model with the region of a picture."""
        return self.cache(picture, given).model

    def cache(self, picture: Picture, given: Given | None) -> ModelCache:
        """Return the cache for a region; for the picture's own if None."""
        region = given if isinstance(given, Region) else self.known(picture)
        mask = self.trait_value(region)
        return self._caches.get(region, lambda: self.base.under(self.model.given(region=mask)))

    def panels(
        self, picture: Picture | None = None, model: VisionModel | None = None
    ) -> dict[str, Any]:
        """Encode for the browser the areas of the classes, and the region of the picture."""
        payload = super().panels(picture, model)
        if picture is not None:
            region = self.known(picture)
            payload["region"] = {
                "scene": picture.id,
                "runs": list(region.runs),
                "stroke": self._stroke,
                "painting": False,
            }
        return payload
