"""Attribution: from a model and a picture to a saliency map, by targets, recorded forward passes and methods.

Scores of a map belong in ``metrics``; masks made from a map belong in ``masking``.
"""
