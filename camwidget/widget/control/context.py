"""``ExplorerContext``: traits, pictures, models, worker and display that the parts of an explorer share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.stance import NamedTarget, split_target
from ...errors import TargetError
from ...models.vision_model import VisionModel
from ..view.display import Display
from ..view.synced_traits import names_tagged
from .cache import Picture
from .map_request import Given
from .method_settings import MethodSettings
from .pictures import PictureList
from .prompt_control import PromptController
from .trait_publisher import TraitPublisher
from .worker import Worker

__all__ = ["TWO_WAY_TRAITS", "ExplorerContext", "ExplorerValues"]

#: Traits that the browser and Python both set; the view has them under the same names.
TWO_WAY_TRAITS = names_tagged("shared")


class ExplorerValues(Protocol):
    """Traits of an explorer, as its parts read them. ``Explorer`` says what they mean."""

    picture: int
    target: NamedTarget | None
    method: str
    settings: MethodSettings
    layer: str
    fraction: float
    mode: str
    baseline: str
    mask: np.ndarray | None
    text: str
    references: tuple[str | int, ...]
    region: np.ndarray | None
    about: str
    least_score: float
    outlines: bool
    boxes: bool
    box_threshold: float
    compare: Mapping[str, Any] | None
    arrangement: str
    explanation: Explanation | None
    curve: MaskCurve | None
    other: Explanation | None


@dataclass(frozen=True, eq=False)
class ExplorerContext:
    """Objects that the parts of an explorer share. None of them keeps the explorer alive.

    Attributes:
        values: reads the explorer's traits.
        traits: sets and observes them.
        pictures: its pictures.
        prompts: texts and caches of each model; the first model's are those of the main map.
        worker: runs jobs, one at a time.
        display: the view, the charts and the thumbnails.
    """

    values: ExplorerValues
    traits: TraitPublisher
    pictures: PictureList
    prompts: tuple[PromptController, ...]
    worker: Worker
    display: Display

    @property
    def prompt(self) -> PromptController:
        """Texts and caches of the main map's model."""
        return self.prompts[0]

    @property
    def models(self) -> tuple[VisionModel, ...]:
        """All models, as they were declared."""
        return tuple(one.model for one in self.prompts)

    @property
    def model(self) -> VisionModel:
        """The model whose classes are shown, under the text in force."""
        return self.display.model

    @property
    def picture(self) -> Picture | None:
        """The picture chosen; None where there is none."""
        pictures = self.pictures.all
        return pictures[self.values.picture] if pictures else None

    def requested_text(self, picture: Picture | None = None) -> tuple[Given | None, VisionModel]:
        """The text that a picture is to be explained under, and the model under it; the picture chosen if None.

        Or the references, and the model with them as classes, which cannot run.
        """
        picture, prompt = picture or self.picture, self.prompt
        if picture is None or not prompt.is_asked:
            return None, self.model
        # The classes depend on the text: a model that proposes it runs here.
        model = prompt.outline(picture, prompt.known(picture))
        return prompt.given_in(model), model

    def publish_given(self, given: Given | None) -> None:
        """Set the explorer's traits, if there are some, to what the model is given."""
        for name, value in self.prompt.trait_values(given).items():
            self.traits.publish_known(name, value)

    def kept_target(self, given: Given) -> NamedTarget | None:
        """Return the present target where all its classes are among other references; None where one is not."""
        target, picture, prompt = self.values.target, self.picture, self.prompt
        if target is None or picture is None or not isinstance(given, tuple):
            return None
        try:
            split_target(prompt.outline(picture, given), target)
        except TargetError:
            return None
        return target

    def shows_requested_text(self) -> bool:
        """Whether the class list belongs to the text that was requested last."""
        picture = self.picture
        known = None if picture is None else self.prompt.known(picture)
        return self.prompt.given_in(self.model) == known

    def request_thumbnails(self) -> None:
        """Submit the job that makes the missing thumbnails of those in sight."""

        def fill() -> Iterator[None]:
            pictures, base = self.pictures.all, self.prompt.base
            return self.display.thumbnails.fill(
                lambda number: base.tile(pictures[number]),
                len(pictures),
                lambda: self.values.picture,
            )

        self.worker.submit("thumbnails", fill)
