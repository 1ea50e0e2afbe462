"""A saved page with several pictures, tasks, a quiz, and answers as a file; in Chromium, and in Firefox."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from firefox_driver import Firefox, file_url, firefox_path
from page_driver import says, until
from test_accessibility import ALL, findings
from test_saved_page import HOSTILE, SPY

import camwidget as cw
from camwidget.analysis.answer_sheets import AnswerSheet
from camwidget.analysis.human_attention import TRUTH
from camwidget.zoo import textures as drawn

pytestmark = [pytest.mark.browser, pytest.mark.full]

TASKS = [
    "## Look\n\nHide **half** of the picture. *What* changes?\n\n- the `number`\n- the map",
    "Read <b>this</b> [page](https://example.org/a) and [that](javascript:alert(1)).",
]
PAIRS = [("waffled", "bubbly"), ("honeycombed", "veined")]


@pytest.fixture(scope="module")
def questions(textures: cw.VisionModel) -> list[Any]:
    """One of which class, and one of where; as they are made by the quizzes."""
    samples = [drawn.draw(k, "multiple", classes=pair) for k, pair in enumerate(PAIRS)]
    which = cw.Quiz.which_class(textures, samples, n=2, method=["gradcam", "random"]).wait()
    where = cw.Quiz.where(textures, samples, n=1, methods=["gradcam", "random"]).wait()
    made = [*which.questions, *where.questions]
    which.close()
    where.close()
    return made


def saved(model: cw.VisionModel, questions: list[Any], file: Path, **more: Any) -> Path:
    quiz = cw.Quiz(questions, title="A quiz")
    pictures = [sample.image for sample in cw.zoo.samples("zoo/textures")[:2]]
    cw.save_page(
        model, pictures, file, classes=2, layers=[model.default_layer],
        **{"methods": ["gradcam"], "name": ["first", "second"], "tasks": TASKS, "quiz": quiz, "steps": 3, **more},
    )  # fmt: skip
    quiz.close()
    return file


def opened(context: Any, file: Path, script: str = "") -> Any:
    page = context.new_page()
    page.add_init_script(SPY + script)
    page.goto(file.as_uri())
    page.wait_for_selector(".camwidget-canvas")
    return page


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser without a network."""
    made = browser.new_context(offline=True, accept_downloads=True)
    yield made
    made.close()


def picture_of(page: Any) -> list[int]:
    return page.evaluate(
        """() => {
          const canvas = document.querySelector(".camwidget-canvas");
          return Array.from(canvas.getContext("2d").getImageData(0, 0, 8, 8).data);
        }"""
    )


def test_a_student_answers_and_saves(
    context: Any, textures: cw.VisionModel, questions: list[Any], tmp_path: Path
) -> None:
    page = opened(context, saved(textures, questions, tmp_path / "lesson.html"))
    # Several pictures, one shown.
    before = picture_of(page)
    page.get_by_role("button", name="second", exact=True).click()
    page.wait_for_selector(".camwidget-canvas")
    until(
        page,
        """(before) => String(Array.from(document.querySelector(".camwidget-canvas").getContext("2d")
          .getImageData(0, 0, 8, 8).data)) !== before""",
        ",".join(map(str, before)),
    )
    # Markdown, and no markup.
    assert page.locator(".camwidget-lesson-text strong").inner_text() == "half"
    assert page.locator(".camwidget-lesson-text li code").inner_text() == "number"
    assert "<b>this</b>" in page.locator(".camwidget-lesson-text").nth(1).inner_text()
    links = page.locator(".camwidget-lesson-text a")
    assert [links.nth(k).get_attribute("href") for k in range(links.count())] == [
        "https://example.org/a"
    ]
    # Nothing to save at first.
    save = page.get_by_role("button", name="Save the answers")
    save.click()
    says(page, ".camwidget-quiz-saved", "nothing to save")
    page.locator("textarea").first.fill("The number falls.")
    rights = []
    for number in (1, 2):
        says(page, ".camwidget-quiz-place", f"Question {number} of 3")
        page.locator(".camwidget-quiz-option").first.click()
        until(
            page, "() => /✓|✗/.test(document.querySelector('.camwidget-quiz-verdict').textContent)"
        )
        rights.append(page.locator(".camwidget-quiz-verdict").inner_text().startswith("✓"))
        page.locator(".camwidget-quiz-next:visible").click()
    # Where did you look?
    layer = page.locator(".camwidget-quiz-marks-layer")
    layer.scroll_into_view_if_needed()
    box = layer.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(".camwidget-quiz-correlations")
    page.locator(".camwidget-quiz-next:visible").click()
    says(page, ".camwidget-quiz-score", f"{sum(rights)} of 2 right")
    says(page, ".camwidget-quiz-tally", "Random")
    page.get_by_label("Your name, if you like").fill("Ada <b>")
    with page.expect_download() as download:
        save.click()
    file = tmp_path / "answers" / download.value.suggested_filename
    assert file.name == "answers-Ada-b.json"
    download.value.save_as(file)
    says(page, ".camwidget-quiz-saved", "Saved as answers-Ada-b.json in your downloads")

    sheet = AnswerSheet.read(file)
    assert sheet.name == "Ada <b>" and len(sheet.id) == 32
    assert [t.answer for t in sheet.tasks] == ["The number falls.", ""]
    assert [t.task for t in sheet.tasks] == TASKS
    pooled = cw.Quiz.pool(tmp_path / "answers")
    assert pooled.accuracy["right"].sum() == sum(rights) and len(pooled.accuracy) == 2
    assert set(pooled.attention.index) <= {"Grad-CAM", "Random", TRUTH}
    assert pooled.texts["answer"].tolist() == ["The number falls."]
    # The browser's correlations are Python's.
    runs = page.evaluate("() => window.happened")
    assert runs == [], "no violation of the policy, no error"
    marked = sheet.questions[2]
    assert 0.01 < marked.marked < 0.5 and marked.correlations is not None
    assert set(marked.correlations) == set(questions[2].maps)


def test_hostile_texts_stay_texts(context: Any, textures: cw.VisionModel, tmp_path: Path) -> None:
    gray = np.full((32, 32, 3), 128, np.uint8)
    tasks = [
        "\n\n".join(HOSTILE),
        "# " + HOSTILE[0],
        f"[x]({HOSTILE[3]}) ![y](https://example.org/p.png) `{HOSTILE[1]}`",
        '[x](data:text/html,<script>ran(10)</script>) [x](https://a"onmouseover=ran(11))',
        "> " * 4000 + "deep",
        "*" * 4000 + "[" * 4000,
    ]
    made = [cw.Question(h, [(gray, h)], [h, "b"], 0, h) for h in HOSTILE[:3]]
    file = saved(
        textures, made, tmp_path / "x.html", tasks=tasks, name=list(HOSTILE[:2]), title=HOSTILE[1]
    )
    page = opened(context, file)
    page.locator(".camwidget-quiz-option").first.click()
    says(page, ".camwidget-quiz-feedback", HOSTILE[0])
    assert page.evaluate("() => window.happened") == []
    shown = page.locator(".camwidget-lesson-text").first.inner_text()
    assert all(f"ran({n})" in shown for n in range(1, 10)), "as they are written"
    assert (
        page.locator(".camwidget-lesson :is(script, iframe, svg[onload], [onerror])").count() == 0
    )
    links = page.locator(".camwidget-lesson-text a").evaluate_all(
        "(all) => all.map((a) => a.protocol)"
    )
    assert set(links) <= {"https:", "http:"}


def test_a_live_lesson(
    context: Any, textures: cw.VisionModel, questions: list[Any], tmp_path: Path
) -> None:
    name, other = textures.classes[4:6]
    file = saved(
        textures, questions, tmp_path / "lesson.html", live=True, target=cw.Contrast(name, other),
        methods=["gradcam", "saliency"],
    )  # fmt: skip
    # What the page was saved with is shown first, also where the model does not run.
    still = opened(context, file, "WebAssembly.validate = () => false;")
    says(still, ".camwidget-error-text", "The model does not run here")
    says(still, ".camwidget-status", f"{name} rather than {other}")
    still.close()
    page = opened(context, file)
    says(page, ".camwidget-status", f"{name} rather than {other}")
    until(page, "() => performance.getEntriesByName('camwidget-model-ready').length > 0")
    # The second one has the same question, and precomputed maps of its own.
    page.locator(".camwidget-own-chosen").select_option(label="second")
    page.get_by_role("radio", name="Saliency", exact=True).click()
    says(page, ".camwidget-status", f"Saliency · input 192×192 · {name} rather than {other}")
    assert page.locator(".camwidget-error").is_hidden()
    page.locator(".camwidget-own-chosen").select_option(label="first")
    says(page, ".camwidget-status", f"{textures.classes[4]} rather than {other}")
    assert page.locator(".camwidget-quiz-option").count() == 2
    assert page.evaluate("() => window.happened") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(
    browser: Any, textures: cw.VisionModel, questions: list[Any], tmp_path: Path, scheme: Any
) -> None:
    """A live lesson, with what is folded open, before and after an answer."""
    file = saved(textures, questions, tmp_path / "lesson.html", live=True)
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = opened(context, file)
    until(page, "() => performance.getEntriesByName('camwidget-model-ready').length > 0")
    page.locator(".camwidget-map-style-open").click()
    page.locator(".camwidget-paint-toggle").click()
    page.locator(".camwidget-fraction").press("Shift+ArrowRight")
    says(page, ".camwidget-mask-sentence", "10 %")
    assert findings(page, "html", ALL) == []
    page.locator(".camwidget-quiz-option").first.click()
    page.locator("textarea").first.fill("It falls.")
    page.get_by_role("button", name="Start again").click()
    says(page, ".camwidget-lesson-status", "Some answers are not saved")
    assert findings(page, "html", ALL) == []
    page.get_by_role("button", name="Clear them").click()
    says(page, ".camwidget-lesson-status", "All answers are cleared")
    assert page.locator("textarea").first.input_value() == ""
    says(page, ".camwidget-quiz-place", "Question 1 of 3")
    context.close()


def test_in_firefox(textures: cw.VisionModel, questions: list[Any], tmp_path: Path) -> None:
    path = firefox_path()
    if path is None:
        reason = "no Firefox is installed (Debian: apt-get install firefox-esr)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    firefox = Firefox(path)
    try:
        firefox.open(file_url(saved(textures, questions, tmp_path / "lesson.html")))
        firefox.until("document.querySelector('.camwidget-quiz-option') !== null")
        firefox.value("document.querySelector('.camwidget-quiz-option').click()")
        firefox.until("/✓|✗/.test(document.querySelector('.camwidget-quiz-verdict').textContent)")
        firefox.value("document.querySelector('textarea').focus()")
        firefox.press("a", 3)
        firefox.until("document.querySelector('textarea').value === 'aaa'")
        # What is saved: the link is clicked, and its file read.
        content = firefox.value(
            """new Promise((done) => {
              const make = URL.createObjectURL;
              URL.createObjectURL = (blob) => { blob.text().then(done); return make.call(URL, blob); };
              document.querySelector(".camwidget-quiz-save button").click();
            })"""
        )
    finally:
        firefox.close()
    (tmp_path / "answers.json").write_text(content, "utf-8")
    sheet = AnswerSheet.read(tmp_path / "answers.json")
    assert "name" not in json.loads(content) and sheet.tasks[0].answer == "aaa"
    assert cw.Quiz.pool(tmp_path).accuracy["answers"].sum() == 1
