"""MkDocs hooks that insert tables of the registries, and passages of README, CONTRIBUTING and CHANGELOG.

A page writes ``<!-- methods -->``, ``<!-- metrics -->``, ``<!-- models -->``, ``<!-- sources -->``, or
``<!-- README.md: Heading -->``.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import camwidget as cw
from camwidget.attribution.methods import Method
from camwidget.metrics import Metric

ROOT = Path(__file__).parent.parent
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"][
    "Repository"
]
PICTURE = "notebooks/explorer.webp"

#: The page that runs the embedded model, and the megabytes that it may have.
LIVE_PAGE, LARGEST = "live.html", 8

#: Where a link to a file of the repository leads; others lead to the repository itself.
PAGES = {"CONTRIBUTING.md": "adding.md", "CHANGELOG.md": "changelog.md", PICTURE: PICTURE}

_MARK = re.compile(r"^<!-- (?P<name>[\w.]+)(?:: (?P<heading>.+?))? -->$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README's picture to the site, and the page that runs the embedded model."""
    files.append(File.generated(config, PICTURE, abs_src_path=str(ROOT / PICTURE)))
    files.append(File.generated(config, LIVE_PAGE, content=_live_page()))
    return files


def _live_page() -> bytes:
    """A saved page that runs the embedded model."""
    with tempfile.TemporaryDirectory() as folder:
        page = cw.save_page(
            cw.load(device="cpu"),
            cw.zoo.samples("zoo/textures")[0].image,
            Path(folder) / LIVE_PAGE,
            name="three textures",
            title="camwidget, with its embedded model",
            live=True,
        )
        content = page.path.read_bytes()
    if len(content) > LARGEST * 1e6:
        raise PluginError(f"{LIVE_PAGE} has {len(content) / 1e6:.1f} MB; {LARGEST} are allowed.")
    return content


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the marks of a page by tables and passages."""

    def found(mark: re.Match[str]) -> str:
        name, heading = mark["name"], mark["heading"]
        if name in _TABLES:
            return _TABLES[name]()
        try:
            return _passage(name, heading)
        except (OSError, LookupError) as error:
            raise PluginError(f"{page.file.src_uri}: there is no {mark[0]}: {error}") from error

    return _MARK.sub(found, markdown)


def _passage(file: str, heading: str | None) -> str:
    """The text under a heading of the second level in a file of the repository; before the first heading if None."""
    text = (ROOT / file).read_text("utf-8").partition("\n")[2]  # the title is the page's own
    first, *parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    passages = {None: first, **dict(zip(parts[::2], parts[1::2], strict=True))}
    return _LINK.sub(_moved, passages[heading].strip())


def _moved(link: re.Match[str]) -> str:
    """A link between files of the repository, converted to a link of the reference."""
    if link[1].startswith("docs/pages/"):
        return f"]({link[1].removeprefix('docs/pages/')})"
    return f"]({PAGES.get(link[1], f'{REPOSITORY}/blob/main/{link[1]}')})"


def _methods() -> str:
    rows = []
    for group, members in groupby(cw.list_methods(), key=lambda method: method.group):
        rows.append((f"**{group}**", "", ""))
        for m in members:
            slow = " *(slow)*" if m.slow else ""
            rows.append((f"`{m.name}`{slow}", _description(m), m.needs))
    return _table(("name", "description", "needs"), rows)


def _metrics() -> str:
    rows = []
    for group, members in groupby(cw.list_metrics(), key=lambda metric: metric.group):
        rows.append((f"**{group.capitalize()}**", "", "", ""))
        for m in members:
            low, high = (f"{end:g}".replace("inf", "∞") for end in m.range)
            range = f"{low} – {high}, {m.better} is better"
            rows.append((f"`{m.name}`", _description(m), range, ", ".join(m.needs)))
    return _table(("name", "description", "range", "needs"), rows)


def _models() -> str:
    rows = []
    for name in cw.list_models():
        built = cw.zoo.build(name)
        text = built.prompt.name if built.prompt is not None else ""
        classes = "" if text else str(len(built.classes))
        rows.append((f"`{name}`", built.card["description"], classes, text))
    return _table(("name", "description", "classes", "text input"), rows)


def _sources() -> str:
    """A table for each source, and how many items have each status."""
    sources = tomllib.loads((ROOT / "tests" / "sources.toml").read_text("utf-8"))
    counts = Counter(item["status"] for source in sources.values() for item in source["item"])
    parts = [", ".join(f"{number} {status}" for status, number in counts.most_common()) + "."]
    for source in sources.values():
        rows = [
            (
                item["id"],
                item["says"],
                f"**{item['status']}**" + (f"<br>{item['note']}" if "note" in item else ""),
                "<br>".join(
                    [
                        *map(_place, item.get("where", ())),
                        *(f"`{_short(name)}`" for name in item.get("tests", ())),
                    ]
                ),
            )
            for item in source["item"]
        ]
        parts += [
            f"## {source['title']}",
            _table(("", "the source", "here", "where, and by which tests"), rows),
        ]
    return "\n\n".join(parts)


def _place(place: str) -> str:
    """Where something is, with a link to what is not in the reference."""
    if place.startswith("notebook "):
        number, _, heading = place.removeprefix("notebook ").partition(": ")
        (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        return f"[notebook {number}]({REPOSITORY}/blob/main/notebooks/{path.name}): {heading}"
    if place.startswith("docs/pages/"):
        return f"[{place}]({place.removeprefix('docs/pages/')})"
    kind, _, name = place.partition(" ")
    return f"{kind} `{name}`" if name else f"`{place}`"


def _short(test: str) -> str:
    """A test by its function, or the file that is a test."""
    return test.rpartition("::")[2].rpartition("/")[2]


def _description(entry: Method | Metric) -> str:
    formula = f"<br>`{entry.formula}`" if isinstance(entry, Method) and entry.formula else ""
    return f"**{entry.label}.** {entry.summary}{formula}<br><small>{entry.citation}</small>"


_TABLES = {"methods": _methods, "metrics": _metrics, "models": _models, "sources": _sources}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', '&#124;') for c in line)} |" for line in lines)
