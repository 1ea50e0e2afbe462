"""What else maps and models are asked: places, units, attacks, descriptions, synthesized pictures, human studies.

Scores of maps belong in ``metrics``, tables over many pictures in ``evaluation``.
"""
