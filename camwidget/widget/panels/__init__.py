"""Panels folded below an explorer, each built when it is first opened.

A panel follows the map shown, and computes on the explorer's worker. What the picture itself shows is in ``view``.
"""
