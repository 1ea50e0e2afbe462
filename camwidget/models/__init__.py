"""A vision model ready to be explained: its module, layers, class names, outputs and device.

Nothing here computes a map: that belongs in ``attribution``. Reading names and files belongs in ``loading``.
"""
