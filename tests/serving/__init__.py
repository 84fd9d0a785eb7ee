"""Tests of the wing that answers requests."""
