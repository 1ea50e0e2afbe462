"""What a detector or a segmenter finds, by the kernel; the live page's own findings and sentences are held to it.

``python tests/export/test_finding_cases.py`` writes the cases anew; ``js/tests/liveFindings.test.ts`` reads them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from camwidget.analysis.mask_curve import MaskCurve
from camwidget.export.findings_payload import drawn_findings
from camwidget.models.class_names import unique_names
from camwidget.models.detections import Detection, FoundBoxes
from camwidget.models.findings import (
    LOST_BELOW,
    Findings,
    FollowedBox,
    areas_found,
    boxes_followed,
)
from camwidget.widget.view.findings import change_note, lost_note

CASES = Path(__file__).resolve().parents[2] / "js" / "tests" / "kernel" / "findings.json"

#: Rows and columns of the picture.
SIZE = (40, 60)
LABELS = ("disc", "star", "<b>square</b>")


def encoded(values: Any, kind: str = "<f4") -> str:
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()


def rounded(value: float) -> float:
    """Without the last bits, which depend on the processor."""
    return round(float(value), 6)


def boxes(draw: np.random.Generator, count: int, *, has_labels: bool) -> FoundBoxes:
    corner = draw.uniform(-5, 40, (count, 2))
    size = draw.uniform(4, 30, (count, 2))
    labels = torch.from_numpy(draw.integers(0, 4, count)) if has_labels else None
    shape = (count,) if has_labels else (count, len(LABELS))
    return FoundBoxes(
        torch.from_numpy(np.concatenate([corner, corner + size], 1)).float(),
        torch.from_numpy(draw.uniform(0, 1, shape)).float(),
        labels,
        SIZE,
    )


def name_of(label: int) -> str:
    return LABELS[label] if label < len(LABELS) else f"label {label}"


def tensors(found: FoundBoxes) -> dict[str, Any]:
    return {
        "boxes": encoded(found.boxes),
        "scores": encoded(found.scores),
        "labels": None if found.labels is None else encoded(found.labels),
    }


def box_cases() -> list[dict[str, Any]]:
    draw = np.random.default_rng(3)
    cases = []
    for number in range(8):
        has_labels = number % 2 == 0
        before = boxes(draw, 12, has_labels=has_labels)
        count = 0 if number == 6 else 12
        after = boxes(draw, count, has_labels=has_labels)
        if number % 4 > 1:  # boxes that have moved a little
            moved = before.boxes + torch.from_numpy(draw.uniform(-2, 2, (12, 4))).float()
            after = FoundBoxes(moved, before.scores * 0.9, before.labels, SIZE)
        chosen: list[Detection] = before.detections(0.3, name_of)
        names = unique_names([one.name for one in chosen], len(chosen))
        wanted = torch.tensor([one.box for one in chosen])
        labels = torch.tensor([one.label for one in chosen])
        found = [boxes_followed(one, chosen, np.zeros(len(chosen))) for one in (before, after)]
        cases.append(
            {
                "before": tensors(before),
                "after": tensors(after),
                "names": list(names),
                "chosen": [
                    {"box": list(one.box), "label": one.label, "score": rounded(one.score)}
                    for one in chosen
                ],
                "products": [*map(rounded, after.matches(wanted, labels))],
                "drawn": [
                    {**one, "score": rounded(one["score"])}
                    for one in drawn_findings(found[1], names, SIZE)["boxes"]
                ],
                "notes": [change_note(k, *found) for k in range(len(chosen))],
            }
        )
    return cases


def area_cases() -> list[dict[str, Any]]:
    draw = np.random.default_rng(4)
    region = np.zeros(SIZE, bool)
    region[5:30, 10:50] = True
    cases = []
    for asked in (None, region):
        pair: list[Findings] = []
        given = []
        for _ in range(2):
            coarse = torch.from_numpy(draw.normal(0, 3, (1, len(LABELS), 5, 6)))
            logits = torch.nn.functional.interpolate(coarse, SIZE, mode="bilinear")[0]
            pair.append(areas_found(logits.softmax(0).float(), asked, np.zeros(len(LABELS))))
            given.append(
                {
                    "areas": encoded(pair[-1].areas, "<u2"),
                    "means": [*map(rounded, pair[-1].means)],
                }
            )
        labels = drawn_findings(pair[1], LABELS, SIZE)["areas"]["labels"]
        cases.append(
            {
                "region": None if asked is None else base64.b64encode(asked.tobytes()).decode(),
                "given": given,
                "shares": [*map(rounded, pair[1].shares)],
                "labels": labels,
                "notes": [change_note(k, *pair) for k in range(len(LABELS))],
            }
        )
    return cases


def lost_cases() -> list[dict[str, Any]]:
    draw = np.random.default_rng(5)
    fractions = np.linspace(0, 1, 6) ** 2
    cases = []
    for mode in ("remove", "keep"):
        for low, high in ((0, 0.2), (0.3, 1), (0, 1), (0, 1), (0, 0.4)):
            for points in (draw.uniform(low, high, 6), np.sort(draw.uniform(low, high, 6))):
                values = points if mode == "keep" else points[::-1]
                curve = MaskCurve(fractions, values, 0, "a", mode, "blur", (), (), values[:, None])
                pairs = [[rounded(a), rounded(b)] for a, b in zip(fractions, values, strict=True)]
                for least in (LOST_BELOW, 0.1):
                    before = FollowedBox((0, 0, 1, 1), 1, 1, least)
                    said = lost_note(curve, before)
                    cases.append({"mode": mode, "points": pairs, "least": least, "said": said})
    return cases


def cases() -> dict[str, Any]:
    return {
        "height": SIZE[0],
        "width": SIZE[1],
        "labels": list(LABELS),
        "boxes": box_cases(),
        "areas": area_cases(),
        "lost": lost_cases(),
    }


def test_the_cases_are_what_the_kernel_finds() -> None:
    assert json.loads(CASES.read_text("utf-8")) == json.loads(json.dumps(cases()))


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases()) + "\n", "utf-8")
