"""Fuzzing: what strangers write, thrown at the parsers that read it, guided by coverage."""
