"""Randomization: copies of a model with random weights."""

from __future__ import annotations

import copy
import inspect
import logging

import torch
from torch import nn

from ..errors import ModelError, warn
from ..execution.deep_module_copy import COPY_ERRORS, copy_module, detached_copy
from ..execution.random_numbers import PrivateRandomNumbers
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, log_error

__all__ = ["randomized_copy"]


def randomized_copy(model: VisionModel, seed: int = 0) -> nn.Module:
    """Return a copy of a model's module with random weights, for ``VisionModel.with_module``.

    Submodules with a method ``reset_parameters`` are initialized again. The values of all other parameters, and of
    those that initialization did not change, are shuffled, which keeps their mean and variance.

    Args:
        model: left unchanged.
        seed: seed of the weights; equal seeds give equal weights.

    Returns:
        The copy in evaluation mode, on the model's device.

    Raises:
        ModelError: if the module holds an object that cannot be copied.
    """
    with model.isolated() as isolated:
        module = _copy(isolated.module, model.name).cpu()
    # Random numbers are drawn on the CPU, so that the weights are the same on every device.
    with PrivateRandomNumbers(seed), torch.no_grad():
        # A parameter shared by several submodules is initialized by each of them, and stays shared.
        before = {p: p.clone() for p in module.parameters()}
        for part in module.modules():
            _reset_parameters(part)
        for parameter, old in before.items():
            if torch.equal(parameter, old):
                shuffled = old.flatten()[torch.randperm(old.numel())]
                parameter.copy_(shuffled.reshape(old.shape))
    return module.to(model.device)


def _reset_parameters(part: nn.Module) -> None:
    reset = getattr(part, "reset_parameters", None)
    if not callable(reset):
        return
    try:
        inspect.signature(reset).bind()
    except (TypeError, ValueError):  # it takes arguments, or has no signature
        return
    try:
        reset()
    except Exception as error:  # a user's module may raise anything
        kind = type(part).__name__
        log_error(error, f"The reset_parameters of {kind} failed.", level=logging.INFO)
        warn(
            f"The reset_parameters of {kind} failed ({error_line(error)}): weights that it did not change are shuffled "
            "instead."
        )


def _copy(module: nn.Module, name: str) -> nn.Module:
    """Return a copy in evaluation mode with its own parameters and the same hooks, which may compute weights."""
    try:
        return copy_module(module, copy.copy, attribute=detached_copy)
    except COPY_ERRORS as error:
        raise ModelError(
            f"{name} cannot be copied ({error}), and weights are randomized in a copy, so that the model stays as it "
            "is. Measure without 'parameter-randomization'."
        ) from error
