"""Analyses of maps and models: masking, localization, dissection, attacks, textual explanation, feature visualization.

Scores of maps belong in ``metrics``, tables over data sets in ``evaluation``.
"""
