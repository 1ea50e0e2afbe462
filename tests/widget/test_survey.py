"""The survey widget: filters, order, clusters, opening and export show and write the pictures that they say."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_models import CLASSES, labeled, picture, small_model
from waiting import until

import camwidget as cw
from camwidget.errors import CamwidgetError, DataError
from camwidget.survey import intervene, survey_pictures
from camwidget.widget.view.survey_sheet import survey_tile


@pytest.fixture(scope="module")
def survey():
    made = cw.Survey(small_model(), labeled(40)).wait()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def all_shown(survey):
    survey.select()


def shown(survey: cw.Survey) -> list[int]:
    return survey.selected["picture"].tolist()


def test_it_shows_what_the_survey_finds(survey):
    expected = survey_pictures(small_model(), labeled(40))
    pd.testing.assert_frame_equal(survey.result.table, expected.table)
    assert shown(survey) == list(range(40))
    assert sum(len(c) for c in survey.clusters) == 40
    assert f"{expected.accuracy:.1%} right" in survey._note.value
    assert survey._bar.layout.display == "none"


def test_filters_and_order(survey):
    table = survey.result.table
    wrong = table[table["truth"] != table["prediction"]]
    survey.select(outcome="wrong", sort="confidence", descending=True)
    assert (
        shown(survey)
        == wrong.sort_values("confidence", ascending=False, kind="stable")["picture"].tolist()
    )
    first = wrong.iloc[0]
    survey.select(truth=first["truth"], prediction=first["prediction"])
    cell = table[(table["truth"] == first["truth"]) & (table["prediction"] == first["prediction"])]
    assert shown(survey) == cell["picture"].tolist()
    survey.select(cluster=0)
    assert set(shown(survey)) == set(survey.clusters[0].members.tolist())
    # The controls do the same, and say the same.
    survey.select(outcome="right")
    assert survey._filters.outcome.value == "right"
    survey._filters.outcome.value = "wrong"
    assert shown(survey) == wrong["picture"].tolist()
    survey._reset.click()
    assert len(shown(survey)) == 40


def test_a_cell_of_the_confusion_matrix_chooses_its_pictures(survey):
    counts = survey.result.confusion
    names = survey._groups.confusion.names
    for row, truth in enumerate(names):
        for column, prediction in enumerate(names):
            survey._groups.confusion.cells.selected = [[row, column]]
            assert len(shown(survey)) == counts.loc[truth, prediction]
    survey._groups.confusion.cells.selected = None
    assert len(shown(survey)) == 40


def test_a_brush_chooses_the_points_in_it(survey):
    points = survey._positions
    survey._groups.points.brush.selected_x = np.array([-0.5, 1.0])
    survey._groups.points.brush.selected_y = np.array([-1.0, 0.25])
    inside = (points[:, 0] >= -0.5) & (points[:, 1] <= 0.25)
    assert shown(survey) == np.flatnonzero(inside).tolist()
    survey._reset.click()
    assert len(shown(survey)) == 40


def test_what_does_not_exist_is_refused(survey):
    for wrong in ({"outcome": "no"}, {"truth": "no"}, {"cluster": 99}, {"sort": "no"}):
        with pytest.raises(CamwidgetError, match="is one of"):
            survey.select(**wrong)
    with pytest.raises(DataError, match="no row 40"):
        survey.explore(40)
    with pytest.raises(CamwidgetError, match="shows its progress itself"):
        cw.Survey(small_model(), labeled(2), progress=print)


def test_a_click_opens_the_picture_under_it(survey):
    survey.select(outcome="wrong")
    sheet = survey._sheet
    x, y = sheet.corner(9)
    sheet._click(x + 20, y + 20)
    survey.wait()
    number = shown(survey)[9]
    explorer = survey.explorer.wait()
    assert explorer.target == survey.result.table["prediction"][number]
    np.testing.assert_array_equal(explorer.explanation.pixels, picture(number))
    assert survey._place.children == (explorer,)
    # By keyboard the next one.
    survey._on_message(None, {"type": "key", "key": "ArrowRight"}, None)
    survey._on_message(None, {"type": "key", "key": "Enter"}, None)
    survey.wait()
    assert survey.explorer is not explorer and explorer.comm is None
    pixels = survey.explorer.wait().explanation.pixels
    np.testing.assert_array_equal(pixels, picture(shown(survey)[10]))


def test_the_picture_of_a_row_is_found_behind_skipped_ones_and_a_limit():
    data = [
        *labeled(3),
        (b"no picture", CLASSES[0]),
        *[(picture(n), CLASSES[0]) for n in range(4, 9)],
    ]
    with_limit = cw.Survey(small_model(), data, limit=6).wait()
    assert with_limit.result.table["picture"].tolist() == [0, 1, 4, 6, 7]
    explorer = with_limit.explore(3).wait()
    np.testing.assert_array_equal(explorer.explanation.pixels, picture(6))
    with_limit.close()


def test_only_the_pictures_near_to_those_in_sight_are_drawn():
    result = survey_pictures(small_model(), labeled(8))
    many = 10_000
    result.table = pd.concat([result.table] * (many // 8), ignore_index=True)
    result.maps = np.tile(result.maps, (many // 8, 1, 1))
    result.thumbnails = list(result.thumbnails) * (many // 8)
    from camwidget.widget.view.survey_sheet import SurveySheet

    opened: list[int] = []
    sheet = SurveySheet(opened.append, pytest.fail)
    sheet.show(result, range(many))
    assert sheet.canvas.canvas.height < 2000
    assert int(sheet._space.layout.height.removesuffix("px")) > 100_000
    for top in (0, 300, 60_000, 111_000, 5_000):
        sheet.scrolled(top)
        first = int(sheet.canvas.canvas.layout.top.removesuffix("px"))
        assert first <= top and first + sheet.canvas.canvas.height >= min(
            top + sheet.HEIGHT, -(-many // sheet.COLUMNS) * sheet.PITCH
        )
        place = top // sheet.PITCH * sheet.COLUMNS + 2
        x, y = sheet.corner(place)
        assert 0 <= y < sheet.canvas.canvas.height
        sheet._click(x + 5, y + 5)
        assert opened[-1] == place
    sheet.press("End")
    assert sheet.cursor_row == many - 1


def test_a_tile_is_the_picture_with_its_map():
    result = survey_pictures(small_model(), [np.full((48, 48, 3), 90, np.uint8)])
    plain = survey_tile(result, 0, with_map=False)
    assert plain.shape == (72, 72, 3) and abs(int(plain.mean()) - 90) < 3
    result.maps[0] = 0
    result.maps[0, :8] = 255
    over = survey_tile(result, 0, with_map=True)
    assert over[:20].mean() > 120 > over[50:].mean()


def test_the_selection_is_written(survey, tmp_path):
    survey.select(outcome="wrong")
    numbers = shown(survey)
    table = pd.read_csv(survey.save(tmp_path / "a.csv"))
    assert table["picture"].tolist() == numbers
    page = survey.save(tmp_path / "a.html").read_text()
    assert page.count("<figure>") == len(numbers) and "<script" not in page
    folder = survey.save(tmp_path / "found")
    files = sorted(folder.glob("*/*.png"), key=lambda f: f.name)
    assert [int(f.name[:6]) for f in files] == numbers
    row = survey.result.table.iloc[numbers[0]]
    assert files[0].parent.name == f"{row['truth']} as {row['prediction']}"
    np.testing.assert_array_equal(np.asarray(Image.open(files[0])), picture(numbers[0]))
    with pytest.raises(FileExistsError):
        survey.save(folder)
    survey._path.value = str(folder)
    survey._on_save(None)
    assert "exists already" in survey._said.value


def test_names_are_text_on_a_page(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(picture(0)).save(data / "<img src=x onerror=alert(1)>.png")
    hostile = cw.Survey(small_model(), data).wait()
    page = hostile.save(tmp_path / "page.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page
    assert hostile._result.has_truth is False
    hostile.close()


def test_a_canceled_survey_goes_on(tmp_path):
    path = tmp_path / "survey.jsonl"
    made = cw.Survey(small_model(), labeled(40), batch=1, results=path)
    made.cancel()
    made.resume()
    made.wait()
    pd.testing.assert_frame_equal(
        made.result.table, survey_pictures(small_model(), labeled(40), batch=1).table
    )
    made.close()
    again = cw.Survey(small_model(), labeled(40), batch=1, results=path).wait()
    assert len(again.result) == 40
    again.close()


def test_data_without_a_picture_is_an_error_in_words():
    empty = cw.Survey(small_model(), [b"no picture"])
    with pytest.raises(DataError, match="no picture to survey"):
        empty.wait()
    assert "no picture to survey" in empty._note.value
    empty.close()


def test_the_static_view_has_the_clusters(survey):
    view = survey._static_view()
    assert "small: 40 pictures" in view.text
    assert view.html.count("<img") >= len(survey.clusters)
    assert "<script" not in view.html


def test_the_model_is_left_as_it_was():
    from module_fingerprint import fingerprint

    model = small_model()
    before = fingerprint(model.module)
    made = cw.Survey(model, labeled(5)).wait()
    made.explore(2).wait()
    made.close()
    assert fingerprint(model.module) == before


def test_what_is_hidden_everywhere_is_told_with_its_control(survey):
    survey.select(outcome="wrong")
    panel = survey._hiding
    assert panel.what.value == "evidence for the predicted class"
    panel.what.value = f"evidence for {CLASSES[0]}"
    panel.fraction.value = 0.2
    panel.start()
    survey.wait()
    expected = intervene(small_model(), labeled(40), CLASSES[0], fraction=0.2)
    pd.testing.assert_frame_equal(panel.found.table, expected.table)
    assert f"all pictures ({40})" in panel._said.value
    assert f"those on the sheet ({len(shown(survey))})" in panel._said.value
    assert any(label.startswith("region of cluster") for label in panel.what.options)


def test_a_survey_that_nobody_shows_is_closed():
    made = cw.Survey(small_model(), labeled(3)).wait()
    keys = made._sheet.keys
    seen = weakref.ref(made)
    del made
    until(lambda: gc.collect() >= 0 and seen() is None)
    assert keys.comm is None
