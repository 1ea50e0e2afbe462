"""Device failures: out of memory and lost devices, told apart and reported by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import CamwidgetError, ModelError
from ..runtime.error_reports import first_line

__all__ = [
    "DeviceLostError",
    "by_name",
    "faults_named",
    "is_elsewhere",
    "is_lost",
    "is_want_of_memory",
    "lost",
    "responds",
]

#: What torch says, in the text of a RuntimeError, when a device does nothing any more until the process ends: the
#: errors of CUDA that its documentation calls sticky ("leaves the process in an inconsistent state"). Anything else
#: that begins with "CUDA error" (no kernel image, an invalid device, a library's status) is no loss of the device.
_LOST = (
    "device-side assert",
    "unspecified launch failure",
    "illegal memory access",
    "illegal instruction",
    "illegal address",
    "misaligned address",
    "invalid address space",
    "invalid program counter",
    "hardware stack error",
    "launch timed out",
    "uncorrectable ecc error",
    "uncorrectable nvlink error",
    "cuda error: unknown error",
    "hip error: unknown error",
    "driver shutting down",
    "device lost",
    "device is lost",
    "device was lost",
    "gpu is lost",
)

#: What it says when there was not enough memory, beside the errors of that type.
_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc_failed",
    "cuda_error_out_of_memory",
    "failed to allocate",
)


class DeviceLostError(ModelError):
    """The device that the model is on has failed: nothing can be computed on it, nor read from it."""


def is_want_of_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, so that less at once may do."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in said for part in _MEMORY)


def is_lost(error: BaseException) -> bool:
    """Whether the device has failed, so that nothing on it will do any more."""
    if isinstance(error, DeviceLostError):
        return True
    said = str(error).lower()
    return (
        isinstance(error, RuntimeError)
        and not is_want_of_memory(error)
        and any(part in said for part in _LOST)
    )


def lost(name: str, device: torch.device, error: BaseException) -> DeviceLostError:
    """The error by name, and what can be done: after such a fault not even the weights can be read from the device."""
    return DeviceLostError(
        f"The device of {name}, {device}, was lost ({first_line(error)}). Its weights cannot be read any more: "
        "load the model again with device='cpu', or restart the kernel to have the device back."
    )


def by_name(error: BaseException, name: str, device: torch.device) -> BaseException:
    """A device's fault as an error by name; any other error as it is."""
    if isinstance(error, CamwidgetError):
        return error
    if is_want_of_memory(error):
        return ModelError(
            f"{name} does not fit into the memory of {device}: explain fewer or smaller pictures at once, use "
            "precision='bf16', or load it with device='cpu'."
        )
    return lost(name, device, error) if is_lost(error) else error


@contextmanager
def faults_named(name: str, device: torch.device) -> Iterator[None]:
    """Within it, a device's faults become errors by name.

    Args:
        name: the model's.
        device: where it is.

    Raises:
        ModelError: for want of memory.
        DeviceLostError: if the device was lost.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        named = by_name(error, name, device)
        if named is error:
            raise
        raise named from error


def is_elsewhere(device: torch.device) -> bool:
    """Whether a device can be lost without the process."""
    return device.type not in ("cpu", "meta")


def responds(device: torch.device) -> bool:
    """Whether something can be computed on a device now, or could be if there were memory."""
    try:
        return (
            float(torch.zeros((), device=device) + 1) == 1
        )  # read from it, which waits for what is computed
    except RuntimeError as error:
        return is_want_of_memory(error)
