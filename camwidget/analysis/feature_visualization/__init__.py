"""Feature visualization by activation maximization: pictures that maximize a class, a channel or a unit.

Pictures that are changed in order to change a decision belong in ``analysis.adversarial``.
"""
