"""Models by name and weights from files.

What a loaded model is belongs in ``models``; the embedded models belong in ``zoo``.
"""
