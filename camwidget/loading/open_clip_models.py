"""Models of open_clip, by name or from a folder: their classes are texts."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError, PromptError, WeightsError
from ..images.preprocess import Preprocess
from ..models.similarity_model import text_model
from ..models.two_towers import Tokenize
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, first_line
from .checkpoints import Checkpoint, fill
from .model_folders import ModelFolder, needs_extra

__all__ = ["load_open_clip"]

_CONFIG = "open_clip_config.json"


def load_open_clip(
    name: str, weights: Any, place: torch.device, *, pretrained: bool
) -> VisionModel:
    """Load a model of open_clip.

    Args:
        name: ``open_clip/NAME``, or ``open_clip/FOLDER`` for a folder as open_clip saves it for the hub.
        weights: the tag of pretrained weights, which open_clip downloads; or as in ``load``.
        place: device to move it to.
        pretrained: whether the weights are not random.

    Returns:
        The model, without texts yet.

    Raises:
        ModelError: if there is no such model, or open_clip is not installed.
        WeightsError: if the weights are missing, or do not fit.
    """
    try:
        import open_clip
    except ImportError as error:
        raise needs_extra(name, "open-clip-torch", "open_clip") from error
    bare = name.removeprefix("open_clip/")
    is_listed = bare.replace("/", "-") in open_clip.list_models()
    folder = None if is_listed else ModelFolder.named(bare)
    tag = None
    if folder is not None:
        folder.check([((_CONFIG,), "the architecture and the preprocessing")], name)
        text = (folder.json(_CONFIG).get("model_cfg") or {}).get("text_cfg") or {}
        if pretrained and weights is None:
            weights = folder.required_weights(name)
        source = f"local-dir:{folder.path}"
    elif is_listed:
        source = bare.replace("/", "-")
        text = (open_clip.get_model_config(source) or {}).get("text_cfg") or {}
        tags = open_clip.list_pretrained_tags_by_model(source)
        tag = (
            weights
            if isinstance(weights, str) and weights.lower() in map(str.lower, tags)
            else None
        )
        if pretrained and weights is None:
            raise WeightsError(
                f"{name} has several pretrained weights, and nothing is fetched unasked: pass weights= one of "
                f"{', '.join(map(repr, tags[:8])) or 'none'}{', …' if len(tags) > 8 else ''}, or a file; or "
                "pretrained=False for random weights."
            )
        if isinstance(weights, str) and tag is None and not Path(weights).expanduser().is_file():
            near = difflib.get_close_matches(weights, tags, n=3, cutoff=0.3) or tags
            raise WeightsError(
                f"{name} has no pretrained weights {weights!r}, and there is no such file. It has "
                f"{', '.join(map(repr, near))}."
            )
        if tag is None and text.get("hf_model_name"):
            raise ModelError(
                f"The text tower of {name} is a model of the Hugging Face hub, whose configuration would be fetched. "
                f"Save the model in a folder with its {_CONFIG}, weights and tokenizer, and load that: "
                "camwidget.load('open_clip/FOLDER')."
            )
    else:
        near = difflib.get_close_matches(bare, open_clip.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(f'open_clip/{n}') for n in near)}?" if near else ""
        raise ModelError(f"open_clip has no model {bare!r}, and there is no such folder.{hint}")
    try:
        if tag is None:
            # Weights are read here, where no code in a file is run.
            with _quiet():
                module = open_clip.create_model(
                    source, load_weights=False, pretrained_image=False, pretrained_text=False
                )
        else:
            activation = (open_clip.get_pretrained_cfg(source, tag) or {}).get("quick_gelu", False)
            module = open_clip.create_model(
                source, pretrained=tag, force_quick_gelu=activation, require_pretrained=True
            )
    except Exception as error:  # open_clip's downloader and constructors raise errors of many types
        if tag is None:
            raise ModelError(f"open_clip cannot make {name}: {error_line(error)}.") from error
        raise WeightsError(
            f"The pretrained weights {tag!r} of {name} could not be fetched ({first_line(error)}). Pass a file of "
            f"weights, camwidget.load({name!r}, weights='file.safetensors')."
        ) from error
    if weights is not None and tag is None:
        fill(module, Checkpoint(weights), name)
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(module)),
        is_train=False,
    )
    fetches = tag is not None or folder is not None
    tokenize = _tokenizer(name, text, lambda: open_clip.get_tokenizer(source), fetches=fetches)
    return text_model(module.eval().to(place), Preprocess.of(transform), tokenize, name=name)


def _tokenizer(
    name: str, text: dict[str, Any], make: Callable[[], Any], *, fetches: bool
) -> Tokenize:
    """Return a tokenizer that is made when the first text is given; it may have to be fetched.

    Args:
        name: name of the model.
        text: configuration of its text tower.
        make: open_clip's function that makes its tokenizer.
        fetches: whether it may be fetched from the hub: pretrained weights were asked for, or it lies in a folder.
    """
    made: list[Any] = []

    def tokenize(words: str) -> torch.Tensor:
        if not made:
            if text.get("hf_tokenizer_name") and not fetches:
                raise PromptError(
                    f"The tokenizer of {name} is on the Hugging Face hub ({text['hf_tokenizer_name']}), and nothing is "
                    f"fetched unasked. Save the model in a folder with its {_CONFIG}, weights and tokenizer, and load "
                    "that: camwidget.load('open_clip/FOLDER')."
                )
            made.append(make())
        tokenizer = made[0]
        longest = getattr(tokenizer, "context_length", None)
        encode = getattr(tokenizer, "encode", None)
        # The first and last token are added.
        if (
            longest is not None
            and encode is not None
            and (count := len(encode(words)) + 2) > longest
        ):
            raise PromptError(
                f"The text {words[:40]!r}… has {count} tokens, and the model takes at most {longest}. Shorten it."
            )
        tokens: torch.Tensor = tokenizer([words])
        return tokens

    return tokenize


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out open_clip's reports that a model has no weights, which it makes on the root logger."""

    def is_other(record: logging.LogRecord) -> bool:
        return Path(record.pathname).parent.name != "open_clip"

    root = logging.getLogger()
    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)
