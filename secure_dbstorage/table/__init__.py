"""Rows and bytes: the one room that speaks to the table."""
