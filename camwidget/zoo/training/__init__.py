"""Training and evaluation of the zoo's models, run by `python -m camwidget.zoo.train`.

What a user of the models needs belongs in the modules above: only ``zoo.train`` imports this package.
"""
