"""A policy net on stacked frames, (N, 4, H, W): what is explained, and what is shown of four channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from saved_page import SavedPage
from torch import nn

import camwidget as cw

ACTIONS = ["stay", "left", "right"]
FRAMES = 4


class Policy(nn.Module):
    """The logits of three actions, from the last four gray frames of a game."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(FRAMES, 8, 4, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 13 * 13, len(ACTIONS)))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.body(frames))
        return found


def stacked() -> np.ndarray:
    """Gray frames (H, W, 4), oldest first: a ball that falls by four rows a frame."""
    frames = np.zeros((32, 32, FRAMES), np.uint8)
    for number in range(FRAMES):
        frames[4 * number : 4 * number + 6, 10:16, number] = 200
    return frames


def test_an_action_is_explained_by_its_equation() -> None:
    module = Policy().eval()
    model = cw.wrap(module, cw.Preprocess(32, mean=[0] * 4, std=[1] * 4), ACTIONS)
    found = cw.explain(model, stacked(), "left", "gradcam", "body")
    inputs = torch.from_numpy(stacked()).permute(2, 0, 1)[None] / 255
    with torch.enable_grad():
        maps = module.body(inputs)
        (gradient,) = torch.autograd.grad(module.head(maps)[0, 1], maps)
    expected = (gradient.mean((2, 3))[..., None, None] * maps).sum(1).relu()[0]
    torch.testing.assert_close(torch.tensor(found.raw), expected.detach(), rtol=1e-4, atol=1e-6)


def test_the_first_three_of_four_frames_are_shown() -> None:
    model = cw.wrap(Policy(), cw.Preprocess(32, mean=[0] * 4, std=[1] * 4), ACTIONS)
    shown = cw.explain(model, stacked()).pixels
    np.testing.assert_array_equal(shown, stacked()[..., :3])


def test_a_masked_pixel_is_replaced_in_all_frames_each_by_its_own_mean() -> None:
    model = cw.wrap(Policy(), cw.Preprocess(32, mean=[0] * 4, std=[1] * 4), ACTIONS)
    hidden = np.ones((32, 32), bool)
    masked = cw.mask_picture(model, stacked(), hidden, baseline="mean")
    means = torch.from_numpy(stacked()).float().mean((0, 1)) / 255
    torch.testing.assert_close(masked[:, 0, 0], (means * 255).round() / 255)


def test_a_saved_page_says_which_frames_are_shown(tmp_path: Path) -> None:
    model = cw.wrap(Policy(), cw.Preprocess(32, mean=[0] * 4, std=[1] * 4), ACTIONS)
    page = SavedPage(cw.save_page(model, stacked(), tmp_path / "page", steps=2).path)
    assert page.data["channels"] == "channels 1 to 3 of 4 shown"
