"""Procedural drawing of the zoo's pictures: noise, palettes, lighting, shapes, textures, backgrounds and objects.

Which pictures a data set has, and what is asked of them, belongs in the modules above.
"""
