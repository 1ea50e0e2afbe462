"""Feature visualization by activation maximization: pictures that maximize a class, a channel or a unit."""
