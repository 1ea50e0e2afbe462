"""Simulated device failures: lack of memory, and a lost device."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import panels_of, parts_of, view_of
from module_fingerprint import fingerprint
from torch import nn

import camwidget as cw
from camwidget.attribution.batched_inference import in_batches
from camwidget.attribution.partial import windows
from camwidget.execution import device_errors
from camwidget.execution.batch_search import Batches, BatchSearch, BatchSeries
from camwidget.models import weights_backup
from camwidget.models.weights_backup import backup_of
from camwidget.widget.control import failures

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
    assert device_errors.is_device_lost(error) is (kind == "lost")
    assert device_errors.is_out_of_memory(error) is (kind == "memory")


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


def is_device_lost(x: torch.Tensor) -> RuntimeError:
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
    model.module.fault = is_device_lost
    with pytest.raises(
        device_errors.DeviceLostError, match=r"unspecified launch failure\).*device='cpu'.*restart"
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
    model: cw.VisionModel, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Partial passes do not run the module, which raises the fault here.
    monkeypatch.setattr(windows, "can_record", lambda model: False)
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

    series = BatchSeries(BatchSearch(Batches(8), 8), 5)
    assert [stop for stop, _ in in_batches(model, 0, 5, series, work)] == [1, 2, 3, 4, 5]
    assert sizes == [1] * 5


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is on a device that can be lost; copies of ours are where it is not."""
    monkeypatch.setattr(weights_backup, "can_be_lost", lambda at: True)
    monkeypatch.setattr(failures, "device_responds", lambda at: False)


def everything(module: nn.Module) -> dict[str, object]:
    return {**fingerprint(module), "places": [t.data_ptr() for t in module.state_dict().values()]}


@pytest.mark.usefixtures("elsewhere")
def test_the_cpu_takes_over(model: cw.VisionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The explorer has kept the weights; what was asked is computed with a copy, and it is said."""
    picture = PICTURE[::-1].copy()
    expected = cw.explain(model, picture).saliency
    # A log's record, which pytest keeps, has a traceback that knows what was computed.
    monkeypatch.setattr(failures, "log_error", lambda *args, **options: None)
    ex = cw.Explorer(model, [PICTURE, picture]).wait(30)
    before = everything(model.module)
    passes = [weakref.ref(trace) for trace in traces(ex)]
    assert passes
    model.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert view_of(ex).error == "The GPU was lost: the model is on the CPU now."
    assert ex.picture == 1 and not view_of(ex).busy
    assert everything(model.module) == before, "the user's module is as it was"
    assert ex.models[0] is not model and ex.model is ex.models[0]
    assert ex.model.module is not model.module
    np.testing.assert_array_equal(ex.explanation.saliency, expected)
    ex.fraction = 0.5
    ex.wait(30)
    assert (
        view_of(ex).masked and view_of(ex).error == "The GPU was lost: the model is on the CPU now."
    )
    with pytest.raises(device_errors.DeviceLostError):
        model.predict(PICTURE)
    gc.collect()
    assert not any(ref() for ref in passes), "what was computed on the lost device is let go"
    ex.close()


def traces(ex: cw.Explorer) -> list[object]:
    bench = parts_of(ex).context.prompt.base
    return [
        v for kept in (bench._traces, bench._shared, bench._every) for v in kept._values.values()
    ]


@pytest.mark.usefixtures("elsewhere")
def test_what_was_trained_before_the_loss_is_kept(model: cw.VisionModel) -> None:
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    spare = backup_of(model.module)
    with torch.no_grad():
        model.module.head.weight.mul_(-1)
    assert not spare.is_current
    spare._next = 0.0  # some time passes
    ex.fraction = 0.25
    ex.wait(30)
    assert spare.is_current
    expected = cw.explain(model, PICTURE[::-1].copy())
    model.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert view_of(ex).error == "The GPU was lost: the model is on the CPU now."
    np.testing.assert_array_equal(ex.explanation.saliency, expected.saliency)
    ex.close()


@pytest.mark.usefixtures("elsewhere")
def test_what_was_trained_last_may_be_lost_and_it_is_said(model: cw.VisionModel) -> None:
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    expected = cw.explain(model, PICTURE[::-1].copy())
    backup_of(model.module)._next = float("inf")
    with torch.no_grad():
        model.module.head.weight.mul_(-1)
    trained = everything(model.module)
    model.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert view_of(ex).error.endswith("on the CPU now, as it was before it was last trained.")
    np.testing.assert_array_equal(ex.explanation.saliency, expected.saliency)
    assert everything(model.module) == trained
    ex.close()


@pytest.mark.usefixtures("elsewhere")
def test_weights_are_kept_once_for_all_and_copied_when_they_change(model: cw.VisionModel) -> None:
    explorers = [cw.Explorer(model, PICTURE).wait(30) for _ in range(2)]
    spare = backup_of(model.module)
    kept = dict(spare._copies)
    assert set(kept) == set(model.module.state_dict())
    spare._next = 0.0
    spare.refresh()
    assert all(spare._copies[name] is tensor for name, tensor in kept.items()), "nothing changed"
    with torch.no_grad():
        model.module.conv.bias.add_(1)
    spare.refresh()
    assert [n for n, t in kept.items() if spare._copies[n] is not t] == ["conv.weight", "conv.bias"]
    spare._next = 0.0
    model.module.head = nn.Linear(4, 3)
    spare.refresh()
    assert spare.is_current and torch.equal(spare._copies["head.bias"], model.module.head.bias)
    begun = spare._next
    with torch.no_grad():
        model.module.conv.bias.add_(1)
    spare._next = begun + 1000
    spare.refresh()
    assert not spare.is_current, "a loop that trains is not copied at each of its steps"
    for ex in explorers:
        ex.close()
    gone = weakref.ref(spare)
    module = weakref.ref(model.module)
    del spare, ex, explorers, model
    assert module() is None or gone() is backup_of(module())


@pytest.mark.usefixtures("elsewhere")
def test_two_models_and_what_is_compared_move_together(model: cw.VisionModel) -> None:
    other = cw.wrap(Failing().eval(), cw.Preprocess(size=16), name="other")
    with torch.no_grad():
        other.module.head.weight.mul_(-1)
    models = [model, other]
    ex = cw.Explorer(models, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    panels_of(ex).box.selected_index = 0
    ex.wait(30)
    before = [everything(m.module) for m in models]
    expected = cw.explain(other, PICTURE[::-1].copy(), ex.target)
    for one in models:
        one.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert all(new is not old for new, old in zip(ex.models, models, strict=True))
    assert panels_of(ex).deepvis.model is ex.models[0]
    assert ex.other is not None and ex.other.model == "other"
    expected = cw.explain(ex.models[1], PICTURE[::-1].copy(), ex.explanation.target.label)
    np.testing.assert_array_equal(ex.other.saliency, expected.saliency)
    assert [everything(m.module) for m in models] == before
    ex.close()


@pytest.mark.usefixtures("elsewhere")
def test_the_other_model_alone_is_lost(model: cw.VisionModel) -> None:
    """It is noticed where the compared map is made."""
    other = cw.wrap(Failing().eval(), cw.Preprocess(size=16), name="other")
    ex = cw.Explorer([model, other], [PICTURE, PICTURE[::-1].copy()]).wait(30)
    other.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert view_of(ex).error == "The GPU was lost: the model is on the CPU now."
    assert ex.other is not None and ex.models[1] is not other
    ex.close()


def test_a_device_that_responds_is_not_lost(
    model: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error does not move a model: the device is asked first."""
    monkeypatch.setattr(weights_backup, "can_be_lost", lambda at: True)
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    model.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert "was lost" in view_of(ex).error and ex.models == (model,)
    model.module.fault = lambda x: torch.OutOfMemoryError("CUDA out of memory.")
    ex.method = "layercam"
    ex.picture = 1
    ex.wait(30)
    assert "does not fit into the memory" in view_of(ex).error and ex.models == (model,)
    ex.close()


@pytest.mark.parametrize(
    ("error", "is_there"),
    [
        (None, True),
        (RuntimeError("CUDA error: out of memory"), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError(LOST), False),
    ],
)
def test_a_device_is_asked_whether_it_responds(
    error: Exception | None, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def zeros(*size: object, device: object) -> torch.Tensor:
        if error is not None:
            raise error
        return torch.tensor(0.0)

    monkeypatch.setattr(torch, "zeros", zeros)
    assert device_errors.device_responds(torch.device("cuda")) is is_there


def test_what_was_not_kept_cannot_be_saved(
    model: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a module that was on the CPU when the explorer was made there is nothing to take over with."""
    monkeypatch.setattr(failures, "device_responds", lambda at: False)
    ex = cw.Explorer(model, [PICTURE, PICTURE[::-1].copy()]).wait(30)
    monkeypatch.setattr(weights_backup, "can_be_lost", lambda at: True)
    monkeypatch.setattr(weights_backup.WeightsBackup, "refresh", lambda self: None)
    model.module.fault = is_device_lost
    ex.picture = 1
    ex.wait(30)
    assert "was lost" in view_of(ex).error and "restart the kernel" in view_of(ex).error
    ex.close()
