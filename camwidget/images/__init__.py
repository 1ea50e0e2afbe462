"""Images: from any picture to the pixels that a model gets, and the ground truth that a picture carries.

Code that depends on a model's module belongs in ``models``; code that hides pixels belongs in ``masking``.
"""
