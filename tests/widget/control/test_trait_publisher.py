"""``TraitPublisher``: what one thread publishes is not taken for a person's change, nor for another thread's."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import traitlets as t

from camwidget.widget.control.trait_publisher import TraitPublisher


class Owner(t.HasTraits):
    number = t.Int(0)


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_a_known_value_is_known_while_it_is_set_and_on_this_thread_only(owner: Owner) -> None:
    traits = TraitPublisher(owner, print)
    seen: list[bool] = []

    def look(change: dict[str, Any]) -> None:
        seen.append(traits.is_known("number", change["new"]))
        other = threading.Thread(
            target=lambda: seen.append(traits.is_known("number", change["new"]))
        )
        other.start()
        other.join()

    traits.observe(look, "number")
    traits.publish_known("number", 1)
    assert seen == [True, False] and not traits.is_known("number", 1)
    traits.publish("number", 2)
    assert seen == [True, False, False, False]


def test_what_an_observer_raises_is_shown(owner: Owner) -> None:
    shown: list[str] = []
    traits = TraitPublisher(owner, shown.append)

    def fail(change: dict[str, Any]) -> None:
        raise ValueError("not expected")

    traits.observe(fail, "number")
    traits.publish("number", 1)
    assert owner.number == 1
    assert "An observer of 'number' raised ValueError: not expected" in shown[0]


def test_steps_in_a_step_are_one_and_a_restored_state_is_none(owner: Owner) -> None:
    traits = TraitPublisher(owner, print)
    steps: list[tuple[str | None, bool]] = []
    traits.on_step(lambda cause, lasting: steps.append((cause, lasting)))
    with traits.step("outer"), traits.step("inner"):
        assert traits.is_in_step
    assert steps == [("outer", False)] and not traits.is_in_step
    with traits.restoring(), traits.step("restored"):
        assert traits.is_restoring
    assert steps == [("outer", False)] and not traits.is_restoring
    traits.note_stroke(3)
    assert steps[1:] == [("stroke 3", True)]


def test_it_does_not_keep_the_owner_alive() -> None:
    owner = Owner()
    traits = TraitPublisher(owner, print)
    assert traits.is_alive and traits.owner is owner
    del owner
    assert not traits.is_alive
    traits.publish("number", 1)
    with pytest.raises(ReferenceError):
        _ = traits.owner
