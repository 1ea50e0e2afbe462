"""From a model and a picture to a saliency map: the trace, the targets, the methods and their result.

What judges a map belongs in ``metrics``; what hides pixels by a map belongs in ``masking``.
"""
