"""Static views in outputs: what readers of a notebook see where no widget can be shown."""

from __future__ import annotations

import base64
import io
import sys
import types
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import nbclient
import nbconvert
import nbformat
import numpy as np
import pytest
import torch
from explorer_internals import parts_of
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget import zoo
from camwidget.widget.host.static_outputs import SWITCH

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

CELLS = [
    "import camwidget as cw\nex = cw.Explorer(cw.load(device='cpu'))\nex",
    "ex.method, ex.fraction = 'layercam', 0.25",
    """
pictures = [p.source for p in ex.pictures]
quiz = cw.Quiz([lambda: cw.Question("Which <one>?", [(pictures[0], "seen")], ("this", "that"), 0, "It was this.")])
quiz
""",
    "right = quiz.answer(1)",
]


class Tags(HTMLParser):
    """Collects what a piece of HTML is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.images: list[Image.Image] = []
        self.cells: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        source = dict(attrs).get("src")
        if source is not None:
            kind, _, content = source.partition(",")
            assert kind == "data:image/jpeg;base64"
            self.images.append(Image.open(io.BytesIO(base64.b64decode(content))))

    def handle_data(self, data: str) -> None:
        self.text += data
        if data.strip():
            self.cells.append(data)


#: Of these a preview on the web leaves nothing out.
PLAIN = {"div", "p", "strong", "small", "table", "tr", "th", "td", "img", "ol", "li"}


def check_plain(html: str) -> Tags:
    found = Tags(html)
    assert found.tags <= PLAIN
    assert found.attributes <= {"src", "width", "alt"}
    return found


@pytest.fixture(scope="module")
def notebook() -> Any:
    """A notebook that nbclient has executed, as papermill and nbconvert do."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    nbclient.NotebookClient(made, kernel_name="python3").execute()
    return made


def test_the_last_state_is_in_the_first_output(notebook: Any) -> None:
    """A later cell has changed method and fraction, and answered the quiz: the outputs show it."""
    output, page = notebook.cells[0].outputs
    html = check_plain(output.data["text/html"])
    assert "LayerCAM" in html.text and "Removing the 25 %" in html.text
    assert len(html.images) == 2, "the map, and what the model gets"
    assert all(image.size == (192, 192) for image in html.images)
    assert "now" in html.cells and "whole picture" in html.cells
    plain = output.data["text/plain"]
    assert plain.startswith("Explorer('zoo/textures', 8 pictures)\n") and " → " in plain
    assert list(page.data) == ["application/javascript", "text/plain"]
    assert page.data["text/plain"] == ""
    quiz = check_plain(notebook.cells[2].outputs[0].data["text/html"])
    assert "Which <one>?" in quiz.text and "this (right)" in quiz.text
    assert "that (chosen)" in quiz.text and "It was this." in quiz.text


def test_it_is_small_and_beside_the_view(notebook: Any) -> None:
    """Frontends choose the view, and the notebook is hardly larger."""
    output = notebook.cells[0].outputs[0]
    assert output.data[VIEW]["model_id"] in notebook.metadata.widgets[STATE]["state"]
    whole = len(nbformat.writes(notebook))
    added = sum(
        len(str(out.data.get(kind, "")))
        for cell in notebook.cells
        for out in cell.outputs
        for kind in ("text/html", "application/javascript")
    )
    assert added < 0.25 * (whole - added)


def test_the_table_is_what_the_widget_shows(textures: cw.VisionModel) -> None:
    ex = cw.Explorer(textures, fraction=0.25).wait()
    view = parts_of(ex).view
    found = check_plain(ex._repr_mimebundle_()[0]["text/html"])
    for row, masked in zip(view.rows, view.masked, strict=True):
        at = found.cells.index(row["name"], found.cells.index("whole picture"))
        assert found.cells[at + 1 : at + 3] == [f"{row['unmasked']:.2f}", f"{masked:.2f}"]
    assert found.text.count(ex.sentence) == 1
    expected = np.asarray(ex.explanation.overlay(), float)
    assert np.abs(np.asarray(found.images[0], float) - expected).mean() < 6
    ex.close()


def test_names_are_escaped() -> None:
    """Markup as names of classes, layers, pictures and models is text."""
    bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = cw.wrap(
        module.eval(),
        cw.Preprocess(32),
        [f"{bad}{i}" for i in range(4)],
        name=bad,
        scores="softmax",
    )
    ex = cw.Explorer(model, {bad: torch.rand(3, 32, 32)}, fraction=0.5).wait()
    data = ex._repr_mimebundle_()[0]
    found = check_plain(data["text/html"])
    assert found.text.count(bad) >= 6 and "script" not in found.tags
    ex.close()


def test_what_can_be_said_without_a_map() -> None:
    """No picture, an error, and a compared map."""
    empty = cw.Explorer(cw.load(device="cpu"), []).wait()
    assert "text/html" not in empty._repr_mimebundle_()[0]
    two = cw.Explorer(compare={"method": "layercam"}).wait()
    found = check_plain(two._repr_mimebundle_()[0]["text/html"])
    assert len(found.images) == 2 and "compared: LayerCAM" in found.text
    for ex in (empty, two):
        ex.close()


def test_an_error_leaves_the_widget(
    monkeypatch: pytest.MonkeyPatch, textures: cw.VisionModel, caplog: pytest.LogCaptureFixture
) -> None:
    ex = cw.Explorer(textures).wait()
    monkeypatch.setattr(type(ex), "_static_view", lambda self: 1 / 0)
    data, _ = ex._repr_mimebundle_()
    assert VIEW in data and "text/html" not in data
    assert "static view" in caplog.text
    ex.close()


def test_it_can_be_left_out(monkeypatch: pytest.MonkeyPatch, textures: cw.VisionModel) -> None:
    monkeypatch.setenv(SWITCH, "0")
    ex = cw.Explorer(textures).wait()
    data, _ = ex._repr_mimebundle_()
    assert data["text/plain"] == repr(ex) and set(data) == {"text/plain", VIEW}
    ex.close()


def test_a_quiz_keeps_its_secrets() -> None:
    """What is right is not in the view of a question that is not answered; the score is there at the end."""
    picture = zoo.samples("zoo/textures")[0].image
    quiz = cw.Quiz([cw.Question("Which?", [(picture, "")], ("this", "that"), 0, "It was this.")])
    html = quiz._repr_mimebundle_()[0]["text/html"]
    assert "It was this" not in html and "(right)" not in html
    quiz.answer("this")
    quiz.next()
    assert "1 of 1 right" in quiz._repr_mimebundle_()[0]["text/html"]
    quiz.close()


# -- nbconvert -----------------------------------------------------------------------------


def converted(notebook: Any) -> str:
    html, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    return str(html)


def test_nbconvert_without_widget_state(notebook: Any) -> None:
    """The HTML is chosen: of each widget once, and no view."""
    bare = nbformat.from_dict(notebook)
    bare = nbformat.reads(nbformat.writes(bare), 4)
    del bare.metadata["widgets"]
    html = converted(bare)
    assert html.count("A still picture of a camwidget explorer") == 1 + 1  # in the script too
    assert VIEW not in html.split("<main")[-1].replace(f'type="{VIEW}"', "")


def test_nbconvert_to_markdown(notebook: Any) -> None:
    text, _ = nbconvert.MarkdownExporter().from_notebook_node(notebook)
    assert text.count("A still picture of a camwidget explorer") == 1
    assert "<script" not in text and "MutationObserver" not in text


@pytest.fixture
def offline(request: pytest.FixtureRequest) -> Iterator[Any]:
    browser = request.getfixturevalue("browser")
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_nbconvert_with_widget_state(notebook: Any, offline: Any, tmp_path: Any) -> None:
    """The view is chosen, and is fetched from a network: without one, the static view is in its place."""
    file = tmp_path / "notebook.html"
    file.write_text(converted(notebook))
    offline.goto(file.as_uri())
    still = offline.locator(".camwidget-static")
    assert still.count() == 2, "explorer and quiz"
    assert "LayerCAM" in still.first.inner_text()
    assert still.first.bounding_box()["width"] > 600
    assert still.first.locator("img").evaluate_all(
        "images => images.every((image) => image.complete && image.naturalWidth === 192)"
    )
    # Once the live view is there, it alone is shown.
    offline.evaluate(
        """() => {
            const box = document.querySelector('.jupyter-widgets');
            const live = document.createElement('div');
            live.innerHTML = '<div class="camwidget-view"><div></div></div>';
            box.append(live);
        }"""
    )
    still.nth(1).wait_for(state="detached")
    assert still.count() == 1


# -- Colab ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://manager.example", None])
def test_colab(monkeypatch: pytest.MonkeyPatch, textures: cw.VisionModel, url: str | None) -> None:
    """The output names the manager of third-party widgets; where it is off, words say how to have it."""
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: None  # type: ignore[attr-defined]
    output._widgets = types.SimpleNamespace(_installed_url=url)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    ex = cw.Explorer(textures).wait()
    data, metadata = ex._repr_mimebundle_()
    if url is None:
        assert VIEW not in data
        assert "enable_custom_widget_manager" in data["text/html"]
        assert "enable_custom_widget_manager" in data["text/plain"]
    else:
        assert metadata[VIEW]["colab"]["custom_widget_manager"]["url"] == url
        assert VIEW in data and "enable_custom" not in data["text/html"]
    ex.close()
