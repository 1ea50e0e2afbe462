"""Firefox, headless, driven over WebDriver BiDi, which it speaks by itself; playwright needs its own build of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

#: Seconds that a state is waited for.
PATIENCE = 60.0

_OPTIONS = ("--remote-debugging-port=0", "about:blank")

NAMES = ("firefox-esr", "firefox")


def firefox_path() -> str | None:
    """The installed Firefox; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Firefox:
    """A running Firefox with one page.

    Args:
        path: the program.
        size: width and height of the page.
    """

    def __init__(self, path: str, size: tuple[int, int] = (1280, 720)) -> None:
        self._profile = tempfile.TemporaryDirectory()
        # In a thread of its own: playwright has a loop that runs in the tests' thread.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            [path, "--headless", "--no-remote", "--profile", self._profile.name, *_OPTIONS],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        try:
            self._socket = self._done(_connect(f"{self._address()}/session"))
            self._send("session.new", capabilities={})
            tree = self._send("browsingContext.getTree")
            self._page = tree["contexts"][0]["context"]
            self._send(
                "browsingContext.setViewport",
                context=self._page,
                viewport={"width": size[0], "height": size[1]},
            )
        except BaseException:
            self.close()
            raise

    def open(self, url: str) -> None:
        """Load a page."""
        self._send("browsingContext.navigate", context=self._page, url=url, wait="complete")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression of the page, in JSON types."""
        done = self._send(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self._page},
            awaitPromise=True,
        )
        assert done["type"] == "success", done
        return json.loads(done["result"]["value"])

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, (
                f"not in {PATIENCE} s: {expression}\n{self.value('document.body.innerText')}"
            )
            time.sleep(0.05)

    def press(self, key: str, times: int = 1) -> None:
        """Press a key of the keyboard: a character, of which WebDriver has one for each key."""
        strokes = [
            {"type": kind, "value": key} for _ in range(times) for kind in ("keyDown", "keyUp")
        ]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self._send("input.performActions", context=self._page, actions=[keyboard])

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        self._process.wait(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
        self._profile.cleanup()

    def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that the thread runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _address(self) -> str:
        """Where it listens, as it says when it does."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                return found[1]
        raise RuntimeError("Firefox ended before it could be driven")

    def _send(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)

        async def exchange() -> Any:
            await self._socket.write_message(
                json.dumps({"id": number, "method": method, "params": params})
            )
            while True:
                text = await self._socket.read_message()
                assert text is not None, f"Firefox has ended during {method}"
                message = json.loads(text)
                if message.get("id") == number:
                    return message

        message = self._done(exchange())
        assert message["type"] == "success", message
        return message["result"]


async def _connect(address: str) -> WebSocketClientConnection:
    return await websocket_connect(address)


def file_url(path: Path) -> str:
    """The address of a file."""
    return path.resolve().as_uri()
