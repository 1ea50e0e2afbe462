"""Training: it learns, is reproducible bit by bit, and writes files that ``build`` reads."""

import json

import pytest
import torch

from camwidget.training.cam_evaluation import score
from camwidget.training.train import main, train
from camwidget.zoo import build, registry
from camwidget.zoo.textures import draw


@pytest.mark.full
@pytest.mark.training
def test_a_short_training_learns_far_more_than_chance(trained_shortly):
    net = trained_shortly("textures")
    entry = registry.entry("zoo/textures")
    assert not net.training
    found = score(net, entry, (draw(70_000 + n, "full") for n in range(100)))
    assert found.accuracy > 0.2  # among ten


@pytest.mark.full
def test_training_repeats_bit_for_bit_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    first, again = (train("zoo/textures", steps=4, seed=1, progress=False) for _ in range(2))
    other = train("zoo/textures", steps=4, seed=2, progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not torch.equal(first.head.weight, other.head.weight)


@pytest.mark.full
def test_the_command_writes_what_build_reads(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("camwidget.training.train.TEST_PICTURES", 20)
    main(["textures", "--steps", "2", "--seed", "5", "--out", str(tmp_path), "--quiet"])
    assert str(tmp_path) in capsys.readouterr().out
    card = json.loads((tmp_path / "textures.json").read_text(encoding="utf-8"))
    assert card["training"]["seed"] == 5
    assert card["unseen"]["full"]["pictures"] == 20
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    assert build("zoo/textures").card == card
    weights = (tmp_path / "textures.safetensors").read_bytes()
    monkeypatch.setattr("camwidget.training.train.TEST_PICTURES", 10)
    main(["textures", "--measure", "--out", str(tmp_path), "--quiet"])
    again = json.loads((tmp_path / "textures.json").read_text(encoding="utf-8"))
    assert again["unseen"]["full"]["pictures"] == 10
    assert {**again, "unseen": 0} == {**card, "unseen": 0}
    assert (tmp_path / "textures.safetensors").read_bytes() == weights


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    output = capsys.readouterr().out
    for word in ("textures", "--steps", "--seed", "--out"):
        assert word in output


def test_an_unknown_room_is_refused():
    with pytest.raises(ValueError, match="zoo/textures"):
        train("nothing", steps=1, progress=False)
