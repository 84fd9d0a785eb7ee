"""Fixtures that work around other packages."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let Willow leave its temporary files to the garbage collector."""
    ignored = "ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"
    config.addinivalue_line("filterwarnings", ignored)
