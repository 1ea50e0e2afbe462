"""Whether CUDA graphs or a compiled module would pay for passes of one shape, which the masking slider runs.

Run with: CAMWIDGET_BENCHMARK_DEVICE=cuda python -m pytest tests/benchmarks/test_fixed_shape.py --benchmark-only -q
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

import camwidget as cw
from camwidget.attribution.batched_inference import rerun


@pytest.fixture(autouse=True)
def _on_a_gpu(device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("CUDA graphs are of a GPU")


def graphed(module: torch.nn.Module, inputs: torch.Tensor) -> Callable[[], torch.Tensor]:
    """A replay of a recorded pass over inputs that are overwritten in place."""
    inputs = inputs.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.no_grad():
        for _ in range(3):
            module(inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        outputs = module(inputs)

    def replay() -> torch.Tensor:
        graph.replay()
        return outputs

    return replay


@pytest.mark.parametrize("pictures", [1, 21])
def test_passes_of_one_shape(
    race: Callable[..., Any], model: cw.VisionModel, pixels: torch.Tensor, pictures: int
) -> None:
    """One masked picture is a move of the slider; 21 are a mask curve."""
    stack = pixels.to(model.device).expand(pictures, -1, -1, -1).contiguous()
    inputs = model.inputs(stack)
    module = copy.deepcopy(model.module)
    compiled = torch.compile(module)

    def plain() -> None:
        with torch.no_grad():
            module(inputs).cpu()

    def by_compiling() -> None:
        with torch.no_grad():
            compiled(inputs).cpu()

    def ours() -> None:
        for _, logits in rerun(model, pictures, lambda a, b: stack[a:b]):
            logits.cpu()

    replay = graphed(copy.deepcopy(module), inputs)
    last = copy.deepcopy(module).to(memory_format=torch.channels_last)
    replay_last = graphed(last, inputs.contiguous(memory_format=torch.channels_last))
    race(
        f"A pass over {pictures} pictures, ResNet-50, 224²",
        {
            "plain forward": plain,
            "torch.compile": by_compiling,
            "CUDA graph": lambda: replay().cpu(),
            "CUDA graph, channels last": lambda: replay_last().cpu(),
            "camwidget": ours,
        },
        rounds=25,
        warm=3,
    )
