"""Tests of the wing that keeps the table tidy."""
