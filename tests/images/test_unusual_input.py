"""Random pictures, files and model outputs: a map, or a ``CamwidgetError``."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import view_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from torch import nn

import camwidget as cw

few = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SIZES = st.sampled_from([(1, 1), (1, 7), (3000, 2), (2, 3000), (5, 4), (33, 64)])
MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "F",
)


def explained(model: cw.VisionModel, image: Any) -> None:
    """Either a sound map, or an error of camwidget's own, in words."""
    try:
        found = cw.explain(model, image)
    except cw.CamwidgetError:
        pass
    else:
        assert (
            np.isfinite(found.saliency).all()
            and found.saliency.min() >= 0 <= found.saliency.max() <= 1
        )


@pytest.mark.parametrize("mode", MODES)
@few
@given(size=SIZES, seed=st.integers(0, 9))
def test_pictures_of_any_mode(
    textures: cw.VisionModel, mode: str, size: tuple[int, int], seed: int
) -> None:
    length = len(Image.new(mode, size).tobytes())
    content = np.random.default_rng(seed).bytes(length)
    explained(textures, Image.frombytes(mode, size, content))


@few
@given(
    hnp.arrays(
        dtype=st.one_of(
            hnp.floating_dtypes(sizes=(16, 32, 64)),
            hnp.integer_dtypes(),
            hnp.unsigned_integer_dtypes(),
            hnp.boolean_dtypes(),
            hnp.complex_number_dtypes(),
            st.just(np.dtype("O")),
            st.just(np.dtype("U3")),
            st.just(np.dtype("M8[s]")),
        ),
        shape=hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
    )
)
def test_arrays_of_any_kind(textures: cw.VisionModel, array: np.ndarray) -> None:
    explained(textures, array)


@few
@given(
    shape=st.lists(st.integers(0, 9), max_size=5),
    dtype=st.sampled_from(
        [
            torch.float32,
            torch.float16,
            torch.bfloat16,
            torch.uint8,
            torch.int64,
            torch.bool,
            torch.complex64,
        ]
    ),
    fill=st.sampled_from([0, 1, -1, 300, math.nan, math.inf, 1e30]),
)
def test_tensors_of_any_kind(
    textures: cw.VisionModel, shape: list[int], dtype: torch.dtype, fill: float
) -> None:
    exact = fill if dtype.is_floating_point or math.isfinite(fill) else 1
    explained(textures, torch.zeros(shape).add(exact).to(dtype))


@few
@given(
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]),
    keep=st.floats(0, 1),
    flip=st.integers(0, 400),
)
def test_bytes_cut_and_bent(textures: cw.VisionModel, kind: str, keep: float, flip: int) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (20, 16), (200, 30, 90)).save(stream, kind)
    content = bytearray(stream.getvalue())
    content[flip % len(content)] ^= 0xFF
    explained(textures, bytes(content[: int(keep * len(content))]))


@few
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
        max_leaves=4,
    )
)
def test_what_is_no_picture(textures: cw.VisionModel, thing: Any) -> None:
    explained(textures, thing)


# -- models ----------------------------------------------------------------------------------


class Odd(nn.Module):
    """A small net whose answer is made into something else."""

    def __init__(self, change: Any, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, classes)
        self.change = change

    def forward(self, x: torch.Tensor) -> Any:
        return self.change(self.head(self.conv(x).relu().mean((2, 3))))


ODD: dict[str, Any] = {
    "as it is": lambda y: y,
    "a tuple": lambda y: (y, y.sum()),
    "a list of none": lambda y: [],
    "a dictionary": lambda y: {"logits": y},
    "no logits in it": lambda y: {"boxes": y.sum()},
    "nested": lambda y: {"out": [{"a": (y,)}]},
    "none": lambda y: None,
    "text": lambda y: "tabby",
    "a number": lambda y: 3.0,
    "a scalar": lambda y: y.sum(),
    "NaN": lambda y: y * math.nan,
    "inf": lambda y: y * math.inf,
    "huge": lambda y: y * 1e38,
    "whole numbers": lambda y: y.long(),
    "truths": lambda y: y > 0,
    "complex": lambda y: y.to(torch.complex64),
    "half": lambda y: y.half(),
    "another batch": lambda y: torch.cat([y, y, y]),
    "no batch": lambda y: y[0],
    "an empty batch": lambda y: y[:0],
    "four dimensions": lambda y: y[:, :, None, None],
    "a picture": lambda y: y[:, :, None, None].expand(-1, -1, 3, 5),
    "five dimensions": lambda y: y[:, :, None, None, None],
    "detached": lambda y: y.detach(),
    "numpy": lambda y: y.detach().numpy(),
}


@pytest.mark.parametrize("classes", [0, 1, 3])
@pytest.mark.parametrize("name", ODD)
def test_models_of_odd_outputs(name: str, classes: int, recwarn: Any) -> None:
    """Wrapped, explained by methods of each family, and explored: a map or a named error, and never a traceback."""
    torch.manual_seed(0)
    try:
        model = cw.wrap(Odd(ODD[name], classes).eval(), cw.Preprocess(size=16))
    except cw.CamwidgetError:
        return
    picture = np.full((16, 16, 3), 128, np.uint8)
    for method in (
        "gradcam",
        "cam",
        "integrated-gradients",
        "lrp",
        "scorecam",
        "occlusion",
        "random",
    ):
        try:
            found = cw.explain(model, picture, method=method)
        except cw.CamwidgetError:
            pass
        else:
            assert np.isfinite(found.saliency).all()
    try:
        explorer = cw.Explorer(model, picture).wait(60)
    except cw.CamwidgetError:
        return
    error = view_of(explorer).error
    assert not error.split(":")[0].endswith(("Error", "Exception")), error
    explorer.close()
