"""Model folders: which of the files of a saved model are there, and what the others would say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError, WeightsError

__all__ = ["ModelFolder", "needs_extra"]

#: Names of weights files, in the order in which they are looked for; a JSON file lists several.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
)


def needs_extra(name: str, library: str, extra: str) -> ModelError:
    """Return the error for a library that is not installed.

    Args:
        name: the model's name.
        library: the library.
        extra: camwidget's extra that installs it.
    """
    return ModelError(f"{name} needs {library}: python -m pip install 'camwidget[{extra}]'.")


@dataclass(frozen=True)
class ModelFolder:
    """Folder with a saved model.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    def named(cls, text: str) -> ModelFolder | None:
        """Return the folder of a path; None if there is none.

        Raises:
            ModelError: if it is a file, or is written as a path and is not there.
        """
        path = Path(text).expanduser()
        if path.is_dir():
            return cls(path)
        if path.is_file():
            raise ModelError(
                f"{text!r} is a file, and a model is loaded from the folder with its configuration and weights."
            )
        if text.startswith((".", "/", "~")) or path.is_absolute():
            raise ModelError(f"There is no folder {text!r} (looked in {Path.cwd()}).")
        return None

    def has(self, *names: str) -> bool:
        """Return whether any of these files is there."""
        return any((self.path / name).is_file() for name in names)

    @property
    def weights(self) -> Path | None:
        """File of the weights, safetensors before others; None if there is none."""
        found = (self.path / name for name in _WEIGHTS)
        return next((path for path in found if path.is_file()), None)

    def check(self, needed: Sequence[tuple[Sequence[str], str]], name: str) -> None:
        """Check that files are there.

        Args:
            needed: for each file its names, of which one is enough, and what it is for.
            name: name of the model for the message.

        Raises:
            ModelError: if files are missing; it names each.
        """
        missing = [
            f"{' or '.join(names)} ({purpose})" for names, purpose in needed if not self.has(*names)
        ]
        if not missing:
            return
        there = sorted(p.name for p in self.path.iterdir())
        listed = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
        raise ModelError(
            f"The folder of {name} lacks {', '.join(missing[:-1])}{' and ' * (len(missing) > 1)}{missing[-1]}. It has "
            f"{listed or 'no files'}."
        )

    def required_weights(self, name: str) -> Path:
        """Return the file of the weights.

        Raises:
            WeightsError: if there is none.
        """
        found = self.weights
        if found is None:
            raise WeightsError(
                f"The folder of {name} lacks model.safetensors (its weights). Pass weights=…, a file of weights; or "
                "pretrained=False for random weights."
            )
        return found

    def json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the folder.

        Raises:
            ModelError: if it cannot be read.
        """
        try:
            found = json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.path / name} cannot be read as JSON ({error}).") from error
        if not isinstance(found, dict):
            raise ModelError(f"{self.path / name} holds no JSON object.")
        return found
