"""Exceptions and warnings of camwidget. Every message says what was given and how to mend it."""

from __future__ import annotations

import inspect
import warnings

__all__ = [
    "CamwidgetError",
    "CamwidgetWarning",
    "CompatibilityError",
    "DataError",
    "LayerError",
    "MethodError",
    "MetricError",
    "ModelError",
    "PictureError",
    "PromptError",
    "QuizError",
    "StateError",
    "TargetError",
    "WeightsError",
]


class CamwidgetError(Exception):
    """The base of every error that camwidget raises on purpose."""


class PictureError(CamwidgetError, ValueError):
    """A picture that cannot be read, or whose shape or range makes no sense."""


class ModelError(CamwidgetError, ValueError):
    """No such model, or one whose output or values cannot be explained."""


class WeightsError(CamwidgetError, RuntimeError):
    """Weights that are missing, damaged or made for another architecture."""


class LayerError(CamwidgetError, ValueError):
    """No such layer, or one that has no map to explain."""


class TargetError(CamwidgetError, ValueError):
    """No such class, or a target that is not a number per picture."""


class PromptError(CamwidgetError, ValueError):
    """A text that a model cannot read, or none where it needs one."""


class MethodError(CamwidgetError, ValueError):
    """No such method, or one that does not apply to this model or layer."""


class MetricError(CamwidgetError, ValueError):
    """No such metric, or one that lacks what it needs: a mask, a label, a method that can be run again."""


class DataError(CamwidgetError, ValueError):
    """A set of pictures that cannot be evaluated, or a file of results that are not of this evaluation."""


class QuizError(CamwidgetError, ValueError):
    """A question that cannot be asked, an option that there is not, or too few pictures for a quiz."""


class StateError(CamwidgetError, ValueError):
    """A state of an explorer with a key that there is not, or a value that cannot be."""


class CompatibilityError(CamwidgetError, RuntimeError):
    """A library of another version, in which something that camwidget relies on has changed."""

    @classmethod
    def of(cls, library: str, what: str) -> CompatibilityError:
        """The error that names the library, and what of it has changed."""
        return cls(
            f"This version of {library} differs from those that camwidget knows: {what} has changed. Install a newer "
            f"camwidget, or an older {library}, such as the newest that 'pip install camwidget' accepts."
        )


class CamwidgetWarning(UserWarning):
    """Something that is done as asked, and that the user should know."""


def warn(message: str) -> None:
    """Give a ``CamwidgetWarning`` at the line outside this package that the call came from."""
    # Between a context manager and who enters it there is the standard library's part of it.
    passed = (__name__.partition(".")[0], "contextlib")
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).split(".")[0] not in passed:
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CamwidgetWarning, stacklevel=level)
