"""Driver of a real kernel: executes code, and sends widget messages as a page does."""

from __future__ import annotations

import ast
import os
import queue
import subprocess
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


class Kernel:
    """An ipykernel in a process of its own.

    Attributes:
        tracebacks: what a notebook would show in red, and what was written to stderr.
    """

    def __init__(self, folder: Path, *, slow: float = 300, **environment: str) -> None:
        self.slow = slow
        self.tracebacks: list[str] = []
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(folder),
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=240)

    def start(self, code: str) -> str:
        """Run code, and do not wait for it; its number."""
        return self.client.execute(code)

    def result(self, number: str, *, fails: bool = False) -> dict[str, Any]:
        """The reply to code, once everything of it has been heard.

        Args:
            number: from ``start``.
            fails: whether it is meant to raise.
        """
        deadline = time.monotonic() + self.slow
        reply = None
        while reply is None:
            found = self.client.get_shell_msg(timeout=max(0.1, deadline - time.monotonic()))
            if found["parent_header"].get("msg_id") == number:
                reply = found["content"]
        self._hear(number, fails)
        if not fails:
            assert reply["status"] == "ok", "\n".join(reply["traceback"])
        return reply

    def execute(self, code: str) -> None:
        self.result(self.start(code))

    def value(self, expression: str) -> Any:
        """What an expression is, as a literal."""
        number = self.client.execute("", user_expressions={"value": expression})
        answer = self.result(number)["user_expressions"]["value"]
        assert answer["status"] == "ok", answer
        return ast.literal_eval(answer["data"]["text/plain"])

    def subshell(self) -> str:
        """A thread of its own for messages, as Lab makes one for widgets; its id."""
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return self.client.get_control_msg(timeout=30)["content"]["subshell_id"]

    def tell(self, comm: str, data: Any, subshell: str | None = None) -> str:
        """Send a widget's message as the page does, and wait for nothing; its number."""
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def dealt_with(self, numbers: list[str]) -> None:
        """Wait until the kernel is through with these messages of widgets, of which nobody has asked since."""
        left = set(numbers)
        while left:
            message = self.client.get_iopub_msg(timeout=self.slow)
            if message["content"].get("execution_state") == "idle":
                left.discard(message["parent_header"].get("msg_id"))

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def _hear(self, number: str, fails: bool) -> None:
        """Read what was published up to the end of this code."""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=self.slow)
            except queue.Empty:
                raise TimeoutError("The kernel never said that it is idle.") from None
            content, kind = message["content"], message["msg_type"]
            own = message["parent_header"].get("msg_id") == number
            if kind == "error" and not (own and fails):
                self.tracebacks.append("\n".join(content["traceback"]))
            if kind == "stream" and content["name"] == "stderr":
                self.tracebacks.append(content["text"])
            if kind == "status" and own and content["execution_state"] == "idle":
                return


def update(**state: Any) -> dict[str, Any]:
    """The message of a page that sets traits."""
    return {"method": "update", "state": state, "buffer_paths": []}


def custom(content: Any) -> dict[str, Any]:
    """The message of a page that says something else."""
    return {"method": "custom", "content": content}
