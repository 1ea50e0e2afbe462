"""What the widget says in words. "Evidence for", never "the model looked at": a map is no proof."""

from __future__ import annotations

from ..explanation import Explanation

__all__ = ["picked_sentence", "sentence", "status"]


def sentence(
    explanation: Explanation, mode: str, fraction: float, before: float, after: float | None
) -> str:
    """One sentence on what masking did, to be read aloud."""
    name = explanation.target.label
    if explanation.is_empty:
        return f"{explanation.note} Choose another class, layer or method."
    if after is None:
        if mode == "keep":
            return f"The whole picture is kept. Drag the slider to keep only the most evidence for {name}."
        return f"Nothing is removed yet. Drag the slider to take the evidence for {name} away."
    deed = {
        "remove": f"Removing the {fraction:.0%} with the most evidence for {name}",
        "keep": f"Keeping only the {fraction:.0%} with the most evidence for {name}",
        "multiply": f"Multiplying the picture by its map for {name}",
    }[mode].replace("%", " %")
    change = after - before
    if abs(change) < 0.005:
        effect = "leaves it as it is"
    else:
        effect = f"{'raises' if change > 0 else 'lowers'} it by {abs(change):.2f}"
    return f"{deed} {effect} ({before:.2f} → {after:.2f})."


def picked_sentence(name: str | None) -> str:
    """What a click in the picture found."""
    if name is None:
        return "None of the listed classes has positive evidence there."
    return f"The strongest evidence there is for {name}."


def status(model: str, explanation: Explanation, milliseconds: float, device: str) -> str:
    """Model, method, layer, class, time and device in one line."""
    height, width = explanation.raw.shape
    return " · ".join(
        (
            model,
            explanation.method_label,
            f"{explanation.layer} {width}×{height}",
            explanation.target.label,
            f"{milliseconds:.0f} ms" if milliseconds >= 1 else "< 1 ms",
            device,
        )
    )
