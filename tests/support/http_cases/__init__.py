"""Requests and expected answers, as data: RFC 9110 to the letter, abuse, and the header policy.

A target may hold ``{signed[NAME]}`` and other spellings of a token: see ``links``. What an answer
expects beyond its own fields is the policy for its kind.
"""

from tests.support.http_cases import (
    folders,
    headers,
    if_range,
    methods,
    paths,
    policy,
    preconditions,
    ranges,
    tokens,
)

#: All cases.
CASES = (
    *methods.CASES,
    *preconditions.CASES,
    *ranges.CASES,
    *if_range.CASES,
    *paths.CASES,
    *tokens.CASES,
    *folders.CASES,
    *headers.CASES,
    *policy.CASES,
)
