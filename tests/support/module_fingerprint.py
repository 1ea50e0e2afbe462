"""Fingerprint of a module, and its hooks, to test that it is unchanged."""

from __future__ import annotations

import torch
from torch import nn

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
)


def has_hooks(module: nn.Module) -> bool:
    """Whether a module, or one inside it, has a hook."""
    return any(getattr(part, name) for part in module.modules() for name in HOOKS)


def fingerprint(module: nn.Module) -> dict[str, object]:
    """Everything about a module that explaining must not change, to the bit."""
    return {
        "state": {k: v.clone().cpu().numpy().tobytes() for k, v in module.state_dict().items()},
        "kinds": [(n, type(m), m.training) for n, m in module.named_modules()],
        "flags": [(n, p.requires_grad, p.dtype, id(p)) for n, p in module.named_parameters()],
        "grads": [
            None if p.grad is None else p.grad.clone().cpu().numpy().tobytes()
            for p in module.parameters()
        ],
        "hooks": [[dict(getattr(m, h)) for h in HOOKS] for m in module.modules()],
        "inplace": [getattr(m, "inplace", None) for m in module.modules()],
        "grad mode": torch.is_grad_enabled(),
    }
