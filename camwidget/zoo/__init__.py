"""Small embedded models with known ground truth, and generators of their pictures.

``build("zoo/textures")`` loads an embedded model; ``camwidget.zoo.textures`` draws its pictures, with the exact mask of
every object. Nothing here needs a network.

Models of other libraries belong in ``loading``, and what trains these in ``training``. Nothing here explains a model.
"""

from .registry import ZooModel, available, build, samples
from .sample import Sample

__all__ = ["Sample", "ZooModel", "available", "build", "samples"]
