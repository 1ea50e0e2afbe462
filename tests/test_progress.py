"""Progress bars in text and in a notebook, and their switch."""

from __future__ import annotations

import pytest
from tqdm.notebook import tqdm as notebook_bar
from tqdm.std import tqdm as text_bar

from camwidget import progress


@pytest.mark.parametrize("kind", [text_bar, notebook_bar], ids=["text", "notebook"])
def test_no_bar_where_tqdm_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type
) -> None:
    """A notebook under test has none: it would come on a slow machine only."""
    made = []

    def remembered(**options: object) -> object:
        made.append(kind(**{**options, "delay": 0.0}))
        return made[-1]

    monkeypatch.setattr(progress, "tqdm", remembered)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert list(progress.track(range(3), "counting")) == [0, 1, 2]
    assert made[0].disable
    assert capsys.readouterr() == ("", "")


def test_a_bar_comes_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(progress, "tqdm", lambda **options: text_bar(**{**options, "delay": 0.0}))
    assert list(progress.track(range(3), "counting")) == [0, 1, 2]
    assert "counting" in capsys.readouterr().err
