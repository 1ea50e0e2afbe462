"""Pictures resized by PIL and cropped by torchvision, to which the live page is held byte for byte.

``python tests/export/test_resampling_cases.py`` writes them anew; ``js/tests/resampling.test.ts`` reads them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from camwidget.export.live_payload import FILTERS
from camwidget.images.preprocess import Preprocess

CASES = Path(__file__).resolve().parents[2] / "js" / "tests" / "kernel" / "resampling.json"

#: Width and height, and what becomes of them: smaller, larger, as large, odd crops, padding, one side stretched.
SIZES: tuple[tuple[int, int, int | tuple[int, int], tuple[int, int]], ...] = (
    (37, 23, 12, (11, 11)),
    (23, 37, 9, (8, 7)),
    (16, 16, 16, (16, 16)),
    (9, 11, 20, (19, 17)),
    (40, 10, (13, 9), (13, 9)),
    (11, 9, 6, (8, 9)),
    (64, 8, 5, (5, 5)),
)


def text(values: np.ndarray) -> str:
    return base64.b64encode(values.astype(np.uint8).tobytes()).decode()


def cases() -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    found = []
    for name in FILTERS:
        for width, height, resize, size in SIZES:
            for channels in (3, 1) if name == "bilinear" else (3,):
                # Blocks and noise: extremes are clipped, and ties are rounded.
                values = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
                values[: height // 2] = 255 * (values[: height // 2] > 127)
                preprocess = Preprocess(
                    size,
                    resize=resize,
                    interpolation=name,
                    mean=(0,) * channels,
                    std=(1,) * channels,
                )
                result = (preprocess.pixels(Image.fromarray(values)) * 255).round()
                found.append(
                    {
                        "width": width,
                        "height": height,
                        "picture": text(values),
                        "channels": channels,
                        "geometry": {"size": size, "resize": resize, "filter": name},
                        "result": text(result.permute(1, 2, 0).numpy()),
                    }
                )
    return found


def test_the_cases_are_those_of_this_pil() -> None:
    assert json.loads(CASES.read_text("utf-8")) == json.loads(json.dumps(cases()))


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), indent=1) + "\n", "utf-8")
