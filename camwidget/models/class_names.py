"""Class names of a model: made unique, and looked up regardless of case."""

from __future__ import annotations

import difflib
import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

from ..errors import ModelError, TargetError

__all__ = ["configured_names", "find_class", "typed_class", "unique_names"]

#: Placeholder names of classes in transformers.
_UNNAMED = re.compile(r"LABEL_\d+")


def configured_names(module: Any, count: int) -> tuple[str, ...] | None:
    """Return the names in a transformers model's ``config.id2label``; None unless it has one for each output."""
    labels = getattr(getattr(module, "config", None), "id2label", None)
    if not isinstance(labels, Mapping) or len(labels) != count:
        return None
    try:
        named = {int(i): str(label) for i, label in labels.items()}
    except (TypeError, ValueError):
        return None
    if named.keys() != set(range(count)) or all(_UNNAMED.fullmatch(n) for n in named.values()):
        return None
    return tuple(named[i] for i in range(count))


def unique_names(
    names: Sequence[str] | None, count: int, no_classes: str = "", *, are_quantities: bool = False
) -> tuple[str, ...]:
    """Return class names as text, made unique so that a name identifies one class.

    Args:
        names: names as given; None for ``class 0`` ….
        count: number of outputs.
        no_classes: reason why there are no classes, for the error message.
        are_quantities: whether the outputs are quantities, whose default names are ``output 0`` ….

    Raises:
        ModelError: if ``names`` is no sequence of names, or has another length than the outputs.
    """
    if names is None:
        if are_quantities and count == 1:
            return ("output",)
        return tuple(f"{'output' if are_quantities else 'class'} {i}" for i in range(count))
    if isinstance(names, Mapping) and names.keys() == set(range(count)):
        names = [names[i] for i in range(count)]
    if isinstance(names, (str, Mapping, set, frozenset)) or not hasattr(names, "__iter__"):
        raise ModelError(
            "classes is a sequence of names in the order of the outputs, or a mapping from 0 … "
            f"{count - 1} to them, not {type(names).__name__}."
        )
    names = [str(n).strip() or f"class {i}" for i, n in enumerate(names)]
    if names and not count and no_classes:
        raise ModelError(f"{len(names)} class names were given, and {no_classes}")
    if len(names) != count:
        raise ModelError(
            f"{len(names)} class names were given, but the model has {count} outputs. Pass one name an "
            "output, in order."
        )
    times = Counter(names)
    unique = tuple(f"{n} #{i}" if times[n] > 1 else n for i, n in enumerate(names))
    if len(set(unique)) < count:  # a given name looks like a numbered one
        return tuple(f"{n} #{i}" for i, n in enumerate(names))
    return unique


def find_class(target: str | SupportsIndex, classes: Mapping[str, int], model: str) -> int:
    """Return the index of a class.

    Args:
        target: class index, or class name in any case.
        classes: indices by unique name, in order.
        model: name of the model, for error messages.

    Raises:
        TargetError: if there is no such class, or the name is ambiguous.
    """
    count = len(classes)
    if not isinstance(target, str):
        try:
            index = operator.index(target)
        except TypeError:
            raise TargetError(
                f"A class is an index or a name, not {type(target).__name__}."
            ) from None
        if isinstance(target, bool) or not 0 <= index < count:
            known = f"classes 0 to {count - 1}" if count > 1 else "class 0 only"
            raise TargetError(f"There is no class {target!r}: {model} has {known}.")
        return index
    if target in classes:
        return classes[target]
    folded = target.strip().casefold()
    matches = [i for name, i in classes.items() if name.casefold() == folded]
    if len(matches) == 1:
        return matches[0]
    twins = folded and [name for name in classes if name.rpartition(" #")[0].casefold() == folded]
    if twins:
        raise TargetError(f"{target!r} names several classes: {' and '.join(map(repr, twins))}.")
    near = [c for c in classes if folded and folded in c.casefold()][:3]
    near += difflib.get_close_matches(target, classes, n=3, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4]
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise TargetError(f"{model} has no class named {target!r}.{hint}")


def typed_class(text: str, classes: Sequence[str]) -> str | int:
    """A class as a person types it: digits are an index, unless a class has that name.

    Args:
        text: a class's name, or its index in digits.
        classes: the model's class names.

    Returns:
        The name, or the index as an int.
    """
    return int(text) if text.isdecimal() and text not in classes else text
