"""A device that fails, simulated: too little memory, and a device that is lost with all that is on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import camwidget as cw
from camwidget import device
from camwidget.rerun import in_batches

LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


#: First lines of PyTorch's and CUDA's own texts, with what they mean.
TEXTS = {
    "memory": [
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "HIP out of memory. Tried to allocate 2.00 GiB",
        "MPS backend out of memory (MPS allocated: 17.83 GB, other allocations: 288.00 KB)",
        "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail at CPUAllocator.cpp:64] . DefaultCPUAllocator: not enough memory: you tried",
        "NCCL Error 1: unhandled cuda error: Failed to allocate device buffers",
    ],
    "lost": [
        "CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`",
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: unspecified launch failure",
        "CUDA error: misaligned address",
        "CUDA error: an illegal instruction was encountered",
        "CUDA error: the launch timed out and was terminated",
        "CUDA error: uncorrectable ECC error encountered",
        "CUDA error: unknown error",
        "HIP error: unspecified launch failure",
    ],
    "neither": [
        "CUDA error: no kernel image is available for execution on the device",
        "CUDA error: invalid device ordinal",
        "CUDA error: invalid argument",
        "CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx`",
        "CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `cublasSgemm`",
        "CUDA error: the provided PTX was compiled with an unsupported toolchain.",
        "CUDA error: all CUDA-capable devices are busy or unavailable",
        "CUDA error: operation not permitted when stream is capturing",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a non-contiguous input.",
        "mat1 and mat2 shapes cannot be multiplied (1x4 and 3x2)",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, all_ in TEXTS.items() for t in all_])
def test_what_a_devices_error_means(kind: str, text: str) -> None:
    """Nothing but a device that does nothing any more counts as lost."""
    error = RuntimeError(text)
    assert device.is_lost(error) is (kind == "lost")
    assert device.is_want_of_memory(error) is (kind == "memory")


class Failing(nn.Module):
    """A small net that fails on demand, as a device does: with its first weights, not with others in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)
        self.fault: Callable[[torch.Tensor], BaseException | None] = lambda x: None
        self.at = self.conv.weight.data_ptr()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cells = self.conv(x)
        fault = self.fault(cells) if self.conv.weight.data_ptr() == self.at else None
        if fault is not None:
            raise fault
        return self.head(cells.relu().mean((2, 3)))


@pytest.fixture
def model() -> cw.VisionModel:
    return cw.wrap(Failing().eval(), cw.Preprocess(size=16))


def is_lost(x: torch.Tensor) -> RuntimeError:
    return RuntimeError(LOST)


def backward_fails(y: torch.Tensor, fault: BaseException) -> torch.Tensor:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
            raise fault

    return Fails.apply(y)


@pytest.mark.parametrize(
    "method", ["gradcam", "scorecam", "lrp", "integrated-gradients", "guided-backprop"]
)
def test_explain_says_that_the_device_was_lost(model: cw.VisionModel, method: str) -> None:
    model.module.fault = is_lost
    with pytest.raises(
        device.DeviceLostError, match=r"unspecified launch failure\).*device='cpu'.*restart"
    ):
        cw.explain(model, PICTURE, method=method)
    model.module.fault = lambda x: None
    cw.explain(model, PICTURE, method=method)


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
@pytest.mark.parametrize("method", ["gradcam", "integrated-gradients"])
def test_memory_that_does_not_suffice_backwards(
    model: cw.VisionModel, fault: BaseException, method: str
) -> None:
    """A backward pass cannot be done in halves of a picture: it is said what can."""
    handle = model.module.head.register_forward_pre_hook(
        lambda module, inputs: backward_fails(inputs[0], fault) if inputs[0].requires_grad else None
    )
    with pytest.raises(cw.CamwidgetError, match="does not fit into the memory of cpu"):
        cw.explain(model, PICTURE, method=method)
    handle.remove()


@pytest.mark.parametrize(
    "method", ["scorecam", "rise", "integrated-gradients", "ablationcam", "occlusion"]
)
def test_batches_are_halved_where_memory_does_not_suffice(
    model: cw.VisionModel, method: str
) -> None:
    try:
        expected = cw.explain(model, PICTURE, method=method)
    except cw.CamwidgetError:
        pytest.skip(f"{method} does not apply")
    seen: list[int] = []

    def fault(x: torch.Tensor) -> BaseException | None:
        seen.append(len(x))
        return torch.OutOfMemoryError("CUDA out of memory.") if len(x) > 2 else None

    model.module.fault = fault
    found = cw.explain(model, PICTURE, method=method)
    np.testing.assert_allclose(found.saliency, expected.saliency, atol=1e-3)
    assert max(seen) > 2, "it was tried"


def test_in_batches_halves_down_to_one(model: cw.VisionModel) -> None:
    sizes: list[int] = []

    def work(begin: int, end: int) -> int:
        if end - begin > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        sizes.append(end - begin)
        return end

    assert [stop for stop, _ in in_batches(model, 0, 5, 8, work)] == [1, 2, 3, 4, 5]
    assert sizes == [1] * 5


def test_the_cpu_takes_over(model: cw.VisionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The explorer has kept the weights; what was asked is computed with them, and it is said."""
    monkeypatch.setattr(device, "is_elsewhere", lambda tensor: True)
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    names = [id(p) for p in model.module.parameters()]
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    model.module.fault = is_lost
    ex.picture = 1
    ex.wait(30)
    assert ex._view.error == "The GPU was lost: the model is on the CPU now."
    assert ex.picture == 1 and not ex._view.busy
    assert [id(p) for p in model.module.parameters()] == names
    assert all(torch.equal(v, before[k]) for k, v in model.module.state_dict().items())
    direct = cw.explain(model, PICTURE[::-1].copy(), target=ex.target)
    np.testing.assert_array_equal(ex.explanation.saliency, direct.saliency)
    ex.fraction = 0.5
    ex.wait(30)
    assert ex._view.masked and ex._view.error == "The GPU was lost: the model is on the CPU now."
    ex.close()


def test_what_was_not_kept_cannot_be_saved(model: cw.VisionModel) -> None:
    """On a module that was on the CPU when the explorer was made there is nothing to take over with."""
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    model.module.fault = is_lost
    ex.picture = 1
    ex.wait(30)
    assert "was lost" in ex._view.error and "restart the kernel" in ex._view.error
    model.module.fault = lambda x: torch.OutOfMemoryError("CUDA out of memory.")
    ex.method = "layercam"
    ex.picture = 1
    ex.wait(30)
    assert "does not fit into the memory" in ex._view.error
    ex.close()
