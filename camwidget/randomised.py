"""A copy of a model that has learned nothing: the same net with random weights."""

from __future__ import annotations

import copy
import inspect
import logging

import torch
from torch import nn

from .copying import REFUSALS, copy_module, own_tensor
from .error_reports import error_line, log_error
from .errors import ModelError, warn
from .models import VisionModel

__all__ = ["randomised", "with_module"]


def randomised(model: VisionModel, seed: int = 0) -> nn.Module:
    """A copy of a model's module with all weights random, for ``with_module``.

    Every part that knows how it begins (``reset_parameters``) begins again. All other parameters, and those that this
    did not change, have their values shuffled, which keeps their mean and spread.

    Args:
        model: left as it is.
        seed: of the weights; the same seed gives the same weights.

    Raises:
        ModelError: if the module holds something that cannot be copied.
    """
    with model.undisturbed():
        module = _copy(model.module, model.name).cpu()
    # On the CPU, and in a fork: the weights are the same on every device, and the caller's random numbers go on as
    # if nothing had happened. (torch.manual_seed would set the generators of all devices.)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        # A parameter that several parts share is drawn again by each, and is theirs all the same.
        before = {p: p.clone() for p in module.parameters()}
        for part in module.modules():
            _begin_again(part)
        for parameter, old in before.items():
            if torch.equal(parameter, old):
                shuffled = old.flatten()[torch.randperm(old.numel())]
                parameter.copy_(shuffled.reshape(old.shape))
    return module.to(model.device)


def with_module(model: VisionModel, module: nn.Module) -> VisionModel:
    """The same model, under the same text, around a copy of its module with other weights."""
    other = copy.copy(model)
    other.module = module
    other._module_names = {m: n for n, m in module.named_modules()}
    return other


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
        # Within the model's lock all training flags are off, and so are the copy's.
        return copy_module(module, copy.copy, attribute=own_tensor)
    except REFUSALS as error:
        raise ModelError(
            f"{name} cannot be copied ({error}), and weights are randomised in a copy, so that the model stays as it "
            "is. Measure without 'parameter-randomisation'."
        ) from error
