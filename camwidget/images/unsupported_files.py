"""Names of file formats that Pillow cannot read, by first bytes and suffix, and how to read them."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

__all__ = ["AN_ARRAY", "HEAD", "check_binary", "first_bytes", "unread_reason"]

#: How many bytes tell what a file is.
HEAD = 512

#: What to do with the values of a file that another library reads.
AN_ARRAY = (
    "pass the array (H, W, channels) that it gives; of values beyond 8 bits with "
    "Preprocess(…, levels=(black, white)), so that none is lost"
)

#: (first bytes, suffixes): what it is, and the library's call.
_ARRAYS: tuple[tuple[tuple[bytes, ...], tuple[str, ...], str, str], ...] = (
    ((b"\x93NUMPY",), (".npy",), "an array of NumPy", "numpy.load"),
    ((), (".npz",), "an archive of NumPy's arrays", "numpy.load"),
    ((), (".dcm", ".dicom"), "a DICOM file", "pydicom.dcmread"),
    (
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        (".tif", ".tiff"),
        "a TIFF file of a kind that Pillow does not read",
        "tifffile.imread",
    ),
    ((b"SIMPLE  =",), (".fits", ".fit"), "a FITS file", "astropy.io.fits.getdata"),
    ((b"\x89HDF",), (".h5", ".hdf5"), "an HDF5 file", "h5py.File"),
    ((), (".nii", ".mha", ".nrrd"), "a medical volume", "SimpleITK.ReadImage"),
    ((b"v/1\x01",), (".exr",), "an OpenEXR file", "imageio.v3.imread"),
    ((), (".mat",), "a file of MATLAB", "scipy.io.loadmat"),
)

#: First bytes: what it is, and what to do.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in the picture's place: run git lfs pull",
    ),
    (b"PK\x03\x04", "a ZIP archive: unpack it, or pass zipfile.Path(file), which is a folder"),
    (b"%PDF", "a PDF document: export the page as PNG"),
    (b"<svg", "a drawing in SVG: export it as PNG"),
    (b"<", "a text of HTML or XML in the picture's place: download the picture itself"),
)


def unread_reason(head: bytes, name: str) -> str:
    """What a file is that Pillow does not read, and what to do: the end of a sentence that begins with its name."""
    if not head:
        return "is empty. Download or export it again."
    for begins, suffixes, kind, call in _ARRAYS:
        if any(map(head.startswith, begins)) or name.lower().endswith(suffixes):
            return f"is {kind}. Read it with {call}, and {AN_ARRAY}."
    if head[128:132] == b"DICM":
        return f"is a DICOM file. Read it with pydicom.dcmread, and {AN_ARRAY}."
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "is of HEIF, which Pillow reads once pillow_heif.register_heif_opener() has been called."
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text.startswith(b"<?xml") and b"<svg" in text:
        text = b"<svg"
    for magic, what in _OTHERS:
        if text.startswith(magic):
            return f"is {what}."
    return (
        "is not a picture that Pillow can read. Save it as PNG or JPEG; or, if another library reads it, "
        f"{AN_ARRAY}."
    )


def first_bytes(source: Any) -> bytes:
    """The first bytes of a path's file or of an opened file, which is left at its beginning."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb") as file:
                return file.read(HEAD)
        source.seek(0)
        head = source.read(HEAD)
        source.seek(0)
        return bytes(head)
    return b"?"  # which says nothing


def check_binary(file: Any) -> str | None:
    """Why an opened file cannot give a picture, and what to do; None if it can."""
    if getattr(file, "closed", False) is True:
        return "is closed: open it again, or pass its path."
    if isinstance(file, io.TextIOBase):
        return (
            "is opened as text, and a picture is bytes: open it with mode 'rb', or pass its path."
        )
    readable = getattr(file, "readable", None)
    if callable(readable) and not readable():
        return "is opened for writing only: open it with mode 'rb', or pass its path."
    return None
