"""The state of an explorer, its history, and everything that is exported from it."""
