"""Take tokens out of texts, such as the lines of an access log."""

import copy
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from secure_dbstorage.links.paths import (
    DOTS_IN_WHOLE,
    PARAMETER_IN_TEXT,
    SEGMENT_IN_TEXT,
    WHOLE_IN_TEXT,
)

#: Stands where a token was.
REMOVED = "removed"


class TokenFilter(logging.Filter):
    """Takes tokens out of log records: for the access logs of servers, which don't know Django.

    Put it on a handler, or on a logger that writes request lines: ``uvicorn.access``,
    ``gunicorn.access``, ``django.server``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the tokens in its message and arguments."""
        record.msg = _clean(record.msg)
        if isinstance(record.args, Mapping):
            # gunicorn has a mapping class that fills in missing values. Making a new one would
            # escape all values a second time, or ask for more arguments than these.
            cleaned: Any = copy.copy(record.args)
            for name, value in record.args.items():
                cleaned[name] = _clean(value)
            record.args = cleaned
        elif record.args:
            record.args = tuple(map(_clean, record.args))
        return True


def without_tokens(text: str) -> str:
    """Return a text with ``removed`` in place of each token, in queries, paths and elsewhere."""
    return without_whole(PARAMETER_IN_TEXT.sub(rf"\1{REMOVED}", without_segments(text)))


def without_segments(text: str) -> str:
    """Return a text with ``removed`` in place of each token in a path."""
    return SEGMENT_IN_TEXT.sub(rf"\1{REMOVED}", text)


def without_whole(text: str) -> str:
    """Return a text with ``removed`` in place of each whole token, and what looks like one."""
    return WHOLE_IN_TEXT.sub(REMOVED, text)


def has_whole(texts: Iterable[str]) -> bool:
    """Tell whether there is a whole token in any of these texts."""
    # Most have too few dots, which is seen sooner.
    dotted = [text for text in texts if text.count(".") >= DOTS_IN_WHOLE]
    return bool(dotted) and WHOLE_IN_TEXT.search("\n".join(dotted)) is not None


def _clean(value: Any) -> Any:
    """Return a value without tokens; an object that shows one, such as a request, as its text."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    cleaned = without_tokens(text)
    return value if cleaned == text else cleaned
