"""Every public name has an entry in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import camwidget as cw
from camwidget import errors

ROOT = Path(__file__).parent.parent


def documented() -> set[str]:
    pages = (ROOT / "docs" / "pages").glob("*.md")
    return set(re.findall(r"^::: camwidget\.(\S+)", "\n".join(p.read_text() for p in pages), re.M))


def test_every_public_name_is_in_the_reference():
    assert not set(cw.__all__) - documented()


def test_every_error_is_in_the_reference():
    assert (
        not {f"errors.{name}" for name in errors.__all__ if name not in cw.__all__} - documented()
    )
