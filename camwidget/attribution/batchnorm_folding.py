"""A copy of a model with its batch normalizations folded into the convolutions before them.

The same numbers up to rounding, for about a fifth less time: worth a copy where the model is run many times.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .._compat.pytorch import version_of
from ..execution.module_copy import copy_module
from ..execution.running import hooked
from ..models.scores import are_close
from ..models.vision_model import VisionModel
from ..runtime.error_reports import log_error

__all__ = ["fold_batchnorms"]


def fold_batchnorms(model: VisionModel, inputs: torch.Tensor) -> VisionModel:
    """The model with its normalisations folded, or itself where there are none, or something stands in the way.

    Made anew each time, since the user may train between two calls; and compared with the model on ``inputs``.

    Args:
        model: left as it is.
        inputs: the module's input (N, C, H, W).
    """
    with model.undisturbed() as held, torch.no_grad():
        pairs, expected = _pairs(held, inputs)
        if not pairs:
            return model
        try:
            # Hooks are the same: they may count, or show progress.
            module = copy_module(held.module, lambda hooks: hooks)
            for convolution, normalisation in pairs:
                first, second = map(module.get_submodule, (convolution, normalisation))
                assert isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d)
                module.set_submodule(convolution, fuse_conv_bn_eval(first, second))
                module.set_submodule(normalisation, nn.Identity())
            other = model.around(module.eval())
            other.isolation = replace(model.isolation, is_ours=True)
            found = other.logits_of(other.run(inputs.clone()), len(inputs))
        except Exception as error:  # someone's own module may refuse to be copied, in its own way
            # Nothing is wrong then: the model itself answers, more slowly.
            message = f"{model.name} is run as it is, without a faster copy."
            log_error(error, message, model.module, level=logging.INFO)
            return model
    # Where a convolution's output is used elsewhere too, or a hook changes it, the copy answers otherwise.
    is_same = are_close(found, expected, 1e-4, torch.finfo(expected.dtype).tiny)
    return other if is_same else model


def _pairs(model: VisionModel, inputs: torch.Tensor) -> tuple[list[tuple[str, str]], torch.Tensor]:
    """Names of convolutions and of the normalisations that get just what they return; and the logits."""
    names = {m: n for n, m in model.module.named_modules()}
    made: dict[tuple[int, int], nn.Module] = {}
    calls: dict[nn.Module, int] = {}
    found: list[tuple[nn.Module, nn.Module]] = []
    kept: list[torch.Tensor] = []  # alive, so that identity tells tensors apart

    def note(module: nn.Module, args: Any, output: Any) -> None:
        calls[module] = calls.get(module, 0) + 1
        if type(module) is nn.Conv2d:
            kept.append(output)
            made[id(output), version_of(output)] = module
        elif (source := made.get((id(args[0]), version_of(args[0])))) is not None:
            found.append((source, module))

    hooks: dict[nn.Module, Any] = {
        m: note
        for m in names
        if type(m) is nn.Conv2d or (type(m) is nn.BatchNorm2d and m.track_running_stats)
    }
    with hooked(hooks):
        logits = model.logits_of(model.run(inputs.clone()), len(inputs))
    once = [(c, n) for c, n in found if calls[c] == calls[n] == 1]
    return [(names[c], names[n]) for c, n in once], logits
