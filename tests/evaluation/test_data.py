"""Forms of data sets: folders, lists, tables, datasets, loaders and iterables."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import (
    AREA,
    BOXES,
    RIGHT,
    SIDE,
    folder,
    known,
    labeled,
    picture,
    run,
    seen,
    small_model,
)
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torchvision.transforms.functional import to_tensor

import camwidget as cw
from camwidget.errors import DataError, MetricError
from camwidget.evaluation.data import open_data
from camwidget.metrics import ScoredPicture
from camwidget.zoo import textures


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


# -- lists ---------------------------------------------------------------------------------


def test_elements_of_lists_are_the_same_in_every_form(model, tmp_path):
    pixels = picture(0)
    path = tmp_path / "a b.png"
    Image.fromarray(pixels).save(path)
    forms = [path, str(path), path.read_bytes(), Image.fromarray(pixels), pixels, to_tensor(pixels)]
    found = run(model, [(form, "bee") for form in forms])
    assert found.rows["complexity"].nunique() == 1
    assert found.rows["name"].tolist()[:3] == ["a b.png", "a b.png", "picture 2"]


def test_classes_of_lists_go_by_index_name_or_a_mapping(model):
    labels = [1, np.int64(1), torch.tensor(1), "bee", "BEE", "wasp"]
    found = run(model, [(picture(0), label) for label in labels], classes={"wasp": "bee"})
    assert found.rows["label"].tolist() == [1] * 6
    assert found.rows["target_name"].unique().tolist() == ["bee"]


def test_a_class_that_there_is_not_is_refused_before_anything_runs(model):
    seen(model)
    with pytest.raises(DataError, match=r"picture 2 is 'bea'.*'bee'"):
        run(model, [*labeled(2), (picture(0), "bea")])
    with pytest.raises(DataError, match="classes 0 to 3"):
        run(model, [*labeled(20), (picture(0), 4)])
    assert seen(model) == 0


def test_samples_of_the_zoo_bring_class_and_masks():
    model = cw.load(device="cpu")
    sample = textures.draw(3)
    (row,) = run(model, [sample], [AREA]).rows.to_dict("records")
    assert row["label_name"] == sample.classes[sample.label]
    assert row["area"] == sample.mask_of(sample.label).sum()


def test_what_is_no_set_is_refused_with_a_remedy(model, tmp_path):
    for data in (picture(0), textures.draw(0), 3, {"a": 1}):
        with pytest.raises(DataError, match="data is a folder"):
            run(model, data)
    with pytest.raises(DataError, match="is empty"):
        run(model, [])
    with pytest.raises(DataError, match="is empty"):
        run(model, iter([]))
    with pytest.raises(DataError, match="not 4 things"):
        run(model, [(picture(0), 1, None, None)])
    with pytest.raises(DataError, match="nothing at"):
        run(model, tmp_path / "nowhere")
    with pytest.raises(DataError, match="limit"):
        run(model, labeled(2), limit=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": "3"}, "limit is an integer"),
        ({"limit": 2.5}, "limit is an integer"),
        ({"batch": "all"}, "batch is an integer"),
        ({"truth": "masks/"}, "truth is a function"),
        ({"classes": ["ant"]}, "classes is a mapping"),
        ({"results": 5}, "results is the path"),
        ({"results": "a\0b"}, "null byte"),
    ],
)
def test_options_that_make_no_sense(model, options, message):
    with pytest.raises(DataError, match=message):
        run(model, labeled(2), **options)


def test_options_may_be_numpys(model):
    found = run(model, labeled(4), limit=np.int64(2), batch=np.int64(2), seed=np.int64(1))
    assert found.facts == run(model, labeled(4), limit=2, batch=2, seed=1).facts


def test_pictures_without_classes(model):
    pictures = [picture(n) for n in range(3)]
    with pytest.raises(DataError, match='target="predicted"'):
        run(model, pictures)
    found = run(model, pictures, target="predicted")
    assert found.rows["label"].isna().all()
    assert found.rows["target"].tolist() == found.rows["prediction"].tolist()
    # One among others is skipped, and said to be.
    found = run(model, [*labeled(2), picture(2)])
    assert found.skipped.to_dict("records") == [
        {"picture": 2, "name": "picture 2", "reason": "its true class is not known"}
    ]
    with pytest.raises(MetricError, match="true classes"):
        run(model, pictures, [RIGHT], target="predicted")


# -- where objects are ---------------------------------------------------------------------


def test_masks_and_boxes_are_brought_to_the_models_size(model):
    tall = picture(0, 64, 64)
    mask = np.zeros((64, 64), bool)
    mask[16:32, 8:24] = True
    truths = [
        mask,
        mask[None],
        mask.astype(int),
        [8, 16, 24, 32],
        torch.tensor([[8.0, 16, 24, 32]]),
    ]
    found = run(model, [(tall, "ant", truth) for truth in truths], [AREA, BOXES])
    assert found.rows["area"].tolist() == [64] * 5
    assert found.rows["boxes"].tolist() == [4 + 100 * 8 + 1e4 * 12 + 1e6 * 16] * 5


def test_boxes_are_drawn_only_where_they_are_asked_for(model, monkeypatch):
    def never(*size: int) -> None:
        raise AssertionError("drawn")

    monkeypatch.setattr("camwidget.evaluation.items.BoxRegions.masks", never)
    assert len(run(model, [(picture(0), 0, [[1, 1, 9, 9]])]).rows) == 1


def test_the_box_that_makes_no_sense_is_named(model):
    with pytest.raises(DataError, match=r"found \[9\.0, 9\.0, 1\.0, 1\.0\]"):
        run(model, [(picture(0), 0, [[1, 1, 3, 3], [9, 9, 1, 1]])])


def test_a_tensors_masks_are_of_its_own_size(model):
    mask = np.zeros((48, 40), bool)
    mask[:10, :7] = True
    tensor = to_tensor(picture(0, 48, 40))
    assert run(model, [(tensor, 0, mask)], [AREA]).rows["area"].tolist() == [70]
    empty = np.zeros((0, 4))
    assert run(model, [(tensor, 0, empty)], [AREA]).rows["area"].tolist() == [0]


def test_a_mask_is_of_its_class_and_says_nothing_of_another(model):
    mask = np.ones((SIDE, SIDE), bool)
    pictures = [(*each, mask) for each in labeled(8)]
    rows = run(model, pictures, [AREA], target="predicted").rows
    is_right = rows["label"] == rows["target"]
    assert 0 < is_right.sum() < 8, "the test needs both"
    assert (rows["area"].notna() == is_right).all()
    assert rows.loc[~is_right, "notes"].tolist() == [
        {"area": "location of the object unknown"}
    ] * int((~is_right).sum())
    # Without a class it is of whatever is explained.
    unlabeled = [(p, None, mask) for p, _, _ in pictures]
    assert run(model, unlabeled, [AREA], target="predicted").rows["area"].notna().all()


def test_truth_that_makes_no_sense(model):
    flat = np.ones((SIDE, SIDE), bool)
    with pytest.raises(DataError, match="left ≤ right"):
        run(model, [(picture(0), 0, [[20, 4, 4, 9]])], [AREA])
    with pytest.raises(DataError, match=r"mask \(H, W\)"):
        run(model, [(picture(0), 0, "here")], [AREA])
    with pytest.raises(DataError, match="float64 of shape"):
        run(model, [(picture(0), 0, np.full((SIDE, SIDE), 0.3))], [AREA])
    found = run(model, [(picture(0), 0, flat), (picture(0), 0, flat[:-1])], [AREA])
    assert "height and width of their picture" in found.skipped["reason"][0]


def test_a_metric_without_what_it_needs(model):
    seen(model)
    with pytest.raises(MetricError, match="where the objects are"):
        run(model, labeled(2), [AREA])
    assert seen(model) == 0
    mask = np.ones((SIDE, SIDE), bool)
    found = run(model, [(*labeled(1)[0], mask), labeled(1)[0]], [AREA])
    assert found.rows["area"].isna().tolist() == [False, True]
    assert found.table["area", "n"].tolist() == [1]
    # And what the data lacks, a function may have.
    found = run(model, labeled(2), [AREA], truth=lambda n, element: mask)
    assert found.rows["area"].tolist() == [SIDE * SIDE] * 2


# -- folders -------------------------------------------------------------------------------


def test_a_folder_of_class_folders(model, tmp_path):
    root = folder(tmp_path, 4, ("Ant", "bee"))
    (root / "ant notes.txt").write_text("no picture")
    (root / ".hidden").mkdir()
    Image.fromarray(picture(9)).save(root / ".hidden" / "x.png")
    for data in (root, str(root)):
        assert known(run(model, data)) == [
            (0, "Ant/0.png", "ant"),
            (1, "Ant/2.png", "ant"),
            (2, "bee/1.png", "bee"),
            (3, "bee/3.png", "bee"),
        ]
    assert [n for n, *_ in known(run(model, root, limit=2))] == [0, 2]


def test_folders_of_other_names(model, tmp_path):
    root = folder(tmp_path, 4, ("n01", "bee"))
    with pytest.raises(
        DataError,
        match=r"small has no class 'n01', which the data's folders contain.*classes=\{'n01'",
    ):
        run(model, root)
    assert {c for *_, c in known(run(model, root, classes={"n01": "dog"}))} == {"dog", "bee"}
    found = run(model, root, classes={"n01": None})
    assert len(found.skipped) == 2
    assert run(model, root, target="predicted").rows["label"].isna().sum() == 2
    with pytest.raises(DataError, match="classes"):
        run(model, root, [RIGHT], target="predicted")
    with pytest.raises(DataError, match="'eel'"):
        run(model, root, classes={"n01": "eel"})


def test_a_flat_folder_has_no_classes(model, tmp_path):
    for n in range(2):
        Image.fromarray(picture(n)).save(tmp_path / f"{n}.jpg")
    with pytest.raises(DataError, match="class folders"):
        run(model, tmp_path)
    assert len(run(model, tmp_path, target="predicted").rows) == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file names are bytes there only")
def test_a_file_name_that_is_no_text_can_be_written(model, tmp_path):
    """It has bytes that UTF-8 cannot encode, and a table of it could not be saved."""
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(os.fsdecode(bytes(tmp_path / "a") + b"\xff.png"))
    found = run(model, tmp_path, target="predicted")
    assert found.rows["name"].tolist() == ["a?.png"]
    found.rows.to_csv(tmp_path / "rows.csv")


def test_an_empty_folder(model, tmp_path):
    (tmp_path / "ant").mkdir()
    with pytest.raises(DataError, match="no pictures in it"):
        run(model, tmp_path)


def test_pictures_that_cannot_be_read_are_listed(model, tmp_path):
    root = folder(tmp_path, 4)
    whole = (root / "ant" / "0.png").read_bytes()
    (root / "ant" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "bee" / "text.jpg").write_text("not a picture")
    found = run(model, root)
    assert found.skipped["name"].tolist() == ["ant/cut.png", "bee/text.jpg"]
    assert "damaged or incomplete" in found.skipped["reason"][0]
    assert len(found.rows) == 4
    assert found.rows["picture"].tolist() == [0, 1, 3, 4]
    assert "2 skipped" in found._repr_html_()


def test_none_that_can_be_read(model, tmp_path):
    (tmp_path / "ant").mkdir()
    for n in range(3):
        (tmp_path / "ant" / f"{n}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 3 pictures.*ant/0\.png"):
        run(model, tmp_path)


# -- memory --------------------------------------------------------------------------------


class Counted:
    """Gives pictures, and knows how many of them are alive."""

    def __init__(self, count: int) -> None:
        self.count, self.most = count, 0
        self.given: list[weakref.ref[Image.Image]] = []

    def made(self, number: int) -> tuple[Image.Image, int]:
        image = Image.fromarray(picture(number))
        self.given.append(weakref.ref(image))
        self.most = max(self.most, sum(ref() is not None for ref in self.given))
        return image, number % 4


class Mapped(Counted):
    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Image.Image, int]:
        return self.made(number)


class Flowing(Counted, IterableDataset):
    def __iter__(self):
        return map(self.made, range(self.count))


@pytest.mark.parametrize("kind", [Mapped, Flowing])
def test_no_more_than_a_batch_is_alive(model, kind):
    data = kind(24)

    def scored() -> int:
        return sum(type(thing) is ScoredPicture for thing in gc.get_objects())

    before = scored()
    gc.disable()  # what needs it stays for long
    try:
        found = run(model, data, batch=4)
        assert scored() == before
    finally:
        gc.enable()
    assert len(found.rows) == 24
    assert 0 < data.most <= 5


def test_a_stream_counts_without_knowing_its_end(model):
    calls: list[tuple[int, int]] = []
    run(model, iter(labeled(5)), batch=2, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (0, 0)
    assert calls[-1] == (5, 0)


def test_pictures_of_several_sizes(model):
    tensors = [to_tensor(picture(0, side, 32)) for side in (32, 48, 32)]
    found = run(model, [(t, "ant") for t in tensors], ("complexity", "deletion"))
    values = found.rows["deletion"].tolist()
    assert values[0] == pytest.approx(values[2], abs=1e-6)
    assert len(values) == 3


def test_paths_are_opened_late(model, tmp_path):
    path = tmp_path / "late.png"
    found = run(model, [*labeled(1), (path, "ant")])
    assert found.skipped["name"].tolist() == ["late.png"]
    assert "There is no file" in found.skipped["reason"][0]
    assert Path(path).name in found._repr_html_()


@pytest.mark.parametrize(
    ("settings", "limit", "total"),
    [
        ({"batch_size": 2}, None, 5),
        ({"batch_size": 2, "drop_last": True}, None, 4),
        ({"batch_size": 2, "drop_last": True}, 3, 3),
        ({"batch_size": 3}, 9, 5),
        ({"batch_size": None}, None, None),
        ({"batch_size": None}, 2, 2),
    ],
)
def test_how_many_pictures_a_loader_gives(
    settings: dict[str, Any], limit: int | None, total: int | None
) -> None:
    dataset = torch.utils.data.TensorDataset(torch.rand(5, 3, SIDE, SIDE))
    loader = torch.utils.data.DataLoader(dataset, **settings)
    assert open_data(loader, small_model(), limit=limit).total == total


def test_tensors_of_whole_numbers_are_pictures_as_they_are(model) -> None:
    """A loader of decoded pictures: each is resized and cropped, and its boxes are in its own pixels."""
    arrays = [picture(n, 60, 90) for n in range(4)]
    stack = torch.stack([torch.from_numpy(a).movedim(-1, 0) for a in arrays])
    data = TensorDataset(stack, torch.arange(4))
    arrayed = [(a, n, [[30, 10, 60, 40]]) for n, a in enumerate(arrays)]
    expected = run(model, arrayed, ["complexity", AREA])
    for tensors in (data, DataLoader(data, batch_size=3)):
        found = run(
            model, tensors, ["complexity", AREA], truth=lambda number, element: [[30, 10, 60, 40]]
        )
        for column in ("complexity", "area"):
            assert found.rows[column].tolist() == expected.rows[column].tolist()
    one, same = cw.explain(model, stack, 1), cw.explain(model, arrays, 1)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.saliency, b.saliency)


def test_a_loader_of_mappings_has_images_and_classes(model) -> None:
    tensor = to_tensor(picture(0))
    rows = [{"image": tensor, "label": n, "number": 9} for n in range(3)]
    assert known(run(model, DataLoader(rows, batch_size=2)))[2] == (2, "picture 2", "cat")
    with pytest.raises(DataError, match="this one gives dict"):
        run(model, DataLoader([{"x": tensor}]))
