"""Exceptions and warnings of camwidget; every message says what was passed and names a remedy."""

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
    """Base class of the errors that camwidget raises deliberately; each message names a remedy.

    Example:
        >>> import camwidget as cw
        >>> try:
        ...     cw.get_method("gradcamm")
        ... except cw.CamwidgetError as error:
        ...     print(error)
        There is no method 'gradcamm'. Did you mean 'gradcam' or ...
    """


class PictureError(CamwidgetError, ValueError):
    """A picture that cannot be read, or whose shape or range is not valid."""


class ModelError(CamwidgetError, ValueError):
    """An unknown model, or one whose output cannot be explained."""


class WeightsError(CamwidgetError, RuntimeError):
    """Weights that are missing, damaged or of another architecture."""


class LayerError(CamwidgetError, ValueError):
    """An unknown layer, or one without a map."""


class TargetError(CamwidgetError, ValueError):
    """An unknown class, or a target that is not one number per picture."""


class PromptError(CamwidgetError, ValueError):
    """A text that a model cannot parse, or a missing text."""


class MethodError(CamwidgetError, ValueError):
    """An unknown method, or one that does not apply to the model or layer."""


class MetricError(CamwidgetError, ValueError):
    """An unknown metric, or one that lacks a requirement: a mask, a label, or a method that can be rerun."""


class DataError(CamwidgetError, ValueError):
    """A data set that cannot be evaluated, or a results file of another evaluation."""


class QuizError(CamwidgetError, ValueError):
    """An invalid question, an unknown option, or too few pictures for a quiz."""


class StateError(CamwidgetError, ValueError):
    """A state of an explorer with an unknown key or an invalid value."""


class CompatibilityError(CamwidgetError, RuntimeError):
    """A library of another version, in which something that camwidget relies on has changed."""

    @classmethod
    def of(cls, library: str, what: str) -> CompatibilityError:
        """Create the error from the name of the library and of the changed part."""
        return cls(
            f"This version of {library} differs from those that camwidget knows: {what} has changed. Install a newer "
            f"camwidget, or an older {library}, such as the newest that 'pip install camwidget' accepts."
        )


class CamwidgetWarning(UserWarning):
    """A consequence of a call that the user should know."""


def warn(message: str) -> None:
    """Issue a ``CamwidgetWarning`` for the line outside of this package that made the call."""
    # A frame of the standard library lies between a context manager and its caller.
    skipped = (__name__.partition(".")[0], "contextlib")
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).split(".")[0] not in skipped:
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CamwidgetWarning, stacklevel=level)
