"""What depends on where a widget runs: notebook front ends, the kernel's interrupts, executed notebooks, lifetime.

It knows widgets and cells, and nothing of explorers. Private API of the Jupyter libraries is in ``widget._compat``.
"""
