"""Export of a survey's selection: a table, a folder of pictures, or a page of pictures with their maps."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from ...errors import CamwidgetError
from ...evaluation.items import BoxRegions, Item
from ...images.array_pictures import shades
from ...images.ground_truth import GroundTruth
from ...models.vision_model import VisionModel
from ...runtime.atomic_files import write_file
from ...survey import SurveyResult
from ..view.survey_sheet import survey_tile

__all__ = ["entry_of", "save_selection"]

_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:24px;color-scheme:light dark}"
    "main{display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;width:152px;overflow-wrap:anywhere}"
    "figcaption{font-size:12px}.wrong{color:#cf2f52}img{margin-right:4px}"
)


def save_selection(
    path: Path,
    model: VisionModel,
    result: SurveyResult,
    selected: pd.DataFrame,
    entry: Callable[[int], Any],
) -> Path:
    """Write the selected pictures.

    Args:
        path: ``.csv``, ``.html``, or a new folder.
        model: the model.
        result: the survey.
        selected: rows of the survey's table, with their row numbers as index.
        entry: returns the picture of a row, as an explorer takes it.

    Returns:
        The file or folder.

    Raises:
        CamwidgetError: if nothing is selected.
        FileExistsError: if there is such a file or folder.
    """
    path = path.expanduser()
    if not len(selected):
        raise CamwidgetError("There is no picture on the sheet to save: choose other filters.")
    if path.exists():
        raise FileExistsError(f"{str(path)!r} exists already: give another name, or remove it.")
    if path.suffix.lower() == ".csv":
        selected.to_csv(path, index_label="row")
    elif path.suffix.lower() in (".html", ".htm"):
        write_file(path, _page(model.name, result, selected).encode())
    else:
        _save_folder(path, model, selected, entry)
    return path


def _page(model: str, result: SurveyResult, selected: pd.DataFrame) -> str:
    """A page without scripts: each picture beside its map, with its names and numbers."""
    title = escape(f"{model}: {len(selected):,} of {len(result):,} pictures")
    parts = [
        "<!doctype html>",
        '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><main>",
    ]
    for row, found in selected.iterrows():
        number = int(row)
        images = "".join(_image(result, number, with_map=m) for m in (False, True))
        truth = "" if found["truth"] is None else f"<br>in truth {escape(found['truth'])}"
        kind = ' class="wrong"' if result.is_wrong[number] else ""
        parts.append(
            f"<figure>{images}<figcaption{kind}>{escape(str(found['name']))}<br>"
            f"{escape(found['prediction'])} {found['confidence']:.2f}{truth}</figcaption></figure>"
        )
    return "\n".join([*parts, "</main>\n"])


def _image(result: SurveyResult, row: int, *, with_map: bool) -> str:
    content = result.thumbnails[row]
    if with_map:
        file = io.BytesIO()
        Image.fromarray(survey_tile(result, row, with_map=True)).save(file, "JPEG", quality=85)
        content = file.getvalue()
    alt = "map" if with_map else "picture"
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(content).decode()}" alt="{alt}">'


def _save_folder(
    path: Path, model: VisionModel, selected: pd.DataFrame, entry: Callable[[int], Any]
) -> None:
    """Write each picture as the model gets it, in a folder for its truth and prediction, and the table."""
    path.mkdir(parents=True)
    for row, found in selected.iterrows():
        truth = "" if found["truth"] is None else f"{found['truth']} as "
        folder = path / _file_name(f"{truth}{found['prediction']}")
        folder.mkdir(exist_ok=True)
        picture = entry(int(row))
        picture = picture[0] if isinstance(picture, tuple) else picture
        picture = picture.image if isinstance(picture, GroundTruth) else picture
        name = f"{int(found['picture']):06d} {_file_name(Path(str(found['name'])).stem)}.png"
        Image.fromarray(shades(model.preprocess.pixels(picture))).save(folder / name)
    selected.to_csv(path / "table.csv", index_label="row")


def _file_name(text: str) -> str:
    """Text as part of a file name that every system takes."""
    return re.sub(r"[^\w .()+-]", "_", text).strip(". ")[:80] or "_"


def entry_of(item: Item, model: VisionModel) -> Any:
    """A picture of the data as an explorer takes it: a sample, a picture, or (picture, class, truth)."""
    if isinstance(item.truth, GroundTruth):
        return item.truth
    if item.label is None:
        return item.picture
    truth = item.truth.corners if isinstance(item.truth, BoxRegions) else item.truth
    name = model.classes[item.label]
    return (item.picture, name) if truth is None else (item.picture, name, truth)
