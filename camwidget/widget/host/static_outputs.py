"""Static views in a notebook's outputs: what is read where no widget can be shown.

An output holds the widget's view and, beside it, HTML of what the widget shows: JupyterLab, Notebook, Voila and VS Code
choose the view, GitHub and a conversion without widget state the HTML. A notebook that a program executes is read by
nobody while it runs: its outputs are brought up to date at the end of each cell, by their display ids.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...runtime.error_reports import log_error
from . import executed_notebooks

__all__ = ["SWITCH", "OutputData", "StaticView", "output_data", "show_in_executed_notebook"]

#: The data of an output by type, and their metadata.
OutputData: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"

#: The environment variable that, set to 0, keeps static views out of notebooks.
SWITCH = "CAMWIDGET_STATIC_VIEWS"

_VIEW = "application/vnd.jupyter.widget-view+json"

_COLAB_REMEDY = (
    "Colab shows this widget once its manager of third-party widgets is on: run "
    "from google.colab import output; output.enable_custom_widget_manager(), then this cell again."
)


@dataclass(frozen=True)
class StaticView:
    """What a widget shows, for readers without it.

    Attributes:
        html: plain tags without style and script, everything escaped; empty if there is nothing to show.
        text: the same as text, without pictures.
    """

    html: str
    text: str


def output_data(
    plain: OutputData | dict[str, Any],
    view_metadata: Mapping[str, Any],
    static_view: Callable[[], StaticView],
) -> OutputData:
    """Return a widget's output with its static view.

    Args:
        plain: the output as ipywidgets makes it.
        view_metadata: anywidget's metadata of a view, which names Colab's manager of third-party widgets.
        static_view: returns what the widget shows now.
    """
    data, metadata = plain if isinstance(plain, tuple) else (plain, {})
    data, metadata = dict(data), {**metadata, **view_metadata}
    found = _made(static_view)
    if found.html:
        data["text/html"] = found.html
    if found.text:
        data["text/plain"] = f"{data['text/plain']}\n{found.text}"
    if "google.colab" in sys.modules and _VIEW not in metadata:
        # Colab would show an error in place of the view.
        data.pop(_VIEW, None)
        data["text/html"] = f"<p>{_COLAB_REMEDY}</p>\n{found.html}".strip()
        data["text/plain"] = f"{data['text/plain']}\n{_COLAB_REMEDY}"
    return data, metadata


def _made(static_view: Callable[[], StaticView]) -> StaticView:
    if not _is_on():
        return StaticView("", "")
    try:
        return static_view()
    except Exception as error:  # the widget itself can be shown all the same
        log_error(error, "A static view could not be made.", static_view)
        return StaticView("", "")


def _is_on() -> bool:
    return os.environ.get(SWITCH) != "0"


# -- notebooks that a program executes -----------------------------------------------------


@dataclass
class _Output:
    """An output of a notebook: what makes it, None once its widget is gone, and what was sent last."""

    make: Callable[[], OutputData | None]
    model_id: str
    sent: dict[str, Any]


_outputs: dict[str, _Output] = {}
_numbers = itertools.count()


def show_in_executed_notebook(model_id: str, make: Callable[[], OutputData | None]) -> bool:
    """Show a widget in an output that follows it until the notebook ends; whether this is such a notebook.

    Args:
        model_id: the id of the widget's model.
        make: returns the widget's output as it is now; None once the widget is gone.
    """
    if not _is_on() or not executed_notebooks.is_executed_by_program():
        return False
    executed_notebooks.finish()
    made = make()
    if made is None:
        return False
    executed_notebooks.after_cells(_bring_up_to_date)
    display_id = f"camwidget-{next(_numbers)}"
    _outputs[display_id] = _Output(make, model_id, made[0])
    _display(*made, display_id)
    _display(_page_data(model_id, made[0]), {}, f"{display_id}-page")
    return True


def _bring_up_to_date() -> None:
    for display_id, output in list(_outputs.items()):
        made = output.make()
        if made is None:  # its last state stays
            del _outputs[display_id]
        elif made[0] != output.sent:
            output.sent = made[0]
            _display(*made, display_id, update=True)
            page_data = _page_data(output.model_id, made[0])
            _display(page_data, {}, f"{display_id}-page", update=True)


def _display(
    data: dict[str, Any], metadata: dict[str, Any], display_id: str, *, update: bool = False
) -> None:
    from IPython.display import display

    display(  # type: ignore[no-untyped-call]
        data, metadata=metadata, raw=True, display_id=display_id, update=update
    )


def _page_data(model_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An invisible output for pages that nbconvert writes.

    They hold the widget's state and choose the view, which is fetched from a network. Until it is there, the script
    shows the static view in its place. Where an application shows views by itself it finds nothing to do.
    """
    # No "<" ends or begins anything in a page.
    html = json.dumps(data.get("text/html", "")).replace("<", "\\u003c")
    script = _SCRIPT.replace("@MODEL@", json.dumps(model_id)).replace("@HTML@", html)
    return {"application/javascript": script, "text/plain": ""}


_SCRIPT = """(() => {
  const model = @MODEL@;
  const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]');
  const view = [...views].find((one) => one.textContent.includes(model));
  if (view === undefined) return;
  const box = view.parentElement;
  const place = document.createElement("div");
  place.className = "camwidget-static";
  place.innerHTML = @HTML@;
  box.append(place);
  const observer = new MutationObserver(() => {
    if (box.querySelector(".camwidget-view > *, .camwidget-quiz > *") === null) return;
    observer.disconnect();
    place.remove();
  });
  observer.observe(box, { childList: true, subtree: true });
})();"""
