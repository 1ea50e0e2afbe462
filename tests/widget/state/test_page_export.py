"""The offline page says what the widget says, in the same words: both are held to one list of sentences.

``python tests/widget/state/test_page_export.py`` writes the list anew; ``js/tests/sentences.test.ts`` reads it.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from camwidget.attribution.explanation import Explanation
from camwidget.attribution.targets import ClassTarget, Contrast, Counterfactual, Target
from camwidget.masking.user_mask import as_paint
from camwidget.models.vision_model import Prediction
from camwidget.widget.view import sentences
from camwidget.widget.view.mask_settings import MaskSettings, is_unmasked

SAID = Path(__file__).resolve().parents[3] / "js" / "tests" / "kernel" / "sentences.json"


def cases() -> list[dict[str, Any]]:
    """Every kind of sentence, with numbers that are exact halves of a digit among them."""
    halves = (0.125, 0.375, 0.625, 0.875, 0.005, 0.0049, 0.015, 0.0, 1.0)
    found = []
    draw = random.Random(0)
    for mode, method in itertools.product(
        ("remove", "keep", "multiply"), ("gradcam", "random", "center")
    ):
        for n in range(40):
            before, after = (
                draw.choice(halves) if n % 2 else draw.randrange(10_001) / 10_000 for _ in range(2)
            )
            found.append(
                {
                    "name": draw.choice(("tabby", "<b>lynx</b>", "a “cat”")),
                    "method": method,
                    "layer": "stage4",
                    "mode": mode,
                    "baseline": "black" if n % 3 else "blur",
                    "fraction": draw.randrange(201) / 200,
                    "before": before,
                    "after": None if n % 10 == 9 else after,
                    "evident": draw.choice((0, 1, 8, 36, 40, 64, 64, 64)) / 64,
                    "quantity": None,
                    "alone": False,
                }
            )
    sizes = (0.0, -0.0, 0.5, -2.5, 12.5, 58.25, -58.24, 1234.5, 2.5e-4, -3e-12, 99.95, 8e6)
    for before, after, unit in itertools.product(sizes, sizes, ("years", "")):
        quantity = {"unit": unit}
        found.append(
            {**found[0], "before": before, "after": after, "evident": 1, "quantity": quantity}
        )
    for quantity, alone in itertools.product(
        (None, {"unit": "years"}, {"unit": ""}), (True, False)
    ):
        found.append({**found[0], "evident": 0, "quantity": quantity, "alone": alone})
    plain = [{**case, "evidence": f"for {case['name']}", "rival": None} for case in found]
    against = [{**case, "evidence": f"against {case['name']}"} for case in plain[::7]]
    rather = [
        {
            **case,
            "evidence": f"for {case['name']} rather than lynx",
            "rival": {
                "name": "lynx",
                "before": draw.randrange(101) / 100,
                "after": None if case["after"] is None else draw.randrange(101) / 100,
            },
        }
        for case in plain[::7]
    ]
    painted = [
        {**case, "painted": {"hidden": hidden / 64, "kept": kept / 64}}
        for case, (hidden, kept) in zip(
            plain[::3], itertools.cycle(((0, 0), (5, 0), (0, 7), (3, 9), (64, 0))), strict=False
        )
    ]
    everything = {"mode": "keep", "fraction": 0, "before": 0.5, "after": 0.25, "evident": 1}
    painted += [
        {**plain[0], **everything, "baseline": baseline, "painted": {"hidden": 5 / 64, "kept": 0}}
        for baseline in ("blur", "black")
    ]
    changed = [
        {**case, "first": "a <b>dog</b>"} for case in [*plain[::11], *rather[::5], *painted[::9]]
    ]
    return [*plain, *against, *rather, *painted, *changed]


def target(case: dict[str, Any]) -> Target:
    one = ClassTarget(0, case["name"])
    if case["rival"] is not None:
        return Contrast(one, ClassTarget(1, case["rival"]["name"]))
    return Counterfactual(one) if case["evidence"].startswith("against") else one


def said(case: dict[str, Any]) -> str:
    others = ((0,), ("",), (0.0,)) if case["alone"] else ((), (), ())
    saliency = np.zeros(64, np.float32)
    saliency[: round(64 * case["evident"])] = 1
    explanation = Explanation(
        saliency=saliency.reshape(8, 8),
        raw=saliency.reshape(8, 8),
        target=target(case),
        method=case["method"],
        method_label="",
        layer=case["layer"],
        prediction=Prediction(*others)
        if case["quantity"] is None
        else Prediction(*others, "value", case["quantity"]["unit"]),
        pixels=np.zeros((8, 8, 3), np.uint8),
        model="",
    )
    paint = None
    if "painted" in case:
        hidden, kept = (round(64 * case["painted"][name]) for name in ("hidden", "kept"))
        paint = as_paint(np.repeat([1, -1, 0], [hidden, kept, 64 - hidden - kept]).reshape(8, 8))
    mask = MaskSettings(case["mode"], case["baseline"], case["fraction"], paint)
    # A picture that stays whole has no other answer.
    after = None if is_unmasked(mask, explanation) else case["after"]
    rival = case["rival"]
    numbers = None
    if rival is not None and after is not None:
        numbers = (rival["name"], rival["before"], rival["after"])
    return sentences.sentence(
        explanation, mask, case["before"], after, case.get("first"), rival=numbers
    )


def listed() -> list[dict[str, Any]]:
    return [{"of": case, "said": said(case)} for case in cases()]


def test_the_list_is_what_the_widget_says() -> None:
    assert json.loads(SAID.read_text("utf-8")) == listed()


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in listed())
    SAID.write_text(f"[\n{lines}\n]\n", "utf-8")
