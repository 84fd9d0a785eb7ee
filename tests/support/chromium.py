"""Chromium without a screen, as playwright drives it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.unavailable import Unavailable, find_program, skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Silence background requests, and let a player begin without a click.
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--autoplay-policy=no-user-gesture-required",
]


#: The first that is installed. The shell has no screen to draw on and takes half the time.
_PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")


@contextmanager
def chromium(*, shows_documents: bool = False) -> Iterator["Browser"]:
    """Start Chromium; skip or fail the test where there is none.

    Args:
        shows_documents: Whether it has to have the viewer of PDF files, which the shell has not.

    """
    try:
        from playwright import sync_api

        program = find_program(*_PROGRAMS[shows_documents:], package="chromium")
    except (ImportError, Unavailable) as reason:
        skip_or_fail(str(reason))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def chromium_beside_django(*, shows_documents: bool = False) -> Iterator["Browser"]:
    """Start Chromium for a test that asks the database too.

    A fixture takes ``django_db_setup`` before this. While playwright's loop runs, Django makes
    connections of its own, and one that has made the databases would stay open.
    """
    # playwright's loop is in this thread. The database is asked by nobody else.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with chromium(shows_documents=shows_documents) as browser:
            yield browser
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
