"""Survey of a data set: what a model predicts for each picture, where its evidence lies, and what is alike.

``survey_columns`` computes what is kept of a picture beside its scores; ``surveying`` runs a survey, by the machinery
of ``evaluation``; ``result`` holds what it found; ``clusters`` and ``layouts`` group and arrange the pictures;
``intervening`` hides something in all of them and evaluates again.

Comparisons of saliency methods belong in ``evaluation``, what is shown in a notebook in ``widget``.
"""

import lazy_loader

# ``__init__.pyi`` lists the public names. They are loaded at first use: a survey that is shown
# needs no clusters yet.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
