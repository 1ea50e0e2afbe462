"""Requests and their results: what turns a change of a trait into maps and predictions.

Here are the worker thread, the controllers, the caches, and the context that the parts of an explorer share. What is
shown, and how it is worded, is in ``view``; nothing in here imports a panel or a state.
"""
