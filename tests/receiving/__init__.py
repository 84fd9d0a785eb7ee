"""Tests of the wing that receives uploads."""
