"""The commands. They parse and print; use cases do the work."""
