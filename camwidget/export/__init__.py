"""Saved pages: a picture's explanations as interactive HTML files that need neither a network nor a kernel.

Code that needs a kernel belongs in ``widget``; code that masks pictures or computes maps in ``masking`` and
``attribution``.
"""

import lazy_loader

# ``__init__.pyi`` lists the public names. They are loaded at first use: an explorer needs none before
# a page is saved.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
