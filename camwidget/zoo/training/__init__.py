"""How the models of the zoo are trained and measured; `python -m camwidget.zoo.train` comes here."""
