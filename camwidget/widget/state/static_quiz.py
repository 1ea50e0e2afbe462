"""Static view of a quiz: the question shown, or the score, as plain HTML, and as text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from ..host.static_outputs import StaticView
from .static_view import picture_tag

__all__ = ["quiz_static_view"]

_NOTE = "A still picture of a camwidget quiz. Run the cell to play."


def quiz_static_view(
    title: str, cards: Sequence[Mapping[str, Any]], number: int, chosen: int | None, score: str
) -> StaticView:
    """Return the static view of a quiz. A question that is not answered does not show what is right.

    Args:
        title: the heading.
        cards: the questions made so far, as the browser gets them.
        number: which one is shown; their count at the end.
        chosen: the index of the option chosen, None before.
        score: what is shown at the end.
    """
    html = [f"<p><strong>{escape(title)}</strong></p>"] if title else []
    text = [title] if title else []
    if number < len(cards):
        card = cards[number]
        pictures = "".join(f"<td>{_picture(one)}</td>" for one in card["pictures"])
        captions = "".join(f"<td>{escape(one['caption'])}</td>" for one in card["pictures"])
        if pictures:
            html.append(f"<table>\n<tr>{pictures}</tr>\n<tr>{captions}</tr>\n</table>")
        question = card["error"] or card["prompt"]
        html.append(f"<p>{escape(question)}</p>")
        text.append(question)
        options = [_option(card, index, chosen) for index in range(len(card["options"]))]
        if options:
            html.append("<ol>" + "".join(f"<li>{escape(one)}</li>" for one in options) + "</ol>")
        text += [f"  {place}. {one}" for place, one in enumerate(options, 1)]
        if chosen is not None and card["reveal"]:
            html.append(f"<p>{escape(card['reveal'])}</p>")
            text.append(card["reveal"])
    elif score:
        html.append(f"<p>{escape(score)}</p>")
        text.append(score)
    else:
        return StaticView("", "")
    html.append(f"<p><small>{_NOTE}</small></p>")
    return StaticView("<div>\n" + "\n".join(html) + "\n</div>", "\n".join(text))


def _option(card: Mapping[str, Any], index: int, chosen: int | None) -> str:
    marks = []
    if index == chosen:
        marks.append("chosen")
    if chosen is not None and index in card["right"]:
        marks.append("right")
    return card["options"][index] + (f" ({', '.join(marks)})" if marks else "")


def _picture(shown: Mapping[str, Any]) -> str:
    with Image.open(io.BytesIO(shown["data"])) as image:
        return picture_tag(image, shown["caption"])
