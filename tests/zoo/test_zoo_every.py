"""Properties of every model of the zoo: card, weights, short training and samples."""

import json

import numpy as np
import pytest
import torch

import camwidget as cw
from camwidget.models.detection_model import DetectionModel
from camwidget.training import bias, questions, scenes
from camwidget.training.bias import measure_findings
from camwidget.training.cam_evaluation import normalize
from camwidget.training.recipes import RECIPES
from camwidget.training.train import train
from camwidget.zoo import available, build, registry, samples
from camwidget.zoo.captions import VOCABULARY
from camwidget.zoo.captions import draw as draw_described
from camwidget.zoo.scenes import draw as draw_scene
from camwidget.zoo.vqa import ANSWERS, answer
from camwidget.zoo.vqa import VOCABULARY as ASKED
from camwidget.zoo.vqa import draw as draw_asked

NAMES = available()
FRESH = 70_000


def test_there_is_a_recipe_for_every_model():
    assert set(RECIPES) == set(NAMES) == set(cw.list_models())


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_small_and_described(name):
    entry = registry.entry(name)
    assert entry.weights().stat().st_size <= 2_000_000
    card = json.loads(entry.card().read_text(encoding="utf-8"))
    assert card == build(name).card
    assert {"data", "description", "unseen", "known_faults", "training", "sha256"} <= set(card)
    assert card["name"] == name
    room = name.removeprefix("zoo/")
    recipe = RECIPES[name]
    assert card["training"]["command"] == (
        f"python -m camwidget.training {room} --steps {recipe.steps} --seed 0"
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_explains_a_picture_of_its_own(name):
    model = cw.load(name)
    sample = samples(name)[0]
    if model.prompt is not None and model.prompt.name == "question":
        model = model.given(question=sample.questions[0])
    if isinstance(model, DetectionModel):
        model = model.given(detections=model.detections(sample.image))
    exp = cw.explain(model, sample.image)
    assert exp.saliency.shape == sample.image.shape[:-1]
    assert not exp.is_empty
    place = sample.evidence(exp.target.label, exp.text)
    assert place is not None and place.shape == exp.saliency.shape


def accuracy_of_names(net, entry):
    scenes = [draw_scene(FRESH + n, 1) for n in range(96)]
    with torch.no_grad():
        scores = net(normalize(np.stack([s.image for s in scenes]), entry))
    return np.mean([int(row.argmax()) == s.label for row, s in zip(scores, scenes, strict=True)])


def accuracy_of_words(net, entry):
    found = []
    for n in range(40):
        scene = draw_described(FRESH + n)
        numbers = torch.tensor([VOCABULARY.numbers(scene.caption.split())])
        with torch.no_grad():
            log_probabilities = net.word_log_probabilities(
                normalize(scene.image[None], entry), numbers
            )
        found += (log_probabilities[0, :-1].argmax(1) == numbers[0]).tolist()
    return np.mean(found)


def accuracy_of_answers(net, entry):
    return share_of_answers(net, entry, (draw_asked(FRESH + n) for n in range(40)))


def share_of_answers(net, entry, shown):
    found = []
    for scene in shown:
        for question in scene.questions:
            numbers = torch.tensor([ASKED.numbers(question.split())])
            with torch.no_grad():
                scores = net(normalize(scene.image[None], entry), numbers)
            found.append(ANSWERS[int(scores.argmax())] == answer(scene, question).text)
    return np.mean(found)


@pytest.mark.full
@pytest.mark.training
@pytest.mark.parametrize(
    ("name", "measure", "chance", "least"),
    [
        ("scenes-weak", accuracy_of_names, 1 / 48, 0.1),
        ("captions", accuracy_of_words, 0.25, 0.5),
        ("vqa", accuracy_of_answers, 1 / 17, 0.3),
    ],
)
def test_a_short_training_learns_far_more_than_chance(
    trained_shortly, name, measure, chance, least
):
    """One net of each subject, on pictures that it has not seen: its pictures, targets and loss are the others' too.

    Of all words of a caption, a quarter are "a", which is what guessing them would get.
    """
    net = trained_shortly(name)
    assert not net.training
    assert least > 1.9 * chance
    assert measure(net, registry.entry(f"zoo/{name}")) >= least


def names_by_heart(net, entry, pictures):
    shown = [scenes._picture(3, n) for n in range(pictures)]
    with torch.no_grad():
        scores = net(normalize(np.stack([s.image for s in shown]), entry))
    return np.mean([int(row.argmax()) in s.labels for row, s in zip(scores, shown, strict=True)])


def beetles_by_heart(net, entry, pictures):
    return measure_findings(
        net, entry, [bias._picture(3, n, "balanced") for n in range(pictures)]
    ).right.mean()


def answers_by_heart(net, entry, pictures):
    shown = (draw_asked(np.random.default_rng([3, n, questions._STREAM])) for n in range(pictures))
    return share_of_answers(net, entry, shown)


@pytest.mark.full
@pytest.mark.training
@pytest.mark.parametrize(
    ("name", "subject", "steps", "measure", "least"),
    [
        ("scenes", scenes, 60, names_by_heart, 0.5),
        ("scenes-max", scenes, 60, names_by_heart, 0.5),
        ("scenes-fc", scenes, 60, names_by_heart, 0.4),
        ("vqa-attention", questions, 90, answers_by_heart, 0.5),
        ("unbiased", bias, 60, beetles_by_heart, 0.7),
    ],
)
def test_a_training_learns_twenty_pictures_by_heart(
    monkeypatch, name, subject, steps, measure, least
):
    """The nets whose subject another net's short training covers: twenty pictures are drawn and learned in seconds."""
    monkeypatch.setattr(subject, "BATCH", 8)
    monkeypatch.setattr(subject, "PASSES", steps * 8 // 20)
    net = train(name, steps=steps, seed=3, progress=False)
    assert not net.training
    assert measure(net, registry.entry(f"zoo/{name}"), 20) >= least


@pytest.mark.parametrize("name", ["scenes", "captions", "vqa-attention", "moves"])
def test_training_repeats_bit_for_bit(name):
    first, again = (train(name, steps=3, seed=1, progress=False) for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
