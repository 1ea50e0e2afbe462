"""User code that ``mypy --strict`` checks against the package; it is never run."""

from __future__ import annotations

from typing import assert_type

import numpy as np
import torch
from torch import nn

import camwidget as cw

model = cw.load("zoo/textures")
assert_type(model, cw.VisionModel)
assert_type(cw.wrap(nn.Identity()), cw.VisionModel)
assert_type(model.classes, tuple[str, ...])
assert_type(model.given(texts=["a cat", "a dog"]), cw.VisionModel)

one = cw.explain(model, "photo.jpg", "striped", cw.get_method("rise", masks=100))
assert_type(one, cw.Explanation)
assert_type(one.saliency, np.ndarray)
assert_type(one.prediction.probabilities, tuple[float, ...])
assert_type(one.mask(0.25), np.ndarray)
assert_type(cw.explain(model, "photo.jpg", cw.Contrast(0, 1), layer="stage3"), cw.Explanation)

for several in (
    cw.explain(model, ["a.jpg", "b.jpg"]),
    cw.explain(model, "a.jpg", ["striped", "veined"]),
    cw.explain(model, "a.jpg", method=["cam", "gradcam"]),
    cw.explain(model, "a.jpg", layer="all"),
    cw.explain(model, "a.jpg", layer=["stage3", "stage4"]),
):
    assert_type(several, cw.Explanations)
    assert_type(several[0], cw.Explanation)
    assert_type(several.average(), cw.Explanation)
# Of a tensor, the shape decides.
assert_type(cw.explain(model, torch.zeros(1, 3, 9, 9)), cw.Explanation | cw.Explanations)

assert_type(cw.mask_curve(model, "photo.jpg", one.saliency).area, float)
assert_type(cw.confidence_change(model, "photo.jpg", one).drop, float)
assert_type(cw.localize(one), cw.Localization | None)
assert_type(cw.evaluate(model, "photos"), cw.Evaluation)
assert_type(cw.list_methods()[0].label, str)

explorer = cw.Explorer(model, "photo.jpg", method="layercam")
assert_type(explorer, cw.Explorer)
assert_type(explorer.wait(), cw.Explorer)
assert_type(explorer.model, cw.VisionModel)
assert_type(explorer.explanation, cw.Explanation | None)
assert_type(explorer.curve, cw.MaskCurve | None)
assert_type(explorer.fraction, float)
explorer.layer = "stage3"
assert_type(cw.Quiz([cw.Question("Which?", [], ["a", "b"])]), cw.Quiz)
