"""Models: a module ready to be explained, with its layers, class names, outputs and text inputs.

Code that computes a map belongs in ``attribution``; code that reads model names and files belongs in ``loading``.
"""
