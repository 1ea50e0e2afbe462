"""From any picture that a person has to the pixels that a model gets, and the ground truth that a picture carries.

What knows of a model's module belongs in ``models``; what hides pixels belongs in ``masking``.
"""
