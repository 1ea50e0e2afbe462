"""HTML documents with a content security policy: own script and style by their hashes, and no request."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from .._assets import STATIC
from .._version import __version__
from ..errors import CamwidgetError
from ..runtime.atomic_files import check_folder

__all__ = ["as_html", "as_json", "as_text", "document", "page_path", "static"]

_NONE = "'none'"

#: What would end a script element, or change how the rest of it is read.
_ENDS = re.compile(r"</script|</style|<!--|<script|\r", re.IGNORECASE)


def as_text(name: object) -> str:
    """Someone's text as it can be written to a file: a file's name need not be Unicode."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def as_html(name: object) -> str:
    """Someone's text, to stand in an element or an attribute."""
    return escape(as_text(name), quote=True)


def as_json(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends that, and it is ASCII."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def static(name: str) -> str:
    """A file that ``js/`` builds."""
    text = (STATIC / name).read_text("utf-8").replace("\r\n", "\n")
    found = _ENDS.search(text)
    if found:
        raise CamwidgetError(f"{name} cannot stand in a page: it has {found.group()!r} in it.")
    return text


def document(*, title: str, style: str, body: str, script: str = "", data: Any = None) -> str:
    """A whole document.

    Args:
        title: someone's text.
        style: the only stylesheet.
        body: HTML, in which someone's text has gone through ``as_html``.
        script: the only script; none if empty.
        data: for the script, as JSON in the element of id ``camwidget-data``.
    """
    policy = "; ".join(
        (
            f"default-src {_NONE}",
            f"script-src {_hash(script) if script else _NONE}",
            f"style-src {_hash(style)}",
            "img-src data:",
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
        # Else a server would be asked for one.
        '<link rel="icon" href="data:,">',
        f"<title>{as_html(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        body,
    ]
    if script:
        parts.append(
            f'<script type="application/json" id="camwidget-data">{as_json(data)}</script>'
        )
        parts.append(f"<script>{script}</script>")
    return "\n".join([*parts, "</body>", "</html>", ""])


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def page_path(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Where a page is to be written; ``.html`` is appended to a name without a suffix.

    Raises:
        FileExistsError: if there is such a file, unless it may be overwritten.
        FileNotFoundError: if its folder is missing.
        IsADirectoryError: if it is a folder.
        PermissionError: if nothing can be written there.
        CamwidgetError: if the name is that of another kind of file.
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
    """Before anything is computed: by trying, since on some systems the folder's own marks say little."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"Nothing can be written in {str(folder)!r}: {error.strerror or error}. Name another folder."
        ) from error
