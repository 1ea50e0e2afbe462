"""What is on the screen: the synced traits, the charts and canvases, and the sentences.

Nothing in here computes a map or runs a model, and nothing imports ``control``: it is given what it shows.
"""
