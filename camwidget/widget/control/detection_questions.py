"""``DetectionQuestions``: request the map again where something else is asked of detections, or others are listed."""

from __future__ import annotations

from typing import Any

from ...attribution.stance import FOR, NamedTarget, named_target
from ...models.vision_model import VisionModel
from .context import ExplorerContext
from .finding_control import DetectionController
from .map_request import Detections, MapRequest
from .trait_requests import TraitRequests

__all__ = ["DetectionQuestions", "target_among"]


def target_among(
    model: VisionModel, given: Detections, requested: MapRequest | None
) -> NamedTarget | None:
    """Return the target of a request as other detections of the same picture name it.

    Args:
        model: whose classes are the detections.
        given: the detections.
        requested: the request; None for none.

    Returns:
        None, which stands for the detection with the highest score, where the one explained is not among them.
    """
    if requested is None or requested.target is None or not isinstance(requested.text, Detections):
        return None
    before = requested.text.chosen
    explained, other = before[requested.target], requested.stance.other
    if explained not in given.chosen:
        return None
    stance = requested.stance
    if other is not None:
        rival = before[other]
        is_there = rival in given.chosen
        stance = stance._replace(other=given.chosen.index(rival)) if is_there else FOR
    return named_target(model, given.chosen.index(explained), stance)


class DetectionQuestions:
    """Requests the main map anew when the explorer's ``about`` or ``least_score`` changes; of the same detection.

    Args:
        context: the explorer's.
        requests: requests the maps.
    """

    def __init__(self, context: ExplorerContext, requests: TraitRequests) -> None:
        self._context = context
        self._requests = requests

    def connect(self) -> None:
        """Start to observe the explorer's traits."""
        self._context.traits.observe(self._asked, ["about", "least_score"])

    def _asked(self, change: dict[str, Any]) -> None:
        context, prompt = self._context, self._context.prompt
        is_published = context.traits.is_known(change["name"], change["new"])
        if context.traits.is_restoring or is_published:
            return
        if not isinstance(prompt, DetectionController):
            return
        about, least_score = context.values.about, context.values.least_score
        prompt.ask(about, least_score)
        requested, picture = self._requests.main.requested, context.picture
        if picture is None:
            return
        if requested is None or requested.picture is not picture:
            self._requests.request(None)
            return
        given = prompt.asked(picture, about, least_score)
        if not given.chosen:
            self._requests.request(None)  # which shows the picture alone
            return
        target = target_among(prompt.outline(picture, given), given, requested)
        self._requests.request_map(
            picture, target, requested.method, requested.layer, requested.options
        )
