"""The notebook widgets: ``Explorer`` and its parts, ``Survey``, ``Quiz``, and ``FootprintExample`` for lessons."""

import lazy_loader

# ``__init__.pyi`` lists the public names. They are loaded at first use: an explorer needs nothing of a
# survey or a quiz.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
