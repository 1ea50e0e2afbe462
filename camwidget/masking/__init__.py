"""Which pixels of a picture are hidden, what takes their place, and what the model says then.

The methods that mask in order to make a map are in ``attribution.methods``.
"""
