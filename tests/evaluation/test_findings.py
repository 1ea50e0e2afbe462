"""The verdicts of notebooks, recomputed with other pictures by the notebooks' own cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

pytestmark = [pytest.mark.full, pytest.mark.long]

FOLDER = Path(__file__).parents[2] / "notebooks"

#: Another number than the notebooks' draws other pictures.
OTHER_PICTURES = 500_000

#: By notebook, settings that take less time: without methods that no finding names and that run the model hundreds of
#: times, fewer pictures, shorter training.
FEWER: dict[str, dict[str, Any]] = {
    "05_evaluating_explanations": {
        "METHODS": ["gradcam", "saliency", "c-mwp", "scorecam"],
        "STUDY": ["gradcam++", "relevancecam"],
        "LOGIT": ["gradcam", "guided-backprop"],
    },
    "11_mistakes": {},
    "12_weak_segmentation": {"EPOCHS": 4},
    "13_textures_by_transfer": {"PICTURES": 10},
    "14_clips": {"CLIPS": 32},
}


def cells(notebook: str) -> list[dict[str, Any]]:
    """The cells that the findings need, in their order."""
    found = json.loads((FOLDER / f"{notebook}.ipynb").read_text("utf-8"))["cells"]
    return [cell for cell in found if "findings" in cell["metadata"].get("tags", ())]


def printed_verdicts(notebook: str) -> dict[str, str]:
    """The verdict of each finding in the committed output."""
    text = "".join(
        "".join(output.get("text", ""))
        for cell in cells(notebook)
        if "FINDINGS = [" in "".join(cell["source"])
        for output in cell["outputs"]
    )
    return {line[14:].strip(): line[:14].strip() for line in text.splitlines()}


class Recomputed(NamedTuple):
    """The verdicts that a notebook prints, and those of other pictures."""

    printed: dict[str, str]
    verdicts: pd.DataFrame


@pytest.fixture(scope="module", params=FEWER)
def recomputed(request: pytest.FixtureRequest) -> Recomputed:
    notebook, namespace = request.param, dict[str, Any]()
    for cell in cells(notebook):
        exec("".join(cell["source"]), namespace)
        if "parameters" in cell["metadata"]["tags"]:
            fewer = FEWER[notebook]
            assert namespace["FIRST"] != OTHER_PICTURES and fewer.keys() <= namespace.keys()
            namespace.update(fewer, FIRST=OTHER_PICTURES)
    return Recomputed(printed_verdicts(notebook), namespace["verdicts"].set_index("finding"))


def test_each_finding_has_a_source_a_difference_and_a_verdict(recomputed: Recomputed) -> None:
    printed, again = recomputed
    assert printed.keys() == set(again.index) and len(printed) >= 3
    assert set(printed.values()) <= {"holds", "does not hold", "cannot tell"}
    assert (again["source"] != "").all()
    assert again["difference"].str.fullmatch(r"[+-]\d.* \[[+-]\d.*, [+-]\d.*\]").all()


def test_no_verdict_flips_with_other_pictures(recomputed: Recomputed) -> None:
    """Where a notebook cannot tell, it states nothing, and other pictures may decide."""
    again = recomputed.verdicts["verdict"].to_dict()
    decided = {k: v for k, v in recomputed.printed.items() if v != "cannot tell"}
    assert decided and {k: again[k] for k in decided} == decided
