"""Representations and messages of an evaluation, and the fingerprints of its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import AREA, CLASSES, folder, labeled, picture, run, small_model
from torch.utils.data import Subset
from torchvision import tv_tensors

from camwidget.errors import CamwidgetError, DataError
from camwidget.evaluation.data import open_data
from camwidget.evaluation.items import BoxRegions, parse_truth
from camwidget.evaluation.plan import _to_json
from camwidget.evaluation.table import means


@pytest.mark.parametrize(("layers", "heads"), [(None, 2), ("all", 3)])
def test_a_table_names_layers_where_there_are_several(layers: Any, heads: int) -> None:
    found = run(small_model(), labeled(2), layers=layers)
    html = found._repr_html_()
    first = html[html.index("<tr>") : html.index("</tr>")]
    assert ("layer</th>" in first) is (layers == "all")
    assert first.count("<th ") == heads + 1
    assert repr(found).startswith("Evaluation of small: 2 pictures\n") and "skipped" not in repr(
        found
    )
    assert {"curves", "run", "facts", "batch", "error"}.isdisjoint(found.rows.columns)
    ranks = re.findall(r">(?:<b>)?([\d.]+)(?:</b>)?</td></tr>", html)
    assert ranks == [f"{rank:.2f}" for rank in found.ranks["mean rank"]]


def test_what_was_skipped_is_counted(tmp_path: Path) -> None:
    data = [*labeled(2), (tmp_path / "none.png", "ant")]
    assert repr(run(small_model(), data)).startswith("Evaluation of small: 2 pictures, 1 skipped\n")


def test_folders_are_told_apart_by_names_and_classes(tmp_path: Path) -> None:
    model = small_model()
    one, same, fewer, other = (
        open_data(folder(tmp_path / name, count, classes), model).fingerprint()
        for name, count, classes in (
            ("a", 4, ("ant", "bee")),
            ("b", 4, ("ant", "bee")),
            ("c", 3, ("ant", "bee")),
            ("d", 4, ("ant", "cat")),
        )
    )
    assert one == same and len({one, fewer, other}) == 3 and all((one, fewer, other))


def test_boxes_may_have_no_width_but_not_less() -> None:
    assert parse_truth([[1, 2, 1, 5]]) is not None and parse_truth([1, 2, 4, 2]) is not None
    for bad in ([[1, 2, 0.5, 5]], [[1, 2, 4, 1]], [[1, 2, np.nan, 5]], [[1, 2, np.inf, 5]]):
        with pytest.raises(DataError, match="left ≤ right"):
            parse_truth(bad)


def test_relative_boxes_are_refused() -> None:
    """In pixels they would all lie in the first, and every score would be 0."""
    for bad in ([0.1, 0.2, 0.6, 0.9], [[0, 0, 1, 1]], torch.tensor([[0.0, 0.1, 1.000001, 0.5]])):
        with pytest.raises(DataError, match=r"all coordinates.*multiply left and right"):
            parse_truth(bad)
    for good in ([[0, 0, 0, 0]], [[0, 0, 1, 1], [3, 3, 9, 9]], np.zeros((0, 4))):
        assert parse_truth(good) is not None


def test_boxes_of_torchvision_know_their_notation() -> None:
    size = (32, 32)
    for notation, corners in (
        ("XYXY", [8, 4, 12, 20]),
        ("XYWH", [8, 4, 4, 16]),
        ("CXCYWH", [10, 12, 4, 16]),
    ):
        found = parse_truth(tv_tensors.BoundingBoxes([corners], format=notation, canvas_size=size))  # type: ignore[call-overload]
        assert isinstance(found, BoxRegions) and found.corners.tolist() == [[8, 4, 12, 20]]


def test_a_box_beside_the_picture_is_named() -> None:
    """As where the pictures were resized, and their boxes were not."""
    data = [
        (picture(0), "ant", [[40, 0, 60, 9]]),
        (picture(1), "bee", [[30, -4, 60, 9]]),
        (picture(2), "bee", [[3, 3, 9, 9]]),
    ]
    found = run(small_model(), data, [AREA])
    assert found.pictures == 2
    (reason,) = found.skipped["reason"]
    assert "[40.0, 0.0, 60.0, 9.0] of picture 0 is outside the picture, which is 32×32" in reason


def test_truths_without_plain_values_are_refused() -> None:
    hidden = np.ma.masked_array(np.ones((32, 32), bool), mask=np.eye(32, dtype=bool))
    for bad, remedy in (
        (hidden, r"truth are masked.*filled"),
        ([hidden], r"truth are masked.*filled"),
        (torch.eye(32).to_sparse(), r"truth is sparse.*to_dense"),
        (torch.ones(32, 32, device="meta"), "meta"),
    ):
        with pytest.raises(DataError, match=remedy):
            parse_truth(bad)


def test_what_is_no_truth_is_described() -> None:
    for bad, found in (
        (np.ones(3, bool), r"bool of shape \(3,\)"),
        (np.ones((2, 2), int) * 7, r"int64 of shape \(2, 2\)\. Convert other values"),
        (np.array(["a", "b"]), "ndarray"),
        (7, "int"),
    ):
        with pytest.raises(DataError, match=f"found {found}"):
            parse_truth(bad)


def test_masks_may_be_as_wide_as_boxes_are_long() -> None:
    found = parse_truth(np.ones((2, 5, 4), int))
    assert isinstance(found, np.ndarray) and found.dtype == bool and found.shape == (2, 5, 4)


@pytest.mark.parametrize(("count", "end"), [(8, "'x7', which"), (9, "'x7' …, which")])
def test_eight_unknown_classes_are_named(count: int, end: str) -> None:
    data = Named(labeled(2))
    data.classes = tuple(f"x{n}" for n in range(count))
    with pytest.raises(DataError, match=end):
        run(small_model(), Subset(data, [0, 1]))


class Named(list):
    """A data set that names its classes."""

    classes = CLASSES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([(picture(0), np.array([0, 1]))], "Of a picture with several labels give one"),
        ([()], "not 0 things"),
        ([{"what": picture(0), "kind": "ant"}], "mappings of 'what', 'kind', and which of these"),
        ([(picture(0), ["ant", "bee"])], "Of a picture with several labels give one"),
        (Subset(Named([(picture(0), 0.5)]), [0]), "is float; it is an index or a name"),
        (Subset(Named([(picture(0), 9)]), [0]), "is of class 9, of 4 that the data names"),
    ],
)
def test_labels_that_are_no_class_get_their_own_remedy(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(small_model(), data)


def test_a_batch_that_does_not_fit_may_be_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **settings: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("camwidget.evaluation.batch.Trace", full)
    with pytest.raises(CamwidgetError, match=r"A batch of 2 pictures .* pass a smaller batch="):
        run(small_model(), labeled(2))


def test_settings_as_json_has_them() -> None:
    for value in (None, True, False):
        assert _to_json(value) is value
    assert (
        type(_to_json(np.int64(3))) is int
        and _to_json(0.5) == 0.5
        and _to_json(float("inf")) == "inf"
    )
    assert _to_json((1, [True, "a"])) == [1, [True, "a"]]
    assert " at 0x" not in _to_json(object()) and _to_json("f at 0x7f00") == "f"


def test_two_values_have_an_interval_and_one_has_none() -> None:
    mean, low, high = means(np.array([[0.0, 3.0], [1.0, np.nan]]))
    np.testing.assert_allclose(mean, [0.5, 3])
    assert (low[0], high[0]) == (0, 1) and np.isnan([low[1], high[1]]).all()


def test_nothing_is_minus_zero() -> None:
    found = run(small_model(), labeled(2))
    found.rows["complexity"] = -1e-9
    shown = f"{found!r}{found._repr_html_()}"
    assert "0.000" in shown and "-0.000" not in shown


def test_truths_of_other_values_are_refused_with_what_to_do() -> None:
    for bad, remedy in (
        (np.full((32, 32), 255, np.uint8), "mask > 0"),
        (np.full((32, 32), 0.5), "mask > 0"),
        ({"boxes": [[1, 1, 9, 9]]}, "such as its boxes"),
    ):
        with pytest.raises(DataError, match=remedy):
            parse_truth(bad)
