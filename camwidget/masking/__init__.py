"""Masking: which pixels of a picture are hidden, and which pixels replace them.

Methods that mask in order to compute a map belong in ``attribution.methods``; curves of the model's output over masks
belong in ``analysis``.
"""
