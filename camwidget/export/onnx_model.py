"""A model as an ONNX graph, compared with PyTorch before it is used."""

from __future__ import annotations

import copy
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import CamwidgetError, ModelError
from ..execution.device_errors import is_out_of_memory
from ..models.findings import FindsInPicture
from ..models.vision_model import VisionModel
from ..runtime.error_reports import error_line, log_error

__all__ = ["TOLERANCE", "ExportedModel", "HeadWeights", "export_model", "weights_size"]

#: The largest difference between probabilities of the graph and of PyTorch; of quantities, in relation to the largest.
TOLERANCE = 1e-4

#: Version of ONNX's operations, which onnxruntime-web has all of.
_OPSET = 17

_REMEDY = (
    "Save the page without live=True: it has precomputed maps and curves, and needs no export."
)
_INSTALL = (
    'A page with live=True needs onnx, onnxscript and onnxruntime: pip install "camwidget[live]".'
)

#: How the exporters name an operation that they cannot translate.
_OPERATION = re.compile(r"(?:aten|prim|prims|torchvision|quantized)(?:::|\.)\w+")


@dataclass(frozen=True)
class HeadWeights:
    """The linear map behind global average pooling, whose weights the graph contains.

    Attributes:
        offset: position of the weights in the graph's bytes, float32 (rows, channels) in little endian.
        rows: number of scores.
        channels: number of channels of the layer before the pooling.
        bias: float32 (rows,).
    """

    offset: int
    rows: int
    channels: int
    bias: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A model as an ONNX graph from pixels (1, C, H, W) in [0, 1] to logits (1, classes), or to what it finds.

    Attributes:
        graph: the bytes of the ONNX file. Its outputs are "logits" and, if the model has a head, "features"; or
            ``exported_tensors`` of a model that finds its classes in the picture.
        difference: the largest difference between its probabilities and PyTorch's, over ``pictures``.
        pictures: number of pictures that were compared.
        outputs: names of the outputs, other than "features".
        head: the head of a model where CAM applies; None if there is none, or its weights are not found in the graph.
        features: the layer before the head's pooling, float32 (K, h, w), for the picture that was given; None without
            a head.
    """

    graph: bytes = field(repr=False)
    difference: float
    pictures: int
    outputs: tuple[str, ...]
    head: HeadWeights | None = None
    features: np.ndarray | None = field(default=None, repr=False)


def weights_size(model: VisionModel) -> int:
    """The size of a model's parameters and buffers in bytes, as float32."""
    tensors = {id(t): t for t in (*model.module.parameters(), *model.module.buffers())}
    return 4 * sum(tensor.numel() for tensor in tensors.values())


def export_model(model: VisionModel, pixels: torch.Tensor) -> ExportedModel:
    """Export a model as an ONNX graph, and compare the graph with PyTorch on several pictures.

    Args:
        model: the model, with its text if it takes one.
        pixels: a picture, float32 (C, H, W) in [0, 1].

    Returns:
        The graph with what is known of it.

    Raises:
        CamwidgetError: if the libraries of the extra ``live`` are missing.
        ModelError: if an operation cannot be exported, or the graph computes something else.
    """
    _check_installed()
    ready = _on_cpu(model)
    with ready.isolated() as isolated, torch.no_grad():
        outputs = tuple(_outputs(isolated, pixels[None]))
    graph = _graph_of(ready, pixels, outputs)
    session = _session(graph, model.name)
    series = _test_pictures(pixels)
    found = torch.cat([_logits_by_graph(session, ready, outputs, one) for one in series])
    # One by one, as the graph takes them: a module may choose by the whole batch.
    expected = torch.cat([ready.logits(one[None]) for one in series])
    difference = _difference(ready, found, expected)
    if not difference <= TOLERANCE:  # also of NaN
        raise ModelError(
            f"{model.name} exported to ONNX gives other numbers than in PyTorch: they differ by {difference:.2g}, "
            f"and {TOLERANCE:g} is allowed. The module may choose between operations by its input. {_REMEDY}"
        )
    result = ExportedModel(graph, difference, len(series), outputs)
    head = _head_weights(ready, graph)
    if head is None:
        return result
    features = session.run(["features"], {"pixels": pixels[None].numpy()})[0][0]
    return replace(result, head=head, features=features)


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # type: ignore[import-untyped]  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise CamwidgetError(f"{_INSTALL} ({error_line(error)})") from error


def _on_cpu(model: VisionModel) -> VisionModel:
    """The model in float32 on the CPU: itself, or with a copy of its module."""
    tensors = [*model.module.parameters(), *model.module.buffers()]
    if all(
        t.device.type == "cpu" and (t.dtype == torch.float32 or not t.is_floating_point())
        for t in tensors
    ):
        return model
    try:
        return model.with_module(copy.deepcopy(model.module).to("cpu", torch.float32))
    except Exception as error:  # a user's module may raise anything
        if is_out_of_memory(error):
            raise
        log_error(error, "A module cannot be copied.", level=logging.INFO)
        raise ModelError(
            f"{model.name} cannot be copied to the CPU in float32, as its export needs: {error_line(error)}. {_REMEDY}"
        ) from error


def _outputs(model: VisionModel, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run an isolated model on a picture (1, C, H, W); return the graph's outputs, other than the features."""
    returned = model.run(model.inputs(pixels))
    if isinstance(model, FindsInPicture):
        return model.exported_tensors(returned, (int(pixels.shape[-2]), int(pixels.shape[-1])))
    return {"logits": model.logits_of(returned, 1).float()}


def _logits_by_graph(
    session: Any, model: VisionModel, outputs: Sequence[str], pixels: torch.Tensor
) -> torch.Tensor:
    """Run the graph on a picture (C, H, W); return the logits (1, classes)."""
    values = session.run(list(outputs), {"pixels": pixels[None].numpy()})
    tensors = dict(zip(outputs, map(torch.from_numpy, values), strict=True))
    return (
        model.exported_logits(tensors) if isinstance(model, FindsInPicture) else tensors["logits"]
    )


class _Graph(nn.Module):
    """What is exported: from pixels to logits, and the features before the head."""

    def __init__(self, model: VisionModel, layer: str | None) -> None:
        super().__init__()
        self.net = model.module
        self._model = model
        self._layer = layer

    def forward(self, pixels: torch.Tensor) -> Any:
        model = self._model
        found: list[torch.Tensor | None] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            maps = model.maps(output, pixels.shape[-2:])
            # A copy, since an operation in place may follow.
            found.append(None if maps is None else maps.float().clone())

        handle = None
        if self._layer is not None:
            handle = model.module.get_submodule(self._layer).register_forward_hook(keep)
        try:
            outputs = list(_outputs(model, pixels).values())
        finally:
            if handle is not None:
                handle.remove()
        if found and found[0] is not None:
            outputs.append(found[0])
        return tuple(outputs)


def _graph_of(model: VisionModel, pixels: torch.Tensor, outputs: Sequence[str]) -> bytes:
    """Export by tracing; a module that cannot be traced is exported by ``torch.export``."""
    layer = None if model.gap_head is None else model.gap_head.layer
    names = [*outputs, *([] if layer is None else ["features"])]
    errors: list[Exception] = []
    for export in (_traced, _captured):
        with model.isolated() as isolated, torch.no_grad(), _quiet():
            try:
                # The wrapper too has to be in evaluation mode: the exporter restores the mode of all of it.
                return export(_Graph(isolated, layer).eval(), pixels[None], names)
            except Exception as error:  # exporters raise anything
                if is_out_of_memory(error):
                    raise
                log_error(error, "A module cannot be exported to ONNX.", level=logging.INFO)
                errors.append(error)
    operations = list(dict.fromkeys(_OPERATION.findall("\n".join(map(str, errors)))))
    what = (
        f"the operation {operations[0].replace('::', '.')} has no translation"
        if operations
        else error_line(errors[0])
    )
    raise ModelError(f"{model.name} cannot be exported to ONNX: {what}. {_REMEDY}") from errors[0]


def _traced(graph: nn.Module, pixels: torch.Tensor, names: list[str]) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(
        graph, (pixels,), file,  # type: ignore[arg-type]  # the declared type leaves files out
        dynamo=False, opset_version=_OPSET, input_names=["pixels"], output_names=names,
    )  # fmt: skip
    return file.getvalue()


def _captured(graph: nn.Module, pixels: torch.Tensor, names: list[str]) -> bytes:
    program = torch.onnx.export(
        graph, (pixels,),
        dynamo=True, verbose=False, opset_version=_OPSET + 1, input_names=["pixels"], output_names=names,
    )  # fmt: skip
    assert program is not None
    data: bytes = program.model_proto.SerializeToString()
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' warnings and log, which speak to those who write exporters."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _session(graph: bytes, name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no public base class of its errors
        log_error(error, "An exported graph cannot be opened.", level=logging.INFO)
        raise ModelError(
            f"{name} exported to ONNX cannot be run: {error_line(error)}. {_REMEDY}"
        ) from error


def _test_pictures(pixels: torch.Tensor) -> list[torch.Tensor]:
    """The picture, and pictures unlike it, for which a module that chooses by its input would choose otherwise."""
    half = pixels.clone()
    half[..., : pixels.shape[-1] // 2] = 0
    return [pixels, pixels.flip(-1), 1 - pixels, half, torch.full_like(pixels, 0.5)]


def _difference(model: VisionModel, found: torch.Tensor, expected: torch.Tensor) -> float:
    ours, theirs = (model.probabilities(x).double() for x in (found, expected))
    scale = max(1.0, float(theirs.abs().max())) if model.scores == "value" else 1.0
    return float((ours - theirs).abs().max()) / scale


def _head_weights(model: VisionModel, graph: bytes) -> HeadWeights | None:
    """The head's weights, found in the graph by their bytes."""
    head = model.gap_head
    if head is None:
        return None
    module = model.module.get_submodule(head.module)
    weight: torch.Tensor = module.weight.detach().float().flatten(1)  # type: ignore[operator]
    offset = graph.find(weight.numpy().astype("<f4").tobytes())
    if offset < 0:
        return None
    bias = getattr(module, "bias", None)
    values = np.zeros(len(weight), np.float32) if bias is None else bias.detach().float().numpy()
    return HeadWeights(offset, len(weight), weight.shape[1], values)
