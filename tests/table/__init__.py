"""Tests of the wing that keeps rows and bytes."""
