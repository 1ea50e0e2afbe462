"""Loading: models by name, and weights from files.

Properties of a loaded model belong in ``models``; embedded models belong in ``zoo``.
"""
