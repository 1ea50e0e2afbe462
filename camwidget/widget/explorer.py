"""``Explorer``: the notebook widget that shows a picture, its saliency map, and predictions for masked pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CamwidgetError, PromptError
from ..images.clips import as_clips
from ..models.vision_model import VisionModel
from .control.context import TWO_WAY_TRAITS
from .control.pictures import named_picture
from .explorer_hosts import HostedExplorer
from .explorer_parts import ExplorerParts, check_arguments
from .host.lifetime import close_parts

if TYPE_CHECKING:
    from .state.figure_export import PaperFigure

__all__ = ["Explorer"]


class Explorer(HostedExplorer):
    """A notebook widget to explore saliency maps: click a class, choose a method, drag the masking slider.

    Args:
        model: from ``load`` or ``wrap``, or a list of several, of which the first two are compared; the embedded
            model if None.
        images: a picture, or several in a list, a mapping from names, a folder with the folders below it, a generator
            (such as of ``Path.glob``), a pandas Series, an array (N, H, W, C) or (N, C, H, W), a tensor (N, C, H, W), a
            data set, or a DataLoader. In a list, (picture, class) and (picture, class, mask or boxes) give the true
            class and objects, by which outlines, the map's box and the panel's metrics go; labels of a data set are
            ignored.
            None: the samples of an embedded model.
        top: how many classes to list, from 1 to 9.
        kwargs: initial values of the traits below.

    All settings are traits, which can be set and observed. Setting one returns at once; another thread computes, and
    ``wait()`` blocks until it has finished. ``state`` is a dict of all settings, ``undo()`` and ``redo()`` go through
    previous states, ``code`` is Python code for the present view, and ``figure()`` draws the view for a paper.

    Attributes:
        picture: number of the picture shown.
        target: name of the class explained; or ``Counterfactual`` of one, for the evidence against it, or ``Contrast``
            of two, for the evidence for one rather than the other. Set it to one of these, with names or indices, or to
            None (the predicted class).
        method: a name of ``list_methods()``.
        settings: settings of methods that differ from the defaults, by method and name: ``{"rise": {"masks": 1000}}``.
            Map B by the same method has the same. Set it to another dict; its values are not to be changed in place.
        layer: the name of a layer, of ``model.layers`` or any other whose output is laid out like the picture.
        fraction: the masked share of the picture, from 0 to 1.
        mode: "remove", "keep" or "multiply" (the picture times its map).
        baseline: what replaces removed pixels: "blur", "mean" or "black", or an inpainting from the pixels around them,
            "inpaint", and "telea" if OpenCV is installed.
        mask: paint on the picture shown, int8 (H, W) at the model's input size: 1 is hidden and -1 kept, whatever the
            slider says, and 0 is left to the slider; None without paint. It can be set to such an array, to a bool
            array (True hides), or to None. Each picture has its own. The array itself is read-only.
        text: for a model that takes one, the question or caption; "" until there is one. A model that proposes texts
            has its own for each picture (``propose()`` goes back to it); a question stays.
        references: for a model whose classes are references: a list of texts, for a model such as CLIP, or of
            numbers of pictures, for one that compares pictures with pictures. A reference that the model was ``given``
            goes by its name. Without any, the picture is shown alone.
        region: for a model that scores every pixel, the pixels that are asked about, bool (H, W) at the model's input
            size; None for the whole picture. Each picture has its own. The array itself is read-only.
        about: of a detector, what is asked about the detection: "score", "class" (rather than any other class there),
            or an edge of its box, "left", "top", "right" or "bottom" (see ``DetectionModel``).
        least_score: of a detector, the least score of the boxes that are a picture's detections, in [0, 1].
        outlines: whether the ground truth is outlined, of pictures that carry it.
        boxes: whether the map's box (``localize``) and its peak are drawn.
        box_threshold: the share of the map's maximum from which on a pixel counts for its box, in (0, 1].
        compare: how a second map, shown next to this one, differs: a dictionary with any of "model" (a number),
            "picture" (a number, or "reference" for the reference that the picture is compared with, which is compared
            with the picture in turn), "target" (as ``target``, or None for its own prediction), "method" and "layer";
            everything else is the same. "fraction" masks it by a fraction of its own. None: nothing is compared.
        arrangement: how the two maps are shown: "side" by side, "split" by a divider, or their "difference".
        other: the compared map, an ``Explanation``; None until it is computed; read-only.
        explanation: the map shown, an ``Explanation``; read-only.
        curve: confidence against fraction, a ``MaskCurve``; None until it is complete; read-only.
        can_undo, can_redo: whether ``undo`` or ``redo`` has a state to go to; read-only.

    Raises:
        CamwidgetError: if an argument is invalid; the error's class is that of the trait, or of ``load`` and ``wrap``.

    Example:
        >>> import camwidget as cw
        >>> explorer = cw.Explorer(cw.load(), target="veined", fraction=0.25).wait()
        >>> explorer.target, explorer.explanation.method
        ('veined', 'gradcam')
        >>> explorer.close()
    """

    def __init__(
        self,
        model: VisionModel | Sequence[VisionModel] | None = None,
        images: Any = None,
        *,
        top: int = 6,
        **kwargs: Any,
    ) -> None:
        models, pictures, listed = check_arguments(model, images, top)
        if unknown := sorted(set(kwargs) - set(self.trait_names())):
            raise CamwidgetError(
                f"Explorer has no trait {', '.join(unknown)}. Its own: "
                f"{', '.join((*TWO_WAY_TRAITS, 'target', 'text', 'references', 'region', 'mask', 'compare'))}."
            )
        self._parts = parts = ExplorerParts.of(self, models, pictures, listed)
        kwargs = parts.first_values(kwargs)
        super().__init__(parts.widgets, **kwargs)
        self.add_class("camwidget-explorer")
        parts.start()

    def wait(self, timeout: float | None = None) -> Explorer:
        """Block until everything requested is computed and shown. In an observer it returns at once.

        Args:
            timeout: seconds; None waits without a limit.

        Returns:
            The explorer itself.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
            KeyboardInterrupt: if it is interrupted; a slow map is canceled then.
        """
        worker = self._parts.context.worker
        try:
            done = worker.wait(timeout)
        except KeyboardInterrupt:
            self.cancel()
            raise
        if not done and not worker.in_worker:
            raise TimeoutError(f"Still computing after {timeout} s.")
        return self

    def add(self, image: Any, name: str | None = None) -> None:
        """Add a picture, and show it.

        Args:
            image: a picture in any form that ``explain`` accepts.
            name: shown with it; None takes the file's name, or a number.

        Raises:
            PictureError: if it cannot be read; nothing is added then.
            CamwidgetError: if the explorer is closed.
        """
        if self.comm is None:
            raise CamwidgetError("This explorer is closed: make another one for the picture.")
        model = self._parts.context.prompt.model
        picture = named_picture(image if model.frames is None else as_clips(image), 0)
        self._parts.context.prompt.base.pixels(picture)  # refused before it is listed
        number = self._parts.requests.add_picture(picture, name)
        self.picture = number
        if number == 0:  # the trait has not changed: 0 stood for no picture
            self._parts.requests.request(None)

    def cancel(self) -> None:
        """Cancel the slow map that is being computed, if there is one, and show the previous map again."""
        self._parts.requests.main.cancel()

    def undo(self) -> None:
        """Go back to the previous state, if there is one (``can_undo``). A running slow map is canceled."""
        self._parts.history.undo()

    def redo(self) -> None:
        """Go forward again, if a step was undone (``can_redo``)."""
        self._parts.history.redo()

    def propose(self) -> None:
        """Explain the picture under the text that the model proposes for it.

        Raises:
            PromptError: if the model takes no text, or the text has to come from a person.
        """
        picture = self._parts.context.picture
        if picture is None:
            raise PromptError("There is no picture to propose a text for: add(…) one.")
        self._parts.requests.propose(picture)

    def figure(
        self,
        *,
        width: float = 7.16,
        panels: Sequence[str] = ("picture", "map", "curve", "classes"),
    ) -> PaperFigure:
        """Draw the present view as a matplotlib figure for a paper, once everything requested is computed.

        Its ``savefig`` writes text as text into SVG and PDF, so that it can be searched and edited.

        Args:
            width: in inches; 7.16 spans two columns of a paper, 3.5 one, where the panels stand in two rows.
            panels: "picture", masked, as the model gets it; "map", over the unmasked picture, with a color bar;
                "curve", with the slider's position; "classes", their numbers unmasked → masked. A map of zeros has no
                curve, nor has the mode "multiply".

        Returns:
            A matplotlib figure.

        Raises:
            CamwidgetError: if there is no such panel, or no map to draw.
        """
        from .state.figure_export import check_figure, explorer_figure

        check_figure(width, panels)
        self.wait()
        return explorer_figure(self._parts.context, self._parts.requests, width, panels)

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write what is shown as a page for any browser, without paint and comparison, and with a blur for inpainting.

        Args:
            path: the file; ``.html`` is appended to a name without a suffix.
            options: as of ``camwidget.save_page``, such as ``methods``, ``layers``, ``modes``, ``overwrite``, and
                ``live`` for a page that contains the model and runs it.

        Returns:
            The file.

        Raises:
            FileExistsError: if there is such a file, unless ``overwrite=True``.
            PictureError: if there is no picture.
        """
        from .state.page_export import explorer_page

        self.wait()
        return explorer_page(self._parts.context, path, options)

    def close(self) -> None:
        """Stop computing and remove the widget from every page."""
        parts = self.__dict__.get("_parts")  # None where the arguments were refused
        if parts is not None:
            parts.context.worker.close()
            parts.panels.close()
            close_parts(self)
        super().close()
        if parts is not None:
            parts.close()
