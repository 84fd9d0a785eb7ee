"""Lines that mypy judges and nothing runs."""
