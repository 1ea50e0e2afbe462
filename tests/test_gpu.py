"""A GPU: results equal the CPU's, the explorer runs there, and lack of memory and a lost device are survived.

Skipped where there is no CUDA device. Convolutions and matrix products round to TF32 on a GPU unless PyTorch is told
otherwise; here it is told, so that what differs is a fault.
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from explorer_internals import parts_of
from module_fingerprint import fingerprint

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.batched_inference import rerun_probabilities
from camwidget.attribution.methods import get_method
from camwidget.attribution.targets import resolve_target
from camwidget.attribution.trace import Trace
from camwidget.execution.host_copies import copied_to_host

if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

#: Few passes for methods that run the model again.
SETTINGS = {
    "rise": {"masks": 60},
    "occlusion": {"window": 48, "stride": 24},
    "integrated-gradients": {"steps": 8},
    "smoothgrad": {"samples": 3},
}
SAMPLE = zoo.samples("zoo/textures")[0]


def quiet(done: int, total: int) -> None:
    """No bar."""


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    """Round as the CPU does."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def pair(name: str) -> tuple[cw.VisionModel, cw.VisionModel]:
    """An embedded model on the CPU and on the GPU."""
    models = cw.load(name, device="cpu"), cw.load(name, device="cuda")
    if models[0].prompt is not None and models[0].prompt.name == "question":
        question = models[0].prompt.examples[0]
        return models[0].given(question=question), models[1].given(question=question)
    return models


@pytest.fixture(scope="module")
def textures_pair() -> tuple[cw.VisionModel, cw.VisionModel]:
    return pair("zoo/textures")


@pytest.fixture(scope="module")
def transformers_pair() -> tuple[cw.VisionModel, cw.VisionModel]:
    return pair("zoo/scenes-vit")


def assert_same_map(found: cw.Explanation, expected: cw.Explanation) -> None:
    """Two maps are equal but for the rounding of float32."""
    assert found.raw.shape == expected.raw.shape
    extent = np.abs(expected.raw).max()
    np.testing.assert_allclose(found.raw, expected.raw, rtol=0, atol=2e-3 * extent)
    np.testing.assert_allclose(found.saliency, expected.saliency, rtol=0, atol=0.01)


@pytest.mark.parametrize("name", [method.name for method in cw.list_methods()])
def test_a_methods_map_equals_the_cpus(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel],
    transformers_pair: tuple[cw.VisionModel, cw.VisionModel],
    name: str,
) -> None:
    method = cw.get_method(name, **SETTINGS.get(name, {}))
    on_cpu, on_gpu = transformers_pair if method.group == "Attention" else textures_pair
    sample = zoo.samples(on_cpu.name)[0]
    before = fingerprint(on_gpu.module), torch.cuda.get_rng_state(on_gpu.device)
    expected, found = (
        cw.explain(model, sample.image, 1, method, progress=quiet) for model in (on_cpu, on_gpu)
    )
    assert_same_map(found, expected)
    assert fingerprint(on_gpu.module) == before[0]
    assert torch.equal(torch.cuda.get_rng_state(on_gpu.device), before[1])


@pytest.mark.parametrize(
    "name", ["gradcam", "layercam", "lrp", "chefer", "attention-rollout", "legrad"]
)
def test_a_transformers_map_equals_the_cpus(
    transformers_pair: tuple[cw.VisionModel, cw.VisionModel], name: str
) -> None:
    image = zoo.samples("zoo/scenes-vit")[1].image
    expected, found = (
        cw.explain(model, image, 0, name, progress=quiet) for model in transformers_pair
    )
    assert_same_map(found, expected)


@pytest.mark.parametrize("name", cw.list_models())
def test_a_models_answer_equals_the_cpus(name: str) -> None:
    on_cpu, on_gpu = pair(name)
    image = zoo.samples(name)[0].image
    expected, found = (cw.explain(model, image, progress=quiet) for model in (on_cpu, on_gpu))
    assert found.target == expected.target
    assert_same_map(found, expected)


@pytest.mark.parametrize("name", [metric.name for metric in cw.list_metrics()])
def test_a_metric_equals_the_cpus(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel], name: str
) -> None:
    values = []
    for model in textures_pair:
        maps = list(cw.explain(model, SAMPLE.image, SAMPLE.label, ["gradcam", "layercam"]))
        rows = cw.measure(model, SAMPLE, maps, name, label=SAMPLE.label, progress=quiet)
        values.append([row[name].value for row in rows])
    np.testing.assert_allclose(values[1], values[0], rtol=0.02, atol=2e-3, equal_nan=True)


def test_a_mask_curve_equals_the_cpus(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel],
) -> None:
    exp = cw.explain(textures_pair[0], SAMPLE.image, SAMPLE.label)
    expected, found = (
        cw.mask_curve(model, SAMPLE.image, exp, SAMPLE.label, progress=quiet)
        for model in textures_pair
    )
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precisions_agree(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel], precision: str
) -> None:
    _, on_gpu = textures_pair
    for method in ("gradcam", "scorecam"):
        exact = cw.explain(on_gpu, SAMPLE.image, SAMPLE.label, method, progress=quiet)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a small net may be slower with it, which is said
            half = cw.explain(
                on_gpu, SAMPLE.image, SAMPLE.label, method, precision=precision, progress=quiet
            )
        assert np.corrcoef(half.raw.ravel(), exact.raw.ravel())[0, 1] > 0.99


def test_the_explorer_runs_there(textures_pair: tuple[cw.VisionModel, cw.VisionModel]) -> None:
    """What a person does, on both devices: the numbers that are shown are the same."""
    shown = []
    for model in textures_pair:
        ex = cw.Explorer(model)
        try:
            ex.wait(120)
            ex.target = 3
            ex.method = "layercam"
            ex.fraction = 0.3
            ex.wait(120)
            ex.picture = 1
            ex.method = "gradcam"
            ex.wait(120)
            ex.fraction = 0.1
            ex.wait(120)
            view = parts_of(ex).view
            assert not view.error
            names = [row["name"] for row in view.rows]
            unmasked = [row["unmasked"] for row in view.rows]
            saliency = np.array(ex.explanation.saliency)
            shown.append((view.sentence, names, unmasked, list(view.masked), saliency))
        finally:
            ex.close()
    (sentence, names, unmasked, masked, saliency), there = shown
    assert (sentence, names) == there[:2]
    np.testing.assert_allclose(there[2], unmasked, atol=1e-4)
    np.testing.assert_allclose(there[3], masked, atol=1e-3)
    np.testing.assert_allclose(there[4], saliency, atol=0.01)


def test_the_host_waits_only_for_results(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel],
) -> None:
    """A remembered pass, a class's gradient and its map, up to the copy of the map to the host."""
    _, model = textures_pair
    pixels = torch.from_numpy(np.asarray(SAMPLE.image)).permute(2, 0, 1).float() / 255
    pixels = pixels.to(model.device)
    for name in ("gradcam", "gradcam++", "layercam", "cam"):
        compute = get_method(name).compute
        trace = Trace(model, pixels[None], [model.default_layer])
        compute(trace, resolve_target(model, 0), model.default_layer)
        target = resolve_target(model, 1)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            compute(trace, target, model.default_layer)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_batch_is_queued_before_the_last_ones_results_are_waited_for() -> None:
    """While the host prepares the next batch, the GPU computes; the results are each batch's own."""
    begun: list[int] = []

    def batches() -> Iterator[list[torch.Tensor]]:
        for number in range(4):
            begun.append(number)
            large = torch.full((4096, 4096), float(number), device="cuda")
            yield [(large @ torch.eye(4096, device="cuda"))[:2, 0].clone(), large[0, :3]]

    for number, (product, row) in enumerate(copied_to_host(batches())):
        assert begun == list(range(min(number + 2, 4)))
        assert product.tolist() == [number] * 2 and row.tolist() == [number] * 3
        assert product.device.type == "cpu"


def test_a_series_of_several_batches_equals_the_cpus(
    textures_pair: tuple[cw.VisionModel, cw.VisionModel],
) -> None:
    pixels = torch.rand((400, 3, 192, 192), generator=torch.Generator().manual_seed(0))
    expected, found = (
        torch.cat(
            list(rerun_probabilities(model, 400, lambda a, b, m=model: m.inputs(pixels[a:b])))
        )
        for model in textures_pair
    )
    assert found.device.type == "cpu"
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_lack_of_memory_halves_the_batch() -> None:
    """Batches that do not fit are halved, and the map is the same."""
    torch.manual_seed(0)
    import torchvision

    module = torchvision.models.resnet18(weights=None).eval()
    on_gpu = cw.wrap(copy.deepcopy(module).cuda(), cw.Preprocess((224, 224)))
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    method = cw.get_method("rise", masks=400)
    expected = cw.explain(on_gpu, image, 5, method, progress=quiet)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    taken = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((taken + 300e6) / total)
    try:
        torch.cuda.reset_peak_memory_stats()
        found = cw.explain(on_gpu, image, 5, method, progress=quiet)
        assert torch.cuda.max_memory_reserved() <= taken + 300e6
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    np.testing.assert_allclose(found.raw, expected.raw, atol=1e-3 * np.abs(expected.raw).max())


LOST = """
import logging, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
import camwidget as cw
from explorer_internals import parts_of
logging.disable(logging.CRITICAL)
ex = cw.Explorer(cw.load(device="cuda")).wait(120)
before = np.array(ex.explanation.saliency)
try:
    torch.arange(3, device="cuda")[torch.tensor([7], device="cuda")].sum().item()  # the device is lost with this
except RuntimeError:
    pass
ex.method = "layercam"
ex.wait(120)
view = parts_of(ex).view
print("ERROR", view.error)
ex.method = "gradcam"
ex.wait(120)
print("DEVICE", ex.model.device.type, "CLOSE", bool(np.abs(np.array(ex.explanation.saliency) - before).max() < 0.02))
import os
sys.stdout.flush()
os._exit(0)
"""


def test_the_cpu_takes_over_from_a_lost_gpu() -> None:
    """In a process of its own: its device is gone until it ends."""
    support = str(Path(__file__).parent / "support")
    done = subprocess.run(
        [sys.executable, "-c", LOST, support], capture_output=True, text=True, timeout=300
    )
    assert re.search("ERROR .*The GPU was lost: the model is on the CPU now", done.stdout), (
        done.stdout + done.stderr
    )
    assert "DEVICE cpu CLOSE True" in done.stdout
