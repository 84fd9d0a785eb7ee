"""Tests of the wing that copies files."""
