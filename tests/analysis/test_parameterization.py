"""The parameterized picture: noise, blur, erasure and random transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from camwidget.analysis.feature_visualization.parameterization import FourierImage, random_transform


def fourier_image(
    size: tuple[int, int] = (30, 41), contrast: float = 1.0, spectrum: float = 1.0
) -> FourierImage:
    return FourierImage(
        size,
        3,
        spectrum=spectrum,
        contrast=contrast,
        generator=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
    )


def test_blur_is_a_gaussian() -> None:
    from scipy.ndimage import gaussian_filter

    image = fourier_image()
    before = image.field().detach().numpy()
    image.blur(1.5)
    wanted = np.stack([gaussian_filter(plane, 1.5, mode="wrap", truncate=6) for plane in before])
    np.testing.assert_allclose(image.field().detach().numpy(), wanted, atol=2e-3)


def test_erasing_changes_only_what_is_least() -> None:
    image = fourier_image()
    before = image.field().detach()
    importance = before.norm(dim=0)
    image.erase(importance, 25)
    after = image.field().detach()
    least = importance <= importance.flatten().kthvalue(round(30 * 41 * 0.25)).values
    assert after[:, least].abs().max() < 1e-4
    torch.testing.assert_close(after[:, ~least], before[:, ~least], atol=1e-4, rtol=0)


def test_noise_has_the_contrast_and_the_spectrum_asked_for() -> None:
    flat = fourier_image((128, 128), 0.5, 0.0).field().detach().mean(0)
    assert float(flat.std()) == pytest.approx(0.5, rel=0.1)
    natural = fourier_image((128, 128), 0.5, 1.0).field().detach().mean(0)
    power = torch.fft.fft2(natural).abs().square()
    assert float(power[0, 1:4].mean()) > 50 * float(power[0, 40:60].mean())


def test_random_transform_moves_by_pixels() -> None:
    picture = torch.rand((3, 20, 30), generator=torch.Generator().manual_seed(0))
    same = random_transform(picture, torch.Generator().manual_seed(0), jitter=0, scale=0, rotate=0)
    assert same is picture
    for seed in range(5):
        draw_numbers = torch.Generator().manual_seed(seed)
        down, across = (2 * torch.rand(4, generator=draw_numbers, dtype=torch.float64) - 1)[:2]
        jitter = 3 / float(across.abs())  # a whole number of pixels across
        moved = random_transform(
            picture, torch.Generator().manual_seed(seed), jitter=jitter, scale=0, rotate=0
        )
        shift = 3 * int(across.sign())
        rows = float(down) * jitter
        low = int(np.floor(rows))
        part = rows - low
        y, x = 10, 15
        wanted = (1 - part) * picture[:, y + low, x + shift] + part * picture[
            :, y + low + 1, x + shift
        ]
        torch.testing.assert_close(moved[:, y, x], wanted, atol=1e-4, rtol=0)
