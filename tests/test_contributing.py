"""The sections of CONTRIBUTING that say how a method, a metric and a panel are added, done as they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import camwidget

ROOT = Path(__file__).parents[1]

TRIAL = """
import camwidget as cw


model = cw.load()
picture = cw.zoo.samples(model.name)[0].image
explained = cw.explain(model, picture, method="mycam")
assert explained.saliency.max() == 1
assert 0 < cw.measure(model, picture, explained, ["remove10"])["remove10"].value <= 1

ex = cw.Explorer(model)
panels = ex._parts.panels
panels.box.selected_index = [t.startswith("Area") for t in panels.box.titles].index(True)
for change in ({"method": "mycam"}, {"method": "gradcam", "target": cw.Counterfactual("waffled")}):
    for name, value in change.items():
        setattr(ex, name, value)
    ex.wait(120)
    panel = next(p for fold in panels.box.children for p in fold.children)
    assert panel.value == f"{(ex.explanation.saliency > 0.5).mean():.0%}", (panel.value, change)
"""


def code(section: str, language: str = "python") -> list[tuple[str, str]]:
    """The path in the first line of each block of a section, and the block."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    text = text[text.index(f"\n## {section}\n") :].split("\n## ", 2)[1]
    blocks = re.findall(rf"```{language}\n# (\S+?\.py)(.*?)\n(.*?)```", text, re.DOTALL)
    return [(path, block) for path, _, block in blocks]


@pytest.mark.full
def test_what_is_added_as_described_works(tmp_path: Path) -> None:
    package = tmp_path / "camwidget"
    shutil.copytree(Path(camwidget.__file__).parent, package)

    def write(path: str, change: str) -> None:
        file = tmp_path / path
        file.write_text((file.read_text("utf-8") if file.exists() else "") + change, "utf-8")

    for section in ("Add a method", "Add a metric"):
        ((path, block),) = code(section)
        write(path, "\n\n" + block)
    (path, block), (place, insertion) = code("Add a panel")
    write(path, block)
    file = tmp_path / place
    source = file.read_text("utf-8")
    end = source.rindex("        if takes_clips:")
    added = "".join(f"        {line}\n" for line in insertion.splitlines())
    source = source[:end] + added + source[end:]
    file.write_text(
        source.replace("\nfrom .attention ", "\nfrom .area import AreaPanel\nfrom .attention "),
        "utf-8",
    )
    ran = subprocess.run(
        [sys.executable, "-c", TRIAL], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
