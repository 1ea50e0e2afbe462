"""The panels folded below an explorer, each built when it is first opened."""
