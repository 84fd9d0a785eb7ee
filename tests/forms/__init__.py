"""Tests of :mod:`secure_dbstorage.forms`."""
