"""Training and evaluation of the zoo's models: ``python -m camwidget.training textures``.

A program of its own, which explains and measures. Networks, pictures and all else that users of the models need belong
in ``zoo``.
"""
