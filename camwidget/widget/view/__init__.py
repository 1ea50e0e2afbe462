"""What is on the screen: the synced traits, the charts and canvases, and the sentences."""
