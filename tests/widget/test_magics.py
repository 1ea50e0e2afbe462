"""``%load_ext camwidget``: an explorer and maps from one line, with errors as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

import camwidget as cw


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """An IPython shell with the magics loaded."""
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "camwidget")
    yield made
    made.reset()
    InteractiveShell.clear_instance()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my photo.png"
    Image.fromarray(cw.zoo.samples("zoo/textures")[0].image).save(path)
    return path


def explore(shell: InteractiveShell, line: str) -> cw.Explorer:
    made = shell.run_line_magic("explore", line)
    assert isinstance(made, cw.Explorer)
    return made


def test_explore_without_anything_is_the_embedded_model(shell):
    explorer = explore(shell, "")
    assert explorer.model.name == cw.load().name and len(explorer.pictures) > 1
    explorer.close()


def test_explore_takes_variables_files_and_options(shell, photo, textures):
    shell.user_ns["net"] = textures
    explorer = explore(shell, f"--model net --method layercam --target 3 --top 4 '{photo}'")
    explorer.wait(60)
    assert explorer.model.module is textures.module and explorer.method == "layercam"
    assert explorer.target == textures.classes[3]
    assert [p.name for p in explorer.pictures] == ["my photo.png"]
    explorer.close()


def test_explore_takes_evidence_against_and_rather_than(shell, textures):
    shell.user_ns["net"] = textures
    for line, target in (
        ("--against veined", cw.Counterfactual("veined")),
        (
            "--target 3 --rather-than 'polka-dotted'",
            cw.Contrast(textures.classes[3], "polka-dotted"),
        ),
    ):
        explorer = explore(shell, f"--model net {line}")
        explorer.wait(60)
        assert explorer.target == target
        explorer.close()


def test_explain_takes_evidence_against(shell, photo, textures):
    shell.user_ns["net"] = textures
    made = shell.run_cell_magic("explain", "--model net --against veined", repr(str(photo)))
    expected = cw.explain(textures, photo, cw.Counterfactual("veined"))
    assert made.target.label == expected.target.label and (made.raw == expected.raw).all()


def test_explore_compares_a_list_of_models(shell, textures):
    shell.user_ns["both"] = [textures, cw.load("zoo/scenes")]
    explorer = explore(shell, "--model both")
    assert len(explorer.models) == 2
    explorer.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--model nothing-of-the-kind", "nothing-of-the-kind"),
        ("--method gradcan", "gradcam"),
        ("--target nonsense", "nonsense"),
        ("--top 40", "from 1 to 9"),
        ("--against nonsense", "nonsense"),
        ("--against veined --target lined", "leave --target out"),
        ("--rather-than veined", "by --target"),
        ("--target veined --rather-than veined", "itself"),
        ("--against veined --method eigencam", "class"),
        ("--unknown", "usage: %explore"),
        ("missing.png", "missing.png"),
        ("'half a quotation", "quotation"),
    ],
)
def test_wrong_words_become_text(shell, line, words):
    with pytest.raises(UsageError, match=words):
        shell.run_line_magic("explore", line)


def test_explain_gives_the_map_of_the_last_expression(shell, photo, textures):
    shell.user_ns["net"] = textures
    cell = f"from PIL import Image\nImage.open({str(photo)!r})"
    made = shell.run_cell_magic("explain", "--model net --method layercam --into exp", cell)
    expected = cw.explain(textures, photo, method="layercam")
    assert made is shell.user_ns["exp"] and (made.saliency == expected.saliency).all()


def test_explain_takes_several_methods(shell, photo):
    made = shell.run_cell_magic("explain", "--method gradcam,layercam", repr(str(photo)))
    assert [one.method for one in made] == ["gradcam", "layercam"]


@pytest.mark.parametrize("cell", ["# nothing", "x = 1", "import os"])
def test_a_cell_without_a_picture_is_told_what_to_do(shell, cell):
    with pytest.raises(UsageError, match="last line of the cell"):
        shell.run_cell_magic("explain", "", cell)


def test_the_cells_own_error_is_raised(shell):
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("explain", "", "1 / 0")


def test_a_variable_that_cannot_be_is_refused_before_anything_runs(shell):
    with pytest.raises(UsageError, match="--into"):
        shell.run_cell_magic("explain", "--into 3x", "ran = True\n'photo.png'")
    assert "ran" not in shell.user_ns
