"""Invalid arguments of public functions: every one raises an error that names a remedy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetError, ModelError

SALIENCY = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
PICTURE = np.zeros((8, 8, 3), np.uint8)

#: Calls with a model in the first place, by what each is called.
CALLS: dict[str, Callable[[Any], object]] = {
    "explain": lambda m: cw.explain(m, PICTURE),
    "mask_curve": lambda m: cw.mask_curve(m, PICTURE, SALIENCY),
    "confidence_change": lambda m: cw.confidence_change(m, PICTURE, SALIENCY),
    "mask_picture": lambda m: cw.mask_picture(m, PICTURE, (0, 0, 2, 2)),
    "probabilities": lambda m: cw.probabilities(m, PICTURE),
    "visualize": lambda m: cw.visualize(m, 0),
    "attack": lambda m: cw.attack(m, PICTURE, 0),
    "map_survival": lambda m: cw.map_survival(m, None),  # type: ignore[arg-type]
    "measure": lambda m: cw.measure(m, PICTURE, None),  # type: ignore[call-overload]
    "attention": lambda m: cw.attention(m, PICTURE),
    "factorize": lambda m: cw.factorize(m, PICTURE),
    "evaluate": lambda m: cw.evaluate(m, [(PICTURE, 0)]),
    "mistakes": lambda m: cw.mistakes(m, [(PICTURE, 0)]),
    "Survey": lambda m: cw.Survey(m, [(PICTURE, 0)]),
    "dissect": lambda m: cw.dissect(m, []),
    "describe_decision": lambda m: cw.describe_decision(m, PICTURE, None),  # type: ignore[arg-type]
    "save_page": lambda m: cw.save_page(m, PICTURE, "never.html"),
    "Explorer": lambda m: cw.Explorer(m, PICTURE),
    "Explorer of several": lambda m: cw.Explorer([m], PICTURE),
    "Quiz.which_class": lambda m: cw.Quiz.which_class(m, [PICTURE]),
    "Quiz.which_model": lambda m: cw.Quiz.which_model(m, m, [PICTURE]),
}

#: What is given, and the remedy.
WRONG: dict[str, tuple[Any, str]] = {
    "a module": (nn.Linear(2, 2), r"a bare module \(Linear\): camwidget.wrap\(module, …\)"),
    "a class": (nn.Linear, r"the class Linear: make a module, Linear\(…\)"),
    "a function": (torchvision.models.resnet18, "the function resnet18.*call it"),
    "a name": ("resnet50", r"a name: camwidget.load\('resnet50'\)"),
    "a file": (Path("w.safetensors"), r"camwidget.load\('resnet50', weights='w.safetensors'\)"),
    "a picture's file": ("cat.png", "the model comes first"),
    "a picture": (Image.new("RGB", (8, 8)), "the model comes first"),
    "a tensor": (torch.zeros(3, 8, 8), "the model comes first"),
    "a state dict": ({"weight": torch.zeros(2)}, "a state dict.*weights=state"),
    "a number": (3, "not int"),
}


def test_no_public_function_that_takes_a_model_is_left_out() -> None:
    takes = {
        name
        for name in cw.__all__
        if inspect.isfunction(value := getattr(cw, name))
        and "model" in inspect.signature(value).parameters
    }
    assert takes <= CALLS.keys()
    assert {"explain", "mask_curve", "attack", "save_page"} <= takes


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_model_is_refused_with_a_remedy(call: str, kind: str) -> None:
    value, remedy = WRONG[kind]
    with pytest.raises(ModelError, match=remedy) as refused:
        CALLS[call](value)
    assert call.split(".")[0].split()[0].replace("Quiz", "A quiz") in str(refused.value)


@pytest.mark.parametrize("call", [c for c in CALLS if c != "Explorer"])
def test_no_model_at_all(call: str) -> None:
    with pytest.raises(ModelError, match=r"None: camwidget.load\(\) gives the embedded one"):
        CALLS[call](None)


def test_arguments_that_have_changed_places(textures: cw.VisionModel) -> None:
    swapped: list[Callable[[], object]] = [
        lambda: cw.explain(PICTURE, textures),  # type: ignore[call-overload]
        lambda: cw.mask_curve(PICTURE, textures, SALIENCY),  # type: ignore[arg-type]
        lambda: cw.mask_curve(SALIENCY, PICTURE, textures),  # type: ignore[arg-type]
        lambda: cw.attack("cat.png", textures, 0),  # type: ignore[arg-type]
        lambda: cw.evaluate([PICTURE], textures),  # type: ignore[arg-type]
    ]
    for call in swapped:
        with pytest.raises(ModelError, match="wrong order"):
            call()
    with pytest.raises(ModelError, match="one at a time"):
        cw.explain([textures, textures], PICTURE)  # type: ignore[call-overload]


class _Pipeline:
    def __init__(self) -> None:
        self.model = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("resnet50", r"camwidget.load\('resnet50'\)"),
        ("timm/resnet50", r"camwidget.load\('timm/resnet50'\)"),
        (nn.Linear, "the class Linear"),
        (torchvision.models.resnet18, "call it"),
        (_Pipeline(), "its module is its attribute model"),
        ([nn.Linear(2, 2)], "one at a time"),
        ({"weight": torch.zeros(2)}, "weights=state"),
        (None, r"camwidget.load\(\)"),
        (3, "a module that you have made"),
    ],
)
def test_what_wrap_does_not_take(value: Any, remedy: str) -> None:
    with pytest.raises(ModelError, match=remedy):
        cw.wrap(value)


def test_a_model_is_wrapped_once(textures: cw.VisionModel) -> None:
    with pytest.raises(ModelError, match=r"wrapped already.*model.module"):
        cw.wrap(textures)  # type: ignore[arg-type]


THINGS: list[Any] = [
    None,
    3,
    "word",
    nn.Linear(2, 2),
    object(),
    {},
    [],
    [None],
    b"",
    nn.Linear,
    lambda: 0,
]


@pytest.mark.parametrize("thing", THINGS, ids=lambda t: type(t).__name__)
def test_other_arguments_fail_in_our_words(thing: Any, textures: cw.VisionModel) -> None:
    """Whatever stands in the place of a picture, a map, a result or a setting."""
    sized = np.linspace(0, 1, 128 * 128, dtype=np.float32).reshape(128, 128)
    calls: dict[str, Callable[[], object]] = {
        "explain": lambda: cw.explain(textures, thing),
        "mask_curve picture": lambda: cw.mask_curve(textures, thing, sized),
        "mask_curve map": lambda: cw.mask_curve(textures, PICTURE, thing),
        "confidence_change map": lambda: cw.confidence_change(textures, PICTURE, thing),
        "confidence_change removing": lambda: cw.confidence_change(
            textures, PICTURE, thing, change="remove"
        ),
        "localize": lambda: cw.localize(thing),
        "segmentation_seeds": lambda: cw.segmentation_seeds(thing),
        "map_survival": lambda: cw.map_survival(textures, thing),
        "describe_decision": lambda: cw.describe_decision(textures, PICTURE, thing),
        "measure": lambda: cw.measure(textures, PICTURE, thing),
        "mistakes": lambda: cw.mistakes(textures, thing),
        "dissect": lambda: cw.dissect(textures, thing),
        "Quiz": lambda: cw.Quiz(thing),
        "which_class": lambda: cw.Quiz.which_class(textures, thing),
        "get_method": lambda: cw.get_method(thing),
        "get_metric": lambda: cw.get_metric(thing),
        "method": lambda: cw.explain(textures, PICTURE, method=thing),
        "attack target": lambda: cw.attack(textures, PICTURE, thing),
        "evaluate": lambda: cw.evaluate(textures, thing, methods=["gradcam"], metrics=["drop"]),
        "load": lambda: cw.load(thing),
    }
    refusals: dict[str, str] = {}
    for name, call in calls.items():
        try:
            call()
        except CamwidgetError:
            continue
        except Exception as error:  # the kinds are what is looked for
            refusals[name] = f"{type(error).__name__}: {error}"
        else:
            allowed = (
                (name == "attack target" and isinstance(thing, int))
                or (name == "Quiz" and callable(thing))
            )  # fmt: skip
            if not allowed:
                refusals[name] = "taken"
    assert refusals == {}


def _kind(thing: object) -> str:
    """A name that is the same in every process, unlike an object's representation."""
    return type(thing).__name__ + repr(thing)[:4].strip("<")


@pytest.mark.parametrize(
    "thing",
    [*THINGS[2:], 3.5, True, float("nan")],
    ids=_kind,
)
def test_settings_fail_in_our_words(thing: Any, textures: cw.VisionModel, tmp_path: Path) -> None:
    """Numbers and lists of names: whatever stands in their place."""
    sized = np.linspace(0, 1, 128 * 128, dtype=np.float32).reshape(128, 128)

    def page(**settings: Any) -> object:
        return cw.save_page(textures, PICTURE, tmp_path / "x.html", steps=2, **settings)

    calls: list[Callable[[], object]] = [
        lambda: cw.explain(textures, PICTURE, precision=thing),
        lambda: cw.mask_curve(textures, PICTURE, sized, steps=thing),
        lambda: cw.confidence_change(textures, PICTURE, sized, change="remove", fraction=thing or "0"),
        lambda: cw.visualize(textures, 0, steps=1, seed=thing if thing is not True else "1"),
        lambda: cw.visualize(textures, 0, steps=1, blur=thing if thing != 3.5 else "3.5"),
        lambda: cw.attack(textures, PICTURE, 1, epsilon=thing),
        lambda: cw.attack(textures, PICTURE, 1, confidence=thing),
        lambda: page(target=thing) if thing not in ([], {}) else page(classes=[]),
        lambda: page(classes=thing if thing is not True else 0),
        lambda: page(layers=thing if thing != [None] else 3),
        lambda: page(methods=thing),
        lambda: page(mode=thing),
        lambda: page(modes=thing if thing not in ([], {}, b"") else "word"),
        lambda: page(fraction=thing),
        lambda: cw.save_page(textures, PICTURE, thing if not isinstance(thing, str) else b""),  # type: ignore[arg-type]
        lambda: cw.Quiz.which_class(textures, [PICTURE], thing if thing is not True else 0),
        lambda: cw.wrap(textures.module, layers=thing if thing not in ([], [None]) else 3),
        lambda: cw.Explorer(textures, PICTURE, top=thing if thing is not True else 0),
    ]  # fmt: skip
    for number, call in enumerate(calls):
        with pytest.raises(CamwidgetError):
            print(number, call())
