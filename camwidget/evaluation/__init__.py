"""Evaluation of saliency methods on data sets: in batches, scored by the metrics, resumable, optionally on a cluster.

``data`` and the modules that it imports read pictures; ``plan`` determines what is computed; ``batch`` computes it for
one batch; ``results_file`` stores the rows; ``table`` summarizes them. Only ``dask_backend`` depends on Dask.

Scores of a single map belong in ``metrics``. Colors and figures that other packages draw too belong in ``plotting``.
"""

import lazy_loader

# ``__init__.pyi`` lists the public names. They are loaded at first use: whoever reads data needs
# nothing that scores it.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
