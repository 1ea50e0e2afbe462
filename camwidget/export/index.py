"""``save_index``: an index page that links to saved pages."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .._validation import encodable_text
from .._version import __version__
from ..models.scores import number_text
from ..runtime.atomic_files import write_file
from .html_document import escape_html, html_document, page_path, read_static
from .saved_page import Page

__all__ = ["save_index"]

#: Longer side of a thumbnail in pixels, twice its displayed size for dense screens.
_SIDE = 320


def save_index(
    pages: Sequence[Page], path: str | os.PathLike[str], *, title: str, overwrite: bool = False
) -> Path:
    """Write an HTML file with a thumbnail, the prediction and a link for each of several saved pages.

    Args:
        pages: the pages in display order, in the folder of the file or below it.
        path: the file; ``.html`` is appended to a name without a suffix.
        title: title of the index.
        overwrite: whether an existing file is replaced.

    Returns:
        The file.

    Raises:
        FileExistsError: if the file exists.
        CamwidgetError: if the name has another suffix than ``.html``.

    Example:
        >>> import camwidget as cw
        >>> from camwidget.export import save_index
        >>> model = cw.load(device="cpu")
        >>> picture = cw.zoo.samples("zoo/textures")[0].image
        >>> page = cw.save_page(model, picture, "page.html", classes=1, methods=["gradcam"], layers=["stage4"], steps=2)
        >>> save_index([page], "index.html", title="Textures").name
        'index.html'
    """
    file = page_path(path, overwrite=overwrite)
    cards = "\n".join(_card(page, file.parent) for page in pages)
    count = f"{len(pages)} picture{'s' * (len(pages) != 1)}"
    body = f"""<header class="camwidget-page-head">
<h1><bdi>{escape_html(title)}</bdi></h1>
<p>{count} · camwidget {__version__}</p>
</header>
<main>
<ul class="camwidget-page-cards">
{cards}
</ul>
</main>
<footer class="camwidget-page-foot">
<p>The colors show where there is evidence for the class that is named, by one method and at one layer. They do
not prove that the model relies on that region.</p>
</footer>"""
    html = html_document(title=title, style=read_static("index.css"), body=body)
    write_file(file, html.encode("utf-8"), overwrite=overwrite)
    return file


def _card(page: Page, folder: Path) -> str:
    explanation = page.explanation
    picture = explanation.overlay()
    picture.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=85)
    source = f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
    # "./" and escaped colons, since a file may be named "javascript:…".
    link = "./" + quote(os.fsencode(os.path.relpath(page.path, folder)))
    number = number_text(
        page.probability, explanation.prediction.scores, explanation.prediction.unit
    )
    caption = f"{encodable_text(explanation.target.label)} {encodable_text(number)}"
    return (
        f'<li><a href="{escape_html(link)}"><img src="{source}" alt="" width="{picture.width}" '
        f'height="{picture.height}"><strong><bdi>{escape_html(page.name)}</bdi></strong></a>'
        f"<span><bdi>{escape_html(caption)}</bdi></span></li>"
    )
