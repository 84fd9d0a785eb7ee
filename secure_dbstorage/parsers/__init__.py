"""Parsers turn an option's value, as a project wrote it, into the value that the package uses.

Each raises ValueError for an invalid value. The text says what the value must be.
"""
