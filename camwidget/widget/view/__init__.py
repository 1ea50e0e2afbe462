"""Widgets on the screen: the picture view with its synced traits, charts, thumbnails, and the sentences shown.

Nothing in here computes a map or runs a model, and nothing imports ``control``.
"""
