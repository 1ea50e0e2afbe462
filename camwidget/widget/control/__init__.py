"""What turns a person's requests into maps and predictions: the worker, the controllers, the caches."""
