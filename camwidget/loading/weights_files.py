"""Weights files: the format told by the first bytes, and reading without running any code of the file."""

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

#: How to save weights so that everybody can read them.
SAVE = "torch.save(module.state_dict(), 'weights.pth')"

_PULL = "Run git lfs pull where it comes from, or download the file itself."
_AGAIN = "Download or copy it again."
_CONVERT = f"Where you trust the file, load it once with the program that wrote it, and save its weights alone: {SAVE}."
_OTHER = f"camwidget reads what PyTorch saves: {SAVE}, or safetensors."

#: First bytes (at a place), what such a file is, and what to do.
_SIGNS: tuple[tuple[int, bytes, str, str], ...] = (
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

#: What is read beside tensors and plain containers: the options of a command line, which training programs save with
#: their weights. To make one runs no code of the file.
_CONTAINERS: list[Any] = [argparse.Namespace]
#: Modules, and names of ``builtins``, that weights have no use for, and whoever wants to do harm has. (Pickles call
#: ``subprocess`` by its old name.)
_HARMFUL = re.compile(
    r"(os|posix|nt|sys|subprocess|commands|shutil|socket|runpy|pty|importlib|ctypes)\.|"
    r"(builtins|__builtin__)\.(eval|exec|compile|open|__import__|breakpoint|input)$"
)

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")


def read_file(path: Path) -> Any:
    """What a file holds: a state dict, or whatever was saved with one in it.

    Raises:
        WeightsError: if the file is missing or damaged, or of a kind that holds no PyTorch weights; says which.
    """
    if path.is_dir():
        raise WeightsError(_folder(path))
    if not path.is_file():
        raise WeightsError(f"There is no file {str(path)!r} of weights (looked in {Path.cwd()}).")
    try:
        with path.open("rb") as file:
            return _read(file, path.name, path)
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def read_bytes(file: bytes | IO[bytes]) -> Any:
    """The same of a file in memory, or one that is open: all of it, wherever it stands.

    Raises:
        WeightsError: also of a file that is closed, or opened for text.
    """
    if isinstance(file, bytes):
        return _read(io.BytesIO(file), "The file given", None)
    if getattr(file, "closed", False) is True:
        raise WeightsError("The file given is closed: open it again, or pass its path.")
    try:
        file.seek(0)
    except (OSError, AttributeError):  # a stream, which is read once
        content = file.read()
        file = io.BytesIO(content if isinstance(content, bytes) else b"")
    if not isinstance(file.read(0), bytes):
        raise WeightsError("The file given is opened as text: open it with mode 'rb'.")
    return _read(file, "The file given", None)


def _read(file: IO[bytes], name: str, path: Path | None) -> Any:
    head = file.read(512)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if path is not None and head[:1] == b"{" and not _is_safetensors(head):
        return _listed(path)
    if (refusal := _refusal(head, size)) is not None:
        raise WeightsError(f"{name} is {refusal}")
    if _is_safetensors(head):
        return _safetensors(file, name, size, int.from_bytes(head[:8], "little"), path)
    if head.startswith(b"PK"):
        return _zipped(file, name)
    if head[:1] == b"\x80":
        return _pickled(file, name)
    raise WeightsError(
        f"{name} cannot be read as weights: neither torch.save nor safetensors wrote it. {_OTHER}"
    )


def _refusal(head: bytes, size: int) -> str | None:
    """What a file is, and what to do, if it surely holds no weights."""
    if not size:
        return f"empty. {_AGAIN}"
    for place, sign, what, remedy in _SIGNS:
        if head[place:].startswith(sign):
            return f"{what}. {remedy}"
    if head.startswith(_PICTURES):
        return "a picture, not weights. The picture is for camwidget.explain(model, picture)."
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page, such as a download ends with where one has to log in. Download the file itself."
    if text.startswith((b"{", b"[")) and not _is_safetensors(head):
        return f"a text (JSON), not weights. {_OTHER}"
    # ir_version, a small number, and then the producer's name.
    if head[0] == 0x08 and 0 < head[1] < 32 and head[2:3] in (b"\x12", b"\x3a", b"\x42"):
        return f"an ONNX model. {_OTHER}"
    return None


# -- the formats ----------------------------------------------------------------------------


def _is_safetensors(head: bytes) -> bool:
    # The header's length, of 8 bytes, and the header.
    return head[4:9] == b"\0\0\0\0{"


def _safetensors(
    file: IO[bytes], name: str, size: int, header: int, path: Path | None
) -> dict[str, torch.Tensor]:
    try:
        if path is not None:
            loaded: dict[str, torch.Tensor] = safetensors.torch.load_file(path)
        else:
            loaded = safetensors.torch.load(file.read())
        return loaded
    except Exception as error:  # the library's own kind is not public everywhere
        if header + 8 > size or "incomplete" in str(error).lower():
            raise WeightsError(f"{name} ends too early. {_AGAIN}") from error
        raise WeightsError(
            f"{name} cannot be read as safetensors ({first_line(error)}). {_AGAIN}"
        ) from error


def _zipped(file: IO[bytes], name: str) -> Any:
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
        raise WeightsError(f"{name} is {_archive(members)}")
    file.seek(0)
    try:
        return _plain(file)
    except Exception as error:  # torch raises many kinds
        raise _refused(file, name, error) from error


def _plain(file: IO[bytes]) -> Any:
    with safe_globals(_CONTAINERS):
        return torch.load(file, map_location="cpu", weights_only=True)


def _refused(file: IO[bytes], name: str, error: Exception) -> WeightsError:
    """Why a zip archive of ``torch.save`` is not read, in our own words: torch's advise to switch its safety off."""
    objects: list[str] = []
    try:
        file.seek(0)
        with safe_globals(_CONTAINERS):
            objects = sorted(get_unsafe_globals_in_checkpoint(file))
    except Exception as second:  # damaged: then nothing in it has a name
        log_error(second, f"The objects in {name} cannot be listed.", level=logging.DEBUG)
        return _damaged(name, error)
    harmful = next((o for o in objects if _HARMFUL.match(o)), None)
    if harmful is not None:
        return _harmful(name, harmful)
    return _holds_more(name, objects) if objects else _damaged(name, error)


def _holds_more(name: str, objects: list[str]) -> WeightsError:
    found = ", ".join(objects[:3]) + (", …" if len(objects) > 3 else "")
    return WeightsError(
        f"{name} holds more than weights, such as a whole module or the settings of a training run ({found}), which "
        f"cannot be read without running code. {_CONVERT}"
    )


def _archive(members: list[str]) -> str:
    """What a zip archive is that torch.save has not written, and what to do."""
    if "archive_format" in {m.rpartition("/")[2] for m in members}:
        return f"an exported program (torch.export), which does not show its layers. Save the module's weights: {SAVE}."
    if members and all(m.endswith(".npy") for m in members):
        return f"a file of NumPy arrays. {_OTHER}"
    if any(m.endswith(".h5") for m in members):
        return f"a Keras model. {_OTHER}"
    inside = [m for m in members if m.lower().endswith((".pth", ".pt", ".ckpt", ".safetensors"))]
    found = f" It holds {', '.join(inside[:3])}." if inside else ""
    return f"a zip archive that torch.save has not written.{found} Unpack it first."


def _pickled(file: IO[bytes], name: str) -> Any:
    """A pickle: what torch.save wrote before version 1.6, or something else's."""
    try:
        with warnings.catch_warnings():
            # Of pickles that are newer than any of torch's.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return _plain(file)
    except Exception as error:  # torch raises many kinds
        file.seek(0)
        if (found := re.search(r"GLOBAL (\S+)", str(error))) is not None:
            is_harm = _HARMFUL.match(found[1]) is not None
            raise (
                _harmful(name, found[1]) if is_harm else _holds_more(name, [found[1]])
            ) from error
        raise WeightsError(
            f"{name} cannot be read as weights: it is a pickle that is damaged, or that torch.save has not written. "
            f"{_CONVERT}"
        ) from error


def _damaged(name: str, error: Exception) -> WeightsError:
    # A library's words may advise to switch its safety off.
    return WeightsError(
        f"{name} cannot be read as weights: it is damaged, or holds what no state dict does "
        f"({type(error).__name__}). {_AGAIN} {_CONVERT}"
    )


def _harmful(name: str, what: str) -> WeightsError:
    return WeightsError(
        f"{name} would call {what} when it is unpickled, which no weights need: it may do harm. Nothing of it was "
        "run. Do not load it elsewhere either, unless you know who made it."
    )


# -- several files ---------------------------------------------------------------------------


def _listed(path: Path) -> dict[str, torch.Tensor]:
    """The weights that lie in several files beside a list of them, as transformers saves large ones."""
    try:
        parts = json.loads(path.read_text("utf-8"))["weight_map"]
        names = sorted({Path(part).name for part in parts.values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path.name} is a text (JSON), not weights. {_OTHER}") from error
    state: dict[str, torch.Tensor] = {}
    for name in names:
        if not (path.parent / name).is_file():
            raise WeightsError(f"{path.name} lists {name}, which is not beside it. {_AGAIN}")
        state |= read_file(path.parent / name)
    return state


def _folder(path: Path) -> str:
    if (path / "data.pkl").is_file():
        return (
            f"{path.name} is a folder: a file of torch.save that was unpacked, as some systems do unasked. Pass the "
            "file itself, or zip the folder again without compression."
        )
    endings = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
    found = sorted(p.name for p in path.iterdir() if p.name.lower().endswith(endings))
    files = f" It holds {', '.join(found[:3])}{', …' if len(found) > 3 else ''}." if found else ""
    return f"{path.name} is a folder; weights= takes a file.{files}"
