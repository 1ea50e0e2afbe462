"""``Explanation``: a saliency map with its target, method and layer; plotting, saving and citing it."""

from __future__ import annotations

import io
import json
import math
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from PIL import Image

from ..errors import CamwidgetError
from ..images.film_strip import frame_grid
from ..masking.rank_rule import top_mask
from ..models.vision_model import Prediction, VisionModel
from ..runtime.atomic_files import check_folder, write_files
from .part_values import PartValues
from .targets import Target, evidence_phrase
from .tone_mapping import tone_knee, tone_mapped, tone_note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explanation", "Explanations", "colorize", "overlay_heat"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Saliency map of a picture for a target, with everything that is needed to display and cite it.

    Attributes:
        saliency: float32 (H, W) in [0, 1] at the model's input size: the positive part of ``raw``, upsampled
            bilinearly and divided by its maximum. All zero if there is no positive evidence. For RISE, the minimum is
            subtracted first. Of a clip (T, H, W), upsampled trilinearly, with one maximum for all frames.
        raw: float32 (h, w) at the layer's resolution, unscaled, as the paper's equation gives it; of a clip (t, h, w).
        target: the target that is explained, with its label and class index.
        method: name of the method.
        method_label: display name of the method.
        layer: module name of the layer.
        prediction: the model's top classes for the unmasked picture.
        pixels: the picture as the model gets it, uint8 (H, W, 3); of a clip (T, H, W, 3).
        model: name of the model.
        picture: index of the picture in the explained batch.
        text: question or caption under which the model was explained; None for a model without text input.
        options: settings of the method that differ from its defaults, as (name, value) pairs.
        tone_mapped: whether few pixels dominate the map, so that display brightens it (``drawn``).
        parts: values of the picture's parts with their standard errors, of a method whose units are parts
            ("part-occlusion", "kernelshap"); None of any other method.

    Example:
        >>> import camwidget as cw
        >>> explanation = cw.explain(cw.load(), cw.zoo.samples("zoo/textures")[0].image)
        >>> explanation.title
        'Grad-CAM · stage4 · polka-dotted'
        >>> explanation.saliency.shape, float(explanation.saliency.max())
        ((192, 192), 1.0)
    """

    saliency: np.ndarray = field(repr=False)
    raw: np.ndarray = field(repr=False)
    target: Target
    method: str
    method_label: str
    layer: str
    prediction: Prediction
    pixels: np.ndarray = field(repr=False)
    model: str
    picture: int = 0
    text: str | None = None
    options: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    tone_mapped: bool = field(default=False, repr=False)
    parts: PartValues | None = field(default=None, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether the map has no positive evidence anywhere."""
        return not bool(self.saliency.any())

    @property
    def title(self) -> str:
        """Labels of method, layer and target in one line."""
        return f"{self.method_label} · {self.layer} · {self.target.label}"

    @property
    def note(self) -> str:
        """Sentence that explains a map of all zeros; empty otherwise."""
        if not self.is_empty:
            return ""
        return f"No positive evidence {evidence_phrase(self.target)} at {self.layer}."

    @property
    def knee(self) -> float | None:
        """Saliency drawn at 0.9 of the color scale (see ``tone_mapping``); None if the map is drawn in proportion."""
        return tone_knee(self.saliency) if self.tone_mapped else None

    @property
    def drawn(self) -> np.ndarray:
        """Saliency for display, float32 (H, W) in [0, 1]; metrics and masks use ``saliency``."""
        return tone_mapped(self.saliency, self.knee)

    def mask(self, fraction: float = 0.25) -> np.ndarray:
        """Return the mask of the pixels with the most evidence.

        Args:
            fraction: fraction of the pixels, in [0, 1].

        Returns:
            bool (H, W), True for the top fraction; of a clip (T, H, W), where the pixels of all frames are ranked
            together.

        Raises:
            CamwidgetError: if the fraction is not a number in [0, 1].

        Example:
            >>> import camwidget as cw
            >>> explanation = cw.explain(cw.load(), cw.zoo.samples("zoo/textures")[0].image)
            >>> float(explanation.mask(0.25).mean())
            0.25
        """
        return top_mask(self.saliency, fraction)

    def overlay(self, *, opacity: float = 0.65, colormap: str = "inferno") -> Image.Image:
        """Draw the saliency on the picture; high saliency covers more of it.

        Args:
            opacity: opacity of the highest saliency, in [0, 1].
            colormap: name of a Matplotlib colormap.

        Returns:
            The drawing, RGB at the model's input size; of a clip, its frames in rows.

        Raises:
            KeyError: if there is no such colormap.

        Example:
            >>> import camwidget as cw
            >>> explanation = cw.explain(cw.load(), cw.zoo.samples("zoo/textures")[0].image)
            >>> explanation.overlay().size
            (192, 192)
        """
        heat = overlay_heat(self.pixels, self.drawn, opacity, colormap)
        return Image.fromarray(_as_picture(heat))

    def of_clip(self, model: VisionModel) -> Explanation:
        """Return an explanation whose arrays are strips (see ``as_strip``) with a time axis, as users get it.

        That of a picture, and one that has a time axis already, is returned as it is.
        """
        frames = model.map_frames(self.layer, self.raw.shape, self.saliency.shape)
        if frames is None or self.saliency.ndim == 3:
            return self
        few, many = frames
        pixels = self.pixels.reshape(many, -1, *self.pixels.shape[1:])
        pixels.flags.writeable = False
        return replace(
            self,
            saliency=self.saliency.reshape(many, -1, self.saliency.shape[-1]),
            raw=self.raw.reshape(few, -1, self.raw.shape[-1]),
            pixels=pixels,
        )

    def of_strip(self) -> Explanation:
        """Return an explanation of a clip with strips in place of the time axis; itself for a picture."""
        if self.saliency.ndim == 2:
            return self
        return replace(
            self,
            saliency=self.saliency.reshape(-1, self.saliency.shape[-1]),
            raw=self.raw.reshape(-1, self.raw.shape[-1]),
            pixels=self.pixels.reshape(-1, *self.pixels.shape[2:]),
        )

    def plot(self, *, opacity: float = 0.65, colormap: str = "inferno") -> Figure:
        """Plot the picture and its overlay side by side, with a color bar.

        Args:
            opacity: opacity of the highest saliency, in [0, 1].
            colormap: name of a Matplotlib colormap.

        Returns:
            The Matplotlib figure.

        Raises:
            KeyError: if there is no such colormap.

        Example:
            >>> import camwidget as cw
            >>> explanation = cw.explain(cw.load(), cw.zoo.samples("zoo/textures")[0].image)
            >>> len(explanation.plot().axes)  # the picture, the overlay and the color bar
            3
        """
        return Explanations([self]).plot(opacity=opacity, colormap=colormap)

    def save(self, path: str | Path) -> tuple[Path, Path, Path]:
        """Write the map (.npy), the overlay (.png) and a description (.json) next to each other.

        Args:
            path: common path of the files; the suffixes .npy, .png and .json are dropped.

        Returns:
            The paths of the three files.

        Raises:
            FileExistsError: if one of the files exists; nothing is written.
            FileNotFoundError: if the folder is missing.
            OSError: if a file cannot be written; none of them is kept.

        Example:
            >>> import tempfile
            >>> import camwidget as cw
            >>> explanation = cw.explain(cw.load(), cw.zoo.samples("zoo/textures")[0].image)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     [file.name for file in explanation.save(f"{folder}/dots")]
            ['dots.npy', 'dots.png', 'dots.json']
        """
        stem = Path(path).expanduser()
        stem = stem.with_suffix("") if stem.suffix in (".npy", ".png", ".json") else stem
        files = tuple(stem.with_name(stem.name + s) for s in (".npy", ".png", ".json"))
        taken = [str(f) for f in files if f.exists()]
        if taken:
            raise FileExistsError(f"{', '.join(taken)}: exists already. Choose another name.")
        check_folder(files[0])
        # All contents are computed before the first file is written.
        saliency, overlay = io.BytesIO(), io.BytesIO()
        np.save(saliency, self.saliency)
        self.overlay().save(overlay, "PNG")
        metadata = json.dumps(self._metadata(), indent=2, ensure_ascii=False, default=repr) + "\n"
        contents = (saliency.getvalue(), overlay.getvalue(), metadata.encode())
        write_files(dict(zip(files, contents, strict=True)))
        return files[0], files[1], files[2]

    def _metadata(self) -> dict[str, object]:
        """Return the description of the map that is saved with it."""
        import torch

        from .._version import __version__

        return {
            "model": self.model,
            "text": self.text,
            "layer": self.layer,
            "method": self.method,
            "method_label": self.method_label,
            "options": {name: _json_value(value) for name, value in self.options},
            "target": {"index": self.target.index, "label": self.target.label},
            "prediction": dict(
                zip(self.prediction.names, self.prediction.probabilities, strict=True)
            ),
            "prediction_scores": self.prediction.scores,
            "prediction_unit": self.prediction.unit,
            "picture": {"number": self.picture, "shape": list(self.pixels.shape)},
            "saliency": {
                "shape": list(self.saliency.shape),
                "dtype": str(self.saliency.dtype),
                "range": [0, 1],
                "meaning": "The .npy file: where in the model's input picture there is evidence for the target. It "
                "is scaled to a maximum of 1, so the strengths of two maps cannot be compared. All zeros: no "
                "evidence was found.",
            },
            "raw": {
                "shape": list(self.raw.shape),
                "minimum": float(self.raw.min()),
                "maximum": float(self.raw.max()),
                "meaning": "The map at the layer's own resolution, as the method's equation gives it; not saved.",
            },
            "overlay": "The .png file: the picture with its saliency drawn on top, for display only."
            + (f" Tone-mapped: {note}." if (note := tone_note(self.knee)) else ""),
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "versions": {
                "camwidget": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }

    def _repr_png_(self) -> bytes | None:
        return self.overlay()._repr_png_()


def _json_value(value: Any) -> Any:
    """Return a setting as a JSON value, or its text if JSON has no such type."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, (str, int, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, np.generic):
        return _json_value(value.item())
    return getattr(value, "__name__", None) or repr(value)


class Explanations(Sequence[Explanation]):
    """Sequence of explanations, in the order picture, target, method, layer.

    Args:
        items: the explanations.

    Example:
        >>> import camwidget as cw
        >>> image = cw.zoo.samples("zoo/textures")[0].image
        >>> explanations = cw.explain(cw.load(), image, method=["gradcam", "layercam"])
        >>> [explanation.method_label for explanation in explanations]
        ['Grad-CAM', 'LayerCAM']
    """

    def __init__(self, items: Sequence[Explanation]) -> None:
        self._items = list(items)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> Explanations: ...
    def __getitem__(self, index: int | slice) -> Explanation | Explanations:
        found = self._items[index]
        return Explanations(found) if isinstance(found, list) else found

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self._items)

    def select(
        self,
        *,
        target: str | int | None = None,
        method: str | None = None,
        layer: str | None = None,
        picture: int | None = None,
    ) -> Explanations:
        """Select explanations by target, method, layer and picture.

        Args:
            target: class name, label or class index of the target; any if None.
            method: name of the method; any if None.
            layer: module name of the layer; any if None.
            picture: index of the picture; any if None.

        Returns:
            The explanations that match all arguments, in the same order.

        Example:
            >>> import camwidget as cw
            >>> image = cw.zoo.samples("zoo/textures")[0].image
            >>> explanations = cw.explain(cw.load(), image, layer=["stage3", "stage4"])
            >>> [explanation.layer for explanation in explanations.select(layer="stage4")]
            ['stage4']
        """
        return Explanations(
            [
                e
                for e in self._items
                if (target is None or target in (e.target.label, e.target.index))
                and (method is None or method == e.method)
                and (layer is None or layer == e.layer)
                and (picture is None or picture == e.picture)
            ]
        )

    def average(self) -> Explanation:
        """Average the saliency of several explanations of one picture, such as of one class at several layers.

        Each map is averaged as its saliency with a maximum of 1, and the mean is scaled to a maximum of 1 again.

        Returns:
            An explanation whose ``saliency`` is the scaled mean, and whose ``raw`` is the mean, both (H, W).

        Raises:
            CamwidgetError: if there are no explanations, or they are of several pictures, targets or models.

        Example:
            >>> import camwidget as cw
            >>> image = cw.zoo.samples("zoo/textures")[0].image
            >>> cw.explain(cw.load(), image, layer=["stage3", "stage4"]).average().layer
            'stage3 + stage4'
        """
        if not self._items:
            raise CamwidgetError("There is nothing to average: no explanation was selected.")
        first = self._items[0]
        if any(
            e.picture != first.picture or not np.array_equal(e.pixels, first.pixels)
            for e in self._items[1:]
        ):
            raise CamwidgetError(
                "An average is of one picture: select(picture=…) the explanations of one."
            )
        if len({e.target for e in self._items}) > 1:
            raise CamwidgetError("An average is of one target: select(target=…) one of them.")
        if len({e.model for e in self._items}) > 1:
            raise CamwidgetError("An average is of one model's maps.")
        mean = np.asarray(np.mean([e.saliency for e in self._items], axis=0, dtype=np.float32))

        def joined(names: list[str]) -> str:
            return " + ".join(dict.fromkeys(names))

        return replace(
            first,
            saliency=np.asarray(mean / mean.max() if mean.any() else mean),
            raw=np.asarray(mean),
            method=joined([e.method for e in self._items]),
            method_label=joined([e.method_label for e in self._items]),
            layer=joined([e.layer for e in self._items]),
            options=first.options if len({repr(e.options) for e in self._items}) == 1 else (),
            tone_mapped=all(e.tone_mapped for e in self._items),
        )

    def plot(self, *, columns: int = 4, opacity: float = 0.65, colormap: str = "inferno") -> Figure:
        """Plot each picture once, followed by its overlays, with one color bar.

        Args:
            columns: largest number of panels in a row, ≥ 1.
            opacity: opacity of the highest saliency, in [0, 1].
            colormap: name of a Matplotlib colormap.

        Returns:
            The Matplotlib figure.

        Raises:
            CamwidgetError: if there are no explanations.
            KeyError: if there is no such colormap.

        Example:
            >>> import camwidget as cw
            >>> image = cw.zoo.samples("zoo/textures")[0].image
            >>> figure = cw.explain(cw.load(), image, method=["gradcam", "layercam"]).plot()
            >>> len(figure.axes)  # the picture, two overlays and the color bar
            4
        """
        from matplotlib.cm import ScalarMappable

        from ..plotting import new_figure, plain_text

        panels: list[tuple[str, np.ndarray]] = []
        shown: int | None = None
        for e in self._items:
            if e.picture != shown:
                shown = e.picture
                # The top class; for quantities, which have no ranking, the first three.
                count = 3 if e.prediction.scores == "value" else 1
                panels.append(("\n".join(e.prediction.lines[:count]), _as_picture(e.pixels)))
            heat = _as_picture(overlay_heat(e.pixels, e.drawn, opacity, colormap))
            panels.append((f"{e.target.label}\n{e.method_label} · {e.layer}", heat))
        if not panels:
            raise CamwidgetError("There is nothing to plot: no explanation was selected.")
        columns = max(1, min(columns, len(panels)))
        rows = -(-len(panels) // columns)
        figure = new_figure(2.6 * columns + 0.6, 2.9 * rows)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, (title, image) in zip(axes, panels, strict=False):
            axis.imshow(image)
            axis.set_title(plain_text(title), fontsize=9)
        figure.colorbar(
            ScalarMappable(cmap=colormap),
            ax=list(axes),
            label="saliency (own maximum = 1"
            + ("; gradients brightened)" if any(e.knee is not None for e in self._items) else ")"),
            shrink=0.85,
        )
        return figure

    def __repr__(self) -> str:
        titles = [e.title for e in self._items[:3]] + ["…"] * (len(self) > 3)
        return f"Explanations({len(self)}: {', '.join(titles)})"


def _as_picture(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W, 3) as they are, and those of a clip (T, H, W, 3) with the frames in rows."""
    return pixels if pixels.ndim == 3 else frame_grid(pixels)


def colorize(saliency: np.ndarray, colormap: str = "inferno") -> np.ndarray:
    """Return saliency (H, W) in [0, 1] as colors, uint8 (H, W, 3)."""
    from matplotlib import colormaps

    return np.asarray(colormaps[colormap](np.clip(saliency, 0, 1), bytes=True)[..., :3])


def overlay_heat(
    pixels: np.ndarray, saliency: np.ndarray, opacity: float, colormap: str
) -> np.ndarray:
    """Blend the colors of saliency s over uint8 (H, W, 3) pixels with alpha ``opacity · s · (0.35 + 0.65 √s)``.

    The arrays of a clip, (T, H, W, 3) and (T, H, W), are blended in the same way. Low saliency leaves the picture
    visible. ``js/src/core/colormap.ts`` has the same formula.
    """
    heat = colorize(saliency, colormap).astype(np.float32)
    s = np.clip(saliency, 0, 1)[..., None]
    alpha = np.clip(opacity, 0, 1) * s * (0.35 + 0.65 * np.sqrt(s))
    return np.asarray(np.round(pixels * (1 - alpha) + heat * alpha), np.uint8)
