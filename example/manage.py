#!/usr/bin/env python
"""Run `manage.py demo` first: it creates the tables and the demo files, and starts the server."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    if sys.argv[1:2] == ["demo"]:  # Everything else has to be told.
        os.environ.setdefault("DEBUG", "1")
    execute_from_command_line(sys.argv)
