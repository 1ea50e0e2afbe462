"""``FailureHandler``: shows errors of an explorer's jobs, and moves its models to the CPU if a device is lost."""

from __future__ import annotations

from ...execution.device_errors import (
    device_responds,
    is_device_lost,
    translated_device_errors,
    translated_error,
)
from ...models.weights_backup import backup_of
from ...runtime.error_reports import error_text, log_error
from .context import ExplorerContext
from .finding_control import NothingFoundError
from .trait_requests import TraitRequests

__all__ = ["FailureHandler"]


class FailureHandler:
    """Shows errors that are raised on the worker, and keeps the explorer usable.

    Args:
        context: the explorer's.
        requests: shows the previous map again, or requests it again.
    """

    def __init__(self, context: ExplorerContext, requests: TraitRequests) -> None:
        self._context = context
        self._requests = requests

    def job_failed(self, job: str, error: BaseException) -> None:
        """Show the error that a job has raised."""
        context = self._context
        if not context.traits.is_alive:
            return
        owner, model, display = context.traits.owner, context.model, context.display
        if is_device_lost(error) and (replaced := self._replace_lost()):
            self._requests.main.request_again()
            log_error(error, "The GPU was lost.", owner)
            display.publish(error=replaced)
            return
        jobs = self._requests.main.jobs
        if isinstance(error, NothingFoundError) and job in (jobs.quick, jobs.slow):
            if context.picture is not None and context.prompt.why_nothing(context.picture):
                self._requests.without_classes.show(context.picture)
            return
        text = error_text(translated_error(error, model.name, model.device), owner)
        if job == jobs.prediction:
            display.show_no_prediction()
        if job in (jobs.quick, jobs.slow):
            self._requests.main.restore_after_failure()
            self._requests.without_classes.drop_failed_references(error)
        display.publish(error=text)

    def worker_idle(self) -> None:
        """Clear the busy state, and back the weights up: the worker has no more jobs."""
        if not self._context.traits.is_alive:
            return
        if self._context.display.view.busy:
            self._context.display.publish(busy=False)
        self.keep_weights()

    def keep_weights(self) -> None:
        """Back up the present weights of models on a device that can be lost; the CPU cannot."""
        for model in self._context.models:
            with translated_device_errors(model.name, model.device):
                backup_of(model.module).refresh()

    def _replace_lost(self) -> str:
        """Replace models whose device does not respond by copies on the CPU.

        Returns:
            A sentence on the replacement; "" if no model was replaced.
        """
        text = ""
        for prompt in self._context.prompts:
            lost = prompt.model
            if device_responds(lost.device):
                continue
            backup = backup_of(lost.module)
            model = backup.model(lost)
            if model is None:
                continue
            prompt.move(model)
            text = "The GPU was lost: the model is on the CPU now" + (
                "." if backup.is_current else ", as it was before it was last trained."
            )
        return text
