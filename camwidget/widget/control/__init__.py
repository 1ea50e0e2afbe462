"""Scheduling and computation: from a changed trait, or a click, to maps and predictions.

The worker thread, the map controllers, the caches, and the context that the parts of an explorer share. Widgets and the
sentences that are shown are in ``view``; nothing in here imports a panel or a state.
"""
