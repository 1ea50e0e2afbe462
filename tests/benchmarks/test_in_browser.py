"""Latencies in the browser: slider move to painted pixel, bytes per move, click on a class or a box to new map."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab_driver import LabPage

import camwidget as cw

EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"

# From the input event to the canvas holding the new picture.
PAINT = """async (values) => {
  const slider = document.querySelector(".camwidget-fraction");
  const canvas = document.querySelector(".camwidget-canvas");
  const paper = canvas.getContext("2d");
  const sum = () => {
    const {data} = paper.getImageData(0, 0, canvas.width, canvas.height);
    let total = 0;
    for (let i = 0; i < data.length; i += 7) total = (total * 31 + data[i]) >>> 0;
    return total;
  };
  const times = [];
  for (const value of values) {
    const before = sum();
    const start = performance.now();
    slider.value = String(value);
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    while (sum() === before && performance.now() - start < 500)
      await new Promise((r) => requestAnimationFrame(() => setTimeout(r, 0)));
    times.push(performance.now() - start);
    await new Promise((r) => setTimeout(r, 40));
  }
  return times;
}"""

CLICK = """async (count) => {
  const canvas = document.querySelector(".camwidget-canvas");
  const paper = canvas.getContext("2d");
  const picture = () => paper.getImageData(0, 0, canvas.width, canvas.height).data.join();
  const times = [];
  for (let i = 0; i < count; i++) {
    const names = document.querySelectorAll(".camwidget-name");
    const before = picture();
    const start = performance.now();
    names[1 + (i % 2)].click();
    while (picture() === before && performance.now() - start < 3000)
      await new Promise((r) => requestAnimationFrame(() => setTimeout(r, 0)));
    times.push(performance.now() - start);
    await new Promise((r) => setTimeout(r, 600));
  }
  return times;
}"""


def test_the_slider_and_the_click(
    browser: Any, lab: Any, report: Callable[[str], None], benchmark: Any
) -> None:
    shown = LabPage(browser.new_page(), lab)
    shown.open(lab.write("bench", EXPLORER))
    shown.widget()
    page = shown.page
    shown.settled()
    page.evaluate(PAINT, [5, 10])
    times = page.evaluate(PAINT, [i * 2.5 for i in range(1, 38)])
    report(
        f"\nSlider move to painted pixel: median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms"
    )
    shown.settled()
    shown.frames.clear()
    page.evaluate(
        """async () => {
          const slider = document.querySelector(".camwidget-fraction");
          for (let i = 0; i < 300; i++) {
            slider.value = String((i * 7) % 100);
            slider.dispatchEvent(new Event("input", {bubbles: true}));
            await new Promise((r) => setTimeout(r, 1000 / 60));
          }
        }"""
    )
    during = list(shown.frames)
    start = page.evaluate("() => performance.now()")
    last = f"{(299 * 7) % 100} %"
    page.wait_for_function(
        "(t) => document.querySelector('.camwidget-mask-sentence').textContent.includes(t)",
        arg=last,
        timeout=20_000,
    )
    late = page.evaluate("() => performance.now()") - start
    for way in ("sent", "received"):
        sizes = [size for w, size in during if w == way]
        report(
            f"300 slider events in 5 s: {len(sizes)} messages {way}, {sum(sizes) / 300:.0f} bytes an event"
        )
    report(f"After the last of them, its answer is there in {late:.0f} ms")
    shown.settled()
    times = page.evaluate(CLICK, 7)[1:]
    report(
        f"Click on a class to its map painted: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms"
    )
    page.close()
    benchmark.pedantic(lambda: None, rounds=1)


def test_the_slider_of_a_live_page(
    browser: Any, tmp_path: Path, report: Callable[[str], None], benchmark: Any
) -> None:
    model = cw.load(device="cpu")
    cw.save_page(model, cw.zoo.samples("zoo/textures")[0].image, tmp_path / "page", live=True)
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function(
        "() => performance.getEntriesByName('camwidget-model-ready').length > 0", timeout=60_000
    )
    page.evaluate(PAINT, [5, 10])
    times = page.evaluate(PAINT, [i * 2.5 for i in range(1, 38)])
    report(
        f"\nA live page: slider move to painted pixel: median {statistics.median(times):.1f} ms, "
        f"worst {max(times):.1f} ms"
    )
    late = page.evaluate(
        """async () => {
          const slider = document.querySelector(".camwidget-fraction");
          const said = () => document.querySelector(".camwidget-mask-sentence").textContent;
          for (let i = 0; i < 300; i++) {
            slider.value = String((i * 7) % 100);
            slider.dispatchEvent(new Event("input", {bubbles: true}));
            await new Promise((r) => setTimeout(r, 1000 / 60));
          }
          const start = performance.now();
          while (!said().includes("93 %")) await new Promise((r) => setTimeout(r, 1));
          return performance.now() - start;
        }"""
    )
    report(f"After the last of 300 slider events in 5 s, its answer is there in {late:.0f} ms")
    page.close()
    benchmark.pedantic(lambda: None, rounds=1)


DETECTOR = "import camwidget as cw\nex = cw.Explorer(cw.load('zoo/scenes-boxes'))\nex"
#: A repaint of the canvas for each click in the middle of a box, in turn; the first clicks fill caches.
CLICK_BOX = """async (count) => {
  const canvas = document.querySelector(".camwidget-canvas");
  const paper = canvas.getContext("2d");
  const picture = () => paper.getImageData(0, 0, canvas.width, canvas.height).data.join();
  const {left, top, width, height} = canvas.getBoundingClientRect();
  const places = [...document.querySelectorAll(".camwidget-found-box .over")].map((path) => {
    const [x0, y0, x1, y1] = path.getAttribute("d").match(/-?[0-9.]+/g).map(Number);
    return {x: (x0 + x1) / 2 / canvas.width, y: (y0 + y1) / 2 / canvas.height};
  });
  const times = [];
  for (let i = 0; i < count; i++) {
    const {x, y} = places[(i + 1) % places.length];
    const before = picture();
    const start = performance.now();
    canvas.dispatchEvent(
      new MouseEvent("click", {bubbles: true, clientX: left + x * width, clientY: top + y * height})
    );
    while (picture() === before && performance.now() - start < 5000)
      await new Promise((r) => requestAnimationFrame(() => setTimeout(r, 0)));
    times.push(performance.now() - start);
    await new Promise((r) => setTimeout(r, 800));
  }
  return times;
}"""


def test_the_click_on_a_box(
    browser: Any, lab: Any, report: Callable[[str], None], benchmark: Any
) -> None:
    shown = LabPage(browser.new_page(), lab)
    shown.open(lab.write("boxes", DETECTOR))
    shown.widget()
    shown.settled()
    times = shown.page.evaluate(CLICK_BOX, 12)[3:]
    load = os.getloadavg()[0]
    report(
        f"Click on a box to its map painted: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms "
        f"(load {load:.1f} on {os.cpu_count()} cores)"
    )
    shown.page.close()
    benchmark.pedantic(lambda: None, rounds=1)
