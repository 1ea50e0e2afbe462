"""What is written out so that torchvision need not be imported gives torchvision's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.ops import box_convert, box_iou
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

import camwidget as cw
from camwidget.errors import ModelError
from camwidget.images.boxes import NOTATIONS, corners, overlaps
from camwidget.images.resizing import center_crop, check_filter, resize
from camwidget.masking.baselines import BASELINES

SIZES = [(37, 23), (23, 37), (16, 16), (9, 11), (300, 7), (7, 301)]


def picture(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", InterpolationMode)
def test_resized_as_by_torchvision(size: tuple[int, int], mode: InterpolationMode) -> None:
    image = picture(*size)
    for wanted in (5, 16, 24, (8, 31), (16, 16)):
        expected = F.resize(image, [wanted] if isinstance(wanted, int) else list(wanted), mode)
        found = resize(image, wanted, check_filter(mode))
        assert found.size == expected.size
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_cropped_as_by_torchvision(size: tuple[int, int]) -> None:
    image = picture(*size)
    for wanted in ((5, 5), (8, 9), (9, 8), (16, 16), (40, 6), (6, 41), (50, 51), (37, 24)):
        expected = F.center_crop(image, list(wanted))
        assert center_crop(image, wanted).tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [0, -3, 32.7, "ab", (1, 2, 3), None])
def test_a_size_that_there_is_not(size: object) -> None:
    with pytest.raises(ModelError, match="size is a number of pixels or"):
        cw.Preprocess(size)
    if size is not None:
        with pytest.raises(ModelError, match="resize is a number of pixels or"):
            cw.Preprocess(32, resize=size)


def test_an_interpolation_that_there_is_not() -> None:
    with pytest.raises(ModelError, match="no interpolation 'cubic'.*'bicubic'"):
        cw.Preprocess(8, interpolation="cubic")


@pytest.mark.parametrize("side", [(12, 12), (64, 40), (3, 9)])
def test_blurred_as_by_torchvision(side: tuple[int, int]) -> None:
    pixels = torch.rand((3, *side), generator=torch.Generator().manual_seed(0))
    sigma = max(min(side) / 20, 1.0)
    size = 2 * max(1, min(int(np.ceil(3 * sigma)), min(side) - 2)) + 1
    expected = F.gaussian_blur(pixels, [size, size], [sigma, sigma])
    torch.testing.assert_close(BASELINES["blur"](pixels), expected, rtol=0, atol=1e-6)


def test_boxes_as_by_torchvision() -> None:
    draw = torch.Generator().manual_seed(0)
    boxes = torch.rand((6, 4), generator=draw) * 50
    for notation in NOTATIONS:
        expected = box_convert(boxes, notation, "xyxy")
        torch.testing.assert_close(corners(boxes, notation), expected)
    first, second = corners(boxes[:4], "xywh"), corners(boxes[3:], "cxcywh")
    for dtype in (torch.float32, torch.float64, torch.int64):
        one, other = first.to(dtype), second.to(dtype)
        torch.testing.assert_close(overlaps(one, other), box_iou(one, other), check_dtype=False)
    half = [boxes.to(torch.float16) for boxes in (first, second)]
    torch.testing.assert_close(overlaps(*half), overlaps(*(boxes.float() for boxes in half)))
