"""Tests of the wing that is Django's storage."""
