"""Checkpoint formats: read without running their code, or refused with the cause."""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import pathlib
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save, save_file
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetWarning, ModelError, WeightsError
from camwidget.loading.checkpoints import Checkpoint, fill, read_weights

NAME = "shufflenet_v2_x0_5"
CLASSES = ["a", "b", "c", "d"]


class Settings(dict):  # type: ignore[type-arg]
    """A dictionary of one's own, as configurations are."""


class Tiny(nn.Module):
    """A module of one's own that really has a part called ``model``."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)
        self.register_buffer("scratch", torch.ones(1), persistent=False)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return torchvision.models.get_model(NAME, num_classes=4).state_dict()


def tiny(seed: int = 0) -> Tiny:
    torch.manual_seed(seed)
    return Tiny()


def filled(content: object, tmp_path: Path, name: str = "w.pth") -> nn.Module:
    """A module of other weights, into which a file with this content was loaded."""
    torch.save(content, tmp_path / name)
    module = tiny(9)
    fill(module, Checkpoint(tmp_path / name), "Tiny")
    return module


def prefixed(prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


def is_filled(module: nn.Module, expected: nn.Module) -> bool:
    found = module.state_dict()
    return all(torch.equal(found[n], t) for n, t in expected.state_dict().items())


#: From a module to what a training program saves of it.
KINDS: dict[str, Callable[[nn.Module], Any]] = {
    "plain": lambda m: m.state_dict(),
    "DataParallel": lambda m: prefixed("module.", m),
    "compiled": lambda m: prefixed("_orig_mod.", m),
    "compiled and distributed": lambda m: prefixed("module._orig_mod.", m),
    "its own prefix": lambda m: prefixed("backbone.net.", m),
    "Lightning": lambda m: {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": {**prefixed("model.", m), "criterion.weight": torch.ones(2)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}],
        "callbacks": {"ModelCheckpoint{}": {"best": torch.tensor(0.5)}},
        "hyper_parameters": {"lr": 0.1, "layers": (1, 2)},
    },
    "model_state_dict": lambda m: {
        "model_state_dict": m.state_dict(),
        "optimizer_state_dict": {"state": {0: {"momentum_buffer": torch.ones(4, 3, 3, 3)}}},
        "loss": 0.1,
    },
    "timm": lambda m: {
        "state_dict": m.state_dict(),
        "args": argparse.Namespace(lr=0.1, path="data"),
        "history": collections.OrderedDict(loss=[1.0]),
    },
    "averaged only": lambda m: {"model_ema": {**prefixed("module.", m), "n_averaged": torch.tensor(7)}},
    "a list": lambda m: [m.state_dict(), {"lr": 0.1}],
    "recomputed blocks": lambda m: {
        n.replace("model.0.", "model.0._checkpoint_wrapped_module."): t
        for n, t in m.state_dict().items()
    },
    "profiled": lambda m: {**m.state_dict(), "total_ops": torch.ones(1), "head.total_params": torch.ones(1)},
    "nested": lambda m: {"ckpt": {"weights": {"model": prefixed("module.model._orig_mod.", m)}}},
}  # fmt: skip


#: What is saved with objects of a program's own, and what is said of it.
OBJECTS: dict[str, tuple[Callable[[nn.Module], Any], str]] = {
    "whole module": (lambda m: m, r"Tiny.*load it once.*torch.save\(module.state_dict"),
    "whole DataParallel": (nn.DataParallel, "Tiny"),
    "whole modules among others": (lambda m: {"model": m, "ema": None, "epoch": -1}, "Tiny"),
    "Lightning's settings": (
        lambda m: {"state_dict": m.state_dict(), "hyper_parameters": Settings(lr=0.1)},
        "Settings",
    ),
    "an optimizer": (lambda m: {"net": m.state_dict(), "kind": torch.optim.Adam}, "Adam"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_of_a_program_are_named_and_not_made(kind: str, tmp_path: Path) -> None:
    content, named = OBJECTS[kind]
    with pytest.raises(WeightsError, match=f"holds more than weights.*{named}") as refused:
        filled(content(tiny()), tmp_path)
    assert "weights_only" not in str(refused.value) and "globals" not in str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_are_read(kind: str, tmp_path: Path) -> None:
    module = tiny()
    assert is_filled(filled(KINDS[kind](module), tmp_path), module)


def test_a_module_whose_part_is_called_model_keeps_it(tmp_path: Path) -> None:
    """A list of prefixes would take ``model.`` off, and leave a head that fits nothing."""
    module = tiny()
    assert is_filled(filled(prefixed("model.", module), tmp_path), module)
    assert is_filled(filled({"model": module.state_dict()}, tmp_path), module)


def test_files_that_older_versions_wrote(tmp_path: Path) -> None:
    module, path = tiny(), tmp_path / "old.pth.tar"
    content = {"state_dict": prefixed("module.", module), "epoch": 90}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    other = tiny(9)
    fill(other, Checkpoint(path), "Tiny")
    assert is_filled(other, module)
    torch.save({**content, "args": Settings()}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match=r"Settings.*torch.save\(module.state_dict"):
        Checkpoint(path)


def test_half_precision_becomes_the_modules_own(tmp_path: Path) -> None:
    module = tiny()
    half = {n: t.half() if t.is_floating_point() else t for n, t in module.state_dict().items()}
    loaded = filled(half, tmp_path)
    assert loaded.head.weight.dtype == torch.float32
    torch.testing.assert_close(loaded.head.weight, module.head.weight, atol=1e-3, rtol=1e-3)


def test_shared_and_strided_tensors_of_a_file_that_holds_more(tmp_path: Path) -> None:
    module = tiny()
    module.model[0].weight.data = module.model[0].weight.data.to(memory_format=torch.channels_last)
    module.head.weight.data = torch.arange(16.0).reshape(4, 4)[1:3]
    content = {"net": module.state_dict(), "args": argparse.Namespace()}
    assert is_filled(filled(content, tmp_path), module)


def test_averaged_weights_are_taken_when_asked_for(tmp_path: Path) -> None:
    plain, averaged = tiny(0), tiny(1)
    content = {"state_dict": plain.state_dict(), "state_dict_ema": prefixed("module.", averaged)}
    with pytest.warns(
        CamwidgetWarning, match="'state_dict', which are used.*'state_dict_ema.module'"
    ) as caught:
        assert is_filled(filled(content, tmp_path), plain)
    assert caught[0].filename == __file__
    other = tiny(9)
    fill(other, Checkpoint(read_weights(tmp_path / "w.pth", "state_dict_ema")), "Tiny")
    assert is_filled(other, averaged)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled({"model": plain.state_dict(), "model_ema": plain.state_dict()}, tmp_path)


def test_two_sets_that_fit_are_asked_about(tmp_path: Path) -> None:
    content = {"teacher": prefixed("backbone.", tiny(0)), "student": prefixed("backbone.", tiny(1))}
    with pytest.raises(
        WeightsError, match=r"'teacher.backbone' and 'student.backbone'.*read_weights"
    ):
        filled(content, tmp_path)
    with pytest.raises(WeightsError, match="no part 'pupil'; it has teacher, student"):
        read_weights(tmp_path / "w.pth", "pupil")
    other = tiny(9)
    fill(other, Checkpoint(read_weights(tmp_path / "w.pth", "teacher")), "Tiny")
    assert is_filled(other, tiny(0))


def test_load_takes_files_bytes_and_state_dicts(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.bin"  # told by its content, not by its name
    save_file(state, path)
    packed = io.BytesIO()
    torch.save({"state_dict": {f"model.{n}": t for n, t in state.items()}}, packed)
    sources: list[Any] = [str(path), save(state), packed.getvalue(), packed, state]
    for source in sources:
        if source is packed:
            packed.seek(0)
        model = cw.load(NAME, weights=source, classes=CLASSES, device="cpu")
        assert torch.equal(model.module.state_dict()["fc.weight"], state["fc.weight"])
    assert model.origin is not None and model.origin.weights_in_memory


def test_weights_in_several_files(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    names = [*state]
    parts = {"a.safetensors": names[:100], "b.safetensors": names[100:]}
    for file, inside in parts.items():
        save_file({n: state[n] for n in inside}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {n: f for f, ns in parts.items() for n in ns}}))
    assert read_weights(index).keys() == state.keys()
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(WeightsError, match="lists b.safetensors, which is not in the same folder"):
        read_weights(index)


# -- refused ---------------------------------------------------------------------------------


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), data)
    return file.getvalue()


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 44787750\n"

REFUSED: dict[str, tuple[bytes, str]] = {
    "an LFS pointer": (LFS, "pointer of Git LFS.*git lfs pull"),
    "a web page": (b"\n<!DOCTYPE html><html>Log in</html>", "a web page.*Download the file itself"),
    "an error of a store": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "a web page"),
    "nothing": (b"", "empty"),
    "a text": (b"hello, world, this is no file of weights", "neither torch.save nor safetensors"),
    "JSON": (b'{"architectures": ["ViT"]}', "JSON"),
    "Keras": (b"\x89HDF\r\n\x1a\n" + b"\0" * 90, "HDF5.*Keras"),
    "ONNX": (b"\x08\x08\x12\x07pytorch\x1a\x032.1" + b"\0" * 90, "ONNX"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 90, "gzip.*Unpack"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 90, "a picture"),
    "a zip": (zipped(weights_DOT_pth=b"x"), "zip archive.*weights.pth.*Unpack"),
    "TorchScript": (zipped(m__constants_DOT_pkl=b"", m__data_DOT_pkl=b"", m__code__a_DOT_py=b""), "TorchScript"),
    "cut": (saved({"a": torch.zeros(4000)})[:9000], "ends too early.*Download"),
    "cut safetensors": (save({"a": torch.zeros(400)})[:900], "ends too early"),
    "a damaged pickle": (zipped(m__data_DOT_pkl=b"\x80\x02garbage"), "damaged"),
    "numbers": (saved({"epoch": 3}), "holds no weights, but 'epoch'"),
    "an object": (saved(argparse.Namespace(lr=1)), "holds no weights, but an object Namespace"),
    "a plain pickle": (b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01.", "a pickle that is damaged, or"),
    "quantized": (saved({n: t.to(torch.int8) for n, t in tiny().state_dict().items()}), "quantized weights"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_files_that_are_refused(kind: str, tmp_path: Path) -> None:
    content, cause = REFUSED[kind]
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=cause) as refused:
        fill(tiny(), Checkpoint(path), "Tiny")
    message = str(refused.value)
    assert "weights_only" not in message and "add_safe_globals" not in message
    if content[:1] != b"{":  # of a list of files, only the folder tells
        with pytest.raises(WeightsError, match=cause):
            fill(tiny(), Checkpoint(content), "Tiny")


def test_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(WeightsError, match="a folder; weights= takes a file. It holds model.safe"):
        cw.load(NAME, weights=tmp_path)
    (tmp_path / "data.pkl").touch()
    with pytest.raises(WeightsError, match="torch.save that was unpacked"):
        cw.load(NAME, weights=tmp_path)


@pytest.mark.parametrize(
    ("weights", "cause"),
    [
        ("https://example.org/w.pth", "is an address"),
        (True, "leave weights= out"),
        (nn.Linear(2, 2), r"the module.s state_dict\(\)"),
        (3.5, "not float"),
        ({}, "holds no weights"),
        (torchvision.models.ResNet18_Weights.DEFAULT, "of another architecture"),
    ],
)
def test_other_things_are_refused(weights: Any, cause: str) -> None:
    with pytest.raises(WeightsError, match=cause):
        cw.load(NAME, weights=weights)


def test_names_of_pretrained_sets_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[object] = []

    def note(name: str, weights: object = None) -> nn.Module:
        requested.append(weights)
        return torchvision.models.shufflenet_v2_x0_5()

    monkeypatch.setattr(torchvision.models, "get_model", note)
    known = torchvision.models.ShuffleNet_V2_X0_5_Weights
    for weights in ("IMAGENET1K_V1", "imagenet1k_v1", f"{known.__name__}.DEFAULT", known.DEFAULT):
        cw.load(NAME, weights=weights, device="cpu")
    assert requested == [known.IMAGENET1K_V1] * 4


def test_other_architectures_and_other_heads(state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"for 4 classes: pass their names, classes="):
        cw.load(NAME, weights=state)
    narrow = {**state, "conv1.0.weight": torch.zeros(24, 1, 3, 3)}
    with pytest.raises(WeightsError, match=r"conv1.0.weight is \(24, 1, 3, 3\).*camwidget.wrap"):
        cw.load(NAME, weights=narrow, classes=CLASSES)
    lightning = {"state_dict": {f"model.{n}": t for n, t in state.items() if "fc" not in n}}
    with pytest.raises(WeightsError, match=r"under 'state_dict.model'\): 2 are missing"):
        cw.load(NAME, weights=lightning, classes=CLASSES)


class _Calls:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.function, self.arguments


TOUCHES: list[tuple[Callable[..., object], tuple[object, ...], str]] = [
    (os.system, ("touch ran",), "posix.system"),
    (subprocess.call, (["touch", "ran"],), "call"),
    (exec, ("open('ran', 'w')",), "exec"),
]


@pytest.mark.parametrize(("function", "arguments", "named"), TOUCHES)
def test_no_code_of_a_file_is_run(
    function: Callable[..., object],
    arguments: tuple[object, ...],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"x": _Calls(function, *arguments), "state_dict": tiny().state_dict()}
    torch.save(content, "w.pth")
    with pytest.raises(WeightsError, match=f"would call .*{named} .*may do harm"):
        Checkpoint("w.pth")
    torch.save(content, "w.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError):
        Checkpoint("w.pth")
    assert not (tmp_path / "ran").exists()


def test_what_a_file_would_call_is_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch = _Calls(pathlib.Path.touch, pathlib.Path("ran"))
    with pytest.raises(WeightsError, match="holds more than weights.*pathlib"):
        filled({"x": touch, "state_dict": tiny().state_dict()}, tmp_path)
    assert not (tmp_path / "ran").exists()


# -- names and devices -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("quantized_resnet50", "quantized"),
        ("clip/ViT-B-32", r"CLIP.*camwidget.wrap"),
        ("facebook/dinov2-base", r"camwidget.load\('hf/facebook/dinov2-base'\)"),
        ("model.pth", "weights='model.pth'"),
        ("https://example.org/x.pth", "nothing is fetched|is a file"),
        ("resnet81", "Did you mean 'resnet18'"),
        ("", "There is no model ''"),
        (None, "embedded model"),
        (nn.Linear(2, 2), r"camwidget.wrap\(module"),
        (torchvision.models.ResNet, r"camwidget.wrap\(ResNet\(…\)"),
        (torchvision.models.resnet18, r"camwidget.load\('resnet18'\)"),
        (7, "wrap"),
    ],
)
def test_names_that_load_does_not_know(name: Any, hint: str) -> None:
    with pytest.raises(ModelError, match=hint):
        cw.load(name)


def test_names_in_any_case(state: dict[str, torch.Tensor]) -> None:
    model = cw.load("ShuffleNet_V2_x0_5", weights=state, classes=CLASSES, device="cpu")
    assert model.name == NAME and model.origin is not None and model.origin.name == NAME


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:77", ""])
def test_devices_that_there_are_not(device: str) -> None:
    with pytest.raises(ModelError, match=r"no device .* here to compute on. There is 'cpu'"):
        cw.load(device=device)


def test_an_open_file_is_read_from_its_beginning_wherever_it_stands(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = io.BytesIO()
    torch.save(state, file)  # which leaves it at its end

    class Stream(io.RawIOBase):
        """As of a download: it cannot go back."""

        def __init__(self) -> None:
            self.inner = io.BytesIO(file.getvalue())

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self.inner.readinto(buffer)

    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("in/w.pth", file.getvalue())
    for source in (file, io.BufferedReader(Stream()), zipfile.Path(archive) / "in" / "w.pth"):
        assert read_weights(source).keys() == state.keys()
    file.seek(7)
    assert read_weights(file).keys() == state.keys()
    for bad, remedy in (
        (io.StringIO("text"), "mode 'rb'"),
        (zipfile.ZipFile(archive), r"archive\.open\(name\)"),
    ):
        with pytest.raises(WeightsError, match=remedy):
            read_weights(bad)
    file.close()
    with pytest.raises(WeightsError, match="is closed: open it again"):
        read_weights(file)


def test_weights_without_values_are_refused_and_sparse_ones_are_filled(
    state: dict[str, torch.Tensor],
) -> None:
    empty = {name: tensor.to("meta") for name, tensor in state.items()}
    for source in (empty, saved(empty)):
        with pytest.raises(WeightsError, match="shapes without values.*'meta'"):
            cw.load(NAME, weights=source, classes=CLASSES)
    module = tiny()
    module.head.to("meta")
    with pytest.raises(ModelError, match="head.weight.*'meta'.*to_empty"):
        cw.wrap(module)
    sparse = {n: t.to_sparse() if t.ndim == 4 else t for n, t in state.items()}
    model = cw.load(NAME, weights=sparse, classes=CLASSES, device="cpu")
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_random_weights_are_asked_for(state: dict[str, torch.Tensor]) -> None:
    model = cw.load(NAME, pretrained=False, classes=CLASSES, device="cpu")
    assert model.classes == tuple(CLASSES)
    assert model.origin is not None and not model.origin.pretrained
    with pytest.raises(WeightsError, match="pretrained=False is for random weights"):
        cw.load(NAME, weights=state, pretrained=False)
    with pytest.raises(WeightsError, match="carries its own weights: leave pretrained= out"):
        cw.load("zoo/textures", pretrained=False)
