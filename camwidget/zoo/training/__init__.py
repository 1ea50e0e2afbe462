"""Training and evaluation of the zoo's models, run by `python -m camwidget.zoo.train`.

Code for users of the models belongs in the modules above: only ``zoo.train`` imports this package.
"""
