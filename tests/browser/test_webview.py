"""Rules of the hosts that cannot be run here: VS Code's webviews and Colab's frames.

The view runs as they run a module of anywidget: imported from a blob, in a page with a strict Content-Security-Policy
and without JupyterLab's style sheets.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_internals import view_of
from page_driver import canvas_pixels, fraction_is, repainted, shows, still

import camwidget as cw
from camwidget import zoo
from camwidget.widget import _compat

STATIC = Path(cw.__file__).parent / "static"
MODULES = ("view.js", "quiz.js", "table.js")
STYLES = ("view.css", "quiz.css", "table.css")

#: Scripts of this document and of blobs only, and no eval; style elements as anywidget adds them.
POLICY = "default-src 'none'; script-src 'nonce-host' blob:; style-src 'unsafe-inline'; img-src data: blob:"

HOST = """<!doctype html>
<html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="POLICY">
<style>body { margin: 0; BODY }</style></head>
<body class="CLASS"><div id="place"></div>
<script nonce="host" type="application/json" id="data">DATA</script>
<script nonce="host">
  window.happened = [];
  window.sent = [];
  addEventListener("securitypolicyviolation", (e) => happened.push(`${e.violatedDirective} ${e.blockedURI}`));
  addEventListener("error", (e) => happened.push(`error ${e.message}`));
  addEventListener("unhandledrejection", (e) => happened.push(`rejected ${e.reason}`));
  const { esm, css, state, buffers } = JSON.parse(document.getElementById("data").textContent);
  for (const [path, text] of buffers) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    let owner = state;
    for (const key of path.slice(0, -1)) owner = owner[key];
    owner[path.at(-1)] = new DataView(bytes.buffer);
  }
  // The interface of anywidget's front-end modules.
  const listeners = new Map();
  const model = {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const event of [`change:${name}`, "change"]) for (const call of listeners.get(event) ?? []) call();
    },
    save_changes() {},
    send: (content) => sent.push(content),
    on: (event, call) => listeners.set(event, [...(listeners.get(event) ?? []), call]),
    off: (event, call) => listeners.set(event, (listeners.get(event) ?? []).filter((one) => one !== call)),
  };
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  import(address).then(async ({ default: widget }) => {
    const found = typeof widget === "function" ? await widget() : widget;
    const { signal } = new AbortController();
    await found.render({ model, el: document.getElementById("place"), signal });
  });
</script></body></html>"""


def host_page(widget: Any, *, body: str = "", body_class: str = "") -> str:
    """A page that shows a widget as anywidget's hosts do."""
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    plain, paths, buffers = _compat.split_buffers(state)
    names = ("layout", "tabbable", "tooltip", "locked")
    data = {
        "esm": widget.get_state("_esm")["_esm"],
        "css": widget.get_state("_css")["_css"],
        "state": {name: value for name, value in plain.items() if name not in names},
        "buffers": [
            [path, base64.b64encode(bytes(buffer)).decode()]
            for path, buffer in zip(paths, buffers, strict=True)
        ],
    }
    page = HOST.replace("POLICY", POLICY).replace("BODY", body).replace("CLASS", body_class)
    return page.replace("DATA", json.dumps(data).replace("<", "\\u003c"))


# -- what is built -------------------------------------------------------------------------


def code_of(name: str) -> str:
    """A built module without comments, strings and regular expressions that could hold a word of the language."""
    text = (STATIC / name).read_text("utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"(?m)(^|\s)//.*$", r"\1", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_nothing_and_evaluates_nothing(name: str) -> None:
    """It is imported from a blob, from which no relative path leads anywhere."""
    code = code_of(name)
    assert len(code) > 5000 and "export {" in code
    for forbidden in (
        r"\bimport\b",
        r"\bexport\b[^;]*\bfrom\b",
        r"\brequire\s*\(",
        r"\beval\s*\(",
        r"\bFunction\s*\(",
        r"\bset(?:Timeout|Interval)\s*\(\s*[\"'`]",
        r"\bnew\s+(?:Shared)?Worker\b",
        r"\bimportScripts\b",
        r"\bWebAssembly\b",
        r"\bdocument\s*\.\s*write\b",
        r"\bfetch\s*\(",
        r"\bXMLHttpRequest\b",
        r"\.innerHTML\b",
    ):
        assert re.search(forbidden, code) is None, forbidden


@pytest.mark.parametrize("name", STYLES)
def test_a_style_sheet_stands_alone(name: str) -> None:
    """Each of the host's variables has a fallback, and nothing is fetched."""
    css = (STATIC / name).read_text("utf-8")
    assert re.search(r"var\(\s*--(?:jp|vscode)-[\w-]+\s*\)", css) is None
    assert "@import" not in css
    assert all(address.startswith("data:") for address in re.findall(r"url\([\"']?([^)]*)", css))
    defined = set(re.findall(r"(--camwidget-[\w-]+)\s*:", css))
    # Set by the scripts, or with a fallback of its own where it is used.
    script = (STATIC / name.replace(".css", ".js")).read_text("utf-8")
    for used, fallback in re.findall(r"var\(\s*(--camwidget-[\w-]+)\s*(,?)", css):
        assert used in defined or fallback or used in script, used


# -- in a page -----------------------------------------------------------------------------


@pytest.fixture
def open_host(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    contexts: list[Any] = []

    def build(widget: Any, **options: Any) -> Any:
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(host_page(widget, **options), "utf-8")
        context = browser.new_context(offline=True, viewport={"width": 900, "height": 700})
        contexts.append(context)
        page = context.new_page()
        page.goto(file.as_uri())
        return page

    yield build
    for context in contexts:
        context.close()


def contrast(page: Any, selector: str) -> float:
    """The contrast of an element's text with what is behind it (WCAG 2.1), of opaque colors."""
    found = page.evaluate(
        """(selector) => {
          const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          const over = (colors) => {
            canvas.clearRect(0, 0, 1, 1);
            for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
          };
          const element = document.querySelector(selector);
          const behind = ["white"];
          for (let at = element; at !== null; at = at.parentElement) {
            behind.splice(1, 0, getComputedStyle(at).backgroundColor);
          }
          return [over([...behind, getComputedStyle(element).color]), over(behind)];
        }""",
        selector,
    )

    def luminance(color: list[int]) -> float:
        parts = np.array(color) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted(map(luminance, found))
    return (high + 0.05) / (low + 0.05)


#: A host's page: its style, and the classes of its body. The last two have text of their own color, as Colab.
PAGES = {
    "plain": ("", ""),
    "VS Code light": (
        "--vscode-editor-background: #fff; --vscode-editor-foreground: #3b3b3b; background: #fff;",
        "vscode-light",
    ),
    "VS Code dark": (
        "--vscode-editor-background: #1f1f1f; --vscode-editor-foreground: #ccc; background: #1f1f1f;",
        "vscode-dark",
    ),
    "dark": ("background: #383838; color: #d5d5d5;", ""),
    "dark scheme": ("color-scheme: dark; background: #383838; color: #d5d5d5;", ""),
}


@pytest.mark.browser
@pytest.mark.parametrize("host", PAGES)
def test_the_view(open_host: Callable[..., Any], textures: cw.VisionModel, host: str) -> None:
    """It paints, the slider paints by itself, and everything can be read, under the policy and without Lab's styles."""
    ex = cw.Explorer(textures, fraction=0.0).wait()
    body, body_class = PAGES[host]
    page = open_host(view_of(ex), body=body, body_class=body_class)
    ex.close()
    shows(page, ".camwidget-status-text", "Grad-CAM")
    before = canvas_pixels(page)
    assert before.std() > 10
    fraction_is(page, 40)
    repainted(page, before, "the slider paints by itself")
    page.locator(".camwidget-more").click()
    page.locator("[role=radio][data-name='layercam']").click()
    still(page)
    for part in (
        ".camwidget-mask-sentence",
        ".camwidget-name",
        ".camwidget-status-text",
        ".camwidget-caption",
    ):
        assert contrast(page, part) >= 4.5, part
    assert page.evaluate("() => window.happened") == []


@pytest.mark.browser
def test_the_quiz(open_host: Callable[..., Any]) -> None:
    """Its pictures are blobs, which the policy allows."""
    picture = zoo.samples("zoo/textures")[0].image
    quiz = cw.Quiz([cw.Question("Which?", [(picture, "seen")], ("this", "that"), 0)])
    page = open_host(quiz)
    page.locator(".camwidget-quiz-option").first.click()
    shows(page, ".camwidget-quiz", "this")
    assert page.locator(".camwidget-quiz img").evaluate("(image) => image.naturalWidth") > 0
    assert contrast(page, ".camwidget-quiz-option") >= 4.5
    assert page.evaluate("() => window.happened") == []
    quiz.close()
