"""The package's template tags."""
