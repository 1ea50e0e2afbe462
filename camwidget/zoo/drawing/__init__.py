"""Procedural drawing of the zoo's pictures: noise, palettes, lighting, shapes, textures, backgrounds and objects."""
