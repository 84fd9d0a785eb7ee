"""Tests of the wing that says what is known about files."""
