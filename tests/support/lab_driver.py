"""Driver of a real JupyterLab in Chromium."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import forked_kernels
import nbformat
from page_driver import PATIENCE, still, until

import camwidget

LAB_EXTENSION = Path(camwidget.__file__).parent / "labextension"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Lab:
    """A running JupyterLab, and the folder that it serves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self.pages: list[LabPage] = []  # that are open
        self.tidied: list[Any] = []  # pages of the browser that show Lab without a document
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(
            json.dumps({"fetchNews": "false"})
        )
        # The extension of this source tree, before any that is installed.
        extensions = folder / "share" / "labextensions"
        extensions.mkdir(parents=True)
        (extensions / "camwidget").symlink_to(LAB_EXTENSION)
        self._kernels: forked_kernels.ForkedKernels | None = None
        if forked_kernels.POSSIBLE:
            self._kernels = forked_kernels.ForkedKernels(folder / "share")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            **os.environ,
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "JUPYTER_PATH": str(folder / "share"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
        options = {
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.ip": "127.0.0.1",
            "IdentityProvider.token": "",
            "ServerApp.root_dir": str(self.notebooks),
            "LabApp.expose_app_in_browser": True,
            # It is asked from here to end kernels, without a page's cookie.
            "ServerApp.disable_check_xsrf": True,
        }
        self.log = folder / "lab.log"
        self._log = self.log.open("wb")
        self.process = subprocess.Popen(
            command + [f"--{key}={value}" for key, value in options.items()],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=2).read()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.2)
        raise RuntimeError(self.log.read_text()[-4000:])

    def page(self, browser: Any, *, fresh: bool = False, **options: Any) -> LabPage:
        """A page of Lab; to load Lab takes as long as most tests, so that a tidied page is used again.

        Args:
            browser: where.
            fresh: whether the page is one that nobody has used, nor will.
            options: of the browser's context; with others than a viewport, the page is fresh.
        """
        viewport = {"width": 1280, "height": 1000, **options.pop("viewport", {})}
        fresh = fresh or bool(options)
        if self.tidied and not fresh:
            page = self.tidied.pop()
            page.set_viewport_size(viewport)
        else:
            page = browser.new_context(viewport=viewport, **options).new_page()
        return LabPage(page, self, fresh=fresh)

    def write(self, name: str, *cells: str) -> str:
        """A notebook of code cells; its name."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.notebooks / f"{name}.ipynb")
        return f"{name}.ipynb"

    def end_kernels(self, notebooks: set[str]) -> None:
        """A page that is closed leaves its kernel running, with all that it keeps and computes."""
        with urllib.request.urlopen(f"{self.url}/api/sessions", timeout=30) as answer:
            sessions = json.load(answer)
        for session in sessions:
            if session["path"] in notebooks:
                address = f"{self.url}/api/sessions/{session['id']}"
                urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self._kernels is not None:
            self._kernels.close()
        self._log.close()


class LabPage:
    """A notebook open in Lab, and what tests do with it."""

    def __init__(self, page: Any, lab: Lab, *, fresh: bool = True) -> None:
        self.page = page
        self.lab = lab
        self._fresh = fresh
        self._opened: set[str] = set()
        self.frames: list[tuple[str, int]] = []  # ("sent" | "received", bytes) on kernel websockets
        self._complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        self._heard_of = {
            "websocket": self._listen,
            "pageerror": lambda error: self._complaints.append(str(error)),
            "console": lambda said: self._heard(said.type, said.text),
        }
        for event, hear in self._heard_of.items():
            page.on(event, hear)
        lab.pages.append(self)

    def _listen(self, socket: Any) -> None:
        if "/channels" not in socket.url:
            return
        socket.on("framesent", lambda data: self.frames.append(("sent", len(data))))
        socket.on("framereceived", lambda data: self.frames.append(("received", len(data))))

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error":
            self._complaints.append(text)

    def seen(self) -> str:
        """What a person sees on the page now, and what it has complained of: for whoever asks why a test failed."""
        text = self.page.locator("body").inner_text(timeout=5000)
        return "\n".join([text[:4000], *(f"! {line[:500]}" for line in self._complaints[-20:])])

    def open(self, notebook: str, *, run: bool = True) -> None:
        is_loaded = not self._opened and self.page.url.startswith(self.lab.url)
        self._opened.add(notebook)
        if is_loaded:  # and tidied; a page that has opened one already is loaded again
            command = "(path) => void window.jupyterapp.commands.execute('docmanager:open', {path})"
            self.page.evaluate(command, notebook)
        else:
            workspace = os.urandom(4).hex()
            self.page.goto(f"{self.lab.url}/lab/workspaces/{workspace}/tree/{notebook}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Notebook", timeout=PATIENCE)
        if run:
            self.run_all()

    def close(self, *, failed: bool = False) -> None:
        """Also what runs in its notebooks. After a test that failed nobody uses the page again."""
        self.lab.pages.remove(self)
        for event, hear in self._heard_of.items():
            self.page.remove_listener(event, hear)
        if failed or self._fresh or not self._tidy():
            self.page.context.close()
        else:
            self.lab.tidied.append(self.page)
        self.lab.end_kernels(self._opened)

    def _tidy(self) -> bool:
        """Close all documents, and whether Lab then is as if it had just been loaded."""
        if "/lab/" not in self.page.url or self.page.locator(".jp-Dialog").count():
            return False
        self.page.mouse.move(0, 0)
        return self.page.evaluate(
            """async () => {
              const {shell} = window.jupyterapp;
              for (const widget of [...shell.widgets("main")]) {
                if (widget.context) widget.context.model.dirty = false;  // it asks nothing
                widget.close();
              }
              while (document.querySelector(".jp-NotebookPanel")) await new Promise((r) => setTimeout(r, 20));
              return document.querySelector(".camwidget-explorer") === null;
            }"""
        )

    def run_all(self) -> None:
        """Start all cells, once the kernel is there to hear it."""
        self.page.evaluate(
            """async () => {
              const notebook = () => window.jupyterapp.shell.currentWidget;
              while (!notebook()?.sessionContext) await new Promise((r) => setTimeout(r, 50));
              await notebook().sessionContext.ready;
              await notebook().sessionContext.session?.kernel?.info;
              window.jupyterapp.commands.execute("notebook:run-all-cells");
            }"""
        )

    def execute(self, code: str) -> None:
        """Run code in the kernel, beside the notebook, and wait for its end."""
        self.page.evaluate(
            """async (code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              await kernel.requestExecute({code}).done;
            }""",
            code,
        )

    def start(self, code: str) -> None:
        """Run code in the kernel, beside the notebook, and do not wait for its end."""
        self.page.evaluate(
            """(code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              kernel.requestExecute({code});
            }""",
            code,
        )

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, through JSON."""
        printed = self.page.evaluate(
            """async (code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({code});
              let printed = "";
              future.onIOPub = ({content}) => { printed += content.text ?? ""; };
              await future.done;
              return printed;
            }""",
            f"import json\nprint(json.dumps({expression}))",
        )
        return json.loads(printed)

    def busy(self) -> None:
        """Wait until the kernel is busy."""
        until(
            self.page,
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'",
        )

    def comes_to(self, expression: str, expected: Any) -> None:
        """Wait until an expression is this in the kernel: what the page has sent may still be on its way."""
        deadline = time.monotonic() + PATIENCE / 1000
        while (found := self.value(expression)) != expected:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {expected!r}"
            self.page.wait_for_timeout(50)

    def settled(self, explorer: str = "ex") -> None:
        """Wait until the kernel's explorer has nothing to do, and kernel and page say the same.

        What the page has sent may still be on its way: the kernel is asked again until they agree.
        """
        said = "[v.status, v.sentence, v.fraction, v.baseline]"
        said = f"[{said} for v in [{explorer}.wait(120)._parts.view]]"
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(
            """([[status, sentence, fraction, baseline]]) => {
              const text = (name) => document.querySelector(name).textContent;
              return text(".camwidget-status-text") === status && text(".camwidget-mask-sentence") === sentence
                && Math.abs(document.querySelector(".camwidget-fraction").value - 100 * fraction) < 0.01
                && document.querySelector(".camwidget-fill select").value === baseline
                && document.querySelector(".camwidget-waiting") === null;
            }""",
            self.value(said),
        ):
            assert time.monotonic() < deadline, "the page and the kernel do not come to agree"
            self.page.wait_for_timeout(50)
        still(self.page)

    def widget(self, *, timeout: float = PATIENCE) -> None:
        """Wait until the explorer has shown its first map."""
        self.page.wait_for_selector(".camwidget-explorer canvas", timeout=timeout)
        self.page.wait_for_function(
            "() => document.querySelector('.camwidget-status')?.textContent.includes('·')",
            timeout=timeout,
        )
