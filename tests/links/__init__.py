"""Tests of the wing that makes and reads links."""
