"""Pictures of more than 8 bits or any number of channels, from file to model and screen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from explorer_internals import view_of
from PIL import Image, TiffImagePlugin
from torch import nn
from torchvision import transforms as T

import camwidget as cw
from camwidget.errors import CamwidgetWarning, ModelError, PictureError
from camwidget.images.array_pictures import ArrayPicture
from camwidget.images.conversion import open_picture, shades, tensor_pixels
from camwidget.images.ground_truth import fit_mask
from camwidget.images.preprocess import Preprocess
from camwidget.masking.masked_pixels import mask_pixels

#: Each of the 4096 levels of 12 bits, once.
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def gray(**settings: object) -> Preprocess:
    return Preprocess(64, mean=[0.0], std=[1.0], **settings)  # type: ignore[arg-type]


def net(channels: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).eval()


@pytest.mark.parametrize(
    "kind", ["array", "big-endian", "int16", "int32", "float", "png", "tiff", "F", "I"]
)
def test_all_levels_reach_the_model(kind: str, tmp_path: Path) -> None:
    source: object = {
        "array": RAMP,
        "big-endian": RAMP.astype(">u2"),
        "int16": RAMP.astype(np.int16),
        "int32": RAMP.astype(np.int32),
        "float": RAMP.astype(np.float64),
        "F": Image.fromarray(RAMP.astype(np.float32)),
        "I": Image.fromarray(RAMP.astype(np.int32)),
    }.get(kind)
    if source is None:
        source = tmp_path / f"ramp.{kind}"
        Image.fromarray(RAMP).save(source)
    pixels = gray(levels=(0, 4095)).pixels(source)  # type: ignore[arg-type]
    np.testing.assert_allclose(pixels[0].numpy(), RAMP / 4095, atol=1e-6)
    assert len(pixels.unique()) == 4096
    wide = Preprocess(64, levels=(0, 4095)).pixels(source)  # type: ignore[arg-type]
    assert torch.equal(wide, pixels.expand(3, -1, -1)), "gray is repeated for RGB"


def test_white_is_a_type_s_greatest_value_whatever_the_picture() -> None:
    """No picture's own values decide; what looks like 12 bits is said, and not stretched."""
    with pytest.warns(UserWarning, match=r"levels=\(0, 4095\)"):
        pixels = gray().pixels(RAMP)
    np.testing.assert_allclose(pixels[0].numpy(), RAMP / 65535, atol=1e-7)
    floats = (RAMP / 4095).astype(np.float32)
    assert torch.equal(gray().pixels(floats)[0], torch.from_numpy(floats))


def test_levels_are_a_window_and_clip_beyond_it() -> None:
    scan = np.linspace(-1024, 3071, 4096).reshape(64, 64).astype(np.int16)
    pixels = gray(levels=(-160, 240)).pixels(scan)[0].numpy()
    np.testing.assert_allclose(pixels, np.clip((scan + 160) / 400, 0, 1), atol=1e-6)
    with pytest.raises(PictureError, match=r"from -1024 to 3071.*levels=\(black, white\)"):
        gray().pixels(scan)
    for wrong in ((1, 1), (2, 1), (0, np.nan), 5, "ab"):
        with pytest.raises(PictureError, match="levels is"):
            gray(levels=wrong)


def test_a_tiff_file_that_says_12_bits_has_12() -> None:
    """Two values in three bytes, as such files pack them."""
    values = (np.arange(16 * 16) * 16 % 4096).astype(np.uint16)
    pairs = values.reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, ((pairs[:, 0] & 15) << 4) | (pairs[:, 1] >> 8), pairs[:, 1] & 255], 1
    ).astype(np.uint8)
    tags = {256: 16, 257: 16, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 16, 279: packed.size}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    head = b"II*\0\x08\0\0\0" + len(tags).to_bytes(2, "little")
    for tag, value in tags.items():
        head += b"".join(
            n.to_bytes(size, "little") for n, size in ((tag, 2), (4, 2), (1, 4), (value, 4))
        )
    file = head + bytes(4) + packed.tobytes()
    pixels = Preprocess(16, mean=[0.0], std=[1.0]).pixels(file)
    np.testing.assert_allclose(pixels.numpy().ravel(), values / 4095, atol=1e-6)


def test_eight_bits_are_treated_as_ever() -> None:
    """Byte for byte by PIL, in whatever container they come."""
    array = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    preprocess = Preprocess(32, resize=40)
    image = Image.fromarray(array)
    expected = T.functional.center_crop(T.functional.resize(image, [40]), [32, 32])
    expected = torch.from_numpy(np.array(expected)).permute(2, 0, 1) / 255
    contained = [array, image, array / 255, (array / 255).astype(np.float32)]
    contained += [array.astype(np.uint16) * 257, np.asfortranarray(array), array[::-1][::-1]]
    for source in contained:
        assert torch.equal(preprocess.pixels(source), expected)


def test_deep_pictures_are_resized_by_the_same_filters() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 65536, (90, 70, 3), dtype=np.uint16)
    rounded = np.round(array / 257).astype(np.uint8)
    for preprocess in (
        Preprocess(32, resize=40),
        Preprocess(32, interpolation=T.InterpolationMode.BICUBIC),
        Preprocess((120, 100), resize=(50, 60)),
    ):
        deep, flat = preprocess.pixels(array), preprocess.pixels(rounded)
        assert deep.shape == flat.shape
        assert (deep - flat).abs().max() < 2.1 / 255
        assert len(deep.unique()) > 256
    luma = Preprocess(64, mean=[0.0], std=[1.0])
    assert (luma.pixels(array) - luma.pixels(rounded)).abs().max() < 2.1 / 255


def test_a_transform_gets_all_levels_where_it_can_take_them() -> None:
    plain = T.Compose(
        [T.Resize(64), T.CenterCrop(64), T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)]
    )
    deep = (RAMP / 4095).astype(np.float32)
    assert len(Preprocess.of(plain).pixels(deep).unique()) == 4096
    only8 = Preprocess(64, geometry=lambda image: T.functional.to_tensor(image.convert("RGB")))
    with pytest.warns(UserWarning, match="8 bits only"):
        pixels = only8.pixels(deep)
    np.testing.assert_allclose(pixels[0].numpy(), np.round(deep * 255) / 255, atol=1e-6)


def test_what_is_not_hidden_keeps_its_levels() -> None:
    pixels = gray(levels=(0, 4095)).pixels(RAMP)
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16
    for baseline in ("blur", "mean", "black", "inpaint"):
        masked = mask_pixels(pixels, levels, [0.5], baseline=baseline)[0, 0]
        hidden = torch.from_numpy(levels < 32768)
        assert torch.equal(masked[~hidden], pixels[0][~hidden])
        filled = masked[hidden] * 255
        assert torch.allclose(filled, filled.round(), atol=1e-4)


def test_transparency_of_deep_pictures_lies_on_white() -> None:
    array = np.zeros((16, 16, 4), np.float32)
    array[:8, :, 3], array[8:, :, 0], array[8:, :, 3] = 0, 0.123, 1
    pixels = Preprocess(16).pixels(array)
    assert bool((pixels[:, :8] == 1).all()) and pixels[0, 12, 3] == pytest.approx(0.123)
    stream = io.BytesIO()
    one = Image.fromarray(np.full((16, 16), 700, np.uint16) + np.eye(16, dtype=np.uint16))
    one.save(stream, "PNG", transparency=700)
    assert Preprocess(16).pixels(stream.getvalue())[0, 0, 1] == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "tensor"])
def test_any_number_of_channels(channels: int, kind: str) -> None:
    model = cw.wrap(net(channels), Preprocess(32, mean=[0.5] * channels, std=[0.5] * channels))
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256 if kind == "uint8" else 65536, (40, 32, channels))
    picture = (
        torch.from_numpy(array / 65535).movedim(-1, 0) if kind == "tensor" else array.astype(kind)
    )
    found = cw.explain(model, picture)
    pixels = model.pixels(picture)[0]
    assert pixels.shape[0] == channels
    np.testing.assert_array_equal(found.pixels, shades(pixels))
    for baseline in ("blur", "inpaint", "telea"):
        curve = cw.mask_curve(model, picture, found, baseline=baseline, steps=3)
        assert np.isfinite(curve.probability).all()
    assert fit_mask(np.eye(40, 32, dtype=bool), model.preprocess).shape == (32, 32)


def test_channels_are_shown_by_a_stated_rule() -> None:
    pixels = torch.arange(12.0)[:, None, None].expand(12, 2, 2) / 255
    assert shades(pixels[:1])[0, 0].tolist() == [0, 0, 0]
    assert shades(pixels[1:3])[0, 0].tolist() == [1, 2, 0]
    assert shades(pixels[1:4])[0, 0].tolist() == [1, 2, 3]
    assert shades(pixels[1:])[0, 0].tolist() == [1, 2, 3]


def test_the_explorer_says_which_channels_are_shown() -> None:
    for channels, note in ((3, ""), (12, "channels 1 to 3 of 12 shown")):
        ex = cw.Explorer(cw.wrap(net(channels)), np.zeros((32, 32, channels), np.uint8)).wait(30)
        assert view_of(ex).error == "" and view_of(ex).explanation["title"].endswith(note)
        ex.close()


def test_the_default_takes_the_first_convolution_s_channels() -> None:
    for channels in (1, 2, 4, 12):
        assert cw.wrap(net(channels)).preprocess.channels == channels


def test_channels_are_neither_made_up_nor_left_out() -> None:
    four, twelve = cw.wrap(net(4)), cw.wrap(net(12))
    clear = Image.new("RGBA", (230, 230), (10, 20, 30, 40))
    assert (four.pixels(clear)[0, :, 5, 5] * 255).round().tolist() == [10, 20, 30, 40]
    with pytest.raises(PictureError, match=r"mode RGB.*takes 4 channels.*transparency"):
        four.pixels(clear.convert("RGB"))
    for source in (
        clear,
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((32, 32)),
        RAMP,
        torch.zeros(3, 32, 32),
    ):
        with pytest.raises(PictureError, match="12"):
            twelve.pixels(source)


def test_gray_pages_are_channels_for_a_model_that_takes_so_many(tmp_path: Path) -> None:
    twelve, four = (
        Preprocess(32, mean=(0.0,) * 12, std=(1.0,) * 12),
        Preprocess(32, mean=(0.0,) * 4, std=(1.0,) * 4),
    )
    rng = np.random.default_rng(0)
    for dtype, most in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        planes = rng.integers(0, 255, (12, 32, 32)).astype(dtype)
        planes = planes / 255 if dtype is np.float32 else planes * (most // 255)
        pages = [Image.fromarray(plane.astype(dtype)) for plane in planes]
        path = tmp_path / f"{np.dtype(dtype)}.tif"
        pages[0].save(path, save_all=True, append_images=pages[1:])
        np.testing.assert_allclose(twelve.pixels(path).numpy(), planes / most, atol=1e-6)
        with Image.open(path) as opened:
            opened.seek(3)
            twelve.pixels(opened)
            assert opened.tell() == 3, "someone else's image is left where it was"
        with pytest.raises(PictureError, match=r"12 gray pages.*takes 4 channels"):
            four.pixels(path)
        assert Preprocess(32).pixels(path).shape == (3, 32, 32), "the first page, for gray and RGB"
    pages = [Image.new("L", (32, 32 + n)) for n in range(4)]
    pages[0].save(tmp_path / "sizes.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PictureError, match="several sizes"):
        four.pixels(tmp_path / "sizes.tif")


def test_a_mode_is_called_by_its_own_name() -> None:
    two, four = (Preprocess(32, mean=(0.0,) * n, std=(1.0,) * n) for n in (2, 4))
    gray = Image.fromarray(np.dstack([np.full((32, 32), v, np.uint8) for v in (10, 40)]), "LA")
    assert (two.pixels(gray)[:, 5, 5] * 255).round().tolist() == [10, 40]
    assert (four.pixels(gray)[:, 5, 5] * 255).round().tolist() == [10, 10, 10, 40]
    inks = Image.new("CMYK", (32, 32), (10, 20, 30, 40))
    with pytest.raises(PictureError, match=r"mode CMYK.*4 channels.*numpy.asarray\(image\)"):
        four.pixels(inks)
    assert (four.pixels(np.asarray(inks))[:, 5, 5] * 255).round().tolist() == [10, 20, 30, 40]
    for mode in ("CMYK", "L", "P", "YCbCr"):
        with pytest.raises(PictureError, match=f"mode {mode}, and this model takes 2"):
            two.pixels(Image.new(mode, (32, 32)))


def test_masked_values_are_not_used() -> None:
    values = np.ma.masked_greater(np.arange(32 * 32, dtype=np.uint8).reshape(32, 32), 200)
    for source in (values, np.ma.stack([values] * 3, axis=2)):
        with pytest.raises(PictureError, match=r"masked.*filled\(0\)"):
            Preprocess(32).pixels(source)
    whole = np.ma.masked_array(values.data, mask=False)
    assert torch.equal(Preprocess(32).pixels(whole), Preprocess(32).pixels(values.data))


def test_three_dimensional_convolutions_that_take_neither_clips_nor_pictures_are_refused() -> None:
    module = nn.Sequential(
        nn.Conv3d(3, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(5, 3)
    )
    with pytest.raises(ModelError, match=r"neither clips \(N, C, 16, H, W\) nor pictures"):
        cw.wrap(module, Preprocess(16))


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint16]
)
def test_tensors_of_other_types(dtype: torch.dtype) -> None:
    ones = torch.ones(3, 16, 16)
    tensor = (ones * (65535 if dtype == torch.uint16 else 1)).to(dtype)
    assert torch.equal(tensor_pixels(tensor)[0], ones)
    assert torch.equal(
        tensor_pixels(torch.full((1, 9, 9), 5), levels=(0, 10)), torch.full((1, 1, 9, 9), 0.5)
    )


def test_arrays_from_elsewhere(tmp_path: Path) -> None:
    """Mapped from a file, read-only, with negative strides."""
    path = tmp_path / "a.npy"
    np.save(path, RAMP)
    for source in (np.load(path, mmap_mode="r"), RAMP[::-1], RAMP.T):
        pixels = gray(levels=(0, 4095)).pixels(source)
        np.testing.assert_allclose(pixels[0].numpy(), np.asarray(source) / 4095, atol=1e-6)
    for empty in (np.zeros((0, 0)), np.zeros((0, 5, 3), np.uint16), np.zeros((5, 0))):
        with pytest.raises(PictureError, match="at least 8×8"):
            open_picture(empty)


def test_a_deep_picture_is_opened_as_it_is_shown() -> None:
    image = open_picture((RAMP / 4095).astype(np.float32))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image)[..., 1], np.round(RAMP / 4095 * 255))
    with pytest.raises(PictureError, match="this model takes 3"):
        ArrayPicture(np.zeros((9, 9, 2), np.uint8)).to_channels(3)


def saved(path: Path, values: np.ndarray, **tags: int) -> Path:
    """A TIFF file of one strip, with the tags as they are given."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for number, value in tags.items():
        info[int(number[1:])] = value
    Image.fromarray(values).save(path, tiffinfo=info)
    return path


def test_a_tiff_whose_zero_is_white_is_not_read_inverted(tmp_path: Path) -> None:
    """Pillow turns those of 8 bits only; scanned radiographs have 16."""
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = saved(tmp_path / "white.tif", values, t262=0)
    expected = 1 - torch.from_numpy(values / 65535).float()
    torch.testing.assert_close(cw.Preprocess(64).pixels(path)[0], expected, atol=1e-4, rtol=0)


def test_32_unsigned_bits_are_not_taken_for_signed_ones(tmp_path: Path) -> None:
    wide = np.linspace(0, 2**32 - 1, 64 * 64).reshape(64, 64).astype(np.uint32)
    path = tmp_path / "wide.tif"
    tifffile.imwrite(path, wide)
    pixels = cw.Preprocess(64, levels=(0, 2**32 - 1)).pixels(path)[0]
    torch.testing.assert_close(
        pixels, torch.from_numpy(wide / (2**32 - 1)).float(), atol=1e-4, rtol=0
    )


def test_floats_below_zero_are_no_8_bits(tmp_path: Path) -> None:
    units = np.linspace(-1024, 200, 64 * 64, dtype=np.float32).reshape(64, 64)
    with pytest.raises(cw.CamwidgetError, match="levels="):
        cw.Preprocess(64).pixels(saved(tmp_path / "units.tif", units))


@pytest.mark.parametrize(("highest", "message"), [(255, "8 bits"), (4095, "12 bits")])
def test_few_levels_of_many_are_said(highest: int, message: str) -> None:
    values = np.full((64, 64), highest, np.uint16)
    for picture in (values, torch.from_numpy(values)[None]):
        with pytest.warns(CamwidgetWarning, match=rf"of {message}.*levels=\(0, {highest}\)"):
            cw.Preprocess(64).pixels(picture)


@pytest.mark.parametrize(
    "address",
    ["HTTP://x.org/a.png", "s3://b/a.png", "data:image/png;base64,AA"],
)
def test_addresses_are_called_what_they_are(address: str) -> None:
    with pytest.raises(cw.CamwidgetError, match="Nothing is fetched|no path"):
        cw.Preprocess(64).pixels(address)
