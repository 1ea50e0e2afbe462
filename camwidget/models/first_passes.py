"""The first passes of a module: its layers, its output, and how it is isolated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..errors import CamwidgetError, warn
from ..execution.isolated_pass import (
    IsolationRehearsal,
    PassIsolation,
    TensorEscapes,
    quiet,
    switched_off,
    warn_if_training,
)
from ..execution.random_state import RandomDraws
from ..execution.structure_copy import Uncopyable
from ..images.preprocess import Preprocess
from .layer_table import LayerTable
from .layers import Reshape, discover_layers
from .output_reader import OutputReader

__all__ = ["first_passes", "first_picture"]


def first_passes(
    module: nn.Module,
    inputs: torch.Tensor,
    reader: OutputReader,
    reshape: Reshape | None,
    extras: dict[str, torch.Tensor],
    without: bool,
) -> tuple[LayerTable, OutputReader, PassIsolation]:
    """Run a module for the first time: a copy of its structure if that will do, and itself if not.

    Args:
        module: left as it is. Where its forward writes into its own tensors, a ``CamwidgetWarning`` says so.
        inputs: noise (1, C, H, W), as the module takes it.
        reader: what is declared about the module's output; one that has found out the rest comes back.
        reshape: as in ``wrap``.
        extras: the inputs beside the picture, by name.
        without: whether no layer is wanted.

    Raises:
        ModelError: if the module fails.
        LayerError: if no layer has a map of the picture.
    """
    seed = torch.initial_seed()

    def discover(running: nn.Module) -> tuple[LayerTable, OutputReader, bool]:
        own = replace(reader)
        found = discover_layers(running, inputs.clone(), own, reshape, extras, without)
        # A module that seeds torch's own generator in its forward is to draw from that.
        return found, own, found.draws and torch.initial_seed() == seed

    watch = RandomDraws(inputs.device, module.modules())
    with quiet(module, inputs.device):
        try:
            rehearsal = IsolationRehearsal(module)
            with TensorEscapes(module) as escapes:
                discovery, settled, draws = discover(rehearsal.copy)
        except (Uncopyable, CamwidgetError):
            escapes = None  # what is wrong with the module itself is said of that
        if escapes is not None and not escapes.any:
            _say_written(reader.name, rehearsal.written)
            return discovery, settled, PassIsolation(True, rehearsal.written, draws, watch.any)
        with switched_off(module, keeps=True) as kept:
            discovery, settled, draws = discover(module)
    assert kept is not None
    warn_if_training(module)
    _say_written(reader.name, kept.changed)
    return discovery, settled, PassIsolation(False, frozenset(kept.changed), draws, watch.any)


def first_picture(preprocess: Preprocess) -> np.ndarray:
    """What a module is shown first, uint8 (H, W, channels).

    Noise, not a flat grey: the recognition of a GAP head compares numbers, and on a flat picture too many of them would
    be equal.
    """
    side = 64 if preprocess.geometry is None else 256
    bands = 3 if preprocess.channels == 1 else preprocess.channels
    noise = torch.rand((bands, side, side), generator=torch.Generator().manual_seed(0))
    picture: np.ndarray = noise.mul(255).to(torch.uint8).permute(1, 2, 0).numpy()
    return picture


def _say_written(name: str, written: frozenset[str] | list[str]) -> None:
    if written:
        warn(
            f"{name} writes into its own buffers when it is run ({', '.join(sorted(written)[:3])}), so that its "
            "answers may depend on what it was shown before. camwidget leaves them as they were after each pass."
        )
