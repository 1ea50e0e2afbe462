"""See what an image model looked at: saliency, class by class, and what masking it changes."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# ``__init__.pyi`` lists the public names. They are loaded at first use: the command's help needs no PyTorch, and a
# script that only explains needs no Jupyter libraries.
__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
_modules = {module.name for module in pkgutil.iter_modules(__path__)}
__all__ = [name for name in _names if name not in _modules]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%explore`` and ``%%explain`` to IPython; ``%load_ext camwidget`` calls it.

    Args:
        shell: IPython's shell.
    """
    from .widget.magics import register

    register(shell)
