"""Tests of secure_dbstorage, and the servers they run against."""
