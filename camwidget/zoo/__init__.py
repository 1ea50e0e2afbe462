"""Small models whose right answer is known, and the pictures they were trained on.

``build("zoo/textures")`` loads a model that ships with camwidget; ``camwidget.zoo.textures`` draws
the pictures, with the exact place of every object. Nothing here needs the network.
"""

from .registry import ZooModel, available, build, samples
from .sample import Sample

__all__ = ["Sample", "ZooModel", "available", "build", "samples"]
