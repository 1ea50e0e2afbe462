"""First passes of a module, which find its layers, the meaning of its output, and the isolation it needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..errors import CamwidgetError, warn
from ..execution.isolated_pass import (
    IsolationProbe,
    OriginalParameterDetector,
    PassIsolation,
    exclusive_pass,
    in_evaluation_mode,
    warn_if_training,
)
from ..execution.random_state import GeneratorWatch
from ..execution.shallow_module_copy import Uncopyable
from ..images.preprocess import Preprocess
from .layer_discovery import discover_layers
from .layer_recorder import Reshape
from .layer_table import LayerTable
from .logits_reader import OutputReader

__all__ = ["first_passes", "first_picture"]


def first_passes(
    module: nn.Module,
    inputs: torch.Tensor,
    reader: OutputReader,
    reshape: Reshape | None,
    extras: dict[str, torch.Tensor],
    without: bool,
) -> tuple[LayerTable, OutputReader, PassIsolation]:
    """Run a module for the first time: a copy of its structure if possible, otherwise the module itself.

    Args:
        module: left unchanged. A warning tells if its forward pass writes into its own tensors.
        inputs: noise (1, C, H, W), as the module takes it.
        reader: reader with the user's declarations about the output.
        reshape: as in ``wrap``.
        extras: inputs besides the picture, by name.
        without: whether no layer is offered: the user passed ``layers=[]``.

    Returns:
        The layers, the completed reader, and the isolation.

    Raises:
        ModelError: if the module fails.
        LayerError: if no layer has a map of the picture.
    """
    seed = torch.initial_seed()

    def discover(running: nn.Module) -> tuple[LayerTable, OutputReader, bool]:
        completed = replace(reader)
        table = discover_layers(running, inputs.clone(), completed, reshape, extras, without)
        # A module that seeds torch's generator in its forward pass shall draw from that generator.
        return table, completed, table.draws and torch.initial_seed() == seed

    generators = GeneratorWatch(inputs.device, module.modules())
    with exclusive_pass(module, inputs.device):
        try:
            probe = IsolationProbe(module)
            with OriginalParameterDetector(module) as detector:
                table, completed, draws = discover(probe.copy)
        except (Uncopyable, CamwidgetError):
            detector = None  # an error of the module itself is raised by its own pass below
        if detector is not None and not detector.any:
            _warn_written(reader.name, probe.written)
            return table, completed, PassIsolation(True, probe.written, draws, generators.any)
        with in_evaluation_mode(module, written=None) as backup:
            table, completed, draws = discover(module)
    assert backup is not None
    warn_if_training(module)
    _warn_written(reader.name, backup.changed)
    return table, completed, PassIsolation(False, frozenset(backup.changed), draws, generators.any)


def first_picture(preprocess: Preprocess) -> np.ndarray:
    """Return the picture for the first pass, uint8 (H, W, channels), or the clip (frames, H, W, channels).

    It is noise, since on a uniform picture too many numbers would be equal for the recognition of a GAP head.
    """
    side = 64 if preprocess.geometry is None else 256
    bands = 3 if preprocess.channels == 1 else preprocess.channels
    shape = (
        (bands, side, side) if preprocess.frames is None else (preprocess.frames, bands, side, side)
    )
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    picture: np.ndarray = noise.mul(255).to(torch.uint8).movedim(-3, -1).numpy()
    return picture


def _warn_written(name: str, written: frozenset[str] | list[str]) -> None:
    if written:
        warn(
            f"{name} writes into its own tensors in a forward pass ({', '.join(sorted(written)[:3])}), so its "
            "predictions may depend on earlier inputs. camwidget runs each pass with the tensors as they are now, and "
            "leaves them so."
        )
