"""Folders, archives and other containers of pictures."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Subset, TensorDataset

import camwidget as cw
from camwidget import cli
from camwidget.errors import DataError, PictureError
from camwidget.images.containers import as_batch, list_entries
from camwidget.images.folders import distinct_names, list_folder, picture_suffixes
from camwidget.images.preprocess import Preprocess
from camwidget.widget.control.pictures import list_pictures
from camwidget.widget.state.picture_sources import PictureSources
from camwidget.widget.view.thumbnails import Thumbnails


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two class folders, a loose picture, and what is to be left out."""
    for name in ("z.JPG", "cat/b.png", "cat/a.ppm", "dog/c.webp", ".hidden/d.png", "cat/.e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 16), (200, 0, 0)).save(tmp_path / name)
    for name in ("notes.txt", "paper.pdf", "plot.eps", "film.mpg"):
        (tmp_path / name).write_text("no picture")
    os.symlink(tmp_path, tmp_path / "cat" / "round")
    return tmp_path


NAMES = ["z.JPG", "cat/a.ppm", "cat/b.png", "dog/c.webp"]


def test_folders_are_listed_by_one_rule(
    folder: Path, textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [folder / name for name in NAMES]
    assert list_folder(folder) == files
    assert [p.name for p in list_pictures(folder)] == NAMES
    assert [p.source for p in list_pictures(str(folder))] == files
    assert cli._list_pictures([str(folder)]) == (files, True)
    found = cw.evaluate(
        textures,
        folder,
        "gradcam",
        metrics=["drop"],
        target="predicted",
        classes={"cat": 0, "dog": 1},
    )
    assert found.pictures == len(files)
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(PictureError, match="has no picture"):
        list_folder(empty)
    assert {".png", ".tif", ".avif", ".jp2"} <= picture_suffixes()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "dog").chmod(0)
    with pytest.raises(PictureError, match=r"dog.*cannot be read"):
        list_folder(folder)


def sources(folder: Path) -> dict[str, tuple[Any, int]]:
    files = [folder / name for name in NAMES]
    tensors = torch.rand(4, 3, 16, 16)
    array = np.zeros((4, 16, 20, 3), np.uint8)
    return {
        "generator": (folder.glob("cat/[ab].p*"), 2),
        "Series": (pd.Series([str(f) for f in files], index=list("abcd")), 4),
        "Index": (pd.Index(files), 4),
        "array of paths": (np.array([str(f) for f in files]), 4),
        "channels last": (array, 4),
        "channels first": (np.moveaxis(array, -1, 1), 4),
        "tensor": (tensors, 4),
        "loader": (DataLoader(TensorDataset(tensors, torch.arange(4)), batch_size=3), 4),
        "data set": (TensorDataset(tensors, torch.arange(4)), 4),
        "subset": (Subset(TensorDataset(tensors), [0, 2]), 2),
        "mappings": ([{"image": files[0], "label": 1}], 1),
        "pairs": ([(files[0], 1), (files[1], 0)], 2),
        "folders": ([folder / "dog", folder / "z.JPG"], 2),
    }


@pytest.mark.parametrize("kind", list(sources(Path())))
def test_containers_are_taken(kind: str, folder: Path) -> None:
    source, count = sources(folder)[kind]
    pictures = list_pictures(source)
    assert len(pictures) == count
    preprocess = Preprocess(16)
    for picture in pictures:
        assert preprocess.pixels(picture.source).shape == (3, 16, 16)
        assert picture.name
    again = sources(folder)[kind][0]
    assert len(as_batch(again)) == count


def test_files_of_a_data_set_are_opened_when_they_are_looked_at(folder: Path) -> None:
    (folder / ".hidden" / "d.png").unlink()
    (folder / ".hidden").rmdir()
    (folder / "cat" / "round").unlink()
    data = torchvision.datasets.ImageFolder(str(folder))
    names = ["cat/.e.png", "cat/a.ppm", "cat/b.png", "dog/c.webp"]
    assert [p.name for p in list_pictures(data)] == names
    assert [p.name for p in list_pictures(Subset(data, [3, 1]))] == ["dog/c.webp", "cat/a.ppm"]


def test_a_data_set_that_fails_says_which_picture() -> None:
    class Broken:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> Any:
            raise OSError("gone")

    entries = list_entries(Broken())
    assert entries is not None and len(entries) == 3
    with pytest.raises(PictureError, match=r"Picture 2 of the Broken cannot be had: OSError: gone"):
        Preprocess(16).pixels(entries[2].source)


@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (pd.DataFrame({"where": ["a"]}), r"table\['where'\].*'path'"),
        (itertools.repeat("a.png"), "more than 1000"),
        (DataLoader(TensorDataset(torch.randn(4, 3, 16, 16))), "Leave Normalize out"),
        (3, "not int"),
        (torch.nn.Identity(), "the model as the first argument"),
        ([{"label": 1}], "without a picture.*'image'"),
        (tarfile.TarFile(fileobj=io.BytesIO(), mode="w"), "tar archive.*unpack it"),
        ("photos/*.jpg", r"is a pattern.*glob"),
        (["a.png", "photos/*.jpg"], r"'photos/\*.jpg' is a pattern"),
        ([None], "None is no picture"),
        (Path("nowhere").glob("*.jpg"), "no picture in the .*check the folder"),
        (pd.Series([], dtype=object), "no picture in the Series"),
        ({"train": TensorDataset(torch.zeros(2, 3, 16, 16))}, r"pass one.*images\['train'\]"),
        ({"cats": ["a.png", "b.png"]}, "one list"),
        ({"image": torch.zeros(3, 16, 16), "words": torch.zeros(5)}, "inputs="),
    ],
)
def test_what_is_no_container_is_refused_at_once(
    images: Any, remedy: str, textures: cw.VisionModel
) -> None:
    for refuse in (lambda: cw.Explorer(textures, images), lambda: cw.explain(textures, images)):
        with pytest.raises(PictureError, match=remedy):
            refuse()


def test_no_thumbnail_is_made_that_is_not_seen() -> None:
    made: list[int] = []

    def tile(number: int) -> np.ndarray:
        made.append(number)
        return np.zeros((112, 112, 3), np.uint8)

    strip = Thumbnails(lambda number: None, lambda name, content: None, pytest.fail)
    for _ in strip.fill(tile, 1500, lambda: 40):
        pass
    assert len(made) == Thumbnails.SEEN
    assert made[:3] == [40, 39, 41], "those beside the chosen one come first"


def test_thumbnails_of_a_large_input_are_made_small() -> None:
    for preprocess in (
        Preprocess(4096),
        Preprocess(896, resize=1024),
        Preprocess((900, 1800), resize=(900, 1800)),
    ):
        small = preprocess.smaller(224)
        assert 224 <= min(small.size) < 448
        height, width = preprocess.size
        assert small.size[1] / small.size[0] == pytest.approx(width / height, rel=0.01)
    assert Preprocess(224).smaller(224).size == (224, 224)


def test_lists_of_lists_and_bare_classes_are_refused() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(PictureError, match="one list"):
        list_entries([[picture, picture], [picture]])
    with pytest.raises(PictureError, match="3 is no picture.*pairs"):
        list_entries((picture, 3))
    assert len(list_entries([(picture, 3), (picture, torch.tensor(1))]) or []) == 2


def rows(folder: Path) -> dict[str, Any]:
    image, content = Image.new("RGB", (16, 16)), (folder / "z.JPG").read_bytes()
    return {
        "decoded": {"image": image, "label": 3},
        "undecoded": {"image": {"bytes": content, "path": "far/z.JPG"}, "label": 3},
        "bytes": {"bytes": content, "path": None},
        "path": {"bytes": None, "path": str(folder / "z.JPG")},
        "caption": {"image": image, "file_name": "z.jpg", "text": "a red thing"},
        "boxes": {"image": image, "objects": {"bbox": [[0, 0, 4, 4]]}, "width": 16},
        "mask": {"image": image, "annotation": image.convert("L")},
        "image": {"image": image},
        "path and class": {"img": str(folder / "z.JPG"), "label": "red"},
    }


def test_a_row_of_a_data_set_is_a_picture(folder: Path, textures: cw.VisionModel) -> None:
    for kind, row in rows(folder).items():
        pixels = textures.preprocess.pixels(row)
        for source in (row, [row]):
            (picture,) = list_pictures(source)
            assert torch.equal(textures.preprocess.pixels(picture.source), pixels), kind
    found = cw.explain(textures, row)
    assert isinstance(found, cw.Explanation) and len(cw.explain(textures, [row, row])) == 2
    assert list_pictures(rows(folder)["undecoded"])[0].name == "z.JPG"


def test_a_mapping_is_pictures_by_name_for_explain_as_for_the_explorer(
    folder: Path, textures: cw.VisionModel
) -> None:
    images = {"one": folder / "z.JPG", "other": np.zeros((16, 16, 3), np.uint8)}
    assert [p.name for p in list_pictures(images)] == ["one", "other"]
    found = cw.explain(textures, images, 1)
    assert [e.picture for e in found] == [0, 1]
    for one, name in zip(found, images, strict=True):
        np.testing.assert_array_equal(one.pixels, cw.explain(textures, images[name], 1).pixels)


def test_rows_are_evaluated_with_their_classes(folder: Path, textures: cw.VisionModel) -> None:
    data = [{"image": Image.new("RGB", (16, 16)), "label": n} for n in (0, 2)]
    found = cw.evaluate(textures, data, "gradcam", metrics=["drop"])
    assert found.pictures == 2 and not len(found.skipped)


def test_an_opened_archive_is_a_folder_and_stays_as_it_is(
    folder: Path, textures: cw.VisionModel, tmp_path: Path
) -> None:
    memory = io.BytesIO()
    for target in (tmp_path / "pictures.zip", memory):
        with zipfile.ZipFile(target, "w") as made:
            for name in ("dog/c.webp", "z.JPG"):
                made.write(folder / name, name)
        with zipfile.ZipFile(target) as archive:
            for source in (archive, [archive]):
                assert [p.name for p in list_pictures(source)] == ["z.JPG", "dog/c.webp"]
            assert len(cw.explain(textures, archive, 0)) == 2
            if target is memory:
                assert len(list_pictures(zipfile.Path(zipfile.ZipFile(memory)))) == 2
            assert type(archive) is zipfile.ZipFile and archive.namelist()
            with pytest.raises(PictureError, match=r"zipfile.Path\(archive, name\)"):
                textures.preprocess.pixels(archive)
    (folder / "renamed.png").write_bytes(memory.getvalue())
    with pytest.raises(PictureError, match=r"ZIP archive.*zipfile.Path\(file\)"):
        cw.explain(textures, folder / "renamed.png")


def test_rows_of_tables_are_pictures(folder: Path, textures: cw.VisionModel) -> None:
    files = [str(folder / name) for name in NAMES]
    table = pd.DataFrame({"label": range(4), "path": files}, index=list("abcd"))
    for source in (
        table,
        table.to_dict("records"),
        [*table.itertuples()],
        [row for _, row in table.iterrows()],
    ):
        assert [p.name for p in list_pictures(source)] == [Path(f).name for f in files]
        assert len(as_batch(source)) == 4
    names = {"path": files[0], "other": files[1]}
    assert [p.name for p in list_pictures(names)] == ["path", "other"]


def test_tables_are_evaluated(folder: Path, textures: cw.VisionModel) -> None:
    files = [str(folder / name) for name in NAMES]
    table = pd.DataFrame({"path": files, "class": [3, 1, 2, 0]}, index=[3, 2, 1, 0])

    def labels(data: Any, **more: Any) -> list[Any]:
        return cw.evaluate(textures, data, "random", "complexity", **more).rows["label"].tolist()

    for data in (table, table.to_dict("records"), table.to_numpy()):
        assert labels(data) == [3, 1, 2, 0]
    found = cw.evaluate(textures, table["path"], "random", "complexity", target="predicted")
    assert found.rows["name"].tolist() == [Path(f).name for f in files], "by place, not by index"
    for bad, remedy in (
        (table.rename(columns={"path": "where"}), "columns 'where', 'class'.*under 'image'"),
        ([{"x": files[0], "y": 1}], "mappings of 'x', 'y'.*under 'image'"),
        ({"path": files, "class": [3, 1, 2, 0]}, r"rows of its columns, list\(zip"),
        (dict(zip(files, range(4), strict=True)), r"list\(data.items\(\)\)"),
        (torch.zeros(2, 3, 16, 16), r"list\(zip\(images, classes\)\)"),
        (Image.new("RGB", (16, 16)), r"\[\(picture, class\)\]"),
        ([files[0]], 'in rows under "label"'),
    ):
        with pytest.raises(DataError, match=remedy):
            labels(bad)


def test_the_names_that_a_data_set_declares_are_its_classes(
    folder: Path, textures: cw.VisionModel
) -> None:
    """As Hugging Face's data sets do; its own numbers are seldom the model's."""

    class Declared:
        features: ClassVar = {
            "image": object(),
            "label": SimpleNamespace(names=["veined", "lined"]),
        }

        def __len__(self) -> int:
            return 2

        def __getitem__(self, number: int) -> dict[str, Any]:
            return {"image": Image.open(folder / NAMES[number]), "label": number}

    found = cw.evaluate(textures, Declared(), "random", "complexity")
    assert found.rows["label_name"].tolist() == ["veined", "lined"]


def test_files_that_are_called_alike_are_told_apart(folder: Path, textures: cw.VisionModel) -> None:
    files = [folder / name for name in ("x/set/cat.png", "y/set/cat.png", "x/dog.png")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(file)
    names = ["x/set/cat.png", "y/set/cat.png", "dog.png"]
    assert distinct_names([*files, files[0]]) == [*names, names[0]]
    assert distinct_names([]) == []
    pictures = list_pictures([*map(str, files), np.zeros((16, 16, 3), np.uint8)])
    assert [p.name for p in pictures] == [*names, "picture 4"]
    assert PictureSources(pictures[:3], "m").lines[0] == "images = ["
    found = cw.evaluate(textures, files, "random", "complexity", target="predicted")
    assert found.rows["name"].tolist() == names
