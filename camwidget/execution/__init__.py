"""One pass of a user's module of which nothing is left in it: copies of its structure, random numbers, devices, memory.

What is found out about a module belongs in ``models``.
"""
