"""Rows and bytes: how files are kept in the table."""
