"""Adapters to the host of a widget: notebook front ends, interrupts of the kernel, executed notebooks, cell outputs.

They know widgets and cells, and no explorers. Private API of the Jupyter libraries is in ``widget._compat``.
"""
