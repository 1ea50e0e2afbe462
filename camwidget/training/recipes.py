"""Recipes of all models: how each is trained and evaluated, and the texts of its model card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..zoo.bias import Odds
from . import (
    bias,
    captions,
    moves,
    questions,
    scenes,
    scenes_boxes,
    scenes_clip,
    scenes_segments,
    scenes_vit,
    textures,
)
from .boxes_evaluation import measure_boxes
from .gradcam_evaluation import measure_against_scenes, measure_scenes
from .methods_evaluation import measure_with_methods
from .moves_evaluation import measure_moves
from .segments_evaluation import measure_segments


@dataclass(frozen=True)
class Recipe:
    """Training and evaluation of a model.

    Attributes:
        steps: number of steps of a full training.
        train: trains a network in place.
        measure: computes the results for the card, by kind of picture.
        about: the card's texts.
    """

    steps: int
    train: Callable[..., None]
    measure: Callable[..., dict[str, Any]]
    about: dict[str, Any]


def _bias(odds: Odds) -> Recipe:
    return Recipe(
        bias.STEPS, partial(bias.train_bias, odds=odds), bias.measure_bias, bias.about(odds)
    )


RECIPES = {
    "zoo/textures": Recipe(
        textures.STEPS, textures.train_textures, textures.measure_textures, textures.ABOUT
    ),
    "zoo/scenes": Recipe(
        scenes.STEPS,
        scenes.train_scenes,
        measure_scenes,
        scenes.about(
            "A residual network with a global average before its head that names the things in a scene."
        ),
    ),
    "zoo/scenes-max": Recipe(
        scenes.STEPS,
        scenes.train_scenes,
        measure_against_scenes,
        scenes.about(
            "The network of zoo/scenes with a global maximum in place of the average.",
            "Each score comes from one place of the map, so that little of a thing is evidence for it.",
        ),
    ),
    "zoo/scenes-fc": Recipe(
        scenes.STEPS,
        scenes.train_scenes,
        measure_against_scenes,
        scenes.about(
            "3x3 convolutions and fully connected layers in the manner of VGG: class activation mapping does not apply."
        ),
    ),
    "zoo/scenes-weak": Recipe(
        scenes.STEPS_WEAK,
        scenes.train_scenes,
        measure_against_scenes,
        scenes.about(
            "The network of zoo/scenes with half the channels and a coarser map.",
            "It mistakes textures and shapes, of small things above all.",
        ),
    ),
    "zoo/scenes-vit": Recipe(
        scenes_vit.STEPS, scenes_vit.train_vit, measure_with_methods, scenes_vit.ABOUT
    ),
    "zoo/scenes-clip": Recipe(
        scenes_clip.STEPS, scenes_clip.train_clip, scenes_clip.measure_clip, scenes_clip.ABOUT
    ),
    "zoo/scenes-boxes": Recipe(
        scenes_boxes.STEPS, scenes_boxes.train_boxes, measure_boxes, scenes_boxes.ABOUT
    ),
    "zoo/scenes-segments": Recipe(
        scenes_segments.STEPS,
        scenes_segments.train_segments,
        measure_segments,
        scenes_segments.ABOUT,
    ),
    "zoo/captions": Recipe(
        captions.STEPS, captions.train_captions, captions.measure_captions, captions.ABOUT
    ),
    "zoo/vqa": Recipe(
        questions.STEPS,
        questions.train_plain,
        questions.measure_questions,
        questions.about(
            "A plain convolutional network and a recurrent reader that answer questions about a scene."
        ),
    ),
    "zoo/vqa-attention": Recipe(
        questions.STEPS,
        questions.train_attentive,
        questions.measure_questions,
        questions.about(
            "A residual network and a recurrent reader with co-attention that answer questions about a scene."
        ),
    ),
    "zoo/moves": Recipe(moves.STEPS, moves.train_moves, measure_moves, moves.ABOUT),
    "zoo/biased": _bias("biased"),
    "zoo/unbiased": _bias("balanced"),
}
