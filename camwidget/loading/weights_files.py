"""Weights files: the format is recognized by the first bytes, and files are read without running their code."""

from __future__ import annotations

import argparse
import io
import json
import logging
import re
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from ..errors import WeightsError
from ..runtime.error_reports import first_line, log_error

__all__ = ["SAVE", "read_bytes", "read_file"]

#: Code that saves weights readably.
SAVE = "torch.save(module.state_dict(), 'weights.pth')"

_PULL = "Run git lfs pull where it comes from, or download the file itself."
_AGAIN = "Download or copy it again."
_CONVERT = f"Where you trust the file, load it once with the program that wrote it, and save its weights alone: {SAVE}."
_OTHER = f"camwidget reads what PyTorch saves: {SAVE}, or safetensors."

#: (offset, bytes at that offset, description, remedy).
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", _PULL),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and TensorFlow write them", _OTHER),
    (0, b"GGUF", "a GGUF file, for language models", _OTHER),
    (4, b"TFL3", "a TensorFlow Lite model", _OTHER),
    (0, b"\x93NUMPY", "a NumPy array", _OTHER),
    (0, b"\x1f\x8b", "compressed (gzip)", "Unpack it first."),
    (0, b"BZh", "compressed (bzip2)", "Unpack it first."),
    (0, b"\xfd7zXZ", "compressed (xz)", "Unpack it first."),
    (0, b"\x28\xb5\x2f\xfd", "compressed (zstd)", "Unpack it first."),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first."),
    (0, b"Rar!", "a RAR archive", "Unpack it first."),
    (257, b"ustar", "a tar archive", f"Unpack it first. If PyTorch before 0.4 wrote it: {_CONVERT}"),
)  # fmt: skip

#: Types that are read besides tensors and plain containers: command line options, which training programs save with
#: the weights. Creating one runs no code of the file.
_CONTAINERS: list[Any] = [argparse.Namespace]
#: Modules, and names of ``builtins``, that weights never need and malicious files use. (Pickles call
#: ``subprocess`` by its old name.)
_HARMFUL = re.compile(
    r"(os|posix|nt|sys|subprocess|commands|shutil|socket|runpy|pty|importlib|ctypes)\.|"
    r"(builtins|__builtin__)\.(eval|exec|compile|open|__import__|breakpoint|input)$"
)

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")


def read_file(path: Path) -> Any:
    """Read a file: a state dict, or any object that was saved with one in it.

    Raises:
        WeightsError: if the file is missing, damaged, or of a format without PyTorch weights, which is named.
    """
    if path.is_dir():
        raise WeightsError(_describe_folder(path))
    if not path.is_file():
        raise WeightsError(f"There is no file {str(path)!r} of weights (looked in {Path.cwd()}).")
    try:
        with path.open("rb") as file:
            return _read_open_file(file, path.name, path)
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def read_bytes(file: bytes | IO[bytes]) -> Any:
    """Read a file in memory, or an open file from its beginning.

    Raises:
        WeightsError: as ``read_file``; also for a file that is closed, or opened for text.
    """
    if isinstance(file, bytes):
        return _read_open_file(io.BytesIO(file), "The file given", None)
    if getattr(file, "closed", False) is True:
        raise WeightsError("The file given is closed: open it again, or pass its path.")
    try:
        file.seek(0)
    except (OSError, AttributeError):  # a stream, which is read once
        content = file.read()
        file = io.BytesIO(content if isinstance(content, bytes) else b"")
    if not isinstance(file.read(0), bytes):
        raise WeightsError("The file given is opened as text: open it with mode 'rb'.")
    return _read_open_file(file, "The file given", None)


def _read_open_file(file: IO[bytes], name: str, path: Path | None) -> Any:
    head = file.read(512)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if path is not None and head[:1] == b"{" and not _is_safetensors(head):
        return _read_sharded(path)
    if (refusal := _format_problem(head, size)) is not None:
        raise WeightsError(f"{name} is {refusal}")
    if _is_safetensors(head):
        return _read_safetensors(file, name, size, int.from_bytes(head[:8], "little"), path)
    if head.startswith(b"PK"):
        return _read_zip(file, name)
    if head[:1] == b"\x80":
        return _read_pickle(file, name)
    raise WeightsError(
        f"{name} cannot be read as weights: neither torch.save nor safetensors wrote it. {_OTHER}"
    )


def _format_problem(head: bytes, size: int) -> str | None:
    """Return what a file is, with the remedy, if it certainly holds no weights; None otherwise."""
    if not size:
        return f"empty. {_AGAIN}"
    for place, sign, what, remedy in _SIGNATURES:
        if head[place:].startswith(sign):
            return f"{what}. {remedy}"
    if head.startswith(_PICTURES):
        return "a picture, not weights. The picture is for camwidget.explain(model, picture)."
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page, such as a download ends with where one has to log in. Download the file itself."
    if text.startswith((b"{", b"[")) and not _is_safetensors(head):
        return f"a text (JSON), not weights. {_OTHER}"
    # ir_version, a small number, followed by the producer's name.
    if head[0] == 0x08 and 0 < head[1] < 32 and head[2:3] in (b"\x12", b"\x3a", b"\x42"):
        return f"an ONNX model. {_OTHER}"
    return None


# -- the formats ----------------------------------------------------------------------------


def _is_safetensors(head: bytes) -> bool:
    # The header's length, of 8 bytes, and the header.
    return head[4:9] == b"\0\0\0\0{"


def _read_safetensors(
    file: IO[bytes], name: str, size: int, header: int, path: Path | None
) -> dict[str, torch.Tensor]:
    try:
        if path is not None:
            loaded: dict[str, torch.Tensor] = safetensors.torch.load_file(path)
        else:
            loaded = safetensors.torch.load(file.read())
        return loaded
    except Exception as error:  # the library's error type is not public in all versions
        if header + 8 > size or "incomplete" in str(error).lower():
            raise WeightsError(f"{name} ends too early. {_AGAIN}") from error
        raise WeightsError(
            f"{name} cannot be read as safetensors ({first_line(error)}). {_AGAIN}"
        ) from error


def _read_zip(file: IO[bytes], name: str) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"{name} ends too early, or is damaged. {_AGAIN}") from error
    last = {member.rpartition("/")[2] for member in members}
    if any("/code/" in f"/{member}" for member in members) and "constants.pkl" in last:
        raise WeightsError(
            f"{name} is a TorchScript program, which does not show its layers. Save its weights: "
            f"torch.save(torch.jit.load({name!r}).state_dict(), 'weights.pth')."
        )
    if "data.pkl" not in last:
        raise WeightsError(f"{name} is {_describe_archive(members)}")
    file.seek(0)
    try:
        return _load_weights_only(file)
    except Exception as error:  # torch raises errors of many types
        raise _load_error(file, name, error) from error


def _load_weights_only(file: IO[bytes]) -> Any:
    with safe_globals(_CONTAINERS):
        return torch.load(file, map_location="cpu", weights_only=True)


def _load_error(file: IO[bytes], name: str, error: Exception) -> WeightsError:
    """Return the error for a zip archive of ``torch.save`` that is refused; torch's message advises unsafe loading."""
    objects: list[str] = []
    try:
        file.seek(0)
        with safe_globals(_CONTAINERS):
            objects = sorted(get_unsafe_globals_in_checkpoint(file))
    except Exception as second:  # a damaged file has no names
        log_error(second, f"The objects in {name} cannot be listed.", level=logging.DEBUG)
        return _damaged_error(name, error)
    harmful = next((o for o in objects if _HARMFUL.match(o)), None)
    if harmful is not None:
        return _harmful_error(name, harmful)
    return _extra_content_error(name, objects) if objects else _damaged_error(name, error)


def _extra_content_error(name: str, objects: list[str]) -> WeightsError:
    found = ", ".join(objects[:3]) + (", …" if len(objects) > 3 else "")
    return WeightsError(
        f"{name} holds more than weights, such as a whole module or the settings of a training run ({found}), which "
        f"cannot be read without running code. {_CONVERT}"
    )


def _describe_archive(members: list[str]) -> str:
    """Return what a zip archive is that torch.save has not written, with the remedy."""
    if "archive_format" in {m.rpartition("/")[2] for m in members}:
        return f"an exported program (torch.export), which does not show its layers. Save the module's weights: {SAVE}."
    if members and all(m.endswith(".npy") for m in members):
        return f"a file of NumPy arrays. {_OTHER}"
    if any(m.endswith(".h5") for m in members):
        return f"a Keras model. {_OTHER}"
    inside = [m for m in members if m.lower().endswith((".pth", ".pt", ".ckpt", ".safetensors"))]
    found = f" It holds {', '.join(inside[:3])}." if inside else ""
    return f"a zip archive that torch.save has not written.{found} Unpack it first."


def _read_pickle(file: IO[bytes], name: str) -> Any:
    """Read a pickle, as torch.save wrote before version 1.6."""
    try:
        with warnings.catch_warnings():
            # Warning about pickles of a newer protocol than torch's.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return _load_weights_only(file)
    except Exception as error:  # torch raises errors of many types
        file.seek(0)
        if (found := re.search(r"GLOBAL (\S+)", str(error))) is not None:
            is_harm = _HARMFUL.match(found[1]) is not None
            raise (
                _harmful_error(name, found[1])
                if is_harm
                else _extra_content_error(name, [found[1]])
            ) from error
        raise WeightsError(
            f"{name} cannot be read as weights: it is a pickle that is damaged, or that torch.save has not written. "
            f"{_CONVERT}"
        ) from error


def _damaged_error(name: str, error: Exception) -> WeightsError:
    # Without the library's message, which may advise unsafe loading.
    return WeightsError(
        f"{name} cannot be read as weights: it is damaged, or holds what no state dict does "
        f"({type(error).__name__}). {_AGAIN} {_CONVERT}"
    )


def _harmful_error(name: str, what: str) -> WeightsError:
    return WeightsError(
        f"{name} would call {what} when it is unpickled, which no weights need: it may do harm. Nothing of it was "
        "run. Do not load it elsewhere either, unless you know who made it."
    )


# -- several files ---------------------------------------------------------------------------


def _read_sharded(path: Path) -> dict[str, torch.Tensor]:
    """Read weights that are split into several files, which a JSON file lists, as transformers saves large models."""
    try:
        parts = json.loads(path.read_text("utf-8"))["weight_map"]
        names = sorted({Path(part).name for part in parts.values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path.name} is a text (JSON), not weights. {_OTHER}") from error
    state: dict[str, torch.Tensor] = {}
    for name in names:
        if not (path.parent / name).is_file():
            raise WeightsError(
                f"{path.name} lists {name}, which is not in the same folder. {_AGAIN}"
            )
        state |= read_file(path.parent / name)
    return state


def _describe_folder(path: Path) -> str:
    if (path / "data.pkl").is_file():
        return (
            f"{path.name} is a folder: a file of torch.save that was unpacked, as some systems do unasked. Pass the "
            "file itself, or zip the folder again without compression."
        )
    endings = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
    found = sorted(p.name for p in path.iterdir() if p.name.lower().endswith(endings))
    files = f" It holds {', '.join(found[:3])}{', …' if len(found) > 3 else ''}." if found else ""
    return f"{path.name} is a folder; weights= takes a file.{files}"
