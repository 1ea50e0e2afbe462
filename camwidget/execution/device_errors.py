"""Device errors: lack of memory and lost devices, recognized and translated into errors that name the remedy.

The explorer moves a model whose device is lost to the CPU in ``widget/control/failures.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import CamwidgetError, ModelError
from ..runtime.error_reports import first_line

__all__ = [
    "DeviceLostError",
    "can_be_lost",
    "device_lost_error",
    "device_responds",
    "is_device_lost",
    "is_out_of_memory",
    "translated_device_errors",
    "translated_error",
]

#: Parts of messages of torch's RuntimeErrors after which a device is unusable until the process ends: the errors of
#: CUDA that its documentation calls sticky ("leaves the process in an inconsistent state"). Other messages that begin
#: with "CUDA error" (no kernel image, an invalid device, a library's status) do not mean that the device is lost.
_LOST_MESSAGES = (
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

#: Parts of messages of RuntimeErrors that mean lack of memory.
_MEMORY_MESSAGES = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc_failed",
    "cuda_error_out_of_memory",
    "failed to allocate",
)


class DeviceLostError(ModelError):
    """The model's device has failed: it neither computes nor gives access to its memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means lack of memory, so that a smaller batch may succeed."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in message for part in _MEMORY_MESSAGES)


def is_device_lost(error: BaseException) -> bool:
    """Return whether an error means that the device is unusable until the process ends."""
    if isinstance(error, DeviceLostError):
        return True
    message = str(error).lower()
    return (
        isinstance(error, RuntimeError)
        and not is_out_of_memory(error)
        and any(part in message for part in _LOST_MESSAGES)
    )


def device_lost_error(name: str, device: torch.device, error: BaseException) -> DeviceLostError:
    """Return the error for a lost device, with the remedy.

    Args:
        name: the model's name.
        device: the device.
        error: torch's error.
    """
    return DeviceLostError(
        f"The device of {name}, {device}, was lost ({first_line(error)}). Its weights cannot be read any more: "
        "load the model again with device='cpu', or restart the kernel to have the device back."
    )


def translated_error(error: BaseException, name: str, device: torch.device) -> BaseException:
    """Return a device error as a ``ModelError`` with the remedy; any other error as it is.

    Args:
        error: the error.
        name: the model's name.
        device: the model's device.
    """
    if isinstance(error, CamwidgetError):
        return error
    if is_out_of_memory(error):
        return ModelError(
            f"{name} does not fit into the memory of {device}: explain fewer or smaller pictures at once, use "
            "precision='bf16', or load it with device='cpu'."
        )
    return device_lost_error(name, device, error) if is_device_lost(error) else error


@contextmanager
def translated_device_errors(name: str, device: torch.device) -> Iterator[None]:
    """Translate device errors within a ``with`` block into errors that name the remedy.

    Args:
        name: the model's name.
        device: the model's device.

    Raises:
        ModelError: if the device has not enough memory.
        DeviceLostError: if the device is lost.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        translated = translated_error(error, name, device)
        try:
            if translated is error:
                raise
            raise translated from error
        finally:
            # Its traceback refers to this frame, which would refer to it and keep alive what has failed.
            del translated


def can_be_lost(device: torch.device) -> bool:
    """Return whether a device can fail while the process goes on."""
    return device.type not in ("cpu", "meta")


def device_responds(device: torch.device) -> bool:
    """Return whether a device computes, or would if it had free memory."""
    try:
        # float() copies the result to the host, and so waits for the computation.
        return float(torch.zeros((), device=device) + 1) == 1
    except RuntimeError as error:
        return is_out_of_memory(error)
