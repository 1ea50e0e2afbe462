"""A copy of a model with random weights."""

from __future__ import annotations

import copy
import inspect
import logging

import torch
from torch import nn

from ..errors import ModelError, warn
from ..execution.module_copy import COPY_ERRORS, copy_module, detached_copy
from ..execution.random_numbers import PrivateRandomNumbers
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, log_error

__all__ = ["randomized_copy"]


def randomized_copy(model: VisionModel, seed: int = 0) -> nn.Module:
    """A copy of a model's module with all weights random, for ``VisionModel.around``.

    Every part that knows how it begins (``reset_parameters``) begins again. All other parameters, and those that this
    did not change, have their values shuffled, which keeps their mean and spread.

    Args:
        model: left as it is.
        seed: of the weights; the same seed gives the same weights.

    Raises:
        ModelError: if the module holds something that cannot be copied.
    """
    with model.undisturbed() as held:
        module = _copy(held.module, model.name).cpu()
    # On the CPU: the weights are the same on every device.
    with PrivateRandomNumbers(seed), torch.no_grad():
        # A parameter that several parts share is drawn again by each, and is theirs all the same.
        before = {p: p.clone() for p in module.parameters()}
        for part in module.modules():
            _begin_again(part)
        for parameter, old in before.items():
            if torch.equal(parameter, old):
                shuffled = old.flatten()[torch.randperm(old.numel())]
                parameter.copy_(shuffled.reshape(old.shape))
    return module.to(model.device)


def _begin_again(part: nn.Module) -> None:
    reset = getattr(part, "reset_parameters", None)
    if not callable(reset):
        return
    try:
        inspect.signature(reset).bind()
    except (TypeError, ValueError):  # it wants arguments, or does not say whether it does
        return
    try:
        reset()
    except Exception as error:  # someone's own module
        kind = type(part).__name__
        log_error(error, f"The reset_parameters of {kind} failed.", level=logging.INFO)
        warn(
            f"The reset_parameters of {kind} failed ({error_line(error)}): weights that it did not change are shuffled "
            "instead."
        )


def _copy(module: nn.Module, name: str) -> nn.Module:
    """A copy in evaluation mode with parameters of its own, and with the same hooks: some make a weight of others."""
    try:
        return copy_module(module, copy.copy, attribute=detached_copy)
    except COPY_ERRORS as error:
        raise ModelError(
            f"{name} cannot be copied ({error}), and weights are randomised in a copy, so that the model stays as it "
            "is. Measure without 'parameter-randomisation'."
        ) from error
