"""What every package needs of the process, and that knows nothing of models: caches, error reports, locks, files.

What runs a module belongs in ``execution``.
"""
