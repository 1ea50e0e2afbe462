"""The ``camwidget`` command: saved pages from the shell."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .export import Page
    from .models.vision_model import VisionModel

# Modules that import PyTorch are imported on demand, so that --help is fast.

__all__ = ["main"]

_MODES, _FILLS = ("remove", "keep", "multiply"), ("blur", "mean", "black")

_SUCCESS, _SOME_FAILED, _USAGE, _INTERRUPTED = 0, 1, 2, 130

_DESCRIPTION = """\
Explain pictures, and write each explanation as a page for any browser: the
heatmap of every class, method and layer in it, and a slider that masks the
picture, with the model's predictions for the masked picture. A page is one file
and needs no network.
"""

_EPILOG = """\
examples:
  camwidget photo.jpg                          photo.html, by the embedded model
  camwidget photo.jpg --model resnet50 --open  by ResNet-50, and show it
  camwidget photo.jpg --model resnet50 --target tabby --target "tiger cat"
  camwidget holiday/ cat.png -o pages          pages/index.html leads to them

The embedded models need no network. The weights of torchvision's models, and of
timm's (timm/NAME), are downloaded at first use.

exit codes:
  0    every picture has its page
  1    something could not be explained, which stderr names; the rest was
  2    wrong usage: no such option, file, model, method, layer or class, or the
       page exists already; nothing was written
  130  interrupted; pages that were finished stay
"""


class _UsageError(Exception):
    """An invalid argument of the command; nothing was computed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the arguments; those of the process if None.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal cannot encode must not raise.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except _UsageError as error:
        return _report_error(options, error, _USAGE)
    except KeyboardInterrupt:
        print("camwidget: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        return _report_error(options, error, _SOME_FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="camwidget",
        usage="camwidget PICTURE… [--model NAME] [-o OUT] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "pictures",
        metavar="PICTURE",
        nargs="+",
        help="an image file, or a folder of them, with the folders in it",
    )
    parser.add_argument("--version", action="version", version=f"camwidget {__version__}")

    model = parser.add_argument_group("model")
    model.add_argument("--model", metavar="NAME", help="(default: the embedded zoo/textures)")
    model.add_argument(
        "--weights",
        metavar="FILE",
        help="of the model, instead of its pretrained ones; for open_clip/NAME also the tag of pretrained ones",
    )
    model.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or mps (default: the fastest there is)"
    )
    model.add_argument(
        "--text",
        action="append",
        help="the question or caption, for a model that takes one; for CLIP, a text that is a class (may be repeated)",
    )

    shown = parser.add_argument_group(
        "what is in a page", "Options marked * may be repeated; the first is shown first."
    )

    def several(name: str, help: str, **more: Any) -> None:
        shown.add_argument(name, action="append", default=[], help=f"* {help}", **more)

    several("--target", "class name or index (default: the predicted class)", metavar="CLASS")
    shown.add_argument(
        "--classes",
        metavar="N",
        type=_number(1, 50),
        default=5,
        help="how many of the most probable classes (default: 5)",
    )
    several("--method", "(default: Grad-CAM and three other quick ones)", metavar="NAME")
    several("--layer", "or 'all' (default: the last one, and up to five others)", metavar="NAME")
    several("--mode", "remove, keep or multiply (default: remove)", choices=_MODES, metavar="MODE")
    several("--fill", "blur, mean or black (default: blur)", choices=_FILLS, metavar="FILL")
    shown.add_argument(
        "--steps",
        metavar="N",
        type=_number(2, 201),
        default=21,
        help="points of a curve, at each of which the model is run (default: 21)",
    )

    shown.add_argument(
        "--live",
        action="store_true",
        help="the page contains the model and runs it (needs camwidget[live])",
    )

    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the page's file, or the folder of several (default: PICTURE.html or camwidget-pages, here)",
    )
    output.add_argument("--force", action="store_true", help="replace pages that exist")
    output.add_argument("--open", action="store_true", help="show the result in the browser")
    output.add_argument(
        "-q", "--quiet", action="store_true", help="no progress bar; errors are still reported"
    )
    output.add_argument(
        "--debug", action="store_true", help="stop at the first error, with a traceback"
    )
    return parser


def _number(least: int, most: int) -> Callable[[str], int]:
    """A parser of an integer in a range, for argparse."""

    def read(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"an integer from {least} to {most}, not {text!r}")

    return read


def _run(options: argparse.Namespace) -> int:
    pictures, is_folder = _list_pictures(options.pictures)
    pages, index = _outputs(pictures, options.output, several=is_folder or len(pictures) > 1)
    if not options.force:
        _check_free([*pages, *([] if index is None else [index])])
    model = _load(options)
    _check(model, options)
    done: list[Page] = []
    failed = 0
    from .images.folders import distinct_names

    names = distinct_names(pictures)
    for number, (picture, name, page) in enumerate(zip(pictures, names, pages, strict=True), 1):
        if index is not None:
            _log(options, f"[{number}/{len(pictures)}] {_printable(picture)}")
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            done.append(_save(model, picture, name, page, options))
        except KeyboardInterrupt:
            _log(options, f"{len(done)} of {len(pictures)} pages were written.")
            raise
        except Exception as error:
            failed += 1
            _report_error(options, error, _SOME_FAILED, of=picture)
    _finish(options, done, index)
    if failed and len(pictures) > 1:
        print(f"camwidget: {failed} of {len(pictures)} pictures have no page", file=sys.stderr)
    return _SOME_FAILED if failed else _SUCCESS


def _list_pictures(paths: Iterable[str]) -> tuple[list[Path], bool]:
    """The picture files, including those in folders, and whether there was a folder."""
    from .errors import PictureError
    from .images.folders import list_folder

    found: list[Path] = []
    folders = 0
    for path in map(Path, paths):
        if path.is_dir():
            folders += 1
            try:
                found += list_folder(path)
            except PictureError as error:
                raise _UsageError(str(error)) from error
        elif path.exists():
            found.append(path)
        else:
            raise _UsageError(f"there is no file {_printable(path)!r} (looked in {Path.cwd()})")
    return list(dict.fromkeys(found)), folders > 0


def _outputs(
    pictures: Sequence[Path], output: str | None, *, several: bool
) -> tuple[list[Path], Path | None]:
    """The page of each picture, and the index if there are several."""
    out = None if output is None else Path(output)
    if not several:
        own = f"{pictures[0].stem}.html"
        if out is None:
            return [Path(own)], None
        if out.is_dir() or output.endswith(("/", os.sep)):  # type: ignore[union-attr]
            return [out / own], None
        if out.suffix.lower() not in (".html", ".htm"):
            raise _UsageError(
                f"-o {_printable(out)}: the page of one picture is an .html file, or in a folder that exists"
            )
        return [out], None
    folder = Path("camwidget-pages") if out is None else out
    if folder.exists() and not folder.is_dir():
        raise _UsageError(
            f"-o {_printable(folder)}: several pictures need a folder, and this is a file"
        )
    if folder.suffix.lower() in (".html", ".htm"):
        raise _UsageError(f"-o {_printable(folder)}: several pictures need a folder")
    taken = {"index"}
    pages = []
    for picture in pictures:
        name, number = picture.stem, 1
        # Names must also differ on case-insensitive file systems.
        while name.casefold() in taken:
            number += 1
            name = f"{picture.stem}-{number}"
        taken.add(name.casefold())
        pages.append(folder / f"{name}.html")
    return pages, folder / "index.html"


def _check_free(files: Sequence[Path]) -> None:
    existing = [f for f in files if f.exists()]
    if existing:
        more = f" and {len(existing) - 1} others" if len(existing) > 1 else ""
        raise _UsageError(
            f"{_printable(existing[0])}{more}: exists already. Name another output with -o, or use --force."
        )


def _load(options: argparse.Namespace) -> VisionModel:
    # open_clip's pretrained weights have names.
    is_named = str(options.model).startswith("open_clip/")
    if options.weights is not None and not is_named and not Path(options.weights).is_file():
        raise _UsageError(f"--weights: there is no file {options.weights!r}")
    _log(options, f"Loading {options.model or 'the embedded model'}…")
    from .errors import ModelError, PromptError, WeightsError
    from .loading.loader import DEFAULT_MODEL, load
    from .models.similarity_model import SimilarityModel

    try:
        model = load(options.model or DEFAULT_MODEL, weights=options.weights, device=options.device)
        if isinstance(model, SimilarityModel) and model.compared_with == "texts":
            if not options.text:
                raise _UsageError(
                    f"--text: {model.name} compares pictures with texts; give each by --text"
                )
            return model.given(texts=options.text)
        if not options.text:
            return model
        if model.prompt is None:
            raise _UsageError(f"--text: {model.name} takes no text")
        if len(options.text) > 1:
            raise _UsageError(f"--text: {model.name} takes one {model.prompt.name}")
        return model.given(**{model.prompt.name: options.text[0]})
    except (ModelError, PromptError, WeightsError) as error:
        raise _UsageError(str(error)) from error


def _check(model: VisionModel, options: argparse.Namespace) -> None:
    """Check the arguments that do not depend on the pictures."""
    from .attribution.methods import get_method
    from .errors import CamwidgetError
    from .models.class_names import typed_class

    try:
        layers = [model.layer(name).name for name in options.layer if name != "all"]
        shown = layers[0] if layers else model.default_layer
        for name in options.method:
            get_method(name).check(model, shown)
        if model.prompt is None or model.text is not None:
            for target in options.target:
                model.class_index(typed_class(target, model.classes))
    except CamwidgetError as error:
        raise _UsageError(str(error)) from error


def _save(
    model: VisionModel, picture: Path, name: str, page: Path, options: argparse.Namespace
) -> Page:
    from .export import save_page
    from .models.class_names import typed_class

    targets = [typed_class(t, model.classes) for t in options.target]
    layers: list[str] | str | None = options.layer or None
    if layers is not None and "all" in layers:
        layers = "all"
    first = next((name for name in options.layer if name != "all"), None)
    return save_page(
        model,
        picture,
        page,
        targets or None,
        options.method[0] if options.method else None,
        first,
        mode=options.mode[0] if options.mode else "remove",
        baseline=options.fill[0] if options.fill else "blur",
        classes=options.classes,
        methods=options.method or None,
        layers=layers,
        modes=options.mode,
        baselines=options.fill,
        steps=options.steps,
        name=name,
        live=options.live,
        overwrite=options.force,
        progress=(lambda done, total: None) if options.quiet else None,
    )


def _finish(options: argparse.Namespace, done: Sequence[Page], index: Path | None) -> None:
    """Write the index, and print the path of the result."""
    if not done:
        return
    result = done[0].path
    if index is not None:
        from .export import save_index

        title = f"{index.absolute().parent.name} · {done[0].explanation.model}"
        result = save_index(done, index, title=title, overwrite=options.force)
    _print_result(_printable(result))
    if options.open:
        import webbrowser

        webbrowser.open(result.absolute().as_uri())


def _print_result(text: str) -> None:
    """Print to stdout; a closed pipe, as of ``| true``, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Otherwise Python flushes again at exit, and prints an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _log(options: argparse.Namespace, text: str) -> None:
    if not options.quiet:
        print(text, file=sys.stderr)


def _report_error(
    options: argparse.Namespace, error: Exception, code: int, *, of: Path | None = None
) -> int:
    if options.debug:
        raise error
    from .errors import CamwidgetError, PromptError
    from .runtime.error_reports import error_text

    text = error_text(error, known=(_UsageError, CamwidgetError, OSError))
    if isinstance(error, PromptError):
        text += " Here: --text."
    subject = "" if of is None or text.startswith(of.name) else f"{_printable(of)}: "
    # Always a single line.
    print(f"camwidget: error: {subject}{' '.join(text.split())}", file=sys.stderr)
    return code


def _printable(path: Path) -> str:
    """A file name for a terminal: without control characters, and encodable."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
