"""Tests of the wing that encrypts."""
