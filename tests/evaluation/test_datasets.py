"""Classes and order of datasets and loaders."""

from __future__ import annotations

import logging

import pytest
import torch
from PIL import Image
from small_models import AREA, CLASSES, SIDE, folder, known, labeled, picture, run, small_model
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms.functional import to_tensor

import camwidget as cw
from camwidget.errors import DataError


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    return small_model()


def test_torchvisions_datasets(model, tmp_path):
    root = folder(tmp_path, 6)
    found = run(model, Subset(ImageFolder(str(root)), [4, 0, 1]))
    assert known(found) == [
        (0, "bee/3.png", "bee"),
        (1, "ant/0.png", "ant"),
        (2, "ant/2.png", "ant"),
    ]
    (root / "ant" / "2.png").write_text("broken")
    found = run(model, ImageFolder(str(root)))
    assert found.skipped["name"].tolist() == ["ant/2.png"]
    assert "UnidentifiedImageError" in found.skipped["reason"][0]
    assert len(run(model, FakeData(5, (3, SIDE, SIDE), num_classes=4)).rows) == 5
    one = ImageFolder(str(folder(tmp_path / "one", 1)))
    assert known(run(model, one)) == [(0, "ant/0.png", "ant")]


def test_classes_that_a_dataset_names_otherwise(model, tmp_path):
    root = folder(tmp_path, 4, ("bee", "n01"))
    with pytest.raises(
        DataError, match="small has no class 'n01', which the data's classes contain"
    ):
        run(model, ImageFolder(str(root)))
    found = run(model, ImageFolder(str(root)), classes={"n01": "ant"})
    assert [c for *_, c in known(found)] == ["bee", "bee", "ant", "ant"]
    # As many classes as the model has: their numbers are the model's.
    other = folder(tmp_path / "other", 4, ("n1", "n2", "n3", "n4"))
    assert [c for *_, c in known(run(model, ImageFolder(str(other))))] == list(CLASSES)


def test_numbers_are_not_the_models_where_known_names_have_others(model, tmp_path):
    root = folder(tmp_path, 4, ("bee", "cat", "dog", "wolf"))
    with pytest.raises(DataError, match="no class 'wolf'"):
        run(model, ImageFolder(str(root)))
    found = run(model, ImageFolder(str(root)), classes={"wolf": "ant"})
    assert [c for *_, c in known(found)] == ["bee", "cat", "dog", "ant"]


def test_joined_datasets_have_names_too(model, tmp_path):
    first = ImageFolder(str(folder(tmp_path / "a", 2, ("bee", "dog"))), transform=to_tensor)
    same = ImageFolder(str(folder(tmp_path / "b", 2, ("bee", "dog"))), transform=to_tensor)
    joined = ConcatDataset([Subset(first, [1]), same])
    for data in (joined, Subset(joined, range(3)), DataLoader(joined, batch_size=2)):
        assert [c for *_, c in known(run(model, data))] == ["dog", "bee", "dog"]
    other = ImageFolder(str(folder(tmp_path / "c", 2, ("ant", "dog"))), transform=to_tensor)
    with pytest.raises(DataError, match="'bee', 'dog' and 'ant', 'dog'.*each dataset separately"):
        run(model, ConcatDataset([first, other]))


def test_a_set_for_detection_asks_for_truth(model):
    class Boxed(Dataset):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, number: int):
            if number >= 2:
                raise IndexError
            return Image.fromarray(picture(number)), {"boxes": [[0, 0, 8, 4]]}

    with pytest.raises(DataError, match="truth=…"):
        run(model, Boxed())
    found = run(
        model, Boxed(), [AREA], truth=lambda n, element: element[1]["boxes"], target="predicted"
    )
    assert found.rows["area"].tolist() == [32, 32]


def test_loaders(model):
    pairs = labeled(7)
    images = torch.stack([to_tensor(p) for p, _ in pairs])
    labels = torch.tensor([CLASSES.index(c) for _, c in pairs])
    plain = run(model, pairs)
    for size, drop in ((3, False), (3, True), (7, False)):
        loader = DataLoader(TensorDataset(images, labels), batch_size=size, drop_last=drop)
        rows = run(model, loader).rows
        count = 6 if drop else 7
        assert rows["complexity"].tolist() == plain.rows["complexity"].tolist()[:count]
        assert rows["label"].tolist() == labels.tolist()[:count]
    assert len(run(model, DataLoader(TensorDataset(images, labels)), limit=2).rows) == 2
    with pytest.raises(DataError, match="Leave Normalize out"):
        run(model, DataLoader(TensorDataset(images * 4 - 2, labels), batch_size=3))
    with pytest.raises(DataError, match="collate_fn"):
        run(model, DataLoader(pairs, batch_size=2, collate_fn=list))


def test_one_bad_picture_does_not_cost_a_loaders_batch(model, caplog):
    caplog.set_level(logging.INFO, "camwidget")

    class Bad(Dataset):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, number: int):
            if number == 4:
                raise OSError("a bad sector")
            return to_tensor(picture(number)), number % 4

    for workers in (0, 1):
        found = run(model, DataLoader(Bad(), batch_size=3, num_workers=workers))
        assert found.rows["picture"].tolist() == [0, 1, 2, 3, 5]
        assert found.skipped["reason"].tolist() == ["OSError: a bad sector"]
        assert {r.exc_info[0] for r in caplog.records if r.exc_info} == {OSError}
        caplog.clear()
    with pytest.raises(DataError, match="Pass its dataset"):
        run(model, DataLoader(Bad(), batch_size=6, shuffle=True))


def test_a_shuffling_loader_cannot_be_taken_up_again(model, tmp_path):
    data = FakeData(4, (3, SIDE, SIDE), 4, transform=to_tensor)
    for loader in (
        DataLoader(data, shuffle=True),
        DataLoader(data, sampler=SubsetRandomSampler(range(4))),
        DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data), 2, False)),
    ):
        with pytest.raises(DataError, match="shuffle=False"):
            run(model, loader, results=tmp_path / "run.jsonl")
        assert not (tmp_path / "run.jsonl").exists()
        assert len(run(model, loader).rows) == 4
