"""Explanations evaluated: by many metrics, over many pictures."""
