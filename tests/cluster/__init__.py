"""Several servers at once: ones that lag, ones that are killed, and caches in front."""
