"""``Display``: the picture view, the two charts and the thumbnails of an explorer, updated together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.methods import list_methods
from ...attribution.methods.settings import settings_payload
from ...attribution.methods.target_reasons import target_reasons
from ...attribution.stance import (
    FOR,
    Stance,
    explained_class,
    stance_of,
    stance_payload,
    stance_target,
)
from ...attribution.targets import evidence_phrase
from ...export.findings_payload import drawn_findings
from ...export.selection import listed_classes, quantity_of
from ...masking.baselines import baseline_names
from ...models.findings import Findings
from ...models.segmentation_model import SegmentationModel
from ...models.vision_model import VisionModel
from ...plotting import DIFFERENCE, lookup_tables
from ..view.mask_settings import MaskSettings
from . import sentences
from .charts import ClassBars, CurveChart, line_colors
from .findings import change_note, lost_note
from .page_messages import TraitSender
from .synced_traits import View
from .thumbnails import Thumbnails

__all__ = ["Display", "DrawnMap"]


#: Traits of the view with pictures and maps in them.
_LARGE = (
    "scene",
    "explanation",
    "layer_maps",
    "class_maps",
    "found_masked",
    "picture_parts",
    "baseline_fill",
    "compared_explanation",
    "compared_scene",
    "compared_baseline_fill",
)


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """A finished map with everything that is shown with it.

    Attributes:
        scene: the picture, encoded for the browser.
        model: the model explained, under its text.
        explanation: the map.
        target: index of the class explained.
        payload: the map, encoded for the browser.
        unmasked: probabilities (classes,) of the unmasked picture.
        status: the status line below the picture.
        overlays: other traits of the view, set together with the map.
        found: where the classes are in the unmasked picture; None if the model does not say.
    """

    scene: dict[str, Any]
    model: VisionModel
    explanation: Explanation
    target: int
    payload: dict[str, Any]
    unmasked: np.ndarray
    status: str
    overlays: dict[str, Any]
    found: Findings | None = None


class Display:
    """Widgets of an explorer, without the panels. Its only state is the class list.

    Args:
        model: whose classes and layers are shown.
        top: how many classes to list.
        on_pick_row: called with the number of the class row that was clicked.
        on_pick_picture: called with the number of the thumbnail that was clicked.
        on_upload: called with (file name, bytes) of each uploaded file.
    """

    def __init__(
        self,
        model: VisionModel,
        top: int,
        on_pick_row: Callable[[int], None],
        on_pick_picture: Callable[[int], None],
        on_upload: Callable[[str, bytes], None],
    ) -> None:
        #: The model whose classes are listed, under the text shown if there is one.
        self.model = model
        self.top = top
        self._unmasked = np.zeros(0)
        self.row_classes: list[int] = []
        #: Where the classes are in the unmasked picture, and what its sentence says of the masked one and of the curve.
        self._found: Findings | None = None
        self._sentence = self._lost = ""
        self.view = View(
            # The classes of a model that takes a text are not known before there is one.
            class_names=list(model.classes) if model.prompt is None else [],
            quantity=quantity_of(model),
            layers=[
                {"name": x.name, "shape": list(x.shape), "frames": x.frames or 1}
                for x in model.layers
            ],
            baselines=list(baseline_names()),
            colormaps=lookup_tables(),
            difference_colors=lookup_tables([DIFFERENCE])[DIFFERENCE],
        )
        self.view.add_class("camwidget-view")
        self._sender = TraitSender(self.view)
        is_quantity = model.scores == "value"
        self.bars = ClassBars(on_pick_row, is_quantity=is_quantity)
        self.chart = CurveChart(is_quantity=is_quantity)
        self.thumbnails = Thumbnails(
            on_pick_picture,
            on_upload,
            lambda text: self.publish(error=text),
            lambda first, places: self.publish(
                thumbnails={
                    "first": first,
                    "places": places,
                    "pitch": Thumbnails.SIDE + Thumbnails.GAP,
                }
            ),
        )

    @property
    def parts(self) -> list[Any]:
        """The widgets, to be put into one box of class ``camwidget-explorer``."""
        return [self.thumbnails.box, self.view, self.bars.figure, self.chart.figure]

    def publish(self, **values: Any) -> None:
        """Set traits of the view, all in one message."""
        self._sender.send(**values)

    def forget(self) -> None:
        """Release pictures and maps: the explorer is closed."""
        self.thumbnails.clear()
        self.publish(**{name: {} for name in _LARGE})

    @property
    def is_publishing(self) -> bool:
        """Whether this thread is inside ``publish``.

        Observers of the view handle what the browser sets, and return at once otherwise: they take locks, which could
        deadlock while ``publish`` holds its own.
        """
        return self._sender.is_sending

    def show_methods(self, layer: str, *, wait: bool = True) -> None:
        """List the methods, and why some of them do not apply at a layer.

        Args:
            layer: the layer.
            wait: whether to check also those methods that have to run the model for it, and to look up defaults that
                depend on the model.
        """
        words = ("segments",) if isinstance(self.model, SegmentationModel) else ()
        methods = []
        for m in list_methods():
            reason = m.reason(self.model, layer) if wait or not m.own_passes else None
            applies = wait and reason is None
            payload = settings_payload(m.settings, words, self.model if applies else None)
            methods.append(
                {
                    "name": m.name,
                    "label": m.label,
                    "group": m.group,
                    "tip": m.tip,
                    "reason": reason,
                    **target_reasons(m),
                    "slow": m.slow,
                    "settings": payload,
                }
            )
        self.publish(methods=methods)

    def _show_model(self, model: VisionModel) -> dict[str, Any]:
        """Store the model whose classes are listed; return the view's traits that change with it."""
        if model is self.model:
            return {}
        self.model = model
        is_quantity = model.scores == "value"
        self.bars.set_quantity(is_quantity)
        self.chart.set_quantity(is_quantity)
        return {"class_names": list(model.classes), "quantity": quantity_of(model)}

    def show_map(self, drawn: DrawnMap) -> None:
        """Show a map, and the class list of its picture."""
        model_values = self._show_model(drawn.model)
        stance = stance_of(drawn.explanation.target)
        rows = self._list_classes(drawn.target, drawn.unmasked, stance)
        self._found, self._lost = drawn.found, ""
        self.publish(
            **model_values,
            **drawn.overlays,
            found_masked={},
            explanation=drawn.payload,
            target=drawn.target,
            stance=stance_payload(stance),
            rows=rows,
            masked=[],
            most_probable={},
            status=drawn.status,
            busy=False,
            pending=False,
            partial=False,
            can_cancel=False,
        )
        self._show_bars(drawn.target)

    def show_no_classes(
        self, model: VisionModel, scene: dict[str, Any], panels: dict[str, Any], note: str = ""
    ) -> None:
        """Show a picture without a map: the model has no classes yet.

        Args:
            model: the model without references.
            scene: the picture, encoded for the browser.
            panels: traits of the view with what the model needs.
            note: the sentence below the slider.
        """
        self.model, self.row_classes, self._unmasked = model, [], np.zeros(0)
        self._found = None
        self.publish(
            **panels,
            **{name: {} for name in _LARGE if name != "scene"},
            scene=scene,
            class_names=[],
            target=-1,
            stance=stance_payload(FOR),
            rows=[],
            masked=[],
            most_probable={},
            class_probe={},
            ground_truth={},
            box={},
            status=f"{model.name} · no map yet",
            sentence=note,
            busy=False,
            pending=False,
            progress=-1.0,
            partial=False,
            can_cancel=False,
        )
        self.bars.show_nothing()
        self._clear_curve()

    def _show_bars(self, target: int) -> None:
        self.bars.show(
            [float(self._unmasked[i]) for i in self.row_classes], self.row_classes.index(target)
        )

    def show_growing(
        self,
        model: VisionModel,
        method: str,
        target: int,
        stance: Stance,
        unmasked: np.ndarray,
        **overlays: Any,
    ) -> None:
        """Show that a slow map has begun: the prediction for the unmasked picture, and no numbers of another map.

        Args:
            model: the model explained, under its text.
            method: label of the method.
            target: index of the class.
            stance: whether the map is for the class, against it, or for it rather than another.
            unmasked: probabilities (classes,) of the unmasked picture.
            overlays: other traits of the view, set together with these.
        """
        model_values = self._show_model(model)
        rows = self._list_classes(target, unmasked, stance)
        self._lost = ""
        explained = stance_target(model, target, stance)
        self.publish(
            **model_values,
            **overlays,
            target=target,
            stance=stance_payload(stance),
            rows=rows,
            masked=[],
            found_masked={},
            most_probable={},
            pending=False,
            status=sentences.growing(method, explained.label, 0.0),
            sentence=f"The map {evidence_phrase(explained)} is being computed; "
            "the prediction for the masked picture follows.",
        )
        self._show_bars(target)
        self._clear_curve()

    def _list_classes(
        self, target: int, unmasked: np.ndarray, stance: Stance
    ) -> list[dict[str, Any]]:
        """Encode the listed classes: the most probable, target and rival; words of a caption in reading order."""
        self._unmasked = unmasked
        self.row_classes = listed_classes(self.model, unmasked, target, self.top, stance.other)
        return [
            {"index": i, "name": self.model.classes[i], "unmasked": float(unmasked[i])}
            for i in self.row_classes
        ]

    def show_prediction(
        self,
        explanation: Explanation,
        values: np.ndarray | None,
        mask: MaskSettings,
        filled: dict[str, Any] | None = None,
        found: Findings | None = None,
    ) -> None:
        """Show the prediction for the masked picture.

        Args:
            explanation: the map.
            values: the probabilities or quantities (classes,); None where nothing is masked.
            mask: how the picture is masked.
            filled: what the browser needs to show it, where it cannot make the fill itself.
            found: where the classes are in the masked picture; None if the model does not say.
        """
        target, rival = explained_class(explanation.target), stance_of(explanation.target).other
        before = float(self._unmasked[target])
        after = None if values is None else float(values[target])
        shown = [] if values is None else [float(values[i]) for i in self.row_classes]
        masked = [None if math.isnan(value) else value for value in shown]
        first = None if values is None else self._first(values)
        changed = first if first != self._first(self._unmasked) else None
        self._sentence = sentences.sentence(
            explanation,
            mask,
            before,
            after,
            None if changed is None else self.model.classes[changed],
            None
            if rival is None or values is None
            else (
                self.model.classes[rival],
                float(self._unmasked[rival]),
                float(values[rival]),
            ),
        )
        drawn: dict[str, Any] = {}
        if found is not None and self._found is not None:
            self._sentence += f" {change_note(target, self._found, found)}"
            size = explanation.pixels.shape[:2]
            drawn = drawn_findings(found, self.model.classes, size)
            drawn["scene"] = self.view.scene.get("id")
        self.publish(
            masked=masked,
            found_masked=drawn,
            most_probable={}
            if first is None or values is None
            else self._row(first, values) | {"was_first": changed is None},
            sentence=self._full_sentence,
            pending=False,
            **({"baseline_fill": filled} if filled else {}),
        )
        self.bars.show_masked(shown or [float(self._unmasked[i]) for i in self.row_classes])
        if mask.mode == "multiply":
            self._clear_curve()
        else:
            self.chart.mark(mask.fraction, before if after is None else after)

    def _first(self, values: np.ndarray) -> int | None:
        """The most probable class; None of quantities and boxes, which do not compete, and of a single class."""
        boxes = self._found is not None and self._found.boxes
        if self.model.scores == "value" or len(values) < 2 or boxes:
            return None
        return int(self.model.ordered(torch.from_numpy(values))[0])

    def _row(self, index: int, values: np.ndarray) -> dict[str, Any]:
        """A class as the browser lists it, with its number for the masked picture."""
        name, unmasked = self.model.classes[index], float(self._unmasked[index])
        return {"index": index, "name": name, "unmasked": unmasked, "masked": float(values[index])}

    def show_no_prediction(self) -> None:
        """The model failed on the masked picture: the prediction for another mask must not stay."""
        self.publish(
            masked=[],
            most_probable={},
            sentence="There is no prediction for this mask.",
            pending=False,
        )
        self.bars.show_masked([float(self._unmasked[i]) for i in self.row_classes])
        self.chart.unmark()

    def show_curve(self, curve: MaskCurve | None) -> None:
        """Draw a curve, complete or not; None takes it away."""
        if curve is None:
            self._clear_curve()
        else:
            colors = line_colors(curve.others, self.row_classes, curve.target)
            self.chart.show(curve, colors)
            self.publish(curve_names=self.chart.names(curve, colors))
        self._lost = ""
        if curve is not None and self._found is not None and self._found.boxes:
            self._lost = lost_note(curve, self._found.boxes[curve.target])
        if self._sentence and self.view.sentence.startswith(self._sentence):
            self.publish(sentence=self._full_sentence)

    @property
    def _full_sentence(self) -> str:
        return f"{self._sentence} {self._lost}".strip()

    def _clear_curve(self) -> None:
        self.chart.clear()
        self.publish(curve_names=[])

    def likely_classes(self, count: int) -> list[int]:
        """The most probable classes of the unmasked picture, and those listed."""
        order = self.model.ordered(torch.from_numpy(self._unmasked))[:count].tolist()
        return list(dict.fromkeys([*self.row_classes, *order]))

    def show_pixel_classes(
        self, scene: str, x: int, y: int, found: Sequence[tuple[int, float]], compared: int
    ) -> None:
        """Name the classes that a click in the picture found, strongest first, of so many compared."""
        names = [self.model.classes[i] for i, _ in found]
        classes = [
            {"index": i, "name": name, "value": value}
            for (i, value), name in zip(found, names, strict=True)
        ]
        self.publish(
            class_probe={
                "x": x,
                "y": y,
                "scene": scene,
                "classes": classes[: self.top],
                "of": compared,
            },
            sentence=sentences.picked_sentence(names[0] if names else None),
        )
