"""Tests of the wing that speaks to the table."""
