"""The verdicts of notebook 05, recomputed with other pictures by the notebook's own cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.full

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_evaluating_explanations.ipynb"

#: Another number than the notebook's draws other pictures.
OTHER_PICTURES = 500_000

#: The methods that the findings name, without those that run the model hundreds of times for each map.
FEWER = {
    "METHODS": ["gradcam", "saliency", "c-mwp", "scorecam"],
    "STUDY": ["gradcam++", "relevancecam"],
    "LOGIT": ["gradcam", "guided-backprop"],
}


def cells() -> list[dict[str, Any]]:
    """The cells that the findings need, in their order."""
    found = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return [cell for cell in found if "findings" in cell["metadata"].get("tags", ())]


def printed_verdicts() -> dict[str, str]:
    """The verdict of each finding in the committed output."""
    text = "".join(
        "".join(output.get("text", ""))
        for cell in cells()
        if "FINDINGS = [" in "".join(cell["source"])
        for output in cell["outputs"]
    )
    return {line[14:].strip(): line[:14].strip() for line in text.splitlines()}


@pytest.fixture(scope="module")
def recomputed() -> pd.DataFrame:
    namespace: dict[str, Any] = {}
    for cell in cells():
        exec("".join(cell["source"]), namespace)
        if "parameters" in cell["metadata"]["tags"]:
            assert namespace["FIRST"] != OTHER_PICTURES and FEWER.keys() <= namespace.keys()
            namespace.update(FEWER, FIRST=OTHER_PICTURES)
    return namespace["verdicts"].set_index("finding")


def test_each_finding_has_a_source_a_difference_and_a_verdict(recomputed: pd.DataFrame) -> None:
    printed = printed_verdicts()
    assert printed.keys() == set(recomputed.index) and len(printed) >= 12
    assert set(printed.values()) <= {"holds", "does not hold", "cannot tell"}
    assert (recomputed["source"] != "").all()
    assert recomputed["difference"].str.fullmatch(r"[+-]\d.* \[[+-]\d.*, [+-]\d.*\]").all()


def test_no_verdict_flips_with_other_pictures(recomputed: pd.DataFrame) -> None:
    """Where the notebook cannot tell, it states nothing, and other pictures may decide."""
    again = recomputed["verdict"].to_dict()
    decided = {k: v for k, v in printed_verdicts().items() if v != "cannot tell"}
    assert {k: again[k] for k in decided} == decided
    assert set(decided.values()) == {"holds", "does not hold"}
