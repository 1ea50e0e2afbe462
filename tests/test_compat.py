"""Private API of other libraries exists as expected, and an error names a change of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import camwidget as cw
from camwidget._compat import locks, onednn, pytorch
from camwidget.errors import CompatibilityError

CHECKS = {**pytorch.CHECKS, **onednn.CHECKS, **locks.CHECKS}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_what_is_relied_on_is_there(check: Callable[[], bool]) -> None:
    assert check()


def test_checks_leave_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    assert all(check() for check in CHECKS.values())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("read", "value", "named"),
    [
        (pytorch.version_of, object(), "PyTorch.*Tensor._version"),
        (pytorch.parts_in, object(), "PyTorch.*Module._modules"),
        (pytorch.parameters_of, object(), "PyTorch.*Module._parameters"),
        (pytorch.buffers_of, object(), "PyTorch.*Module._buffers"),
        (pytorch.argument_names, object(), "PyTorch.*OpOverload._schema"),
        (pytorch.overload_name, object(), "PyTorch.*OpOverload._overloadname"),
        (pytorch.operation_name, object(), "PyTorch.*OpOverloadPacket._qualified_op_name"),
        (locks.release_after_fork, object(), "Python.*Lock._at_fork_reinit"),
    ],
)
def test_a_changed_library_is_named(
    read: Callable[[object], object], value: object, named: str
) -> None:
    with pytest.raises(CompatibilityError, match=named):
        read(value)


def test_a_module_that_holds_its_parts_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch, "USUAL_ATTRIBUTES", frozenset({"_parameters", "_buffers"}))
    pytorch.require_module_attributes.cache_clear()
    with pytest.raises(CompatibilityError, match="Module._backward_hooks"):
        pytorch.require_module_attributes()


def test_renamed_nodes_are_a_reason_against_guided_backpropagation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(pytorch.ACTIVATION_NODES, "MishBackward0")
    pytorch.graph_changes.cache_clear()
    try:
        with pytest.raises(cw.CamwidgetError, match=r"node of Mish.*older PyTorch"):
            cw.explain(cw.load(), torch.rand(3, 64, 64), method="guided-backprop")
    finally:
        pytorch.graph_changes.cache_clear()
