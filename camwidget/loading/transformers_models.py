"""Models of transformers, from a folder or from the Hugging Face hub, with their own image processor and tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ModelError, WeightsError, warn
from ..images.preprocess import Preprocess
from ..models.detection_model import DetectionModel
from ..models.image_processors import read_processor
from ..models.input_channels import input_channels
from ..models.segmentation_model import SegmentationModel
from ..models.similarity_model import likeness_model, text_model
from ..models.two_towers import has_two_towers, tokenizer_of
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, first_line
from .checkpoints import Checkpoint, fill
from .model_folders import ModelFolder, needs_extra

__all__ = ["load_transformers"]

_CONFIG = "config.json"
_PROCESSOR = ("preprocessor_config.json", "processor_config.json")
_TOKENIZER = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
#: What is fetched of a model of the hub: weights as safetensors, and other weights only where it has no safetensors.
_SMALL = ["*.json", "*.txt", "*.model"]
_SAFE = ["model*.safetensors"]
_PICKLED = ["pytorch_model*.bin"]


def load_transformers(
    name: str,
    weights: Any,
    classes: Sequence[str] | None,
    place: torch.device,
    *,
    pretrained: bool,
) -> VisionModel:
    """Load a model of transformers.

    Args:
        name: ``hf/FOLDER`` for a folder as ``save_pretrained`` writes it; ``hf/OWNER/NAME`` for a model of the hub,
            whose files are fetched.
        weights: as in ``load``.
        classes: as in ``load``.
        place: device to move it to.
        pretrained: whether the weights are not random.

    Returns:
        The model. One with two towers compares pictures with texts, one without a head pictures with pictures.

    Raises:
        ModelError: if there is no such model, the folder lacks a file, or transformers is not installed.
        WeightsError: if the weights are missing, or do not fit.
    """
    try:
        import transformers
    except ImportError as error:
        raise needs_extra(name, "transformers", "hf") from error
    bare = name.removeprefix("hf/")
    folder = ModelFolder.named(bare) or _fetched(
        bare, name, with_weights=pretrained and weights is None
    )
    needed = [((_CONFIG,), "the architecture"), (_PROCESSOR, "the preprocessing")]
    if pretrained and weights is None and folder.weights is None:
        needed.append((("model.safetensors",), "the weights"))
    folder.check(needed, name)
    config = _made(name, transformers.AutoConfig, folder)
    kind = _model_class(transformers, config, name)
    if not pretrained:
        module = _random(kind, config, name)
    else:
        source = folder.required_weights(name) if weights is None else weights
        module = _with_weights(kind, config, source, name)
    module = module.float().eval().to(place)
    processor = _made(name, transformers.AutoImageProcessor, folder)
    channels = input_channels(module)
    preprocess = Preprocess.of(read_processor(processor, channels), channels)
    if has_two_towers(module):
        folder.check([(_TOKENIZER, "the tokenizer of texts")], name)
        tokenizer = _made(name, transformers.AutoTokenizer, folder)
        tokenize = tokenizer_of(module, _Processor(tokenizer))
        assert tokenize is not None
        return text_model(module, preprocess, tokenize, name=name)
    # What its library calls a model for no task has no head.
    if "For" not in kind.__name__ and classes is None:
        return likeness_model(module, preprocess, name=name)
    if kind.__name__.endswith("ForObjectDetection"):
        return DetectionModel(module, preprocess, classes, name=name)
    if kind.__name__.endswith("ForSemanticSegmentation"):
        return SegmentationModel(module, preprocess, classes, name=name)
    return VisionModel(module, preprocess, classes, name=name)


class _Processor:
    """Holder of a tokenizer, as a processor is."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer


def _fetched(model: str, name: str, *, with_weights: bool) -> ModelFolder:
    """Return the folder of a model of the hub, after its files have been fetched."""
    from huggingface_hub import snapshot_download

    def fetch(patterns: list[str]) -> ModelFolder:
        try:
            return ModelFolder(Path(snapshot_download(model, allow_patterns=patterns)))
        except Exception as error:  # its errors are of many types
            raise WeightsError(
                f"{name} could not be fetched ({first_line(error)}), and there is no folder {model!r} (looked in "
                f"{Path.cwd()}). Where the model is, call save_pretrained, and load that folder: "
                "camwidget.load('hf/FOLDER')."
            ) from error

    folder = fetch([*_SMALL, *(_SAFE if with_weights else [])])
    if with_weights and folder.weights is None:
        folder = fetch([*_SMALL, *_PICKLED])
    return folder


def _made(name: str, kind: Any, folder: ModelFolder) -> Any:
    """Return what an ``Auto…`` class of transformers makes of a folder; no code in the folder is run."""
    try:
        return kind.from_pretrained(
            str(folder.path), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # its errors are of many types
        what = {"AutoConfig": "configuration", "AutoTokenizer": "tokenizer"}
        raise ModelError(
            f"transformers cannot read the {what.get(kind.__name__, 'image processor')} of {name} "
            f"({first_line(error)}). Code of a model's own is not run: make such a model yourself, and pass it to "
            "camwidget.wrap."
        ) from error


def _model_class(transformers: Any, config: Any, name: str) -> Any:
    """Return the class of a model: the first of ``architectures``, or the usual one of its configuration."""
    named = [getattr(transformers, n, None) for n in config.architectures or ()]
    if named and named[0] is not None:
        return named[0]
    for auto in (transformers.AutoModelForImageClassification, transformers.AutoModel):
        try:
            with torch.device("meta"):
                return type(auto.from_config(config))
        except ValueError:  # it has no such model of this configuration
            continue
    raise ModelError(
        f"transformers has no model for the configuration of {name} ({config.model_type}). Make the model yourself, "
        "and pass it to camwidget.wrap."
    )


def _random(kind: Any, config: Any, name: str) -> nn.Module:
    try:
        module: nn.Module = kind(config)
        return module
    except Exception as error:  # a constructor may raise anything
        raise ModelError(f"transformers cannot make {name}: {error_line(error)}.") from error


def _with_weights(kind: Any, config: Any, source: Any, name: str) -> nn.Module:
    """Return a model with the weights of a file, which transformers translates if an older version wrote it.

    Raises:
        WeightsError: if weights are missing, or have other shapes.
    """
    checkpoint = Checkpoint(source)
    module: nn.Module
    try:
        with _quiet():
            module, info = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(checkpoint.tensors()),
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
    except Exception as error:  # its errors are of many types
        raise WeightsError(
            f"transformers cannot load the weights of {name}: {error_line(error)}."
        ) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        # A training program's file has the weights under a prefix; if it is another model's, this says so.
        module = _random(kind, config, name)
        fill(module, checkpoint, name)
        return module
    if unexpected := sorted(info["unexpected_keys"]):
        warn(
            f"The weights of {name} have {len(unexpected)} tensors that {kind.__name__} does not use, such as "
            f"{unexpected[0]!r}: is it the right architecture?"
        )
    return module


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out transformers' progress bar and reports of loading, of which errors here say the same."""
    from transformers.utils import logging as reports

    level, shows_progress = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if shows_progress:
            reports.enable_progress_bar()
