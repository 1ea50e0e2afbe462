"""Whatever a script sets, and whatever a page says: refused by name, and the explorer goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import traitlets as t
from explorer_internals import receive, view_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import camwidget as cw

many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NAMES = (
    "picture",
    "target",
    "method",
    "layer",
    "fraction",
    "mode",
    "baseline",
    "text",
    "outlines",
    "boxes",
)
#: As JSON has it, and Python's reading of it: numbers of any size, NaN, infinities.
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["gradcam", "stage4", "remove", "blur", "cancel", "pick", "propose", "text"])
)
JSON = st.recursive(
    LEAVES,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=4), x, max_size=3),
    max_leaves=6,
)
STATES = st.dictionaries(
    st.sampled_from((*NAMES, "rows", "scene", "busy", "error", "nonsense")), JSON, max_size=3
)
MESSAGES = st.one_of(
    STATES.map(lambda state: {"method": "update", "state": state, "buffer_paths": []}),
    st.fixed_dictionaries({"method": st.just("custom"), "content": JSON}),
    st.fixed_dictionaries(
        {
            "method": st.just("custom"),
            "content": st.fixed_dictionaries(
                {"type": st.sampled_from(["pick", "cancel", "text", "propose"])},
                optional={"x": JSON, "y": JSON, "text": JSON},
            ),
        }
    ),
    st.fixed_dictionaries(
        {"method": JSON}, optional={"state": JSON, "buffer_paths": JSON, "content": JSON}
    ),
    JSON,
)


@pytest.fixture(scope="module")
def ex(textures: cw.VisionModel) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures).wait(60)
    yield explorer
    explorer.close()


def is_sound(ex: cw.Explorer) -> None:
    """What is shown is what the traits say, and the next click works."""
    view_of(ex).error = ""
    ex.method, ex.layer, ex.target = "gradcam", "stage4", 2
    ex.wait(60)
    assert ex.explanation.target.index == 2 and view_of(ex).target == 2 and view_of(ex).error == ""


@many
@given(
    name=st.sampled_from(NAMES),
    value=JSON | st.binary(max_size=4) | st.complex_numbers() | st.functions(),
)
def test_traits_of_any_type(ex: cw.Explorer, name: str, value: Any) -> None:
    before = getattr(ex, name)
    try:
        setattr(ex, name, value)
    except (cw.CamwidgetError, t.TraitError):
        assert getattr(ex, name) == before, "it stays as it was"
    ex.wait(60)
    assert not is_raw(view_of(ex).error)
    assert not math.isnan(ex.fraction)


def test_it_goes_on_after_traits(ex: cw.Explorer) -> None:
    is_sound(ex)


@many
@given(data=MESSAGES)
def test_messages_of_any_type(ex: cw.Explorer, data: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, nor logged with a traceback."""
    receive(view_of(ex), {"content": {"data": data}, "buffers": []})
    ex.wait(60)
    assert not any(record.exc_info for record in caplog.records), caplog.text
    assert not is_raw(view_of(ex).error), view_of(ex).error
    for name in ("method", "layer", "mode", "baseline", "fraction", "picture"):
        assert getattr(ex, name) == getattr(view_of(ex), name), "the page shows what holds"


def test_it_goes_on_after_messages(ex: cw.Explorer) -> None:
    is_sound(ex)


@many
@given(message=JSON)
def test_what_is_no_message(ex: cw.Explorer, message: Any) -> None:
    receive(view_of(ex), message)
    assert not is_raw(view_of(ex).error)


def is_raw(error: str) -> bool:
    """Whether it is an exception that nobody put into words."""
    return error.split(":")[0].endswith(("Error", "Exception"))
