"""Fixtures shared by the tests of several packages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_transformers
import torch
import torchvision
from lab_driver import FLAGS, Lab, LabPage
from torch import nn

import camwidget as cw

#: Of a test: that it has failed.
_failed = pytest.StashKey[bool]()

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real weights and photographs that lie beside the project on some machines."""
    if not (REAL / "labels.json").is_file():
        pytest.skip(f"no real weights and photographs at {REAL}")
    return REAL


@pytest.fixture(scope="session")
def real_model(real_folder: Path) -> cw.VisionModel:
    """SqueezeNet 1.1 with real ImageNet weights."""
    weights = real_folder / "weights" / "squeezenet1_1_imagenet.safetensors"
    return cw.load("squeezenet1_1", weights=weights, device="cpu")


@pytest.fixture(scope="session")
def real_labels(real_folder: Path) -> dict[str, Any]:
    """What is known of each photograph, by file name."""
    return json.loads((real_folder / "labels.json").read_text())


@pytest.fixture(scope="session")
def textures() -> cw.VisionModel:
    """The embedded default model."""
    return cw.load(device="cpu")


@pytest.fixture(scope="session")
def transformer() -> cw.VisionModel:
    """A small vision transformer with random weights, for methods that ask for attention."""
    return cw.wrap(tiny_transformers.seeded(tiny_transformers.Plain()), cw.Preprocess(32))


@pytest.fixture(scope="session")
def random_model() -> Callable[..., cw.VisionModel]:
    """A torchvision architecture with seeded random weights, wrapped."""

    def build(name: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> cw.VisionModel:
        torch.manual_seed(seed)
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        if name.startswith("vgg"):
            # Its three dense layers are nine tenths of its weights; one shows as well that it has no pooled head.
            with torch.device("meta"):
                module = torchvision.models.get_model(name, weights=None)
            module.classifier = nn.Linear(512 * 7 * 7, 1000, device="meta")
            module.to_empty(device="cpu")
            for part in module.modules():
                if hasattr(part, "reset_parameters"):
                    part.reset_parameters()
        else:
            module = torchvision.models.get_model(name, weights=None, **options)
        module = module.eval().to(dtype)
        preset = torchvision.models.get_model_weights(name).DEFAULT
        return cw.wrap(module, preset.transforms(), preset.meta["categories"], name=name)

    return build


@pytest.fixture(scope="session")
def noise() -> torch.Tensor:
    """A smooth random picture, float32 (3, 224, 224) in [0, 1]."""
    coarse = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(7))
    return torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bicubic")[0].clamp(0, 1)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors: on a busy machine several threads wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- a browser -----------------------------------------------------------------------------


def _missing(reason: str) -> None:
    """No browser: a reason to skip, but a failure where everything is meant to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI=true asks for the browser tests")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's or anyone's Chromium, headless."""
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        _missing("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One Lab for all tests."""
    running = Lab(tmp_path_factory.mktemp("lab"))
    try:
        running.wait()
        yield running
    finally:
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure in Lab, say what its pages show."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed:
        item.stash[_failed] = True
    if report.when == "call" and report.failed and lab is not None:
        for page in lab.pages:
            try:
                shown = page.seen()
            except Exception as error:  # a page that is gone, or stuck
                shown = repr(error)
            report.sections.append((f"page {page.page.url}", shown))
        report.sections.append(("Lab's log", lab.log.read_text()[-4000:]))
    return report


@pytest.fixture
def open_page(
    browser: Any, lab: Lab, request: pytest.FixtureRequest
) -> Iterator[Callable[..., LabPage]]:
    """Opens pages, and closes them and their kernels afterwards."""
    pages: list[LabPage] = []

    def build(**options: Any) -> LabPage:
        pages.append(lab.page(browser, **options))
        return pages[-1]

    yield build
    for page in pages:
        page.close(failed=_failed in request.node.stash)
