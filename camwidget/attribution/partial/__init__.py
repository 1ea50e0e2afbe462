"""Partial passes: after a change of a part of the picture, only what the change can reach is computed again.

The idea is that of Krypton (Nakandala et al. 2019, SIGMOD, arXiv:1810.07472) for occlusion. What uses such passes
belongs with its method or analysis; passes that recompute everything belong in ``attribution.batched_inference``.
"""
