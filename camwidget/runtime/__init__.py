"""Services of the process that know nothing of models: caches, error reports, locks, files, process exit.

Code that runs a module belongs in ``execution``.
"""
