"""`python -m camwidget.training NAME` trains a model of the zoo."""

from .train import main

main()
