"""Activation maximization: a picture synthesized to raise a class, a channel or a unit."""
