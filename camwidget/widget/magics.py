"""IPython magics: ``%explore`` shows an explorer, ``%%explain`` plots the maps of a picture that a cell computes."""

from __future__ import annotations

import argparse
import ast
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from ..attribution.explaining import explain
from ..attribution.explanation import Explanation, Explanations
from ..attribution.targets import Contrast, Counterfactual, TargetLike
from ..errors import CamwidgetError
from ..loading.loader import load
from ..models.class_names import typed_class
from ..models.vision_model import VisionModel
from .explorer import Explorer

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CamwidgetMagics", "register"]


class _Parser(argparse.ArgumentParser):
    """A parser that neither prints nor exits: what is wrong becomes the text of a ``UsageError``."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}\n{self.format_usage()}")


def _parser(magic: str) -> _Parser:
    parser = _Parser(prog=magic, add_help=False)
    parser.add_argument(
        "--model", "-m", help="a variable that holds a model, or a name for cw.load()"
    )
    parser.add_argument(
        "--target", "-t", help="class name or index; the predicted class if left out"
    )
    parser.add_argument("--against", help="the evidence against this class is explained")
    parser.add_argument(
        "--rather-than", help="the evidence for the target rather than this class is explained"
    )
    parser.add_argument("--layer", "-l", help="layer name; the model's default layer if left out")
    return parser


_EXPLORE = _parser("%explore")
_EXPLORE.add_argument("--method", default="gradcam", help="name of a method")
_EXPLORE.add_argument("--top", type=int, default=6, help="how many classes are listed, from 1 to 9")
_EXPLORE.add_argument("images", nargs="*", help="variables, picture files or folders")

_EXPLAIN = _parser("%%explain")
_EXPLAIN.add_argument(
    "--method", default="gradcam", help="names of methods, with commas between them"
)
_EXPLAIN.add_argument("--into", help="variable that receives the explanation")


@magics_class
class CamwidgetMagics(Magics):
    """The magics that ``%load_ext camwidget`` adds to IPython."""

    @line_magic
    def explore(self, line: str) -> Explorer:
        """Show an explorer.

        ``%explore [--model MODEL] [--method NAME] [--layer NAME]
        [--target CLASS [--rather-than CLASS] | --against CLASS] [--top N] [PICTURE …]``

        Args:
            line: options and pictures. A word that is the name of a variable stands for its value, any other word for
                a file or a folder. Without a model the embedded one is shown; without pictures, its own.

        Returns:
            The explorer, which IPython displays.

        Raises:
            UsageError: if an option or its value is wrong; the text says what is accepted.
        """
        options = _parsed(_EXPLORE, line)
        model = self._model(options.model)
        images: Any = [self._pictures(word) for word in options.images]
        if len(images) < 2:
            images = images[0] if images else None
        chosen: dict[str, Any] = {"method": options.method, "top": options.top}
        if options.layer is not None:
            chosen["layer"] = options.layer
        try:
            if (target := _target(options, _first(model))) is not None:
                chosen["target"] = target
            return Explorer(model, images, **chosen)
        except (CamwidgetError, FileNotFoundError) as error:
            raise UsageError(f"%explore: {error}") from error

    @cell_magic("explain")  # type: ignore[arg-type]  # IPython types the decorator's callable as Never
    def explain_cell(self, line: str, cell: str) -> Explanation | Explanations:
        """Explain the picture, or pictures, that the last expression of the cell evaluates to.

        ``%%explain [--model MODEL] [--method NAME,NAME] [--layer NAME]
        [--target CLASS [--rather-than CLASS] | --against CLASS] [--into VARIABLE]``

        Args:
            line: options.
            cell: Python code whose last expression is a picture in any form that ``explain`` accepts.

        Returns:
            One ``Explanation``, or ``Explanations`` of several methods or pictures, which IPython displays as pictures.

        Raises:
            UsageError: if an option or its value is wrong, or the cell does not end with an expression.
        """
        options = _parsed(_EXPLAIN, line)
        if options.into is not None and not options.into.isidentifier():
            raise UsageError(
                f"%%explain: --into wants the name of a variable, not {options.into!r}."
            )
        model = self._model(options.model)
        if not isinstance(model, VisionModel):
            raise UsageError(
                "%%explain: --model is one model, as cw.load() or cw.wrap() returns it."
            )
        picture = self._evaluated(cell)
        methods = [name.strip() for name in options.method.split(",")]
        try:
            explanation = explain(
                model,
                picture,
                _target(options, model),
                methods if len(methods) > 1 else methods[0],
                options.layer,
            )
        except (CamwidgetError, FileNotFoundError) as error:
            raise UsageError(f"%%explain: {error}") from error
        if options.into is not None:
            self._shell.user_ns[options.into] = explanation
        return explanation

    @property
    def _shell(self) -> InteractiveShell:
        shell = self.shell
        assert shell is not None  # magics are registered with one
        return shell

    def _value(self, word: str) -> Any:
        """The variable of that name, otherwise the word itself as a path."""
        return self._shell.user_ns.get(word, word)

    def _pictures(self, word: str) -> Any:
        """The variable of that name, otherwise the word as a path that has to exist."""
        value = self._value(word)
        if isinstance(value, str) and "://" not in value and not Path(value).expanduser().exists():
            raise UsageError(f"%explore: there is no variable, file or folder {value!r}.")
        return value

    def _model(self, word: str | None) -> VisionModel | Sequence[VisionModel]:
        """The variable of that name, otherwise what ``load`` makes of the name; the embedded model for None."""
        if word is None:
            return load()
        value = self._value(word)
        try:
            return load(value) if isinstance(value, str) else value
        except CamwidgetError as error:
            raise UsageError(f"--model: {error}") from error

    def _evaluated(self, cell: str) -> Any:
        """Run a cell in the user's namespace, and return the value of its last expression."""
        shell = self._shell
        tree = ast.parse(shell.transform_cell(cell), "<%%explain>")  # type: ignore[no-untyped-call]
        if not tree.body or not isinstance(last := tree.body.pop(), ast.Expr):
            raise UsageError(
                "%%explain: the last line of the cell has to be a picture, such as a path in quotes or a variable."
            )
        exec(compile(tree, "<%%explain>", "exec"), shell.user_ns)
        return eval(compile(ast.Expression(last.value), "<%%explain>", "eval"), shell.user_ns)


def _parsed(parser: _Parser, line: str) -> argparse.Namespace:
    try:
        return parser.parse_args(shlex.split(line))
    except ValueError as error:  # a quotation that does not end
        raise UsageError(f"{parser.prog}: {error}") from error


def _target(options: argparse.Namespace, model: VisionModel) -> TargetLike | None:
    """The target that the options name: a class, the evidence against one, or for one rather than another."""
    target, against, rival = options.target, options.against, options.rather_than
    if against is not None:
        if target is not None or rival is not None:
            other = "--target" if target is not None else "--rather-than"
            raise CamwidgetError(
                f"--against explains the evidence against its own class: leave {other} out. For one class rather than "
                "another, use --target and --rather-than."
            )
        return Counterfactual(typed_class(against, model.classes))
    if rival is not None:
        if target is None:
            raise CamwidgetError(
                "--rather-than names the other class: name the class that is explained by --target."
            )
        return Contrast(typed_class(target, model.classes), typed_class(rival, model.classes))
    return None if target is None else typed_class(target, model.classes)


def _first(model: VisionModel | Sequence[VisionModel]) -> VisionModel:
    return model if isinstance(model, VisionModel) else model[0]


def register(shell: InteractiveShell) -> None:
    """Add the magics to an IPython shell; ``%load_ext camwidget`` calls it.

    Args:
        shell: the shell.
    """
    shell.register_magics(CamwidgetMagics)
