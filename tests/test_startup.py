"""What is imported when: whoever explains a picture by an embedded model does not wait for what others need."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Each takes a tenth of a second or more to import; torchvision's operations alone import torch's compiler.
HEAVY = {
    "IPython",
    "anywidget",
    "bqplot",
    "dask",
    "ipycanvas",
    "ipywidgets",
    "matplotlib.pyplot",
    "pandas",
    "skimage",
    "sklearn",
    "sympy",
    "timm",
    "torch._dynamo",
    "torch._inductor",
    "torch.onnx",
    "torchvision",
    "transformers",
}

BEFORE_A_MAP = HEAVY | {"PIL", "matplotlib", "numpy", "scipy", "torch", "zennit"}

A_MAP = """
import torch
{before}
import camwidget as cw
cw.explain(cw.load(device="cpu"), cw.zoo.samples("zoo/textures")[0].image)
"""

EXPLORED = """
import torch
import camwidget as cw
cw.Explorer(cw.load(device="cpu"), [cw.zoo.samples("zoo/textures")[0].image]).wait()
"""


def imported(code: str) -> set[str]:
    """Names of the modules that a fresh process has imported after some code."""
    show = "import sys; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.splitlines())


def test_the_package_imports_nothing_heavy() -> None:
    assert not imported("import camwidget") & BEFORE_A_MAP


def test_a_first_map_imports_nothing_that_it_does_not_need() -> None:
    found = imported(A_MAP.format(before=""))
    assert "camwidget.attribution.explaining" in found
    assert not found & (HEAVY - imported("import torch"))


@pytest.mark.full
def test_nor_does_an_explorer() -> None:
    """bqplot, which draws its charts, imports pandas; nothing else that is heavy is needed."""
    found = imported(EXPLORED)
    assert "bqplot" in found
    assert not found & {"matplotlib", "skimage", "sklearn", "torch._dynamo", "torchvision"}
    assert not found & {
        f"camwidget.{name}"
        for name in (
            "evaluation.evaluating",
            "export.saved_page",
            "survey.clusters",
            "widget.quiz",
            "widget.survey",
        )
    }
