"""State of an explorer: reading and restoring it, its history, and what is exported from it.

Exports are the Python code, the figure and the offline page. Computations belong in ``control``.
"""
