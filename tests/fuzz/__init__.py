"""Fuzzing: generated input for the parsers that read what strangers write, guided by coverage."""
