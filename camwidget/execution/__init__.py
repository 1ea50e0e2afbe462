"""Running a user's module without side effects: copies of it, random numbers, device errors, memory and batches.

Properties of a module that are found by running it belong in ``models``.
"""
