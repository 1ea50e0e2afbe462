"""The prebuilt extension in a real JupyterLab: explorers in tabs of their own, and its error messages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab_driver import LAB_EXTENSION, Lab, LabPage
from page_driver import PATIENCE, fraction_is, status_has, until
from PIL import Image

import camwidget as cw
from camwidget import zoo

pytestmark = pytest.mark.browser

NOTICE = ".camwidget-lab-notice:not(.lm-mod-hidden)"

#: Whether what Lab has saved of its layout has a tab of this name.
SAVED = """async (name) => {
  const id = location.pathname.split("/workspaces/")[1].split("/")[0];
  const {data} = await window.jupyterapp.serviceManager.workspaces.fetch(id);
  const {main} = data["layout-restorer:data"] ?? {};
  return JSON.stringify(main?.dock ?? null).includes(name);
}"""

#: A kernel of the same Python that finds everything but camwidget.
WITHOUT_CAMWIDGET = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "camwidget":
            raise ModuleNotFoundError("No module named 'camwidget'", name=name)
sys.meta_path.insert(0, Absent())
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


@pytest.fixture(scope="module")
def files(lab: Lab) -> Path:
    """A folder that Lab shows: a picture, a folder of two, a file that is none, and a text."""
    folder = lab.notebooks / "extension"
    (folder / "more").mkdir(parents=True)
    samples = zoo.samples("zoo/textures")
    Image.fromarray(samples[0].image).save(folder / "dots.png")
    for number in (1, 2):
        Image.fromarray(samples[number].image).save(folder / "more" / f"{number}.png")
    (folder / "broken.png").write_bytes(b"This is no picture.")
    (folder / "notes.txt").write_text("Not a picture.")
    return folder


@pytest.fixture
def kernels(lab: Lab) -> Iterator[Path]:
    """A folder for kernels that only one test has."""
    folder = lab.folder / "share" / "kernels"
    folder.mkdir(exist_ok=True)
    before = set(folder.iterdir())
    yield folder
    for spec in set(folder.iterdir()) - before:
        shutil.rmtree(spec)


@pytest.fixture
def shown(open_page: Callable[..., LabPage], lab: Lab, files: Path) -> Iterator[LabPage]:
    """Lab with its file browser in that folder."""
    page = open_page(fresh=True, viewport={"width": 1280, "height": 720})
    page.page.goto(f"{lab.url}/lab/workspaces/{os.urandom(4).hex()}/tree/extension")
    page.page.wait_for_selector(".jp-DirListing-item[title*='dots.png']")
    page.page.wait_for_selector(".jp-LauncherCard")
    yield page
    page.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")


def choose(shown: LabPage, *names: str) -> None:
    """*Explore with camwidget* in the context menu of these files."""
    page = shown.page
    for number, name in enumerate(names):
        item = page.locator(".jp-DirListing-item", has_text=name)
        item.click(modifiers=["Control"] if number else [])
    item.click(button="right")
    page.locator(".lm-Menu-item", has_text="Explore with camwidget").click()


def command(shown: LabPage, name: str, **arguments: Any) -> None:
    shown.page.evaluate(
        "([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments]
    )


def press(shown: LabPage, label: str) -> None:
    shown.page.locator(f"{NOTICE} button", has_text=label).click()


def says(shown: LabPage, text: str) -> None:
    """Wait until the tab says something."""
    shown.page.locator(NOTICE, has_text=text).wait_for(timeout=PATIENCE)


def kernel_spec(folder: Path, name: str, argv: list[str], language: str = "python") -> None:
    (folder / name).mkdir()
    spec = {"argv": argv, "display_name": name.capitalize(), "language": language}
    (folder / name / "kernel.json").write_text(json.dumps(spec))


def test_a_picture_from_the_file_browser(shown: LabPage, textures: cw.VisionModel) -> None:
    """In a tab of its own, and a class is clicked; the body of the extension is loaded only then."""
    page, loaded = shown.page, []
    page.on("request", lambda request: loaded.append(request.url))
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    assert any("lib_open" in url for url in loaded)
    assert page.locator(".lm-TabBar-tab.lm-mod-current", has_text="dots.png").count() == 1
    assert page.locator(NOTICE).count() == 0
    expected = textures.predict(zoo.samples("zoo/textures")[0].image, top=6)
    assert page.locator(".camwidget-name").all_inner_texts() == list(expected.names)
    page.locator(".camwidget-name", has_text=expected.names[1]).click()
    status_has(page, expected.names[1])
    shown.comes_to("ex.target", expected.names[1])
    # The main loop is on one screen.
    for part in (
        ".camwidget-canvas",
        ".camwidget-bars",
        ".camwidget-fraction",
        ".camwidget-mask-sentence",
    ):
        box = page.locator(part).first.bounding_box()
        assert box["y"] > 0 and box["y"] + box["height"] <= 720, part


@pytest.mark.full
def test_several_pictures_and_folders(shown: LabPage) -> None:
    choose(shown, "dots.png", "more")
    shown.widget(timeout=2 * PATIENCE)
    names = "[p.name for p in ex.pictures]"
    assert sorted(shown.value(names)) == ["1.png", "2.png", "dots.png"]


@pytest.mark.full
def test_the_menu_is_for_pictures_and_folders(shown: LabPage) -> None:
    page = shown.page
    page.locator(".jp-DirListing-item", has_text="notes.txt").click(button="right")
    page.locator(".lm-Menu-item", has_text="Rename").wait_for()
    entry = page.locator(".lm-Menu-item", has_text="Explore with camwidget")
    assert not any(one.is_visible() for one in entry.all())


@pytest.mark.full
def test_launcher_and_palette(shown: LabPage) -> None:
    page = shown.page
    page.locator(".jp-LauncherCard", has_text="camwidget Explorer").click()
    shown.widget(timeout=2 * PATIENCE)
    assert page.locator(".jp-Launcher").count() == 0  # it has become the explorer
    page.keyboard.press("Control+Shift+C")
    page.locator("#modal-command-palette input").fill("camwidget")
    labels = page.locator("#modal-command-palette .lm-CommandPalette-itemLabel").all_inner_texts()
    assert {
        "camwidget Explorer",
        "Send Explorer to Notebook",
        "Restart the Explorer's Kernel",
        "Move Explorer to the Side Panel or Back",
    } <= set(labels)


@pytest.mark.full
def test_to_the_side_panel_and_back(shown: LabPage) -> None:
    page = shown.page
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    page.get_by_role("button", name="Side panel").click()
    page.wait_for_selector("#jp-right-stack .camwidget-explorer .camwidget-canvas")
    page.get_by_role("button", name="Side panel").click()
    page.wait_for_selector("#jp-main-dock-panel .camwidget-explorer .camwidget-canvas")
    assert shown.value("ex.picture") == 0


@pytest.mark.full
def test_send_to_the_notebook_that_was_last_active(shown: LabPage, lab: Lab) -> None:
    """As a cell that shows the same there: paths start in the notebook's folder."""
    page = shown.page
    lab.write("receiver", "first = 1", "last = 2")
    command(shown, "docmanager:open", path="receiver.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    fraction_is(page, 25)
    shown.comes_to("ex.fraction", 0.25)
    page.get_by_role("button", name="Send to notebook").click()
    page.wait_for_selector(".lm-TabBar-tab.lm-mod-current:has-text('receiver.ipynb')")
    cells = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map(c => c.source)"
    )
    assert [cells[0], *cells[2:]] == ["first = 1", "last = 2"]
    assert cells[1].endswith("\nex") and "cw.explain(" not in cells[1]
    assert 'images = "extension/dots.png"' in cells[1] and "fraction=0.25" in cells[1]
    command(shown, "notebook:run-cell")
    page.wait_for_selector(".jp-NotebookPanel .camwidget-explorer canvas", timeout=2 * PATIENCE)
    assert shown.value("ex.fraction") == 0.25


@pytest.mark.full
def test_send_to_a_new_notebook(shown: LabPage, files: Path) -> None:
    page = shown.page
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    page.get_by_role("button", name="Send to notebook").click()
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    (created,) = files.glob("*.ipynb")
    try:
        (shows,) = nbformat.read(created, as_version=4).cells
        assert 'images = "dots.png"' in shows.source and shows.source.endswith("\nex")
    finally:
        created.unlink()


@pytest.mark.full
def test_in_notebook_7(open_page: Callable[..., LabPage], lab: Lab, files: Path) -> None:
    """Its tree has tabs; a notebook opens in a page of its own, with the explorer's code in it."""
    shown = open_page(fresh=True, viewport={"width": 1280, "height": 720})
    page = shown.page
    page.goto(f"{lab.url}/tree/extension")
    page.wait_for_selector(".jp-DirListing-item[title*='dots.png']")
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    assert page.get_by_role("button", name="Side panel").count() == 0
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Send to notebook").click()
    opened.value.locator(".jp-Cell", has_text='images = "dots.png"').wait_for(timeout=PATIENCE)
    page.locator(".lm-TabBar-tab", has_text="dots.png").locator(".lm-TabBar-tabCloseIcon").click()
    page.locator(".camwidget-explorer").wait_for(state="detached")
    for created in files.glob("*.ipynb"):
        created.unlink()
        lab.end_kernels({f"extension/{created.name}"})


@pytest.mark.full
def test_a_page_that_is_loaded_again_finds_its_explorer(shown: LabPage) -> None:
    page = shown.page
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    shown.execute("ex.fraction = 0.4; mark = 1")
    until(page, SAVED, "dots.png")  # Lab saves its layout a second after it has changed
    page.reload()
    shown.widget(timeout=2 * PATIENCE)
    page.locator(".lm-TabBar-tab", has_text="dots.png").click()
    shown.comes_to("[ex.fraction, mark]", [0.4, 1])


@pytest.mark.full
def test_closing_the_tab_ends_its_kernel(shown: LabPage) -> None:
    page = shown.page
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    page.locator(".lm-TabBar-tab", has_text="dots.png").locator(".lm-TabBar-tabCloseIcon").click()
    until(
        page,
        """async () => {
          const {sessions} = window.jupyterapp.serviceManager;
          await sessions.refreshRunning();
          return ![...sessions.running()].some(({path}) => path.includes("camwidget-"));
        }""",
    )


@pytest.mark.full
def test_an_environment_without_camwidget(shown: LabPage, kernels: Path) -> None:
    """What is missing, how to get it, and another kernel one click away."""
    page = shown.page
    argv = [sys.executable, "-c", WITHOUT_CAMWIDGET, "-f", "{connection_file}"]
    kernel_spec(kernels, "bare", argv)
    page.evaluate("() => window.jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
    command(shown, "camwidget:open", folder="extension", names=["dots.png"], kernel="bare")
    says(shown, "There is no camwidget in the environment of Bare.")
    says(shown, f"{sys.executable} -m pip install camwidget")
    press(shown, "Choose a kernel")
    page.locator(".jp-Dialog select").select_option(label="Python 3 (ipykernel)")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    shown.widget(timeout=2 * PATIENCE)
    assert page.locator(NOTICE).count() == 0


@pytest.mark.full
def test_a_kernel_of_another_language(shown: LabPage, kernels: Path) -> None:
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel_spec(kernels, "cobol", argv, language="cobol")
    shown.page.evaluate("() => window.jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
    command(shown, "camwidget:open", kernel="cobol")
    says(shown, "Cobol is not a Python kernel.")


@pytest.mark.full
def test_no_kernel_for_python(shown: LabPage) -> None:
    page = shown.page
    spec = {"argv": [], "display_name": "Cobol", "language": "cobol"}
    specs = {"cobol": {"name": "cobol", "spec": spec, "resources": {}}}
    page.route(
        "**/api/kernelspecs*",
        lambda route: route.fulfill(json={"default": "cobol", "kernelspecs": specs}),
    )
    page.evaluate("() => window.jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
    command(shown, "camwidget:open")
    says(shown, "There is no kernel for Python here.")
    says(shown, "python -m ipykernel install --user")


@pytest.mark.full
def test_a_kernel_that_does_not_start(shown: LabPage, kernels: Path) -> None:
    kernel_spec(kernels, "gone", ["/nowhere/python", "{connection_file}"])
    page = shown.page
    page.evaluate("() => window.jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
    command(shown, "camwidget:open", kernel="gone")
    page.locator(".jp-Dialog .jp-mod-accept").click()  # Lab's own words
    says(shown, "Gone did not start.")


@pytest.mark.full
def test_a_notebooks_kernel_is_left_alone(shown: LabPage, lab: Lab) -> None:
    page = shown.page
    lab.write("owner", "ex = 1")
    command(shown, "docmanager:open", path="owner.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    owner = """() => {
      const sessions = [...window.jupyterapp.serviceManager.sessions.running()];
      return sessions.find(({path}) => path === "owner.ipynb").kernel.id;
    }"""
    page.evaluate(
        "(id) => window.jupyterapp.shell.currentWidget.sessionContext.changeKernel({id})",
        page.evaluate(owner),
    )
    says(shown, "This kernel belongs to a notebook or a console.")
    ended: list[str] = []
    page.on(
        "request", lambda request: ended.append(request.url) if request.method == "DELETE" else None
    )
    tab = page.locator(".lm-TabBar-tab", has_text="dots.png")
    tab.locator(".lm-TabBar-tabCloseIcon").click()
    tab.wait_for(state="detached")
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.refreshRunning()")
    assert page.evaluate(owner) and not ended


@pytest.mark.full
def test_an_unreadable_picture(shown: LabPage) -> None:
    """The explorer is there, and says it."""
    choose(shown, "broken.png")
    page = shown.page
    page.wait_for_selector(".camwidget-explorer", timeout=2 * PATIENCE)
    page.locator(".camwidget-explorer", has_text="broken.png is not a picture").wait_for()


@pytest.mark.full
def test_a_folder_without_pictures(shown: LabPage, files: Path) -> None:
    (files / "empty").mkdir()
    command(shown, "camwidget:open", folder="extension", names=["empty"])
    says(shown, "There is nothing to explore.")
    Image.fromarray(zoo.samples("zoo/textures")[0].image).save(files / "empty" / "new.png")
    press(shown, "Try again")
    shown.widget(timeout=2 * PATIENCE)


@pytest.mark.full
def test_ten_thousand_pictures(shown: LabPage, files: Path) -> None:
    """The strip holds what is seen of them, at its beginning and where it is scrolled to."""
    page, folder = shown.page, files / "many"
    folder.mkdir()
    for number in range(10_000):
        os.link(files / "dots.png", folder / f"{number:05}.png")
    choose(shown, "many")
    shown.widget(timeout=2 * PATIENCE)
    made = "sorted(ex._parts.context.display.thumbnails.tiles)"
    assert shown.value("len(ex.pictures)") == 10_000
    # The strip has its width, and its canvas that of the thumbnails.
    strip = "document.querySelector('.camwidget-thumbnails-scroll')"
    until(page, f"() => {strip}?.clientWidth > 42 && {strip}.scrollWidth > 10_000")
    seen = page.locator(".camwidget-thumbnails-scroll").evaluate(
        "(strip) => strip.clientWidth / 42"
    )
    shown.comes_to(f"len({made}) >= {int(seen)}", True)
    # What is seen and as much again, or those made before the page has told how much that is.
    first = "ex._parts.context.display.thumbnails.SEEN"
    most = max(2 * seen + 2, shown.value(first))
    assert len(shown.value(made)) <= most
    page.locator(".camwidget-thumbnails-scroll").evaluate("(strip) => { strip.scrollLeft = 8000; }")
    shown.comes_to(f"{made}[-1] >= {int(8000 / 42 + seen) - 1}", True)
    assert len(shown.value(made)) <= most + 2 * seen + 2
    fraction_is(page, 25)
    shown.comes_to("ex.fraction", 0.25)


@pytest.mark.full
def test_a_kernel_that_dies(shown: LabPage) -> None:
    """It is said, what was seen stays in sight, and a restart shows the same."""
    page = shown.page
    choose(shown, "dots.png")
    shown.widget(timeout=2 * PATIENCE)
    fraction_is(page, 25)
    page.locator(".camwidget-name").nth(1).click()
    shown.comes_to("ex.fraction", 0.25)
    chosen = shown.value("ex.target")
    until(
        page, "([t]) => window.jupyterapp.shell.currentWidget.request.state?.includes(t)", [chosen]
    )
    os.kill(shown.value("__import__('os').getpid()"), signal.SIGKILL)
    says(shown, "The kernel died.")
    assert page.locator(".camwidget-canvas").first.is_visible()
    assert "run the cell again" not in shown.seen()  # there is no cell
    press(shown, "Restart")
    page.locator(NOTICE).wait_for(state="detached", timeout=2 * PATIENCE)
    shown.widget(timeout=2 * PATIENCE)
    shown.comes_to("[ex.fraction, ex.target]", [0.25, chosen])


def test_the_extension_is_of_this_version_and_small() -> None:
    package = json.loads((LAB_EXTENSION / "package.json").read_text())
    assert package["version"] == cw.__version__
    load = LAB_EXTENSION / package["jupyterlab"]["_build"]["load"]
    assert re.fullmatch(r"remoteEntry\.[0-9a-f]+\.js", load.name)
    assert load.stat().st_size < 10_000
    assert sum(path.stat().st_size for path in LAB_EXTENSION.rglob("*") if path.is_file()) < 200_000
