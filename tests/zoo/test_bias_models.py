"""The bias study: one model relies on the flower, the other does not."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
import torch

from camwidget.training.bias import measure_findings
from camwidget.training.train import main, train
from camwidget.zoo import build, registry
from camwidget.zoo.beetles import CLASSES
from camwidget.zoo.bias import ODDS, kind, unseen

NAMES = ("zoo/biased", "zoo/unbiased")
FRESH = 60_000
"""First seed used here; neither trained on nor among those the cards were measured on."""


@pytest.fixture(scope="module")
def found():
    """What both models make of 200 fresh pictures of each of the odds."""
    pictures = {odds: list(unseen(FRESH, 200, odds)) for odds in ODDS}
    return {
        name: {
            odds: measure_findings(build(name).module, registry.entry(name), pictures[odds])
            for odds in ODDS
        }
        for name in NAMES
    }


@pytest.mark.parametrize(
    ("odds", "weevils", "stags"),
    [
        ("biased", 9, 1),
        ("balanced", 5, 5),
        ("reversed", 1, 9),
    ],
)
def test_the_odds_are_what_they_are_said_to_be(odds, weevils, stags):
    made = Counter(kind(n, odds) for n in range(20))
    weevil, stag = CLASSES.index("weevil"), CLASSES.index("stag beetle")
    assert (made[weevil, True], made[weevil, False]) == (weevils, 10 - weevils)
    assert (made[stag, True], made[stag, False]) == (stags, 10 - stags)


@pytest.mark.parametrize("name", NAMES)
def test_card_and_weights_belong_together(name):
    entry, card = registry.entry(name), build(name).card
    weights = entry.weights().read_bytes()
    assert len(weights) <= 500_000
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert {"description", "data", "unseen", "known_faults", "training", "sha256"} <= set(card)
    assert card["classes"] == list(CLASSES)
    for odds in ODDS:
        assert card["unseen"][odds]["pictures"] >= 1000
        assert {"accuracy", "accuracy_weevil", "accuracy_stag_beetle"} <= set(card["unseen"][odds])
    with_flower = card["unseen"]["saliency_with_flower"]
    for place in ("flower", "part", "beetle"):
        assert {f"share_on_{place}", f"area_of_{place}"} <= set(with_flower)


def test_both_were_trained_alike():
    biased, unbiased = (build(name).card["training"] for name in NAMES)
    assert (biased["steps"], biased["seed"]) == (unbiased["steps"], unbiased["seed"])


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odds", ODDS)
def test_accuracy_on_fresh_seeds_is_what_the_card_says(found, name, odds):
    stated = build(name).card["unseen"][odds]["accuracy"]
    # Four standard deviations of a share over 200 pictures, and a little for shares near one.
    spread = 4.0 * np.sqrt(stated * (1.0 - stated) / 200) + 0.01
    assert abs(found[name][odds].accuracies()["accuracy"] - stated) <= spread


@pytest.mark.full
def test_the_biased_model_fails_off_its_bias_and_the_other_does_not(found):
    biased, unbiased = (
        {odds: found[name][odds].accuracies()["accuracy"] for odds in ODDS} for name in NAMES
    )
    assert biased["biased"] > biased["balanced"] + 0.1
    assert biased["balanced"] > biased["reversed"] + 0.1
    assert max(unbiased.values()) - min(unbiased.values()) < 0.06
    assert unbiased["balanced"] > biased["balanced"] + 0.1


@pytest.mark.full
def test_grad_cam_shows_the_cue_before_and_the_part_after(found):
    before, after = (found[name]["balanced"].shares(flower=True) for name in NAMES)
    assert before["share_on_flower"] > 3 * before["area_of_flower"]
    assert after["share_on_flower"] < 0.5 * before["share_on_flower"]
    assert after["share_on_part"] > 2 * before["share_on_part"]
    assert after["share_on_part"] > 3 * after["area_of_part"]


@pytest.mark.full
@pytest.mark.training
def test_a_short_training_learns(trained_shortly):
    """The flower is learned at once. Without its help the horns take several hundred steps: see test_zoo_every.py."""
    net = trained_shortly("biased")
    assert not net.training
    entry = registry.entry("zoo/biased")
    right = measure_findings(net, entry, unseen(FRESH + 1000, 100, "biased")).right.mean()
    assert right > 0.65


@pytest.mark.full
def test_training_repeats_bit_for_bit_and_only_the_set_differs():
    first, again = (train("biased", steps=4, seed=1, progress=False) for _ in range(2))
    cured = train("unbiased", steps=4, seed=1, progress=False)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not torch.equal(first.head.weight, cured.head.weight)


@pytest.mark.full
def test_the_command_writes_what_build_reads(monkeypatch, tmp_path):
    monkeypatch.setattr("camwidget.training.train.TEST_PICTURES", 20)
    main(["unbiased", "--steps", "2", "--out", str(tmp_path), "--quiet"])
    card = json.loads((tmp_path / "unbiased.json").read_text(encoding="utf-8"))
    assert card["unseen"]["reversed"]["pictures"] == 20
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    assert build("zoo/unbiased").card == card
