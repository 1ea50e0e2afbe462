"""Training and evaluation of the zoo's models, run by `python -m camwidget.zoo.train`."""
