"""Evaluations of clips: labels, masks with a time axis, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_models import FRAMES, SIDE, clip_model, clips
from PIL import Image

import camwidget as cw
from camwidget.errors import DataError, MetricError, ModelError

MODEL = clip_model()
CLIPS = clips(3)
MASK = np.zeros((FRAMES, SIDE, SIDE), bool)
MASK[1:3, 4:12, 2:10] = True


def energies(data: Any, **options: Any) -> list[float]:
    found = cw.evaluate(MODEL, data, "gradcam", "energy", **options)
    return list(found.rows["energy"])


def expected(clips: Any, mask: np.ndarray = MASK, target: str = "b") -> list[float]:
    maps = [cw.explain(MODEL, clip, target).saliency for clip in clips]
    return [float(m[mask].sum() / m.sum()) for m in maps]


def test_a_truth_is_a_mask_of_every_frame() -> None:
    wanted = pytest.approx(expected(CLIPS), rel=1e-4)
    assert energies([(clip, "b", MASK) for clip in CLIPS]) == wanted
    parts = np.stack([MASK & (np.arange(FRAMES) == 1)[:, None, None], MASK])
    assert energies([(list(clip), "b", parts) for clip in CLIPS]) == wanted
    assert energies([(clip, "b") for clip in CLIPS], truth=lambda n, element: MASK) == wanted
    pixels = torch.from_numpy(CLIPS).permute(0, 4, 1, 2, 3) / 255
    assert energies([(clip, 1, MASK) for clip in pixels]) == wanted
    strips = pixels.flatten(2, 3)
    assert energies([(clip, 1, MASK) for clip in strips]) == wanted
    loader = torch.utils.data.DataLoader(list(zip(pixels, [1, 1, 1], strict=True)), batch_size=2)
    assert energies(loader, truth=lambda n, element: MASK) == wanted


def test_masks_of_a_longer_clip_are_those_of_the_frames_that_the_model_gets() -> None:
    longer, mask = np.repeat(CLIPS, 3, 1), np.repeat(MASK, 3, 0)
    found = energies([(clip, "b", mask) for clip in longer])
    assert found == pytest.approx(expected(CLIPS), rel=1e-4)


def test_files_of_clips_have_their_folders_as_classes(tmp_path: Path) -> None:
    for name, clip in zip("bb", CLIPS[:2], strict=True):
        folder = tmp_path / name / f"{len(list(tmp_path.rglob('*.png')))}"
        folder.mkdir(parents=True)
        for n, frame in enumerate(clip):
            Image.fromarray(frame).save(folder / f"{n}.png")
    listed = [(path, path.parent.name) for path in sorted(tmp_path.glob("*/*"))]
    assert len(listed) == 2
    found = energies(listed, truth=lambda n, element: MASK)
    assert found == pytest.approx(expected(CLIPS[:2]), rel=1e-4)
    with pytest.raises(DataError, match=r"a list of \(clip, class\), such as \[\(path"):
        energies(tmp_path)


def test_metrics_of_pictures_are_refused_before_anything_is_computed() -> None:
    data = [(clip, "b", MASK) for clip in CLIPS]
    with pytest.raises(MetricError, match=r"not defined for clips.*'energy'"):
        cw.evaluate(MODEL, data, "gradcam", ["energy", "iou"])
    scored = cw.evaluate(MODEL, data, ["gradcam", "random"], ["drop", "deletion"])
    assert len(scored.rows) == 6
    assert not scored.rows[["drop", "deletion"]].isna().any(axis=None)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([(CLIPS[0], "b", [2, 2, 9, 9])], r"a mask \(T, H, W\) of 0 and 1"),
        ([(CLIPS[0], "b", MASK[0])], r"a mask \(T, H, W\) of 0 and 1"),
        ([(CLIPS[0], "b", MASK * 7)], r"mask > 0"),
        (torch.from_numpy(CLIPS), r"list\(zip\(images, classes\)\)"),
        (CLIPS[0], r"for one picture pass a list of it"),
        ([list(CLIPS[0])], r"passed as \(\[frame, …\], class\)"),
    ],
)
def test_what_is_no_data_of_clips_is_refused_with_the_remedy(data: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        energies(data)


def test_a_mask_of_other_frames_skips_its_clip() -> None:
    data = [(CLIPS[0], "b", MASK[:3]), (CLIPS[1], "b", MASK)]
    found = cw.evaluate(MODEL, data, "gradcam", "energy")
    (reason,) = found.skipped["reason"]
    assert "(3, 16, 16)" in reason and "its frames" in reason
    assert len(found.rows) == 1


def test_a_survey_and_a_quiz_of_clips_say_what_there_is_instead() -> None:
    for start in (cw.Survey, cw.Quiz.which_class):
        with pytest.raises(ModelError, match=r"works on pictures.*evaluate"):
            start(MODEL, [(CLIPS[0], "b")])
