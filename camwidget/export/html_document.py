"""HTML documents that may run only their own script and style, and may contact no server.

The content of a saved page is made in ``saved_page``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from .._assets import STATIC
from .._validation import encodable_text
from .._version import __version__
from ..errors import CamwidgetError
from ..runtime.atomic_files import check_folder

__all__ = [
    "escape_html",
    "html_document",
    "page_path",
    "read_static",
    "script_json",
]

_NONE = "'none'"

#: Text that would end a script element or change how the rest of it is parsed.
_ENDS = re.compile(r"</script|</style|<!--|<script|\r", re.IGNORECASE)


def escape_html(name: object) -> str:
    """A user's text, escaped for an element or an attribute."""
    return escape(encodable_text(name), quote=True)


def script_json(value: Any) -> str:
    """ASCII JSON for a script element, without characters that could end it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def read_static(name: str) -> str:
    """Read a file that ``js/`` builds."""
    text = (STATIC / name).read_text("utf-8").replace("\r\n", "\n")
    found = _ENDS.search(text)
    if found:
        raise CamwidgetError(
            f"{name} cannot be embedded in a page, since it contains {found.group()!r}."
        )
    return text


def html_document(
    *,
    title: str,
    style: str,
    body: str,
    script: str = "",
    data: Any = None,
    texts: Mapping[str, str] | None = None,
    runs_wasm: bool = False,
    has_blobs: bool = False,
) -> str:
    """Render a complete HTML document.

    Args:
        title: a user's text.
        style: the only stylesheet.
        body: HTML, with users' texts escaped by ``escape_html``.
        script: the only script; none if empty.
        data: data for the script, as JSON in the element with the id ``camwidget-data``.
        texts: further data for the script by element id: ASCII without markup, or a file of ``read_static``.
        runs_wasm: whether the script may compile WebAssembly, and start workers from its own blobs.
        has_blobs: whether the script may show pictures from its own blobs.

    Returns:
        The document's text.
    """
    policy = "; ".join(
        (
            f"default-src {_NONE}",
            f"script-src {_hash(script) if script else _NONE}" + " 'wasm-unsafe-eval'" * runs_wasm,
            *(["worker-src blob:"] if runs_wasm else []),
            f"style-src {_hash(style)}",
            "img-src data:" + " blob:" * has_blobs,
            f"base-uri {_NONE}",
            f"form-action {_NONE}",
        )
    )
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="generator" content="camwidget {__version__}">',
        # Without it, the browser requests an icon from the server.
        '<link rel="icon" href="data:,">',
        f"<title>{escape_html(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        body,
    ]
    if script:
        parts.append(
            f'<script type="application/json" id="camwidget-data">{script_json(data)}</script>'
        )
        parts.extend(
            f'<script type="text/plain" id="{id}">{text}</script>'
            for id, text in (texts or {}).items()
        )
        parts.append(f"<script>{script}</script>")
    return "\n".join([*parts, "</body>", "</html>", ""])


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def page_path(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Check the path of a page before anything is computed; ``.html`` is appended to a name without a suffix.

    Raises:
        FileExistsError: if the file exists and may not be overwritten.
        FileNotFoundError: if the folder is missing.
        IsADirectoryError: if the path is a folder.
        PermissionError: if the folder is not writable.
        CamwidgetError: if the name has another suffix.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise CamwidgetError(f"path is where the page is written, not {type(path).__name__}.")
    target = Path(path).expanduser()
    if target.suffix == "" and not target.is_dir():
        target = target.with_name(target.name + ".html")
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder. Name a file in it.")
    if target.suffix.lower() not in (".html", ".htm"):
        raise CamwidgetError(f"A page is an .html file, and {str(path)!r} is called otherwise.")
    check_folder(target)
    if not overwrite and target.exists():
        raise FileExistsError(f"{target}: exists already. Choose another name, or overwrite=True.")
    _check_writable(target.parent)
    return target


def _check_writable(folder: Path) -> None:
    """Try to write to a folder, since its permission bits are unreliable on some systems."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"Nothing can be written in {str(folder)!r}: {error.strerror or error}. Name another folder."
        ) from error
