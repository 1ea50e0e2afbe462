"""Conversion of pictures of every type, and errors for invalid ones."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from camwidget.errors import PictureError
from camwidget.images import conversion
from camwidget.images.containers import as_batch, list_entries
from camwidget.images.conversion import open_picture, tensor_pixels
from camwidget.images.preprocess import Preprocess
from camwidget.widget.control.pictures import list_pictures


@pytest.fixture
def picture() -> np.ndarray:
    """Red, green, blue and gray quarters, 24 × 32."""
    array = np.zeros((24, 32, 3), np.uint8)
    array[:12, :16], array[:12, 16:], array[12:, :16] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    array[12:, 16:] = 120
    return array


def encoded(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()


def test_sources_agree(picture: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "quarters.png"
    Image.fromarray(picture).save(path)
    sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), picture]
    sources += [Image.open(path), picture / 255.0, picture.astype(np.float32) / 255]
    for source in sources:
        result = open_picture(source)
        assert result.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(result), picture)


def test_exif_orientation_is_applied(picture: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 270° to see it upright
    data = encoded(Image.fromarray(picture), format="PNG", exif=exif)
    np.testing.assert_array_equal(np.asarray(open_picture(data)), np.rot90(picture, 3))


@pytest.mark.parametrize("bits", ["array", "file"])
def test_sixteen_bits_are_scaled_not_clipped(bits: str, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    source: object = ramp
    if bits == "file":
        source = tmp_path / "ramp.png"
        Image.fromarray(ramp).save(source)
    result = np.asarray(open_picture(source))[..., 0]
    np.testing.assert_array_equal(result, np.round(ramp / 257).astype(np.uint8))


def test_cmyk_keeps_its_colors(picture: np.ndarray) -> None:
    data = encoded(Image.fromarray(picture).convert("CMYK"), format="TIFF")
    difference = np.asarray(open_picture(data)).astype(int) - picture
    assert np.abs(difference).max() <= 2


def test_palette_keeps_its_colors(picture: np.ndarray) -> None:
    image = Image.fromarray(picture).quantize(8)
    np.testing.assert_array_equal(
        np.asarray(open_picture(encoded(image, format="PNG"))), np.asarray(image.convert("RGB"))
    )


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette"])
def test_transparency_lies_on_white(kind: str, picture: np.ndarray) -> None:
    if kind == "palette":
        image = Image.fromarray(picture).quantize(8)
        image.info["transparency"] = image.getpixel((0, 0))
        data = encoded(image, format="PNG", transparency=image.info["transparency"])
    else:
        image = Image.fromarray(picture).convert(kind)
        alpha = Image.fromarray(
            np.where(np.arange(24 * 32).reshape(24, 32) < 32 * 6, 0, 255).astype(np.uint8)
        )
        image.putalpha(alpha)
        data = encoded(image, format="PNG")
    assert tuple(np.asarray(open_picture(data))[0, 0]) == (255, 255, 255)


def test_gray_of_32_bits_made_from_8_keeps_its_brightness(picture: np.ndarray) -> None:
    gray = Image.fromarray(picture).convert("L")
    np.testing.assert_array_equal(
        np.asarray(open_picture(gray.convert("I")))[..., 0], np.asarray(gray)
    )


def test_byte_order_does_not_matter() -> None:
    ramp = np.linspace(0, 65535, 1024).reshape(32, 32)
    big, little = (np.asarray(open_picture(ramp.astype(t))) for t in (">u2", "<u2"))
    np.testing.assert_array_equal(big, little)


def test_addresses_are_not_fetched() -> None:
    with pytest.raises(PictureError, match="Nothing is fetched"):
        open_picture("https://example.org/cat.jpg")


def test_animation_gives_its_first_frame(picture: np.ndarray) -> None:
    frames = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    data = encoded(frames[0], format="WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(np.asarray(open_picture(data)), picture)
    late = Image.open(io.BytesIO(data))
    late.seek(1)
    np.testing.assert_array_equal(np.asarray(open_picture(late)), 255 - picture)
    assert late.tell() == 1, "someone else's image is left where it was"


def test_truncated_file_is_refused(picture: np.ndarray) -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noisy), format="JPEG")
    with pytest.raises(PictureError, match=r"photo.jpg is damaged or incomplete.*again"):
        open_picture(data[: len(data) // 2], name="photo.jpg")


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    with pytest.raises(PictureError, match="notes.txt is not a picture"):
        open_picture(path)
    with pytest.raises(PictureError, match=r"no file .*missing.png"):
        open_picture(tmp_path / "missing.png")
    with pytest.raises(PictureError, match="not a picture|bytes, a PIL image"):
        open_picture(42)  # type: ignore[arg-type]


def test_files_that_cannot_be_read_are_called_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (16, 16)).save(path)
    closed, written = path.open("rb"), (tmp_path / "b.png").open("wb")
    closed.close()
    image = Image.open(path)
    image.close()
    for source, what in (
        (closed, "is closed: open it again"),
        (image, "is closed: open it again"),
        (io.StringIO("text"), "opened as text.*'rb'"),
        (path.open(encoding="latin-1"), "opened as text.*'rb'"),
        (written, "for writing only"),
    ):
        with pytest.raises(PictureError, match=what):
            open_picture(source)
        if hasattr(source, "close"):
            source.close()


def test_what_another_library_reads_keeps_its_levels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((16, 16), np.float64))
    dicom = b"\0" * 128 + b"DICM" + b"\0" * 64
    for name, content, what in (
        ("a.npy", None, "numpy.load.*levels="),
        ("b", (tmp_path / "a.npy").read_bytes(), "numpy.load"),
        ("c.dcm", dicom, "pydicom.dcmread.*levels="),
        ("d", dicom, "pydicom.dcmread"),
        ("e.tif", b"II*\0" + b"\0" * 64, "tifffile.imread.*levels="),
        ("f.jpg", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("g.jpg", b"\n<!DOCTYPE html><html>", "HTML.*download the picture itself"),
        ("h.svg", b"<?xml version='1.0'?><svg>", "SVG: export it as PNG"),
        ("i.png", b"", "is empty"),
        ("j.xyz", b"something else", "Pillow.*another library.*levels="),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
            if source is path or not name.startswith("c"):
                with pytest.raises(PictureError, match=what):
                    open_picture(source)


def test_paths_in_an_archive(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a.png", "dog/b.png", "dog/.hidden.png"):
            archive.write(tmp_path / "a.png", name)
        archive.writestr("notes.txt", "no picture")
    root = zipfile.Path(tmp_path / "all.zip")
    np.testing.assert_array_equal(np.asarray(open_picture(root / "dog" / "b.png")), picture)
    assert [p.name for p in list_pictures(root)] == ["a.png", "dog/b.png"]
    assert [p.name for p in list_pictures([root / "a.png"])] == ["a.png"]
    assert len(as_batch(root)) == 2
    for path, what in ((root / "c.png", "no file"), (root / "notes.txt", "not a picture")):
        with pytest.raises(PictureError, match=what):
            open_picture(path)


def test_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    """A PNG of a few hundred bytes that claims 40 000 × 40 000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 1000))
    )
    with pytest.raises(PictureError, match="shrink it first|Shrink it first"):
        open_picture(bomb + chunk(b"IEND", b""))


def test_large_picture_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "MAX_PIXELS", 1000)
    with pytest.raises(PictureError, match="megapixels"):
        open_picture(np.zeros((40, 40), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (7, 100, 3)])
def test_tiny_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match="at least 8×8"):
        open_picture(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.zeros((3, 20, 20), np.uint8), r"moveaxis\(array, 0, -1\)"),
        (np.full((20, 20, 3), 200.0), "Divide"),
        (np.full((20, 20, 3), -0.5), "Divide"),
        (np.full((20, 20, 3), np.nan), "NaN"),
        (np.zeros((20, 20, 3), np.int64), r"astype\(np.uint8\)"),
        (np.zeros((20, 20, 2), np.uint8), "not"),
        (np.zeros((2, 2, 2, 2)), "not"),
    ],
)
def test_odd_arrays_are_refused_with_a_remedy(array: np.ndarray, remedy: str) -> None:
    with pytest.raises(PictureError, match=remedy):
        open_picture(array)


@pytest.mark.parametrize(
    ("tensor", "remedy"),
    [
        (torch.randn(3, 20, 20) * 2, "denormalize"),
        (torch.rand(3, 20, 20) * 255, "divide it by 255"),
        (torch.rand(20, 20, 3), "not"),
        (torch.rand(1, 20, 20, 3), "movedim"),
        (torch.rand(2, 3, 4, 20, 20), "shape"),
        (torch.full((3, 20, 20), torch.nan), "nan_to_num"),
        (torch.zeros((3, 20, 20), dtype=torch.int64), "uint8"),
        (torch.rand(3, 4, 4), "at least 8×8"),
        (torch.rand(0, 3, 20, 20), "at least"),
    ],
)
def test_odd_tensors_are_refused_with_a_remedy(tensor: torch.Tensor, remedy: str) -> None:
    with pytest.raises(PictureError, match=remedy):
        tensor_pixels(tensor)


def test_tensor_pixels_accepts_uint8() -> None:
    tensor = torch.randint(0, 256, (3, 9, 9), dtype=torch.uint8)
    torch.testing.assert_close(tensor_pixels(tensor), tensor[None] / 255)


def test_a_tensor_of_whole_numbers_is_resized_and_cropped_like_any_picture() -> None:
    """Only a floating-point one is taken to be the model's pixels already."""
    array = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    tensor = torch.from_numpy(array).movedim(-1, 0)
    preprocess = Preprocess(32, resize=40)
    expected = preprocess.pixels(array)
    assert torch.equal(preprocess.pixels(tensor), expected)
    assert torch.equal(preprocess.pixels(tensor[None]), expected)
    assert torch.equal(preprocess.pixels(tv_tensors.Image(tensor)), expected)
    assert preprocess.pixels(tensor / 255).shape == (3, 90, 120)
    np.testing.assert_array_equal(np.asarray(open_picture(tensor)), array)
    clear = np.dstack([array, np.full((90, 120), 128, np.uint8)])
    found = preprocess.pixels(torch.from_numpy(clear).movedim(-1, 0))
    assert torch.equal(found, preprocess.pixels(clear)), "transparency is laid on white"
    for values in (array[..., 0].astype(np.uint16) * 200, array[..., 0] > 128):
        found = preprocess.pixels(torch.from_numpy(values)[None])
        assert torch.equal(found, preprocess.pixels(values))
    wide = Preprocess(32, levels=(0, 500))
    whole = torch.from_numpy(array.astype(np.int64))
    assert torch.equal(wide.pixels(whole.movedim(-1, 0)), wide.pixels(array.astype(np.int64)))
    with pytest.raises(PictureError, match="not a batch of 2"):
        preprocess.pixels(tensor.expand(2, -1, -1, -1))


@pytest.mark.parametrize(
    ("tensor", "remedy"),
    [
        (torch.zeros(3, 32, 32).to_sparse(), r"sparse: pass tensor\.to_dense"),
        (torch.zeros(3, 32, 32, device="meta"), "meta.*no values"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8, device="meta"), "meta.*no values"),
        (torch.zeros(3, 32, 32, dtype=torch.complex64), r"complex: pass tensor\.abs"),
        (
            torch.nested.nested_tensor([torch.zeros(3, 32, 32)] * 2, layout=torch.jagged),
            "nested.*unbind",
        ),
    ],
)
def test_tensors_without_plain_values_are_refused(tensor: torch.Tensor, remedy: str) -> None:
    for take in (Preprocess(32).pixels, list_entries, as_batch, open_picture):
        with pytest.raises(PictureError, match=remedy):
            take(tensor)


def test_what_rounding_leaves_beyond_is_clipped_and_what_is_more_is_said_as_it_is() -> None:
    """A quarter of a level of 8 bits, in whatever precision."""
    plain = np.full((32, 32, 3), 0.5)
    preprocess = Preprocess(32)

    def both(low: float, high: float) -> list[object]:
        array = plain.copy()
        array[0, 0, 0], array[1, 1, 1] = low, high
        return [array, torch.from_numpy(array).movedim(-1, 0)]

    for source in [*both(-1e-6, 1.000001), *both(0, 1.0009)]:
        pixels = preprocess.pixels(source)  # type: ignore[arg-type]
        assert pixels.min() >= 0 and pixels.max() == 1
    half = torch.full((3, 32, 32), 1.0005).half()
    assert half.max() > 1 and preprocess.pixels(half).max() == 1
    for source in both(0, 1.00123):
        with pytest.raises(PictureError, match=r"ranges from 0 to 1\.00123.*clip"):
            preprocess.pixels(source)  # type: ignore[arg-type]
    for bad in (math.nan, math.inf):
        for source in both(0, bad):
            with pytest.raises(PictureError, match="contains NaN or infinity.*nan_to_num"):
                preprocess.pixels(source)  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="from 0 to 200.*divide it by 255"):
        preprocess.pixels(both(0, 200)[1])  # type: ignore[arg-type]


def test_an_address_of_a_file_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="without file://"):
        open_picture((tmp_path / "a.png").as_uri())
