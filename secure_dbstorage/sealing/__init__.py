"""Encryption at rest: the keys of files, and how they open and seal the rows of the table."""
