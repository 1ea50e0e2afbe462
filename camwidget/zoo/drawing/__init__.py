"""Procedural drawing of the zoo's pictures: noise, palettes, lighting, shapes, textures, backgrounds and objects.

The choice of pictures and their labels belongs in the modules above.
"""
