"""Train a model of the zoo, measure it, and write its weights and its card; and the command that does so."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from ..runtime.atomic_files import write_file
from ..zoo.registry import WEIGHTS, ZooEntry, available, entry
from .recipes import RECIPES, Recipe

TEST_PICTURES = 1000
"""Number of test pictures of each kind."""


def train(
    name: str, *, steps: int | None = None, seed: int = 0, progress: bool = True
) -> nn.Module:
    """Train a model of the zoo from nothing.

    The same arguments give the same weights, bit for bit, on the same machine with the same
    number of threads. The random state of the caller is left as it was.

    Args:
        name: "zoo/textures", or "textures" for short.
        steps: number of steps; the full training if left out.
        seed: seed of the first weights, the pictures and their order.
        progress: whether to show progress bars.

    Returns:
        The trained network, in eval mode.
    """
    found, recipe = _recipe(name)
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        try:
            net = found.network()
            recipe.train(found, net, steps=steps or recipe.steps, seed=seed, progress=progress)
        finally:
            torch.use_deterministic_algorithms(before)
    return net


def save_model(
    name: str,
    net: nn.Module,
    folder: Path,
    *,
    steps: int,
    seed: int,
    seconds: float,
    progress: bool = True,
) -> dict[str, Any]:
    """Write weights and model card to a folder, and return the card.

    Args:
        name: the model's name.
        net: the trained network.
        folder: where the two files go; made if it is not there.
        steps: number of steps it was trained for.
        seed: seed it was trained with.
        seconds: how long the training took, drawing included.
        progress: whether to show progress bars.
    """
    found, recipe = _recipe(name)
    rounded = {key: _as_stored(value) for key, value in net.state_dict().items()}
    weights = save(rounded)
    # What is measured is what is loaded later.
    stored = found.network()
    stored.load_state_dict(rounded)
    model = found.name.removeprefix("zoo/")
    # Written first, so that an error in the evaluation does not lose the training.
    folder.mkdir(parents=True, exist_ok=True)
    write_file(found.weights(folder), weights, overwrite=True)
    card = {
        "name": found.name,
        **recipe.about,
        "classes": list(found.classes),
        "input": {
            "size": found.input_size,
            **({} if found.frames is None else {"frames": found.frames}),
            "mean": list(found.mean),
            "std": list(found.std),
        },
        "parameters": sum(p.numel() for p in net.parameters()),
        "unseen": recipe.measure(found, stored.eval(), pictures=TEST_PICTURES, progress=progress),
        "training": {
            "command": f"python -m camwidget.training {model} --steps {steps} --seed {seed}",
            "steps": steps,
            "seed": seed,
            "seconds": round(seconds),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__.split("+")[0],
        },
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    _write_card(found.card(folder), card)
    return card


def remeasure(name: str, folder: Path, *, progress: bool = True) -> dict[str, Any]:
    """Evaluate existing weights, for instance after a change of a method, and return the rewritten card.

    Args:
        name: the model's name.
        folder: where the weights and the card are.
        progress: whether to show progress bars.
    """
    found, recipe = _recipe(name)
    net = found.network()
    net.load_state_dict(load_file(found.weights(folder)))
    path = found.card(folder)
    card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    card["unseen"] = recipe.measure(found, net.eval(), pictures=TEST_PICTURES, progress=progress)
    _write_card(path, card)
    return card


def _as_stored(weight: torch.Tensor) -> torch.Tensor:
    """The weight as its file has it: kernels and matrices in half the bytes, vectors as they are.

    A network is computed in float32 all the same. Vectors are few, and variances may lie beyond float16.
    """
    halved = weight.is_floating_point() and weight.ndim > 1
    return (weight.half() if halved else weight).contiguous()


def _write_card(path: Path, card: dict[str, Any]) -> None:
    write_file(path, (json.dumps(card, indent=2) + "\n").encode(), overwrite=True)


def _recipe(name: str) -> tuple[ZooEntry, Recipe]:
    found = entry(name if name.startswith("zoo/") else f"zoo/{name}")
    return found, RECIPES[found.name]


def _parser() -> argparse.ArgumentParser:
    models = [name.removeprefix("zoo/") for name in available()]
    parser = argparse.ArgumentParser(
        prog="python -m camwidget.training",
        description="Train a model of the zoo from nothing on pictures it draws itself, measure "
        "it on pictures it has not seen, and write its weights and its model card.",
        epilog="The same seed and steps give the same weights on the same machine. "
        "A full training takes about five minutes on two processor cores.",
    )
    parser.add_argument("model", choices=models, help="which model to train")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="number of steps (default: the full training)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the first weights, the pictures and their order (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=WEIGHTS,
        metavar="FOLDER",
        help="where to write the weights and the card (default: where camwidget keeps its own)",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="do not train: measure the weights in the folder again, and rewrite their card",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    return parser


def _report(card: dict[str, Any]) -> None:
    for kind, figures in card["unseen"].items():
        print(f"{kind:>9}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    args = _parser().parse_args(arguments)
    _, recipe = _recipe(args.model)
    if args.measure:
        _report(remeasure(args.model, args.out, progress=not args.quiet))
        return
    steps = args.steps or recipe.steps
    began = time.perf_counter()
    net = train(args.model, steps=steps, seed=args.seed, progress=not args.quiet)
    seconds = time.perf_counter() - began
    card = save_model(
        args.model,
        net,
        args.out,
        steps=steps,
        seed=args.seed,
        seconds=seconds,
        progress=not args.quiet,
    )
    _report(card)
    print(f"written to {args.out} after {seconds:.0f} s of training")
