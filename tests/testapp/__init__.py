"""Models with files, as a project has them."""
